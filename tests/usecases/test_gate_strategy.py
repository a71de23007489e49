"""Gate a strategy: one thing spoilt shuts the gates, and the verdict says which."""

import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from magellan.archive.actions import CorporateActionTable
from magellan.archive.dataset import DateRange
from magellan.errors import AskOperator, FixInput
from magellan.gate.accepted_run import AcceptedRun
from magellan.ports.tool import ToolRun
from magellan.trading.corporate_action import ConfirmedMove
from magellan.trading.session import exchange_midnight
from magellan.usecases.gate_strategy import Acceptance, verdict_document

from .conftest import LAST_ON, NOW, Desk, FakeTools, put, trending_bars

NOT_ACCEPTED = {
    "changes_since_accepted": "inconclusive",
    "sharpe_drop_max": "inconclusive",
    "drawdown_rise_max": "inconclusive",
}


def test_a_strategy_that_meets_everything_is_open_once_a_person_has_accepted_it(desk: Desk) -> None:
    assert desk.answers() == NOT_ACCEPTED
    assert desk.accept().is_open
    assert desk.answers() == {}


def test_every_verdict_is_kept_with_its_evidence(accepted: Desk) -> None:
    verdict = accepted.gate()
    verdicts = accepted.workspace.gates_folder(accepted.folder) / "verdicts"
    document = json.loads((verdicts / "20260121T213000Z-open.json").read_text())
    assert document == json.loads(json.dumps(verdict_document(verdict)))
    assert document["answer"] == "open"
    assert {each["kind"] for each in document["evidence"]} >= {"lint", "data", "backtest", "accepted run"}
    data = next(each for each in document["evidence"] if each["kind"] == "data")
    assert re.search(r"sha256 [0-9a-f]{64}, 2011 bars, .* newest bar 21 days old", str(data["facts"]))


# --- the code and its tests


@pytest.mark.parametrize(
    ("tool", "answer", "expected"),
    [
        (
            "ruff",
            ToolRun(
                exit_code=1,
                stdout='[{"code": "F401", "message": "unused", "filename": "strategy.py", "location": {"row": 3}}]',
                stderr="",
            ),
            {"lint_findings": "shut"},
        ),
        (
            "mypy",
            ToolRun(
                exit_code=1,
                stdout='{"file": "strategy.py", "line": 3, "message": "wrong", "severity": "error"}',
                stderr="",
            ),
            {"type_errors": "shut"},
        ),
        ("ruff", ToolRun(exit_code=2, stdout="", stderr="error: bad option"), {"lint_findings": "error"}),
        ("ruff", ToolRun(exit_code=0, stdout="All checks passed!", stderr=""), {"lint_findings": "error"}),
        ("ruff", ToolRun(exit_code=None, stdout="", stderr=""), {"lint_findings": "error"}),
        ("mypy", ToolRun(exit_code=2, stdout="", stderr="crashed"), {"type_errors": "error"}),
        ("mypy", ToolRun(exit_code=-9, stdout="", stderr=""), {"type_errors": "error"}),
    ],
)
def test_what_a_tool_finds_and_a_tool_that_fails_both_shut(accepted: Desk, tool, answer, expected) -> None:
    accepted.with_sources(tools=FakeTools(answers={tool: answer}))
    assert accepted.answers() == expected


@pytest.mark.parametrize(
    ("tool", "criteria"),
    [
        ("ruff", {"lint_findings"}),
        ("mypy", {"type_errors"}),
        ("pytest", {"tests_min", "tests_failed", "tests_errored", "tests_without_check"}),
    ],
)
def test_a_tool_that_is_not_installed_shuts_and_says_so(
    accepted: Desk, tool: str, criteria: set[str]
) -> None:
    installed = {name: "1" for name in ("ruff", "mypy", "pytest") if name != tool}
    accepted.with_sources(tools=FakeTools(installed=installed))
    assert accepted.answers() == dict.fromkeys(criteria, "shut")
    assert f"{tool} is not installed" in accepted.reason(min(criteria))


