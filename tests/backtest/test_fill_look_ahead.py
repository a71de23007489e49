"""Incident 11: whole-day lows, forward returns and a session high that included the running bar passed for an edge.

What has not happened yet must not change what has. The compiled replay is given a market once whole and once cut
off; and prices that do read the bar being filled are named in the result.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magellan.backtest.market import Market
from magellan.backtest.result import BacktestResult, RunManifest
from magellan.backtest.run import run_backtest
from magellan.strategy.contract import Features, NoParameters, Strategy
from magellan.strategy.market_view import MarketView
from magellan.strategy.trade_plan import (
    EquityFraction,
    Limit,
    Price,
    Reading,
    Stop,
    StopLimit,
    Target,
    TradePlan,
    Trailing,
    Units,
    fixed,
    moving,
)
from magellan.trading.bar import Floats, Mask
from magellan.workspace.config import DataTerms, Identity, StrategyConfig
from reference import compiled
from reference.by_hand import days, play, symbol, told
from reference.markets import runs
from reference.plain_market import PlainFill, RunInput, SymbolInput

QUIET = (100, 101, 99, 100)


# --- What follows an instant changes nothing before it ---------------------------------------------------------


@settings(max_examples=10 * settings().max_examples)
@given(run=runs(symbols_max=2, actions=True, volume=True), part=st.floats(0.1, 1.0, exclude_max=True))
def test_incident_11_a_market_cut_off_gives_the_fills_that_the_whole_one_gave_until_then(
    run: RunInput, part: float
) -> None:
    instants = sorted({row.opened_at_ns for one in run.symbols for row in one.rows})
    from_ns = instants[int(part * len(instants))]
    cut = cut_off(run, from_ns)
    if cut is None:
        return
    same_ns = min([from_ns, *unknown_session_ends(cut, run)])
    assert fills_before(cut, same_ns) == fills_before(run, same_ns)


def unknown_session_ends(cut: RunInput, whole: RunInput) -> list[int]:
    """Newest bars of symbols of which the calendar says something else than the bars that follow: some are missing
    before the session's close, or there is no calendar."""
    span_minutes = cut.span_ns / 60_000_000_000
    found = []
    for ours, theirs in zip(cut.symbols, whole.symbols, strict=True):
        newest, following = ours.rows[-1], theirs.rows[len(ours.rows) :]
        closes = span_minutes == 1440 or newest.minutes_to_close <= span_minutes
        if following and closes != (following[0].day != newest.day):
            found.append(newest.opened_at_ns)
    return found


def cut_off(run: RunInput, from_ns: int) -> RunInput | None:
    """The run without the bars from that instant on; None when a symbol would have no bar left."""
    counts = [sum(row.opened_at_ns < from_ns for row in one.rows) for one in run.symbols]
    if min(counts) == 0:
        return None
    return replace(
        run, symbols=tuple(first_rows(one, count) for one, count in zip(run.symbols, counts, strict=True))
    )


def first_rows(one: SymbolInput, count: int) -> SymbolInput:
    def rows(mask: frozenset[int]) -> frozenset[int]:
        return frozenset(row for row in mask if row < count)

    return replace(
        one,
        rows=one.rows[:count],
        enter_long=rows(one.enter_long),
        enter_short=rows(one.enter_short),
        exit_long=rows(one.exit_long),
        exit_short=rows(one.exit_short),
        breaks=rows(one.breaks),
        actions=tuple(action for action in one.actions if action.row < count),
        plan_long=shortened(one.plan_long, count),
        plan_short=shortened(one.plan_short, count),
    )


def shortened(plan: TradePlan, count: int) -> TradePlan:
    """The plan with its columns cut off after `count` rows."""

    def price(level: Price) -> Price:
        return level if level.column is None else replace(level, column=level.column[:count])

    entry = plan.entry
    if isinstance(entry, StopLimit):
        entry = replace(entry, stop=price(entry.stop), limit=price(entry.limit))
    elif isinstance(entry, Limit | Stop):
        entry = replace(entry, price=price(entry.price))
    size = plan.size
    if isinstance(size, EquityFraction) and isinstance(size.fraction, np.ndarray):
        size = EquityFraction(fraction=size.fraction[:count])
    trailing = plan.trailing
    if trailing is not None and trailing.column is not None:
        trailing = Trailing(column=trailing.column[:count], multiple=trailing.multiple)
    return replace(
        plan,
        size=size,
        entry=entry,
        stop=None if plan.stop is None else price(plan.stop),
        trailing=trailing,
        targets=tuple(
            replace(
                target,
                price=price(target.price),
                then_stop=None if target.then_stop is None else price(target.then_stop),
            )
            for target in plan.targets
        ),
    )


