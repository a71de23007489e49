"""Which mode a run is in: read from everything that speaks for one, and refused when two of them contradict."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import Any

import pytest
from pydantic import SecretStr

from magellan.adapters.environment_secrets import EnvironmentSecrets
from magellan.errors import FixInput
from magellan.settings.decide_mode import decide_mode
from magellan.settings.environment import RunSettings, run_settings
from magellan.settings.keys import KeyPair, KeysFound, KeyState, find_keys
from magellan.settings.mode import Asked, Decided, Mode, Refusal, Rule
from magellan.workspace.broker_account import KeyNames
from magellan.workspace.config_file import validated
from magellan.workspace.workspace import Stage, WorkspaceSettings

WORKSPACE = validated(
    WorkspaceSettings,
    {
        "accounts": {
            "exchange": {"kind": "local", "number": "LOCAL1", "address": "http://127.0.0.1:8931"},
            "paper": {"kind": "paper", "number": "PA3PAPER"},
            "real": {"kind": "live", "number": "912345678"},
        },
        "stages": {
            "dev": {"account": "exchange"},
            "test": {"account": "paper"},
            "prod": {"account": "real"},
        },
    },
    name="magellan.toml",
)

FOUND = KeysFound(
    state=KeyState.WHOLE,
    pair=KeyPair(key_id=SecretStr("id"), secret=SecretStr("secret"), place="the environment"),
)
NO_KEYS = KeysFound(state=KeyState.NONE, reason="there are no keys")

FULL_SET: dict[str, Any] = {
    "stage": Stage.PROD,
    "variables": {"ENVIRONMENT": "prod", "ALPACA_PAPER": "false"},
    "asked": {"account": "real", "typed_number": "912345678", "armed_by": "Ada"},
    "keys": FOUND,
}


def decided(
    *,
    stage: Stage | None = Stage.DEV,
    variables: dict[str, str] | None = None,
    asked: dict[str, Any] | None = None,
    keys: KeysFound = FOUND,
) -> Decided | Refusal:
    try:
        said = run_settings(variables or {})
    except FixInput:
        # What contradicts itself within the environment is refused before; here its rules are wanted.
        said = _unchecked(variables or {})
    return decide_mode(
        stage=stage, said=said, workspace=WORKSPACE, asked=Asked(**(asked or {})), keys_of=lambda names: keys
    )


def _unchecked(variables: dict[str, str]) -> Any:
    return RunSettings.model_validate({name.lower(): value for name, value in variables.items()})


# --- Every mode by its plainest way, and what stands in its way ----------------------------------------------

DEV, TEST, PROD = Stage.DEV, Stage.TEST, Stage.PROD


@pytest.mark.parametrize(
    ("stage", "variables", "asked", "mode", "account"),
    [
        (DEV, {}, {}, Mode.LOCAL, "exchange"),
        (DEV, {}, {"dry_run": True}, Mode.DRY, "exchange"),
        (None, {}, {"dry_run": True}, Mode.DRY, None),
        (None, {}, {"account": "exchange"}, Mode.LOCAL, "exchange"),
        (None, {"ENVIRONMENT": "dev"}, {"archived": True}, Mode.ARCHIVED, None),
        (DEV, {"USE_ARCHIVED_DATA": "true"}, {}, Mode.ARCHIVED, None),
        (PROD, {"USE_ARCHIVED_DATA": "1", "ENVIRONMENT": "testing", "ALPACA_PAPER": "true"}, {}, Mode.ARCHIVED, None),
        (TEST, {}, {}, Mode.PAPER, "paper"),
        (TEST, {"ALPACA_PAPER": "true", "PAPER_TRADING": "true"}, {}, Mode.PAPER, "paper"),
        (TEST, {"ALPACA_ACCOUNT_ID": "PA3PAPER"}, {}, Mode.PAPER, "paper"),
        (TEST, {"ALPACA_ACCOUNT_ID": "LOCAL1"}, {}, Mode.LOCAL, "exchange"),
        (TEST, {"APCA_API_BASE_URL": "https://paper-api.alpaca.markets"}, {}, Mode.PAPER, "paper"),
        (TEST, {"APCA_API_BASE_URL": "http://127.0.0.1:8931/"}, {"account": "exchange"}, Mode.LOCAL, "exchange"),
        (PROD, {"ENVIRONMENT": "staging"}, {}, Mode.PAPER, "paper"),
        (PROD, {"ENVIRONMENT": "dev"}, {}, Mode.LOCAL, "exchange"),
        (PROD, {}, {"account": "paper"}, Mode.PAPER, "paper"),
        (PROD, {"ENVIRONMENT": "prod", "ALPACA_PAPER": "false"}, {"dry_run": True}, Mode.DRY, "real"),
        (
            PROD,
            {"ENVIRONMENT": "production", "ALPACA_PAPER": "false", "PAPER_TRADING": "false"},
            {"typed_number": "912345678", "approved_release": "bear_trap-7"},
            Mode.LIVE,
            "real",
        ),
    ],
)  # fmt: skip
def test_the_mode_follows_from_the_stage_the_environment_the_account_and_the_command_line(
    stage, variables, asked, mode, account
):
    found = decided(stage=stage, variables=variables, asked=asked)
    assert isinstance(found, Decided), found
    assert (found.mode, found.account_name) == (mode, account)


@pytest.mark.parametrize(
    ("stage", "variables", "asked", "rule"),
    [
        (DEV, {"USE_ARCHIVED_DATA": "true"}, {"dry_run": True}, Rule.TWO_MODES),
        (DEV, {"USE_ARCHIVED_DATA": "false"}, {"archived": True}, Rule.TWO_MODES),
        (DEV, {}, {"archived": True, "account": "exchange"}, Rule.TWO_MODES),
        (DEV, {"USE_ARCHIVED_DATA": "true", "ALPACA_PAPER": "false"}, {}, Rule.ARCHIVE_AND_LIVE),
        (DEV, {"USE_ARCHIVED_DATA": "true", "PAPER_TRADING": "false"}, {}, Rule.ARCHIVE_AND_LIVE),
        (DEV, {"PAPER_TRADING": "false"}, {"archived": True}, Rule.ARCHIVE_AND_LIVE),
        (PROD, {"USE_ARCHIVED_DATA": "true", "ENVIRONMENT": "production"}, {}, Rule.ARCHIVE_IN_PROD),
        (PROD, {"ENVIRONMENT": "prod"}, {"archived": True}, Rule.ARCHIVE_IN_PROD),
        (PROD, {"ENVIRONMENT": "prod", "ALPACA_PAPER": "true"}, {}, Rule.PAPER_IN_PROD),
        (PROD, {"ENVIRONMENT": "prod", "PAPER_TRADING": "true"}, {}, Rule.PAPER_IN_PROD),
        (PROD, {"ENVIRONMENT": "prod"}, {"account": "paper"}, Rule.PAPER_IN_PROD),
        (TEST, {"ALPACA_PAPER": "true", "PAPER_TRADING": "false"}, {}, Rule.PAPER_FLAGS),
        (TEST, {"PAPER_TRADING": "false"}, {}, Rule.PAPER_FLAGS),
        (DEV, {"ENVIRONMENT": "prod"}, {"account": "exchange"}, Rule.STAGE),
        (DEV, {"ENVIRONMENT": "test"}, {}, Rule.STAGE),
        (None, {"ENVIRONMENT": "test"}, {"account": "paper"}, Rule.STAGE),
        (DEV, {}, {"account": "paper"}, Rule.STAGE),
        (TEST, {}, {"account": "real"}, Rule.STAGE),
        (PROD, {"ENVIRONMENT": "test"}, {"account": "real"}, Rule.STAGE),
        (None, {}, {}, Rule.NO_ACCOUNT),
        (DEV, {}, {"account": "other"}, Rule.ACCOUNT_UNKNOWN),
        (DEV, {"ALPACA_ACCOUNT_ID": "PA3OTHER"}, {}, Rule.ACCOUNT_UNKNOWN),
        (TEST, {"ALPACA_ACCOUNT_ID": "912345678"}, {"account": "paper"}, Rule.ACCOUNT_NUMBER),
        (TEST, {"APCA_API_BASE_URL": "https://api.alpaca.markets"}, {}, Rule.ADDRESS),
        (TEST, {"ALPACA_BASE_URL": "http://localhost:8931"}, {}, Rule.ADDRESS),
        (DEV, {"APCA_API_BASE_URL": "http://127.0.0.1:9999"}, {}, Rule.ADDRESS),
        (DEV, {"APCA_API_BASE_URL": "https://paper-api.alpaca.markets.example.com"}, {}, Rule.ADDRESS),
        (TEST, {"APCA_API_BASE_URL": "a", "ALPACA_BASE_URL": "b"}, {}, Rule.ADDRESS),
        (TEST, {}, {"typed_number": "PA3PAPER"}, Rule.ONLY_FOR_LIVE),
        (TEST, {}, {"armed_by": "Ada"}, Rule.ONLY_FOR_LIVE),
        (DEV, {"USE_ARCHIVED_DATA": "true"}, {"typed_number": "912345678"}, Rule.ONLY_FOR_LIVE),
    ],
)  # fmt: skip
def test_every_contradiction_is_refused_by_its_rule_incident_26(stage, variables, asked, rule):
    found = decided(stage=stage, variables=variables, asked=asked)
    assert isinstance(found, Refusal), found
    assert rule in found.rules
    assert all(problem.reason for problem in found.problems)


def test_a_process_below_its_strategys_stage_is_told_as_what_it_is():
    found = decided(stage=PROD, variables={"ENVIRONMENT": "test"}, asked={"account": "real"})
    assert isinstance(found, Refusal), found
    assert "ENVIRONMENT is test, and a process of test does not trade a live account" in str(found.as_error())


@pytest.mark.parametrize(
    ("without", "rule"),
    [
        ({"stage": Stage.TEST}, Rule.LIVE_STAGE),
        ({"stage": None}, Rule.LIVE_STAGE),
        ({"variables": {"ALPACA_PAPER": "false"}}, Rule.LIVE_STAGE),
        ({"variables": {"ENVIRONMENT": "prod"}}, Rule.LIVE_SAID),
        ({"asked": {"account": "real", "armed_by": "Ada"}}, Rule.LIVE_TYPED),
        ({"asked": {"account": "real", "armed_by": "Ada", "typed_number": "912345679"}}, Rule.LIVE_TYPED),
        ({"asked": {"account": "real", "typed_number": "912345678"}}, Rule.LIVE_ARMED),
        ({"asked": {"account": "real", "typed_number": "912345678", "armed_by": " "}}, Rule.LIVE_ARMED),
        ({"keys": NO_KEYS}, Rule.KEYS),
    ],
)
def test_real_money_needs_the_full_set_and_says_what_is_missing(without, rule):
    assert decided(**FULL_SET) == Decided(
        mode=Mode.LIVE, account_name="real", account=WORKSPACE.accounts["real"]
    )
    found = decided(**{**FULL_SET, **without})
    assert isinstance(found, Refusal)
    assert rule in found.rules


def test_two_paper_flags_that_disagree_never_trade_incident_40():
    for one, other in (("true", "false"), ("false", "true")):
        for stage, account in product(Stage, ("exchange", "paper", "real", None)):
            found = decided(
                stage=stage,
                variables={"ALPACA_PAPER": one, "PAPER_TRADING": other},
                asked={"account": account},
            )
            assert isinstance(found, Refusal)
            assert Rule.PAPER_FLAGS in found.rules


# --- All combinations ----------------------------------------------------------------------------------------

ENVIRONMENTS = ("", "dev", "test", "prod")
FLAGS = (None, "true", "false")
ORDER = {Stage.DEV: 0, Stage.TEST: 1, Stage.PROD: 2}


def combinations() -> Iterator[dict[str, Any]]:
    for stage, environment, alpaca, older, archived, account, dry, typed, armed, keys in product(
        (None, *Stage), ENVIRONMENTS, FLAGS, FLAGS, FLAGS, (None, "exchange", "paper", "real"),
        (False, True), (None, "912345678", "PA3PAPER"), (None, "Ada"), (FOUND, NO_KEYS),
    ):  # fmt: skip
        variables = {
            "ENVIRONMENT": environment,
            "ALPACA_PAPER": alpaca,
            "PAPER_TRADING": older,
            "USE_ARCHIVED_DATA": archived,
        }
        yield {
            "stage": stage,
            "variables": {name: value for name, value in variables.items() if value},
            "asked": {"account": account, "dry_run": dry, "typed_number": typed, "armed_by": armed},
            "keys": keys,
        }


def expected(
    *, stage: Stage | None, variables: dict[str, str], asked: dict[str, Any], keys: KeysFound
) -> tuple[Mode | None, set[Rule]]:
    """The mode, or the rules that refuse, said once more in the fewest words: sets instead of steps."""
    process = {"": None, "dev": Stage.DEV, "test": Stage.TEST, "prod": Stage.PROD}[
        variables.get("ENVIRONMENT", "")
    ]
    flags = [variables[name] == "true" for name in ("ALPACA_PAPER", "PAPER_TRADING") if name in variables]
    archived = variables.get("USE_ARCHIVED_DATA") == "true"
    lower = None if stage is None else min((stage, process or stage), key=lambda each: ORDER[each])
    rules = set()
    if len(set(flags)) == 2:
        rules.add(Rule.PAPER_FLAGS)
    if process is Stage.PROD and True in flags:
        rules.add(Rule.PAPER_IN_PROD)
    if archived:
        mode = Mode.ARCHIVED
        if process is Stage.PROD:
            rules.add(Rule.ARCHIVE_IN_PROD)
        if False in flags:
            rules.add(Rule.ARCHIVE_AND_LIVE)
        if asked["dry_run"] or asked["account"]:
            rules.add(Rule.TWO_MODES)
    else:
        if process is not None and ORDER[process] > (0 if stage is None else ORDER[stage]):
            rules.add(Rule.STAGE)
        of_stage = {None: None, Stage.DEV: "exchange", Stage.TEST: "paper", Stage.PROD: "real"}[lower]
        name = asked["account"] or of_stage
        if name is None:
            mode = Mode.DRY
            if not asked["dry_run"]:
                return None, rules | {Rule.NO_ACCOUNT}
        else:
            kind = {"exchange": Mode.LOCAL, "paper": Mode.PAPER, "real": Mode.LIVE}[name]
            mode = Mode.DRY if asked["dry_run"] else kind
            if (kind is Mode.LIVE) in flags:
                rules.add(Rule.PAPER_FLAGS)
            if kind is not Mode.LOCAL and keys is NO_KEYS:
                rules.add(Rule.KEYS)
            if mode is not Mode.DRY:
                reach = 0 if lower is None else ORDER[lower]
                if reach < {Mode.LOCAL: 0, Mode.PAPER: 1, Mode.LIVE: 2}[kind]:
                    rules.add(Rule.STAGE)
                if kind is not Mode.LIVE and process is Stage.PROD:
                    rules.add(Rule.PAPER_IN_PROD)
    if mode is Mode.LIVE:
        rules |= {
            rule
            for rule, missing in (
                (Rule.LIVE_STAGE, not stage is process is Stage.PROD),
                (Rule.LIVE_SAID, (flags or [True])[0]),
                (Rule.LIVE_TYPED, asked["typed_number"] != "912345678"),
                (Rule.LIVE_ARMED, asked["armed_by"] is None),
            )
            if missing
        }
    elif asked["typed_number"] or asked["armed_by"]:
        rules.add(Rule.ONLY_FOR_LIVE)
    return (None if rules else mode), rules


@cache
def results() -> tuple[tuple[dict[str, Any], Decided | Refusal], ...]:
    return tuple((case, decided(**case)) for case in combinations())


def test_every_combination_has_the_mode_or_the_refusals_of_the_table():
    seen: dict[Mode | None, int] = {}
    for case, found in results():
        mode, rules = expected(**case)
        if isinstance(found, Refusal):
            assert (mode, rules) == (None, set(found.rules)), case
        else:
            assert (mode, rules) == (found.mode, set()), case
        seen[mode] = seen.get(mode, 0) + 1
    assert set(seen) == {None, *Mode}  # every mode and a refusal came up


def test_nothing_but_the_full_set_gives_live():
    live = [case for case, found in results() if isinstance(found, Decided) and found.mode is Mode.LIVE]
    assert live
    for case in live:
        assert case["stage"] is Stage.PROD
        assert case["variables"]["ENVIRONMENT"] == "prod"
        assert {case["variables"].get(name, "false") for name in ("ALPACA_PAPER", "PAPER_TRADING")} == {
            "false"
        }
        assert "true" not in case["variables"].values()
        assert case["asked"]["typed_number"] == "912345678"
        assert case["asked"]["armed_by"] == "Ada"
        assert case["keys"] is FOUND


# --- Keys in what is shown ------------------------------------------------------------------------------------

CANARY = "canary-7f3a-do-not-print"


@pytest.mark.parametrize(
    "variables",
    [
        {"ALPACA_API_KEY": CANARY, "ALPACA_API_SECRET": CANARY},
        {"ALPACA_API_KEY": CANARY},
        {"ALPACA_API_KEY": CANARY, "APCA_API_KEY_ID": f"other-{CANARY}"},
    ],
)
def test_no_key_shows_in_what_is_printed_of_it(variables):
    found = find_keys(KeyNames(), [EnvironmentSecrets(variables)])
    refused = decided(stage=Stage.TEST, keys=found, variables=variables)
    shown = [repr(found), str(found), repr(refused)]
    if isinstance(refused, Refusal):
        shown.append(str(refused.as_error()))
    assert not [text for text in shown if CANARY in text]
