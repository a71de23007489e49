"""Criteria: which measure is held against which threshold, and what it means to miss it.

This table is all there is: the verdict, the screen and docs/guides/gates.md follow it. A row that is not met
keeps the gates shut, and no row can be skipped, tolerated or switched off.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from magellan.gate.evidence import Kind
from magellan.workspace.gate_criteria import THRESHOLDS
from magellan.workspace.threshold import Bound


class Rule(StrEnum):
    """How a measured value is held against its threshold."""

    VALUE = "value"  # met: open; else shut
    COUNT = "count"  # met: open; zero: shut; in between: too little to tell, inconclusive
    INTERVAL = (
        "interval"  # all of the interval beyond the threshold: open; none of it: shut; else inconclusive
    )
    DOUBT = "doubt"  # met: open; else nothing can be concluded


class Unit(StrEnum):
    """How a value is written for people."""

    COUNT = "count"
    RATIO = "ratio"
    PERCENT = "percent"  # of a fraction: 0.25 is 25 %
    BPS = "bps"


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One row of the table."""

    name: str  # for `--json`, JUnit and the config's `gates` section
    title: str  # for people
    kind: Kind  # of evidence
    measure: str  # of that evidence
    bound: Bound
    fixed: float | None = None  # the threshold, where no config can change it; None: `gates.<name>`
    rule: Rule = Rule.VALUE
    unit: Unit = Unit.COUNT
    needs_baseline: bool = False  # compares with an accepted run: without one, inconclusive instead of shut
    next_step: str  # what to do when it is not met


def _none_of(name: str, title: str, kind: Kind, next_step: str, *, rule: Rule = Rule.VALUE) -> Criterion:
    return Criterion(
        name=name,
        title=title,
        kind=kind,
        measure=name,
        bound=Bound.AT_MOST,
        fixed=0.0,
        rule=rule,
        next_step=next_step,
    )


def _some_of(name: str, title: str, kind: Kind, next_step: str) -> Criterion:
    return Criterion(
        name=name,
        title=title,
        kind=kind,
        measure=name,
        bound=Bound.AT_LEAST,
        fixed=1.0,
        next_step=next_step,
    )


def _set_by_config(
    name: str,
    title: str,
    kind: Kind,
    measure: str,
    unit: Unit,
    next_step: str,
    *,
    rule: Rule = Rule.VALUE,
    needs_baseline: bool = False,
) -> Criterion:
    return Criterion(
        name=name,
        title=title,
        kind=kind,
        measure=measure,
        bound=THRESHOLDS[name].bound,
        rule=rule,
        unit=unit,
        needs_baseline=needs_baseline,
        next_step=next_step,
    )


_MORE_HISTORY: Final = "give it more history, or more symbols"
_NOT_AN_EDGE: Final = "the strategy is not good enough as it stands; change it, not the threshold"

