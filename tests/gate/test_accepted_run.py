"""Accepted runs: who took responsibility for what, and what has changed since."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from magellan.errors import AskOperator
from magellan.gate.accepted_run import AcceptedRun, changes_since, parsed, written

CONFIG = {
    "strategy": {"name": "bear_trap", "version": "1.0.0"},
    "symbols": ["AMC", "GME"],
    "parameters": {"drop_min": 15.0},
    "limits": {"trades_per_day_max": 10},
}
RUN = AcceptedRun(
    strategy="prod/bear_trap",
    code_sha256="c" * 64,
    config_sha256="d" * 64,
    config=CONFIG,
    run_id="0123456789ab",
    data={"alpaca/sip/raw/all/AMC/1Min": "e" * 64},
    measured={"sharpe": 1.4, "drawdown": 0.11},
    criteria_version=1,
    accepted_by="K. Ito",
    reason="the first one",
    accepted_at=datetime(2026, 1, 21, 21, 30, tzinfo=UTC),
)
LATER = replace(
    RUN, code_sha256="9" * 64, reason="faster features", accepted_at=RUN.accepted_at + timedelta(days=9)
)


def changes(config: dict, *, code: str = RUN.code_sha256, digest: str = "changed") -> tuple[str, ...]:
    return changes_since(RUN, code_sha256=code, config_sha256=digest, config=config)


def test_accepted_runs_read_back_in_order() -> None:
    assert parsed(written(()), name="accepted.json") == ()
    assert parsed(written((RUN, LATER)), name="accepted.json") == (RUN, LATER)


@pytest.mark.parametrize(
    "edit",
    [
        lambda runs: runs[0].update(accepted_by="somebody else"),
        lambda runs: runs[0]["measured"].update(sharpe=0.1),
        lambda runs: runs[1]["config"]["symbols"].append("TSLA"),
        lambda runs: runs.pop(0),
        lambda runs: runs.reverse(),
        lambda runs: runs[0].pop("reason"),
        lambda runs: runs[0].update(sha256="0" * 64),
        lambda runs: runs.insert(0, runs[1]),
    ],
)
def test_a_record_that_was_edited_is_refused(edit) -> None:
    document = json.loads(written((RUN, LATER)))
    edit(document["runs"])
    with pytest.raises(AskOperator, match=r"accepted\.json is not a record of accepted runs"):
        parsed(json.dumps(document), name="accepted.json")


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"format": 2, "runs": []}', '{"runs": []}'])
def test_a_text_that_is_no_record_is_refused(text: str) -> None:
    with pytest.raises(AskOperator, match="not a record"):
        parsed(text, name="accepted.json")


@pytest.mark.parametrize(("field", "value"), [("accepted_by", " "), ("reason", "")])
def test_nobody_and_nothing_accept_no_run(field: str, value: str) -> None:
    with pytest.raises(ValueError, match="names who accepted it, and why"):
        replace(RUN, **{field: value})


def test_an_acceptance_is_stamped_in_utc() -> None:
    with pytest.raises(ValueError, match="not in UTC"):
        replace(RUN, accepted_at=datetime(2026, 1, 21, tzinfo=timezone(timedelta(hours=1))))


def test_the_same_strategy_has_no_changes() -> None:
    assert changes(CONFIG, digest=RUN.config_sha256) == ()


def test_symbols_that_nobody_accepted_are_named_incident_7() -> None:
    assert changes({**CONFIG, "symbols": ["AMC", "GME", "MULN"]}) == ("symbols: + MULN",)
    assert changes({**CONFIG, "symbols": ["GME", "MULN"]}) == ("symbols: + MULN, - AMC",)
    assert changes({**CONFIG, "symbols": ["GME", "AMC"]}) == ("symbols: in another order",)


def test_a_threshold_that_was_moved_is_named_with_both_values_incident_8() -> None:
    assert changes({**CONFIG, "parameters": {"drop_min": 10.0}}) == ("parameters.drop_min: 15.0 -> 10.0",)
    assert changes({**CONFIG, "limits": {}}) == ("limits.trades_per_day_max: 10 -> nothing",)
    assert changes({**CONFIG, "parameters": {"drop_min": 15.0, "scanner": True}}) == (
        "parameters.scanner: nothing -> true",
    )


def test_changed_code_is_a_change() -> None:
    assert changes(CONFIG, code="0" * 64, digest=RUN.config_sha256) == ("strategy.py",)


def test_a_digest_that_differs_is_a_change_even_when_no_key_does() -> None:
    assert changes(CONFIG) == ("config.json",)
