"""Which mode a run is in. Decided once, before anything is opened.

`decide_mode` is pure: everything that could speak for a mode is handed in, and whatever contradicts something else is
refused with its reason. Nothing but the full set gives live; docs/guides/risk.md lists it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from magellan.settings.environment import RunSettings
from magellan.settings.keys import KeysFound, KeyState
from magellan.settings.mode import Asked, Decided, Mode, Problem, Refusal, Rule
from magellan.workspace.broker_account import BrokerAccount, KeyNames, is_loopback
from magellan.workspace.workspace import Stage, WorkspaceSettings

# Which accounts a stage may trade. A process of no stage is held to what harms nobody.
_KINDS: Final[Mapping[Stage | None, frozenset[str]]] = {
    None: frozenset({"local"}),
    Stage.DEV: frozenset({"local"}),
    Stage.TEST: frozenset({"local", "paper"}),
    Stage.PROD: frozenset({"local", "paper", "live"}),
}

_NO_PAPER: Final = (
    "; robinhood has no paper account: staging for it means our own exchange, an account of broker alpaca and kind "
    "local"
)
_BROKER_HOSTS: Final = {"api.alpaca.markets": "live", "paper-api.alpaca.markets": "paper"}


def decide_mode(
    *,
    stage: Stage | None,
    strategy: str | None = None,
    said: RunSettings,
    workspace: WorkspaceSettings,
    asked: Asked,
    keys_of: Callable[[KeyNames], KeysFound],
) -> Decided | Refusal:
    """The one mode in which a strategy runs, or every reason why there is none.

    stage:    of the strategy's folder; None outside of a workspace's stages.
    strategy: its name, where a stage gives it an account of its own.
    said:     what the environment says; a strategy may run in a process of a lower stage, never of a higher one.
    keys_of:  what is known of an account's keys; asked only where a broker would be reached.
    """
    problems = list(said.contradictions())
    archived = asked.archived or bool(said.use_archived_data)
    problems += _two_modes(said, asked, archived=archived)
    if archived:
        problems += _archived_from_the_command_line(said, asked)
        decided = Decided(mode=Mode.ARCHIVED)
    else:
        problems += _above_its_stage(stage, said)
        found = _chosen_account(_effective_stage(stage, said), strategy, said, workspace, asked)
        if isinstance(found, Problem):
            return Refusal(problems=_each_once([*problems, found]))
        name, account = found
        if account is None and not asked.dry_run:
            problems.append(
                Problem(
                    rule=Rule.NO_ACCOUNT,
                    reason="nothing says where orders go: no account is named, and this stage has none",
                )
            )
            return Refusal(problems=_each_once(problems))
        mode = Mode.DRY if asked.dry_run or account is None else _MODE_OF[account.kind]
        decided = Decided(mode=mode, account_name=name, account=account)
        if account is not None:
            problems += _account_against_the_rest(account, mode, stage, said, keys_of)
    if decided.mode is Mode.LIVE:
        assert decided.account is not None, "only an account is live"
        problems += _missing_for_live(decided.account, stage, said, asked)
    else:
        problems += _only_for_live(decided.mode, asked)
    return Refusal(problems=_each_once(problems)) if problems else decided


_MODE_OF: Final[Mapping[str, Mode]] = {"local": Mode.LOCAL, "paper": Mode.PAPER, "live": Mode.LIVE}
_ORDER: Final = (Stage.DEV, Stage.TEST, Stage.PROD)


def _two_modes(said: RunSettings, asked: Asked, *, archived: bool) -> Iterator[Problem]:
    if archived and asked.dry_run:
        yield Problem(
            rule=Rule.TWO_MODES,
            reason="archived bars and a dry run are two modes: archived replays, a dry run follows the market",
        )
    if asked.archived and said.use_archived_data is False:
        yield Problem(
            rule=Rule.TWO_MODES,
            reason="--archived is given and USE_ARCHIVED_DATA is false: one of them is wrong",
        )
    if archived and asked.account is not None:
        yield Problem(
            rule=Rule.TWO_MODES,
            reason=f"archived bars trade no account, and the account {asked.account} is named",
        )


def _archived_from_the_command_line(said: RunSettings, asked: Asked) -> Iterator[Problem]:
    """What `contradictions` says of USE_ARCHIVED_DATA holds for the option too."""
    if not asked.archived:
        return
    if said.stage is Stage.PROD:
        yield Problem(
            rule=Rule.ARCHIVE_IN_PROD,
            reason=f"--archived is given and ENVIRONMENT is {said.environment}: production never reads the archive",
        )
    if False in (said.alpaca_paper, said.paper_trading):
        yield Problem(
            rule=Rule.ARCHIVE_AND_LIVE,
            reason="--archived is given and the environment names a live account: archived bars never reach one",
        )


def _effective_stage(stage: Stage | None, said: RunSettings) -> Stage | None:
    """The lower of the folder's stage and the process's."""
    known = [each for each in (stage, said.stage) if each is not None]
    return min(known, key=_ORDER.index) if stage is not None and known else None


def _above_its_stage(stage: Stage | None, said: RunSettings) -> Iterator[Problem]:
    if said.stage is None:
        return
    if stage is None:
        if said.stage is not Stage.DEV:
            yield Problem(
                rule=Rule.STAGE,
                reason=f"ENVIRONMENT is {said.environment}, and the strategy lies in no stage of a workspace",
            )
    elif _ORDER.index(said.stage) > _ORDER.index(stage):
        yield Problem(
            rule=Rule.STAGE,
            reason=f"ENVIRONMENT is {said.environment}, and the strategy has only come as far as {stage}",
        )


def _chosen_account(
    stage: Stage | None,
    strategy: str | None,
    said: RunSettings,
    workspace: WorkspaceSettings,
    asked: Asked,
) -> tuple[str | None, BrokerAccount | None] | Problem:
    """The account by the name that was asked for, else by its number, else the stage's."""
    there = ", ".join(workspace.accounts) or "none"
    number = said.alpaca_account_id
    name = asked.account
    if name is None and number is not None:
        name = next((each for each, account in workspace.accounts.items() if account.number == number), None)
        if name is None:
            return Problem(
                rule=Rule.ACCOUNT_UNKNOWN,
                reason=f"ALPACA_ACCOUNT_ID is {number}, and no account of that number is in magellan.toml; "
                f"there are: {there}",
            )
    if name is None and stage is not None:
        name = workspace.stage(stage).account_of(strategy)
    if name is None:
        return None, None
    account = workspace.accounts.get(name)
    if account is None:
        return Problem(
            rule=Rule.ACCOUNT_UNKNOWN, reason=f"magellan.toml has no account '{name}'; there are: {there}"
        )
    if number is not None and number != account.number:
        return Problem(
            rule=Rule.ACCOUNT_NUMBER,
            reason=f"ALPACA_ACCOUNT_ID is {number}, and the account '{name}' is {account.number}",
        )
    return name, account