def fills_before(run: RunInput, instant_ns: int) -> list[PlainFill]:
    opened = {one.symbol: [row.opened_at_ns for row in one.rows] for one in run.symbols}
    return [fill for fill in compiled.replay(run).fills if opened[fill.symbol][fill.row] < instant_ns]


# --- Prices that are read on the bar before, and on the bar itself ---------------------------------------------

BARS = ((100, 101, 99, 100), (100, 102, 99, 101), (101, 107, 100, 103))
HIGHS = np.array([101.0, 102.0, 107.0])  # each bar's own high


def sells_at(column: Floats, reading: Reading) -> TradePlan:
    return TradePlan(size=Units(units=10.0), targets=(Target(price=moving(column, reading)),))


def test_incident_11_a_moving_level_is_read_on_the_bar_before_and_never_on_the_bar_it_fills() -> None:
    """Sell at the high. On row 1 the high that is known is 101, that of row 0. Read on row 1 itself it is 102: sold
    at the very best price of the bar, which nobody could have known."""
    honest = symbol(days(*BARS), sells_at(HIGHS, Reading.PRIOR), long={0})
    assert told(play(honest))[1] == (1, -10.0, 101.0, "target 1")
    dishonest = symbol(days(*BARS), sells_at(HIGHS, Reading.SAME), long={0})
    assert told(play(dishonest))[1] == (1, -10.0, 102.0, "target 1")


@pytest.mark.parametrize("row", [1, 2])
@pytest.mark.parametrize("value", [99.5, 101.5, np.nan])
def test_incident_11_no_value_of_a_column_from_the_filled_bar_on_reaches_an_honest_fill(
    row: int, value: float
) -> None:
    changed = HIGHS.copy()
    changed[row] = value
    one = symbol(days(*BARS), sells_at(changed, Reading.PRIOR), long={0})
    assert told(play(one))[1] == (1, -10.0, 101.0, "target 1")


class FollowsTheLow(Strategy):
    """Enters on the first bar; its stop is each bar's low, read as the test says."""

    reading = Reading.PRIOR

    def features(self, bars: MarketView, p: Any) -> Mapping[str, Floats | Mask]:
        return {"low_of_bar": bars.low.copy(), "first": np.arange(len(bars)) == 0}

    def enter_long(self, f: Features, p: Any) -> Mask:
        first: Mask = f.first
        return first

    def plan(self, f: Features, p: Any) -> TradePlan:
        return TradePlan(size=Units(units=10.0), stop=moving(f.low_of_bar, self.reading))


class SeesTheFuture(FollowsTheLow):
    """The same, read on the bar that is being filled."""

    reading = Reading.SAME


def backtest(strategy: Strategy) -> BacktestResult:
    rows = symbol(days(QUIET, QUIET, (100, 101, 90, 95), QUIET))
    market = Market.of([compiled.bars_of(rows, 86_400_000_000_000)])
    config = StrategyConfig(
        strategy=Identity(name="look_ahead", version="1.0.0", kind="swing"),
        symbols=("A",),
        data=DataTerms(timeframe="1Day"),
    )
    manifest = RunManifest(
        strategy=strategy.name(),
        strategy_version=strategy.version,
        code_sha256="",
        config_sha256="",
        config={},
        data=(),
        actions_sha256="",
        from_on=None,
        to_on=None,
        versions={},
        seed=0,
    )
    return run_backtest(strategy, market, config, {"A": NoParameters()}, manifest)


def test_incident_11_a_plan_that_reads_the_bar_it_fills_is_named_as_misleading() -> None:
    assert backtest(FollowsTheLow()).misleading == ()
    (said,) = backtest(SeesTheFuture()).misleading
    assert "sees the future" in said


def test_a_size_by_equity_at_the_open_does_not_know_the_bars_close() -> None:
    """A holds 50 at 100. On row 2 A opens at 100 and closes at 200; B takes half of the equity at row 2's open.

    Equity at that open: 5,000 + 50 x 100 = 10,000; half of it buys 50. With A's close it would have been 75.
    """
    half = TradePlan(size=EquityFraction(fraction=0.5))
    a = symbol(days(QUIET, QUIET, (100, 200, 99, 200)), TradePlan(size=Units(units=50.0)), name="A", long={0})
    b = symbol(days(QUIET, QUIET, QUIET), half, name="B", long={1})
    outcome = play(a, b, size_at="fill")
    assert [(fill.symbol, fill.units) for fill in outcome.fills] == [("A", 50.0), ("B", 50.0)]


def test_a_fixed_level_does_not_move_after_the_decision() -> None:
    bars = days(QUIET, QUIET, (100, 101, 90, 95), QUIET)
    plan = TradePlan(size=Units(units=10.0), stop=fixed(np.array([95.0, 99.9, 99.9, 99.9])))
    assert told(play(symbol(bars, plan, long={0})))[1] == (2, -10.0, 95.0, "stop")