CRITERIA: Final[tuple[Criterion, ...]] = (
    # The code
    _none_of("lint_findings", "lint findings", Kind.LINT, "mend what ruff found"),
    _none_of("type_errors", "type errors", Kind.TYPES, "mend what mypy found"),
    _none_of("config_problems", "config problems", Kind.CONFIG, "mend config.json"),
    # Its tests
    _set_by_config(
        "tests_min", "tests passed", Kind.TESTS, "tests_passed", Unit.COUNT, "write tests in tests/"
    ),
    _none_of("tests_failed", "tests failed", Kind.TESTS, "mend the code, or the test"),
    _none_of("tests_errored", "tests with errors", Kind.TESTS, "mend the code, or the test"),
    _none_of(
        "tests_without_check",
        "tests that check nothing",
        Kind.TESTS,
        "let each test assert something; importing a module is not a test",
    ),
    # Its data
    _some_of("data_sets", "data sets checked", Kind.DATA, "import or fetch bars for its symbols"),
    _none_of(
        "data_refusals",
        "data findings that refuse",
        Kind.DATA,
        "see `magellan data check`, then import again",
    ),
    _none_of(
        "unexplained_jumps",
        "unexplained price jumps",
        Kind.DATA,
        "record the split or dividend, or confirm that the move was real",
    ),
    _none_of(
        "generated_sets",
        "generated data sets",
        Kind.DATA,
        "use bars of a real market; generated bars show that it runs, not that it earns",
        rule=Rule.DOUBT,
    ),
    # Its backtest: was it the one that was asked for, and honest?
    _none_of("misleading_settings", "settings that flatter", Kind.BACKTEST, "remove them from the config"),
    _none_of(
        "bars_off_timeframe",
        "bars off the timeframe",
        Kind.BACKTEST,
        "check data.timeframe, and which set was read",
    ),
    _none_of(
        "bars_unaccounted",
        "bars asked for and not run",
        Kind.BACKTEST,
        "see `magellan data list` and `check`",
    ),
    _none_of(
        "sessions_missing",
        "sessions asked for and not run",
        Kind.BACKTEST,
        "the archive holds less than was asked for: fetch the rest, or ask for less",
    ),
    _none_of(
        "undefined_after_warmup",
        "features undefined after warm-up",
        Kind.BACKTEST,
        "raise data.warmup_bars to what the slowest feature needs",
    ),
    _none_of("entries_in_warmup", "entries during warm-up", Kind.BACKTEST, "this is a defect: report it"),
    _set_by_config(
        "sessions_min",
        "sessions covered",
        Kind.BACKTEST,
        "sessions",
        Unit.COUNT,
        _MORE_HISTORY,
        rule=Rule.COUNT,
    ),
    _set_by_config(
        "trades_min", "closed trades", Kind.BACKTEST, "trades", Unit.COUNT, _MORE_HISTORY, rule=Rule.COUNT
    ),
    _set_by_config(
        "cost_bps_min",
        "costs charged",
        Kind.BACKTEST,
        "cost_bps",
        Unit.BPS,
        "state slippage, spread and commission under execution in the config",
    ),
    # Its backtest: is it good, and how sure is that?
    _set_by_config("sharpe_min", "Sharpe ratio", Kind.BACKTEST, "sharpe", Unit.RATIO, _NOT_AN_EDGE),
    _set_by_config(
        "sharpe_lower_min",
        "Sharpe ratio, lower end",
        Kind.BACKTEST,
        "sharpe",
        Unit.RATIO,
        "luck cannot be ruled out: more history, or a stronger strategy",
        rule=Rule.INTERVAL,
    ),
    _set_by_config("drawdown_max", "deepest drawdown", Kind.BACKTEST, "drawdown", Unit.PERCENT, _NOT_AN_EDGE),
    _set_by_config(
        "profit_factor_min", "profit factor", Kind.BACKTEST, "profit_factor", Unit.RATIO, _NOT_AN_EDGE
    ),
    _set_by_config("win_rate_min", "win rate", Kind.BACKTEST, "win_rate", Unit.PERCENT, _NOT_AN_EDGE),
    # Does it know the future?
    _some_of("lookahead_values", "values checked for look-ahead", Kind.LOOKAHEAD, _MORE_HISTORY),
    _none_of(
        "lookahead_findings",
        "look-ahead findings",
        Kind.LOOKAHEAD,
        "see `magellan replay --check-lookahead`; use only bars that had closed",
    ),
    # Does it survive a little less luck?
    _set_by_config(
        "return_doubled_costs_min",
        "return at doubled costs",
        Kind.ROBUSTNESS,
        "return_doubled_costs",
        Unit.PERCENT,
        _NOT_AN_EDGE,
    ),
    _set_by_config(
        "return_one_bar_late_min",
        "return one bar late",
        Kind.ROBUSTNESS,
        "return_one_bar_late",
        Unit.PERCENT,
        _NOT_AN_EDGE,
    ),
    _set_by_config(
        "return_without_best_symbol_min",
        "return without its best symbol",
        Kind.ROBUSTNESS,
        "return_without_best_symbol",
        Unit.PERCENT,
        "one symbol carries it; add symbols, or understand why",
    ),
    _set_by_config(
        "neighbours_kept_min",
        "parameter neighbours that hold",
        Kind.ROBUSTNESS,
        "neighbours_kept",
        Unit.PERCENT,
        "its parameters are fitted to this history; choose values in a broad good region",
    ),
    # Is it the one that a person accepted, and as good as then?
    Criterion(
        name="changes_since_accepted",
        title="changes since the accepted run",
        kind=Kind.ACCEPTED,
        measure="changes_since_accepted",
        bound=Bound.AT_MOST,
        fixed=0.0,
        rule=Rule.DOUBT,
        needs_baseline=True,
        next_step="look at it; then `magellan gate STRATEGY --accept --by NAME --reason TEXT` records it",
    ),
    _set_by_config(
        "sharpe_drop_max",
        "fall of the Sharpe ratio",
        Kind.ACCEPTED,
        "sharpe_drop",
        Unit.RATIO,
        "find out what made it worse; accept the run only with a reason",
        needs_baseline=True,
    ),
    _set_by_config(
        "drawdown_rise_max",
        "rise of the drawdown",
        Kind.ACCEPTED,
        "drawdown_rise",
        Unit.PERCENT,
        "find out what made it worse; accept the run only with a reason",
        needs_baseline=True,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TooGood:
    """A result that real strategies do not have. It warns, and a person should look for the mistake."""

    kind: Kind
    measure: str
    bound: Bound  # on this side of the limit it is too good
    limit: float
    sentence: str


# Impossible option prices once passed every threshold, with 100 % of trades won (incident 19).
TOO_GOOD: Final[tuple[TooGood, ...]] = (
    TooGood(
        kind=Kind.BACKTEST,
        measure="win_rate",
        bound=Bound.AT_LEAST,
        limit=1.0,
        sentence="every trade won: look for look-ahead, impossible prices or exits that cannot lose",
    ),
    TooGood(
        kind=Kind.BACKTEST,
        measure="sharpe",
        bound=Bound.AT_LEAST,
        limit=4.0,
        sentence="a Sharpe ratio of 4 or more: look for fills at prices that nobody would have got",
    ),
    TooGood(
        kind=Kind.BACKTEST,
        measure="profit_factor",
        bound=Bound.AT_LEAST,
        limit=5.0,
        sentence="wins are five times the losses or more: look for missing costs and unrecorded losses",
    ),
    TooGood(
        kind=Kind.BACKTEST,
        measure="drawdown",
        bound=Bound.AT_MOST,
        limit=0.002,
        sentence="equity never fell by more than 0.2 %: look for positions that are not marked at the market",
    ),
)