@pytest.mark.parametrize(
    ("cases", "expected"),
    [
        ("", {"tests_min": "shut"}),
        ('<testcase name="a"><skipped/></testcase>', {"tests_min": "shut"}),
        (
            '<testcase name="a"/><testcase name="b"><failure message="no"/></testcase>',
            {"tests_failed": "shut"},
        ),
        (
            '<testcase name="a"/><testcase name="b"><error message="no"/></testcase>',
            {"tests_errored": "shut"},
        ),
    ],
)
def test_no_test_a_skipped_one_and_a_failing_one_shut_incident_15(
    accepted: Desk, cases: str, expected
) -> None:
    accepted.with_sources(tools=FakeTools(junit=f"<testsuites><testsuite>{cases}</testsuite></testsuites>"))
    assert accepted.answers() == expected


def test_a_strategy_without_a_tests_folder_is_shut_incident_15(desk: Desk) -> None:
    (desk.folder.tests_folder / "test_strategy.py").unlink()
    desk.folder.tests_folder.rmdir()
    assert desk.accept_refused() == {"tests_min"}


def test_tests_that_only_import_count_for_nothing_incident_15(desk: Desk) -> None:
    (desk.folder.tests_folder / "test_strategy.py").write_text(
        "def test_it_imports():\n    import strategy\n"
    )
    assert desk.answers() == NOT_ACCEPTED | {"tests_without_check": "shut"}
    assert "test_strategy.py: test_it_imports" in desk.reason("tests_without_check")


def test_a_comment_that_switches_type_checks_off_shuts(desk: Desk) -> None:
    desk.code("from __future__", "# mypy: ignore-errors\nfrom __future__")
    assert desk.answers() == NOT_ACCEPTED | {"type_errors": "shut"}


def test_files_that_change_while_they_are_examined_are_no_evidence(accepted: Desk) -> None:
    class Editing(FakeTools):
        def run(self, tool, arguments, *, folder, timeout_s):
            (folder / "strategy.py").write_text((folder / "strategy.py").read_text() + "# edited\n")
            return super().run(tool, arguments, folder=folder, timeout_s=timeout_s)

    accepted.with_sources(tools=Editing())
    verdict = accepted.gate()
    assert not verdict.is_open
    lint = next(each for each in verdict.judgements if each.criterion.name == "lint_findings")
    assert lint.reason.endswith("the strategy's files changed while they were examined")


# --- the config


def test_a_config_with_an_unknown_key_shuts_everything_that_needs_it_incident_13(accepted: Desk) -> None:
    accepted.config(limits={"trades_per_day_maximum": 3})
    verdict = accepted.gate()
    answers = {each.criterion.name: str(each.answer) for each in verdict.judgements}
    assert answers["config_problems"] == answers["trades_min"] == answers["lookahead_findings"] == "error"
    assert answers["lint_findings"] == answers["tests_min"] == "open"
    assert "did you mean 'trades_per_day_max'?" in accepted.reason("config_problems")


def test_a_threshold_that_is_loosened_without_a_record_refuses_the_config_incident_19(accepted: Desk) -> None:
    accepted.config(gates={"trades_min": 3})
    assert not accepted.gate().is_open
    assert "gates.trades_min: 3 is looser than 30" in accepted.reason("config_problems")


def test_code_that_does_not_load_is_told_with_its_line(accepted: Desk) -> None:
    accepted.code("def plan(", "def plans(")
    assert "did you mean 'plan'?" in accepted.reason("config_problems")


# --- its data


def test_generated_bars_allow_no_conclusion(desk: Desk) -> None:
    put(desk.archive, trending_bars("GENERATED", 24), generated=True)
    desk.config(symbols=["ALPHA", "BRAVO", "DELTA", "GENERATED"])
    assert desk.answers() == NOT_ACCEPTED | {"generated_sets": "inconclusive"}
    assert "GENERATED" in desk.reason("generated_sets")


def split_bars(symbol: str) -> object:
    """Bars whose prices are divided by ten from row 1000 on, without a word."""
    bars = trending_bars(symbol, 25)
    scale = np.where(np.arange(len(bars)) < 1000, 10.0, 1.0)
    return replace(
        bars,
        **{name: getattr(bars, name) * scale for name in ("open", "high", "low", "close")},
    )


