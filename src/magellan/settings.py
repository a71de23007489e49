"""Settings: which mode a run is in, and with which keys. Decided once, before anything is opened.

`decide_mode` is pure: everything that could speak for a mode is handed in, and whatever contradicts something else is
refused with its reason. Nothing but the full set gives live; docs/guides/risk.md lists it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from magellan.errors import FixInput
from magellan.ports.secrets import SecretProvider
from magellan.workspace.broker_account import BrokerAccount, KeyNames, is_loopback
from magellan.workspace.workspace import Stage, WorkspaceSettings


class Mode(StrEnum):
    """Where a session's bars come from, and where its orders go. One per process, fixed when it is made."""

    DRY = "dry"  # bars as they come; it decides and records, and sends nothing
    ARCHIVED = "archived"  # archived bars; no order leaves the process
    LOCAL = "local exchange"  # an exchange on this machine
    PAPER = "paper"  # a broker's paper account
    LIVE = "live"  # real money

    @property
    def sends(self) -> bool:
        """Whether orders leave the process."""
        return self in (Mode.LOCAL, Mode.PAPER, Mode.LIVE)


class Rule(StrEnum):
    """Why there is no mode."""

    TWO_MODES = "two modes"
    PAPER_FLAGS = "paper flags"
    ARCHIVE_IN_PROD = "archive in prod"
    ARCHIVE_AND_LIVE = "archive and live"
    PAPER_IN_PROD = "paper in prod"
    STAGE = "stage"
    ACCOUNT_UNKNOWN = "account unknown"
    NO_ACCOUNT = "no account"
    ACCOUNT_NUMBER = "account number"
    ADDRESS = "address"
    KEYS = "keys"
    ONLY_FOR_LIVE = "only for live"
    LIVE_STAGE = "live needs prod"
    LIVE_SAID = "live needs ALPACA_PAPER=false"
    LIVE_TYPED = "live needs its number typed"
    LIVE_ARMED = "live needs a release or an arming person"
    NO_ORDERS = "the account is read only"


_STAGES: Final[Mapping[str, Stage | None]] = {
    "": None,
    "dev": Stage.DEV,
    "development": Stage.DEV,
    "test": Stage.TEST,
    "testing": Stage.TEST,
    "staging": Stage.TEST,
    "prod": Stage.PROD,
    "production": Stage.PROD,
    "live": Stage.PROD,
}

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

_SECRET_NAME: Final = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|PASSPHRASE|WEBHOOK", re.IGNORECASE)
_BROKER_HOSTS: Final = {"api.alpaca.markets": "live", "paper-api.alpaca.markets": "paper"}


class RunSettings(BaseModel):
    """The environment variables that a run reads, keys apart. What is empty is not set."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    environment: Literal[
        "dev", "development", "test", "testing", "staging", "prod", "production", "live", ""
    ] = Field("", description="ENVIRONMENT: the stage this process belongs to")
    alpaca_paper: bool | None = Field(None, description="ALPACA_PAPER: orders go to a paper account")
    paper_trading: bool | None = Field(None, description="PAPER_TRADING: an older word for the same")
    use_archived_data: bool | None = Field(
        None,
        description="USE_ARCHIVED_DATA: replay the workspace's archived bars; no order leaves the process",
    )
    alpaca_account_id: str | None = Field(
        None, description="ALPACA_ACCOUNT_ID: number of the account, one of those in magellan.toml"
    )
    apca_api_base_url: str | None = Field(None, description="APCA_API_BASE_URL: the broker's address")
    alpaca_base_url: str | None = Field(None, description="ALPACA_BASE_URL: another word for the same")

    @field_validator("*", mode="before")
    @classmethod
    def _as_written(cls, value: object) -> object:
        return value.strip() if isinstance(value, str) else value

    @property
    def stage(self) -> Stage | None:
        """The stage of this process; None where nothing says it."""
        return _STAGES[self.environment]

    @property
    def paper(self) -> bool | None:
        """Whether orders go to a paper account, by whichever variable says it."""
        return self.paper_trading if self.alpaca_paper is None else self.alpaca_paper

    def contradictions(self) -> tuple[Problem, ...]:
        """Where one variable contradicts another, whatever is run."""
        return tuple(self._contradictions())

    def _contradictions(self) -> Iterator[Problem]:
        if self.paper_trading is not None and self.alpaca_paper not in (None, self.paper_trading):
            yield Problem(
                rule=Rule.PAPER_FLAGS,
                reason=f"ALPACA_PAPER is {_said(self.alpaca_paper)} and PAPER_TRADING is "
                f"{_said(self.paper_trading)}: one of them is wrong",
            )
        if self.use_archived_data and self.stage is Stage.PROD:
            yield Problem(
                rule=Rule.ARCHIVE_IN_PROD,
                reason=f"USE_ARCHIVED_DATA is true and ENVIRONMENT is {self.environment}: production never reads "
                "the archive",
            )
        if self.use_archived_data and False in (self.alpaca_paper, self.paper_trading):
            yield Problem(
                rule=Rule.ARCHIVE_AND_LIVE,
                reason=f"USE_ARCHIVED_DATA is true and {self._paper_variable(False)} is false: archived bars never "
                "reach a live account",
            )
        if self.stage is Stage.PROD and True in (self.alpaca_paper, self.paper_trading):
            yield Problem(
                rule=Rule.PAPER_IN_PROD,
                reason=f"ENVIRONMENT is {self.environment} and {self._paper_variable(True)} is true: one of them is "
                "wrong",
            )
        addresses = {each for each in (self.apca_api_base_url, self.alpaca_base_url) if each}
        if len(addresses) == 2:
            yield Problem(
                rule=Rule.ADDRESS,
                reason="APCA_API_BASE_URL and ALPACA_BASE_URL name different addresses: one of them is wrong",
            )

    def _paper_variable(self, says: bool) -> str:
        return "ALPACA_PAPER" if self.alpaca_paper is says else "PAPER_TRADING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line says about the mode."""

    dry_run: bool = False
    archived: bool = False
    account: str | None = None  # its name in magellan.toml
    typed_number: str | None = None  # the account number, typed by a person for live
    armed_by: str | None = None  # the person who arms live without an approved release
    approved_release: str | None = None  # the release that runs, where one was approved for live


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that stands in the way of a mode."""

    rule: Rule
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """The one mode of a run, and the account it trades."""

    mode: Mode
    account_name: str | None = None
    account: BrokerAccount | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """No mode, and every reason why."""

    problems: tuple[Problem, ...]  # at least one

    @property
    def rules(self) -> tuple[Rule, ...]:
        return tuple(dict.fromkeys(problem.rule for problem in self.problems))

    def as_error(self) -> FixInput:
        """The refusal for a person."""
        return FixInput(
            "; ".join(problem.reason for problem in self.problems),
            kept="nothing was opened, and no order was sent",
            next_step="correct what contradicts, or use --dry-run: it decides and sends nothing",
        )


class KeyState(StrEnum):
    """What was found of a pair of keys."""

    WHOLE = "whole"
    NONE = "none"
    HALF = "half"
    CONTRADICTING = "contradicting"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A pair of keys, both from one place."""

    key_id: SecretStr
    secret: SecretStr
    place: str  # where they were found


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysFound:
    """What the providers of secrets know of an account's keys."""

    state: KeyState
    pair: KeyPair | None = None  # of a WHOLE pair
    reason: str = ""  # of anything else, in names of variables alone

    def __post_init__(self) -> None:
        assert (self.state is KeyState.WHOLE) == (self.pair is not None), "a whole pair has two keys"