def _account_against_the_rest(
    account: BrokerAccount,
    mode: Mode,
    stage: Stage | None,
    said: RunSettings,
    keys_of: Callable[[KeyNames], KeysFound],
) -> Iterator[Problem]:
    """Where the account contradicts the stage, the paper flags, the address or the keys."""
    effective = _effective_stage(stage, said)
    if mode.sends and account.kind not in _KINDS[effective]:
        yield Problem(
            rule=Rule.STAGE,
            reason=f"{_whose_stage(stage, effective, said)} does not trade a {account.kind} account"
            + (_NO_PAPER if account.broker == "robinhood" else ""),
        )
    if mode.sends and account.kind != "live" and said.stage is Stage.PROD:
        yield Problem(
            rule=Rule.PAPER_IN_PROD,
            reason=f"ENVIRONMENT is {said.environment} and the account is {account.kind}: one of them is wrong",
        )
    for variable, paper in (("ALPACA_PAPER", said.alpaca_paper), ("PAPER_TRADING", said.paper_trading)):
        if paper is not None and paper != (account.kind != "live"):
            yield Problem(
                rule=Rule.PAPER_FLAGS,
                reason=f"{variable} is {str(paper).lower()} and the account is {account.kind}: one of them is wrong",
            )
    yield from _address(account, said)
    if mode.sends and not account.takes_orders:
        yield Problem(
            rule=Rule.NO_ORDERS,
            reason=f"the account is read only: {account.broker} is sent orders where magellan.toml says "
            "places_orders = true",
        )
    if account.kind != "local" and account.has_keys:  # a local exchange takes any
        found = keys_of(account.keys)
        if found.state is not KeyState.WHOLE:
            yield Problem(rule=Rule.KEYS, reason=found.reason)