def test_a_jump_that_nothing_explains_shuts_incident_10(desk: Desk) -> None:
    put(desk.archive, split_bars("SPLIT"))
    desk.config(symbols=["ALPHA", "BRAVO", "DELTA", "SPLIT"])
    answers = desk.answers()
    assert answers["unexplained_jumps"] == "shut"
    assert "SPLIT" in desk.reason("unexplained_jumps")


def test_a_large_jump_factor_in_the_config_does_not_hide_a_jump_incident_10(desk: Desk) -> None:
    put(desk.archive, split_bars("SPLIT"))
    desk.config(symbols=["ALPHA", "BRAVO", "DELTA", "SPLIT"], data={"jump_factor": 50.0})
    assert desk.answers()["unexplained_jumps"] == "shut"


def test_a_jump_that_a_person_has_confirmed_is_explained(desk: Desk) -> None:
    bars = split_bars("SPLIT")
    put(desk.archive, bars)
    desk.config(symbols=["ALPHA", "BRAVO", "DELTA", "SPLIT"])
    at = exchange_midnight(bars.bar(1000).opened_at.date())
    move = ConfirmedMove(symbol="SPLIT", at=at, reason="trial failed", confirmed_by="K. Ito")
    desk.with_sources(actions=CorporateActionTable((move,)))
    assert "unexplained_jumps" not in desk.answers()


def test_a_symbol_without_bars_is_an_error_that_names_it(desk: Desk) -> None:
    desk.config(symbols=["ALPHA", "NOWHERE"])
    assert desk.answers()["data_sets"] == desk.answers()["trades_min"] == "error"
    assert "NOWHERE" in desk.reason("data_sets")


def test_what_stopped_the_backtest_is_told_with_what_to_do_about_that(desk: Desk) -> None:
    desk.config(symbols=["ALPHA", "NOWHERE"])
    early = next(each for each in desk.gate().judgements if each.criterion.name == "entries_in_warmup")
    assert early.answer == "error"
    assert "of NOWHERE it holds nothing; next: `magellan data list` shows every set" in early.reason
    assert early.next_step == ""  # "this is a defect: report it" is about early entries, and there were none


# --- its backtest


@pytest.mark.parametrize("setting", [{"stop_fill": "at-level"}, {"fill": "close"}], ids=str)
def test_settings_that_flatter_shut(accepted: Desk, setting: dict[str, str]) -> None:
    accepted.config(execution=setting)
    assert accepted.answers()["misleading_settings"] == "shut"


def test_a_backtest_without_costs_shuts(desk: Desk) -> None:
    desk.config(execution={"slippage_bps": 0.0, "commission_bps": 0.0})
    assert desk.answers() == NOT_ACCEPTED | {"cost_bps_min": "shut"}


def test_a_strategy_that_never_trades_is_shut_incident_15(desk: Desk) -> None:
    desk.code("return f.fast > f.slow", "return (f.fast > f.slow) & (f.close < 0)")
    answers = desk.answers()
    assert answers["trades_min"] == "shut"
    # Nothing was traded, so nothing could be measured; and nothing is made up in its place (incident 36).
    assert answers["win_rate_min"] == answers["profit_factor_min"] == answers["cost_bps_min"] == "shut"
    assert answers["sharpe_min"] == "shut"


def test_dates_that_were_asked_for_and_not_run_shut_incident_9(desk: Desk) -> None:
    asked = DateRange(first_on=date(2018, 1, 2), last_on=LAST_ON)
    late = trending_bars("LATE", 26).rows(slice(700, None))
    put(desk.archive, late, requested=asked)
    desk.config(symbols=["ALPHA", "BRAVO", "DELTA", "LATE"])
    assert desk.answers()["sessions_missing"] == "shut"
    assert "LATE, asked for 2018-01-02 to 2025-12-31, run 2020-10-13 to 2025-12-31: 700" in desk.reason(
        "sessions_missing"
    )