# The names by which Alpaca's clients have read a pair of keys: (id, secret).
KEY_SCHEMES: Final = (
    ("ALPACA_API_KEY", "ALPACA_API_SECRET"),
    ("ALPACA_API_KEY", "ALPACA_SECRET_KEY"),
    ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY"),
)


def run_settings(variables: Mapping[str, str] = os.environ) -> RunSettings:
    """What those variables say; otherwise this process's.

    Raises FixInput for a value that cannot be read, or a contradiction.
    """
    said = {
        name: variables[name.upper()]
        for name in RunSettings.model_fields
        if variables.get(name.upper(), "").strip()
    }
    try:
        settings = RunSettings.model_validate(said)
    except ValidationError as error:
        problems = []
        for each in error.errors(include_url=False):
            words = each["msg"].replace("Input should be ", "it should be ")
            if each["type"] == "bool_parsing":
                words = "it should be true or false"
            problems.append(f"{str(each['loc'][0]).upper()} is {each['input']!r}: {words}")
    else:
        problems = [problem.reason for problem in settings.contradictions()]
        if not problems:
            return settings
    raise FixInput("; ".join(problems), next_step="correct the environment variable, or unset it")


def named_like_secrets(variables: Mapping[str, str]) -> dict[str, str]:
    """Those of the variables whose names say that their values are for nobody else."""
    return {name: value for name, value in variables.items() if _SECRET_NAME.search(name) and value}


def find_keys(names: KeyNames, providers: Sequence[SecretProvider]) -> KeysFound:
    """An account's keys, both from the first provider that knows one of them.

    Only providers of the source that is named are asked. Raises as they do.
    """
    providers = [each for each in providers if each.source == names.source]
    schemes = KEY_SCHEMES if names.key_id is None or names.secret is None else ((names.key_id, names.secret),)
    for provider in providers:
        known = {name: value for name in _once(schemes) if (value := provider.secret(name)) is not None}
        if known:
            return _pair(schemes, known, provider.place)
    wanted = " or ".join(f"{key_id} and {secret}" for key_id, secret in schemes)
    places = " and ".join(provider.place for provider in providers) or "no place"
    return KeysFound(state=KeyState.NONE, reason=f"there are no keys: {places} has neither {wanted}")


def _pair(schemes: Sequence[tuple[str, str]], known: Mapping[str, SecretStr], place: str) -> KeysFound:
    for names in zip(*schemes, strict=True):  # all ids, then all secrets
        present = [name for name in dict.fromkeys(names) if name in known]
        if len({known[name].get_secret_value() for name in present}) > 1:
            return KeysFound(
                state=KeyState.CONTRADICTING,
                reason=f"{' and '.join(present)} in {place} hold different keys: one of them is wrong",
            )
    for key_id, secret in schemes:
        if key_id in known and secret in known:
            return KeysFound(
                state=KeyState.WHOLE, pair=KeyPair(key_id=known[key_id], secret=known[secret], place=place)
            )
    return KeysFound(
        state=KeyState.HALF, reason=f"{place} has {' and '.join(known)}, and not the key that goes with it"
    )


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
            reason=f"a strategy in {effective or 'no stage'} does not trade a {account.kind} account"
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
                reason=f"{variable} is {_said(paper)} and the account is {account.kind}: one of them is wrong",
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


def _said(value: bool | None) -> str:
    return str(value).lower()


def _once(schemes: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for scheme in schemes for name in scheme))


def _each_once(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(dict.fromkeys(problems))