def _whose_stage(stage: Stage | None, effective: Stage | None, said: RunSettings) -> str:
    if stage is not effective:
        return f"ENVIRONMENT is {said.environment}, and a process of {effective}"
    return f"a strategy in {effective or 'no stage'}"


def _address(account: BrokerAccount, said: RunSettings) -> Iterator[Problem]:
    for variable, address in (
        ("APCA_API_BASE_URL", said.apca_api_base_url),
        ("ALPACA_BASE_URL", said.alpaca_base_url),
    ):
        if not address:
            continue
        if account.kind == "local":
            agrees = _same_place(address, account.address or "")
        else:
            agrees = _BROKER_HOSTS.get(_host(address)) == account.kind
        if not agrees:
            leads = "to this machine" if is_loopback(address) else f"to {_host(address) or 'no host'}"
            yield Problem(
                rule=Rule.ADDRESS,
                reason=f"{variable} leads {leads}, and the account is {account.kind}: one of them is wrong",
            )


def _missing_for_live(
    account: BrokerAccount, stage: Stage | None, said: RunSettings, asked: Asked
) -> Iterator[Problem]:
    """Live is never what is left over: each of these must be said."""
    if stage is not Stage.PROD or said.stage is not Stage.PROD:
        yield Problem(
            rule=Rule.LIVE_STAGE, reason="real money needs a strategy in prod/ and ENVIRONMENT=prod"
        )
    if said.paper is not False:
        variable = "ALPACA_PAPER" if account.broker == "alpaca" else "PAPER_TRADING"
        yield Problem(rule=Rule.LIVE_SAID, reason=f"real money needs {variable}=false")
    if asked.typed_number is None:
        yield Problem(rule=Rule.LIVE_TYPED, reason="real money needs the account number typed by a person")
    elif asked.typed_number != account.number:
        yield Problem(
            rule=Rule.LIVE_TYPED,
            reason=f"the number typed, {asked.typed_number}, is not that of the account, {account.number}",
        )
    if not (asked.approved_release or "").strip() and not (asked.armed_by or "").strip():
        yield Problem(
            rule=Rule.LIVE_ARMED,
            reason="real money needs an approved release, or a person who arms it by name",
        )


def _only_for_live(mode: Mode, asked: Asked) -> Iterator[Problem]:
    """Who types an account number or arms a run believes that it is live."""
    for given, what in (
        (asked.typed_number, "an account number is typed"),
        (asked.armed_by, "the run is armed for real money"),
    ):
        if given is not None:
            yield Problem(rule=Rule.ONLY_FOR_LIVE, reason=f"{what}, and the mode is {mode}")


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _same_place(one: str, other: str) -> bool:
    try:
        first, second = urlsplit(one), urlsplit(other)
        return (first.hostname, first.port) == (second.hostname, second.port) and bool(first.hostname)
    except ValueError:
        return False


def _each_once(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(dict.fromkeys(problems))