def test_a_range_on_the_command_line_is_the_range_that_is_run_incident_9(desk: Desk) -> None:
    verdict = desk.gate(from_on=date(2020, 1, 2), to_on=date(2023, 12, 29))
    sessions = next(each for each in verdict.judgements if each.criterion.name == "sessions_min")
    assert sessions.measured.value == 1006
    assert "sessions_missing" not in {each.criterion.name for each in verdict.not_open}
    facts = next(each.facts for each in verdict.evidence if each.kind == "backtest")
    assert facts["asked for"] == "2020-01-02 to 2023-12-29"
    assert facts["run over"].startswith("2020-01-02 to 2023-12-29, 1006 closes of 1Day")


def test_a_range_before_the_archive_begins_is_not_shortened_in_silence_incident_9(desk: Desk) -> None:
    assert desk.answers(from_on=date(2016, 1, 4))["sessions_missing"] == "shut"


def test_a_warm_up_that_is_too_short_for_the_slowest_feature_shuts_incident_9(desk: Desk) -> None:
    desk.config(data={"warmup_bars": 20})
    assert desk.answers() == NOT_ACCEPTED | {"undefined_after_warmup": "shut"}
    assert "slow of ALPHA is defined after 29 bars, warm-up is 20" in desk.reason("undefined_after_warmup")


def test_too_short_a_history_is_inconclusive(desk: Desk) -> None:
    answers = desk.answers(from_on=date(2024, 6, 3))
    assert answers["sessions_min"] == answers["trades_min"] == "inconclusive"


def test_code_that_fails_in_the_middle_of_a_run_is_told_with_its_line(desk: Desk) -> None:
    desk.code("return f.fast < f.slow", "return f.fast < f.nonsense")
    reason = desk.reason("trades_min")
    assert "strategy.py, line" in reason
    assert "nonsense" in reason


# --- the future, and luck


def test_a_strategy_that_knows_the_future_is_shut_incident_11(desk: Desk) -> None:
    desk.code("from pydantic", "import numpy as np\nfrom pydantic")
    desk.code("return f.fast > f.slow", "return np.append(f.close[1:] > f.close[:-1], False)")
    assert desk.answers()["lookahead_findings"] == "shut"
    assert "enter_long at row" in desk.reason("lookahead_findings")


def test_a_strategy_that_costs_eat_is_shut_on_several_counts(desk: Desk) -> None:
    # It buys after a bar that fell, and leaves after one that rose: many trades, each a little too dear.
    desk.code("return f.fast > f.slow", "return f.close < f.open")
    desk.code("return f.fast < f.slow", "return f.close > f.open")
    desk.config(execution={"slippage_bps": 40.0})
    answers = desk.answers()
    assert answers["return_doubled_costs_min"] == "shut"
    assert answers["sharpe_min"] == "shut"


# --- what a person accepted


def test_a_symbol_that_was_never_validated_keeps_the_gates_shut_incident_7(accepted: Desk) -> None:
    put(accepted.archive, trending_bars("MULN", 23))
    accepted.config(symbols=["ALPHA", "BRAVO", "MULN"])
    assert accepted.answers()["changes_since_accepted"] == "inconclusive"
    assert "symbols: + MULN, - DELTA" in accepted.reason("changes_since_accepted")
    assert accepted.accept(reason="MULN was studied in run 12").is_open


def test_a_parameter_that_was_moved_keeps_the_gates_shut_incident_8(accepted: Desk) -> None:
    accepted.config(parameters={"fast_bars": 11})
    assert accepted.answers() == {"changes_since_accepted": "inconclusive"}
    assert "parameters.fast_bars: 10 -> 11" in accepted.reason("changes_since_accepted")


def test_code_that_changed_keeps_the_gates_shut_until_it_is_accepted(accepted: Desk) -> None:
    accepted.code('"""Two averages, long only."""', '"""Two averages."""')
    assert accepted.answers() == {"changes_since_accepted": "inconclusive"}
    assert "strategy.py" in accepted.reason("changes_since_accepted")
    assert accepted.accept().is_open


def test_a_run_that_is_worse_than_the_accepted_one_is_shut_until_that_is_accepted(accepted: Desk) -> None:
    accepted.config(execution={"slippage_bps": 60.0})
    answers = accepted.answers()
    assert answers["sharpe_drop_max"] == "shut"
    assert re.search(r"2\.49 in run [0-9a-f]{12}, now 1\.89", accepted.reason("sharpe_drop_max"))
    assert accepted.accept(reason="costs were too low").is_open


def test_a_run_that_fails_anything_else_cannot_be_accepted(desk: Desk) -> None:
    desk.config(execution={"slippage_bps": 0.0, "commission_bps": 0.0})
    with pytest.raises(FixInput, match="cannot be accepted: 1 criteria are not open \\(costs charged\\)"):
        desk.accept()
    assert desk.sources.records.accepted(desk.folder) == ()


@pytest.mark.parametrize(("by", "reason"), [("", "why"), ("K. Ito", ""), (" ", " ")])
def test_accepting_takes_a_name_and_a_reason(by: str, reason: str) -> None:
    with pytest.raises(FixInput, match="needs a name and a reason"):
        Acceptance(by, reason)


def test_an_accepted_run_remembers_who_why_and_what(accepted: Desk) -> None:
    (run,) = accepted.sources.records.accepted(accepted.folder)
    assert (run.accepted_by, run.reason, run.accepted_at) == ("K. Ito", "looked at it", NOW)
    assert run.strategy == "dev/riding_moods"
    assert set(run.data) == {f"alpaca/sip/raw/all/{symbol}/1Day" for symbol in ("ALPHA", "BRAVO", "DELTA")}
    assert run.measured["sharpe"] == pytest.approx(2.49, abs=0.005)


def test_a_record_of_acceptance_that_was_edited_is_an_error_and_no_baseline(accepted: Desk) -> None:
    path = accepted.workspace.gates_folder(accepted.folder) / "accepted.json"
    path.write_text(path.read_text().replace("K. Ito", "somebody"))
    answers = accepted.answers()
    assert answers == dict.fromkeys(NOT_ACCEPTED, "error")
    with pytest.raises(AskOperator, match="was changed after it was accepted"):
        accepted.sources.records.accept(
            accepted.folder, replace(accepted_run(), accepted_at=datetime(2026, 2, 1, tzinfo=UTC))
        )


def accepted_run() -> AcceptedRun:
    return AcceptedRun(
        strategy="dev/riding_moods",
        code_sha256="",
        config_sha256="",
        config={},
        run_id="",
        data={},
        measured={},
        criteria_version=1,
        accepted_by="somebody",
        reason="why not",
        accepted_at=NOW,
    )


def test_each_stage_has_its_own_accepted_runs(accepted: Desk) -> None:
    prod = accepted.workspace.root / "prod" / accepted.folder.name
    prod.parent.mkdir()
    accepted.folder.path.rename(prod)
    accepted.folder = accepted.workspace.folder_at(prod)
    assert accepted.answers() == NOT_ACCEPTED


# --- the whole


def test_a_clock_that_jumps_while_evidence_is_gathered_is_noticed(accepted: Desk) -> None:
    times = iter([NOW, NOW - timedelta(hours=2), NOW])
    accepted.with_sources(clock=lambda: next(times))
    verdict = accepted.gate()
    assert {str(each.answer) for each in verdict.not_open} == {"error"}
    assert "from the future" in verdict.not_open[0].reason


def test_progress_names_each_phase(accepted: Desk) -> None:
    told: dict[str, tuple[float, float]] = {}
    accepted.gate(progress=lambda phase, done, total: told.__setitem__(phase, (done, total)))
    assert list(told) == [
        "linting",
        "checking types",
        "testing",
        "checking data",
        "running the backtest",
        "look-ahead: columns",
        "look-ahead: replays",
        "running variations",
    ]
    assert all(done == total for done, total in told.values())


def test_the_same_files_and_data_get_the_same_verdict(accepted: Desk) -> None:
    assert verdict_document(accepted.gate()) == verdict_document(accepted.gate())
