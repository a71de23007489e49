"""What the metrics of a run say, by hand-computed numbers and by laws."""

import dataclasses
import json
import math
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magellan.backtest import records
from magellan.backtest.drawdown import depths, drawdowns
from magellan.backtest.metrics import Metrics, metrics_of
from magellan.backtest.missing import Missing
from magellan.backtest.result import EquityCurve
from magellan.backtest.returns import (
    bar_returns,
    periods_per_year,
    session_returns,
    sharpe_ratio,
    sortino_ratio,
    yearly_growth,
)
from magellan.backtest.trade_measures import longest_run
from magellan.trading.timeframe import DAY_NS, Timeframe


def curve_of(equity, days=None) -> EquityCurve:
    """An equity curve with a value per day, or several on the days that are given."""
    values = np.array(equity, dtype=np.float64)
    day = np.arange(19_724, 19_724 + len(values)) if days is None else 19_724 + np.array(days)
    return EquityCurve(
        closed_at_ns=(day.astype(np.int64) + 1) * DAY_NS - len(values) + np.arange(len(values)),
        day=day.astype(np.int32),
        equity_usd=values,
        exposure_usd=np.zeros(len(values)),
        gross_exposure_usd=np.zeros(len(values)),
    )


def bought_and_sold(at: int, until: int, units: float = 10.0, reason: int = records.EXIT_RULE):
    """The arguments of an order in symbol AAA."""
    return {"symbol": "AAA", "row": at, "units": units, "exits": ((until, abs(units), reason),)}


@pytest.fixture
def run(run_of, order):
    """`run(closes, (entry row, exit row, units), ...)` on one symbol."""

    def build(closes, *orders, **terms):
        return run_of({"AAA": closes}, [order(**bought_and_sold(*one)) for one in orders], **terms)

    return build


# Returns and ratios -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timeframe", "per_year"),
    [("1Day", 252), ("1Hour", 252 * 6.5), ("1Min", 252 * 390), ("5Min", 252 * 78), ("30Min", 252 * 13)],
)
def test_a_year_holds_252_sessions_of_390_minutes(timeframe: str, per_year: float) -> None:
    assert periods_per_year(Timeframe.parse(timeframe)) == per_year


def test_the_sharpe_ratio_is_mean_over_sample_deviation_of_bar_returns() -> None:
    # Returns 10 %, -10 %, 20 %: mean 0.0667, sample deviation 0.15275.
    returns = bar_returns(np.array([100.0, 110.0, 99.0, 118.8]))
    assert sharpe_ratio(returns, 252) == pytest.approx(0.0666667 / 0.1527525 * math.sqrt(252), rel=1e-6)


def test_the_sortino_ratio_divides_by_the_root_mean_square_of_losses_over_all_returns() -> None:
    # Losses: 10 % once in three returns, so the downside deviation is sqrt(0.01 / 3).
    returns = bar_returns(np.array([100.0, 110.0, 99.0, 118.8]))
    assert sortino_ratio(returns, 252) == pytest.approx(
        0.0666667 / math.sqrt(0.01 / 3) * math.sqrt(252), rel=1e-6
    )


def test_growth_per_year_compounds_over_calendar_years() -> None:
    assert yearly_growth(100.0, 121.0, int(2 * 365.25 * DAY_NS)) == pytest.approx(0.10)


def test_growth_per_year_is_not_extrapolated_from_a_few_days() -> None:
    measured = yearly_growth(100.0, 121.0, 5 * DAY_NS)
    assert isinstance(measured, Missing) and "5.0 days" in measured.reason


def test_daily_bars_have_the_same_sharpe_ratio_per_bar_and_per_session(random_run) -> None:
    metrics = metrics_of(random_run(4))
    assert metrics.sharpe == metrics.sharpe_daily


def test_session_returns_of_minutes_begin_at_the_first_bars_close() -> None:
    sessions = session_returns(curve_of([100, 101, 102, 102, 104.04], days=[0, 0, 1, 1, 2]))
    assert not isinstance(sessions, Missing)
    assert sessions.returns == pytest.approx([0.01, 102 / 101 - 1, 0.02])


@given(st.lists(st.floats(-0.2, 0.25), min_size=2, max_size=40), st.floats(1.0, 1e6))
def test_returns_do_not_depend_on_the_size_of_the_account(steps: list[float], scale: float) -> None:
    equity = 1000.0 * np.cumprod(1.0 + np.array(steps))
    one, other = bar_returns(equity), bar_returns(equity * scale)
    assert not isinstance(one, Missing) and not isinstance(other, Missing)
    np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


# Drawdown ---------------------------------------------------------------------------------------------------


def test_a_drawdown_has_depth_length_and_dates() -> None:
    fall = drawdowns(curve_of([100, 120, 90, 96, 120, 119, 125]), 100.0)
    deepest = fall.deepest
    assert deepest is not None and fall.longest == deepest
    assert deepest.fraction == pytest.approx(0.25)
    assert (deepest.peak_on, deepest.trough_on, deepest.recovered_on) == (
        date(2024, 1, 3),
        date(2024, 1, 4),
        date(2024, 1, 6),
    )
    assert (deepest.sessions, deepest.days) == (3, 3)
    assert fall.underwater_fraction == pytest.approx(3 / 7)


def test_the_longest_drawdown_need_not_be_the_deepest() -> None:
    fall = drawdowns(curve_of([100, 50, 100, 99, 99, 99, 101]), 100.0)
    assert fall.deepest is not None and fall.longest is not None
    assert (fall.deepest.fraction, fall.deepest.sessions) == (0.5, 2)
    assert (round(fall.longest.fraction, 9), fall.longest.sessions) == (0.01, 4)


def test_a_drawdown_that_never_recovers_lasts_to_the_end_and_says_so() -> None:
    deepest = drawdowns(curve_of([100, 80, 90]), 100.0).deepest
    assert deepest is not None
    assert (deepest.recovered_at, deepest.recovered_on, deepest.sessions) == (None, None, 2)


def test_the_starting_money_is_a_peak() -> None:
    assert drawdowns(curve_of([90, 95]), 100.0).fraction_max == pytest.approx(0.1)


def test_equity_that_never_falls_has_no_drawdown_rather_than_a_missing_one() -> None:
    fall = drawdowns(curve_of([100, 100, 101]), 100.0)
    assert (fall.deepest, fall.longest, fall.fraction_max) == (None, None, 0.0)


@given(st.lists(st.floats(1.0, 1000.0), min_size=1, max_size=50))
def test_drawdowns_agree_with_a_plain_loop(values: list[float]) -> None:
    peak, plain = 100.0, []
    for value in values:
        peak = max(peak, value)
        plain.append(1.0 - value / peak)
    np.testing.assert_allclose(depths(np.array(values), 100.0), plain, rtol=0, atol=1e-15)
    fall = drawdowns(curve_of(values), 100.0)
    assert fall.fraction_max == pytest.approx(max(plain), abs=1e-15)
    spells, length = [0], 0
    for depth in plain:
        length = length + 1 if depth > 0 else 0
        spells.append(length)
    # A recovered spell is one session longer than its closes below the peak, save at the very beginning.
    if fall.longest is not None:
        assert abs(fall.longest.sessions - max(spells)) <= 1


# Trades -----------------------------------------------------------------------------------------------------


def test_trades_are_measured_by_profit_after_costs(run) -> None:
    # 10 units: +100, -50 and +30, each minus 1 % of what was bought and sold.
    result = run([100, 110, 110, 105, 105, 108], (0, 1), (2, 3), (4, 5), commission_rate=0.01)
    metrics = metrics_of(result)
    pnl = [100 - 21.0, -50 - 21.5, 30 - 21.3]
    assert result.trades.pnl_usd == pytest.approx(pnl)
    assert metrics.trades == 3 and metrics.trades_open == 0 and metrics.exit_fills == 3
    assert metrics.win_rate == pytest.approx(2 / 3)
    assert metrics.profit_factor == pytest.approx((79.0 + 8.7) / 71.5)
    assert metrics.payoff_ratio == pytest.approx((79.0 + 8.7) / 2 / 71.5)
    assert metrics.expectancy_usd == pytest.approx(sum(pnl) / 3)
    assert metrics.commission_usd == pytest.approx(21 + 21.5 + 21.3)
    assert metrics.costs_usd == metrics.commission_usd
    assert metrics.pnl_usd == pytest.approx(sum(pnl))
    assert metrics.return_fraction == pytest.approx(sum(pnl) / 10_000)


def test_a_trade_may_win_by_price_and_lose_by_money(run) -> None:
    metrics = metrics_of(run([100, 101], (0, 1), commission_rate=0.01))
    assert (metrics.win_rate, metrics.win_rate_by_price) == (0.0, 1.0)


def test_a_trade_at_one_price_wins_neither_way(run) -> None:
    metrics = metrics_of(run([100, 90, 100], (0, 2), commission_rate=0.001))
    assert (metrics.win_rate, metrics.win_rate_by_price) == (0.0, 0.0)


def test_a_short_trade_wins_when_the_price_falls(run) -> None:
    metrics = metrics_of(run([100, 90], (0, 1, -10.0)))
    assert (metrics.win_rate, metrics.win_rate_by_price, metrics.trades_short) == (1.0, 1.0, 1)


def test_an_open_trade_counts_at_the_last_close_and_is_named(run_of, order) -> None:
    metrics = metrics_of(run_of({"AAA": [100, 110, 120]}, [order(symbol="AAA", row=0, units=10.0, exits=())]))
    assert (metrics.trades, metrics.trades_open, metrics.win_rate) == (1, 1, 1.0)
    assert metrics.by_exit_reason[0].reason == "still open"
    assert metrics.missing["exit_fill_win_rate"]


def test_exit_fills_are_counted_one_by_one_and_trades_by_their_last_exit(run_of, order) -> None:
    one = order(symbol="AAA", row=0, units=10.0, exits=((1, 4.0, records.TARGET), (2, 6.0, records.STOP)))
    metrics = metrics_of(run_of({"AAA": [100, 110, 95]}, [one]))
    assert (metrics.trades, metrics.exit_fills, metrics.exit_fill_win_rate) == (1, 2, 0.5)
    rows = {row.reason: (row.exit_fills, row.trades) for row in metrics.by_exit_reason}
    assert rows == {"stop": (1, 1), "target 1": (1, 0)}


def test_a_reason_that_the_strategy_invented_keeps_its_words(run_of, order) -> None:
    one = order(symbol="AAA", row=0, units=10.0, exits=((1, 10.0, records.TIME),))
    result = run_of({"AAA": [100, 110]}, [one])
    result.fills["reason"][1] = 100
    own = dataclasses.replace(
        result,
        make_trades=lambda: dataclasses.replace(
            result.trades, make_reasons=lambda: (("the moon was full",),)
        ),
    )
    assert [row.reason for row in metrics_of(own).by_exit_reason] == ["the moon was full"]


def test_dividends_and_fees_are_no_exits(run_of, order) -> None:
    result = run_of({"AAA": [100, 99, 98]}, [order(**bought_and_sold(0, 2))])
    dividend = np.zeros(1, dtype=records.fill_t)
    dividend[0] = (1, 0, 0, records.EXIT_RULE, 0, 0.0, 99.0, 0.0, 50.0, 0.0, 0.0)
    paid = dataclasses.replace(
        result,
        fills=np.concatenate((result.fills[:1], dividend, result.fills[1:])),
        make_trades=lambda: dataclasses.replace(result.trades, pnl_usd=result.trades.pnl_usd + 50.0),
        dividends_usd=50.0,
    )
    metrics = metrics_of(paid)
    assert (metrics.exit_fills, metrics.win_rate, metrics.win_rate_by_price) == (1, 1.0, 0.0)


@pytest.mark.parametrize(
    ("wins", "longest"), [("", 0), ("lll", 3), ("wlwllw", 2), ("www", 0), ("llwl", 2), ("wll", 2)]
)
def test_losses_in_a_row(wins: str, longest: int) -> None:
    assert longest_run(np.array([each == "l" for each in wins], dtype=bool)) == longest


# Exposure, turnover, benchmark ------------------------------------------------------------------------------


def test_exposure_and_turnover_are_shares_of_equity(run) -> None:
    metrics = metrics_of(run([100, 100, 100, 100], (1, 2, 50.0)))
    assert metrics.time_in_market_fraction == 0.25
    assert metrics.exposure_max_fraction == pytest.approx(0.5)
    assert metrics.exposure_mean_fraction == pytest.approx(0.125)
    assert metrics.turnover == pytest.approx(1.0)  # 5,000 bought and 5,000 sold of 10,000
    assert metrics.turnover_yearly == pytest.approx(1.0 / (4 / 365.25))


def test_a_futures_contract_counts_with_its_point_value(run) -> None:
    result = run([100, 100, 100], (0, 1, 1.0))
    manifest = dataclasses.replace(result.manifest, config={"instruments": {"AAA": {"point_value": 50.0}}})
    assert metrics_of(dataclasses.replace(result, manifest=manifest)).turnover == pytest.approx(1.0)


def test_holding_the_benchmark_gives_beta_one_and_no_alpha(run) -> None:
    closes = [100, 110, 104, 112, 120, 118]
    metrics = metrics_of(run(closes, (0, 5, 100.0)))
    assert metrics.benchmark_return_fraction == pytest.approx(0.18)
    assert metrics.beta == pytest.approx(1.0)
    assert metrics.alpha_yearly_fraction == pytest.approx(0.0, abs=1e-9)
    assert metrics.benchmark_correlation == pytest.approx(1.0)
    assert metrics.sharpe == pytest.approx(metrics.benchmark_sharpe)


def test_buy_and_hold_is_missing_where_it_would_be_held_through_an_unexplained_jump(run) -> None:
    """Incident 10: a reverse split that is not on record passes for a fortune."""
    result = run([1.0, 1.1, 20.0, 21.0], (0, 1))
    jumps = dataclasses.replace(result, breaks={"AAA": np.array([False, False, True, False])})
    metrics = metrics_of(jumps)
    assert metrics.benchmark_return_fraction is None and metrics.beta is None
    assert metrics.missing["benchmark_return_fraction"] == (
        "AAA jumps on 2024-01-04 and no corporate action says why; it cannot be held through that"
    )
    assert metrics.by_year[0].benchmark_return_fraction is None


# Breakdown --------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 500))
@settings(max_examples=20)
def test_the_tables_add_up_to_the_whole(random_run, seed: int) -> None:
    result = random_run(seed, bars=120, trades=12)
    metrics = metrics_of(result)
    for table in (metrics.by_symbol, metrics.by_exit_reason, metrics.by_month, metrics.by_year):
        assert sum(row.trades for row in table) == metrics.trades
        assert sum(row.pnl_usd for row in table) == pytest.approx(metrics.pnl_usd, abs=1e-6)
    for table in (metrics.by_month, metrics.by_year):
        grown = math.prod(1.0 + (row.return_fraction or 0.0) for row in table)
        assert grown == pytest.approx(1.0 + metrics.return_fraction)
        held = math.prod(1.0 + (row.benchmark_return_fraction or 0.0) for row in table)
        assert held == pytest.approx(1.0 + (metrics.benchmark_return_fraction or 0.0))
        assert max(row.drawdown_fraction_max or 0.0 for row in table) <= metrics.drawdown_fraction_max + 1e-12


def test_a_month_runs_by_the_exchanges_calendar(random_run) -> None:
    months = metrics_of(random_run(1, bars=40)).by_month
    assert [(row.period, row.first_on, row.last_on) for row in months] == [
        ("2024-01", date(2024, 1, 2), date(2024, 1, 31)),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 10)),
    ]


# Missing ----------------------------------------------------------------------------------------------------


def test_incident_36_a_run_without_trades_has_no_made_up_numbers(run) -> None:
    metrics = metrics_of(run([100, 101, 102]))
    for name in ("sharpe", "sortino", "win_rate", "profit_factor", "expectancy_usd", "mae_mean_fraction"):
        assert getattr(metrics, name) is None, name
        assert metrics.missing[name], name
    assert metrics.missing["win_rate"] == "no trade was made"
    assert metrics.missing["sharpe"] == "returns do not vary"
    assert (metrics.trades, metrics.return_fraction, metrics.drawdown_fraction_max) == (0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("closes", "orders", "terms", "name", "reason"),
    [
        ([100], [], {}, "sharpe", "fewer than two returns"),
        ([100, 110], [(0, 1)], {}, "profit_factor", "no trade lost"),
        ([100, 110], [(0, 1)], {}, "sharpe", "fewer than two returns"),
        ([100, 110, 120], [(0, 2)], {}, "sortino", "no return was below zero"),
        ([100, 110, 120], [(0, 2)], {}, "calmar", "the run covers 3.0 days, and a yearly rate needs 30"),
        ([100, 110, 120], [(0, 2)], {"benchmark": False}, "beta", "the run has no benchmark"),
        ([100, 20, 30], [(0, 2, 1000.0)], {}, "sharpe", "the account's equity fell to zero or below"),
        ([100, 100, 100], [], {}, "beta", "2 sessions in common with the benchmark, and a line needs 3"),
        ([100, 100, 100, 100], [], {}, "beta", "the benchmark's returns do not vary"),
        ([100, 90], [(0, 1)], {}, "payoff_ratio", "no trade gained"),
    ],
)
def test_what_cannot_be_computed_says_why(run, closes, orders, terms, name, reason) -> None:
    metrics = metrics_of(run(closes, *orders, **terms))
    assert getattr(metrics, name) is None
    assert metrics.missing[name] == reason


@given(seed=st.integers(0, 200), bars=st.integers(1, 60), trades=st.integers(1, 8))
@settings(max_examples=30)
def test_every_metric_is_a_finite_number_or_missing_with_a_reason(
    random_run, seed: int, bars: int, trades: int
) -> None:
    metrics = metrics_of(random_run(seed, bars=bars, trades=trades))
    for field in dataclasses.fields(Metrics):
        value = getattr(metrics, field.name)
        if isinstance(value, float):
            assert math.isfinite(value), field.name
        may_be_none = field.name in ("drawdown_deepest", "drawdown_longest")
        assert (value is None) == (field.name in metrics.missing) or may_be_none, field.name


# Published results ------------------------------------------------------------------------------------------

HYSTERESIS = json.loads(
    # file, RSI span, upper, lower, bps a side, periods per year: return %, Sharpe, max drawdown %, trades
    """[
    ["equities/GOOGL_1day_20240101_20251231", 28, 55, 45, 1.5, 252, 118.37, 1.54, 15.36, 9],
    ["equities/META_1day_20240101_20251231", 28, 55, 45, 1.5, 252, 68.93, 1.09, 15.47, 9],
    ["equities/TSLA_1day_20240101_20251231", 28, 58, 42, 1.5, 252, 36.21, 0.56, 38.10, 7],
    ["equities/AAPL_1day_20240101_20251231", 28, 65, 35, 1.5, 252, 34.87, 0.97, 16.92, 4],
    ["equities/QQQ_1day_20240101_20251231", 21, 60, 40, 1.5, 252, 30.55, 1.03, 12.42, 7],
    ["equities/MSFT_1day_20240101_20251231", 21, 58, 42, 1.5, 252, 29.92, 0.87, 12.60, 10],
    ["equities/SPY_1day_20240101_20251231", 21, 58, 42, 1.5, 252, 24.96, 1.20, 6.32, 10],
    ["equities/AMZN_1day_20240101_20251231", 21, 55, 45, 1.5, 252, 11.69, 0.34, 22.28, 17],
    ["equities/IWM_1day_20240101_20251231", 28, 65, 35, 1.5, 252, 10.26, 0.39, 11.65, 3],
    ["equities/NVDA_1day_20240101_20251231", 28, 58, 42, 1.5, 252, -81.65, -0.16, 92.92, 9],
    ["equities/TSLA_1hour_20240101_20251231", 14, 60, 40, 5, 1638, 100.63, 0.68, 32.77, 206],
    ["equities/NVDA_1hour_20240101_20251231", 28, 55, 45, 5, 1638, 124.25, 0.90, 20.65, 148],
    ["futures/GCUSD_1day_20240101_20251231", 28, 55, 45, 5, 252, 47.0, 1.35, 11.45, 10],
    ["futures/SIUSD_1day_20240101_20251231", 28, 55, 45, 5, 252, 108.42, 1.29, 25.17, 10],
    ["futures/CLUSD_1day_20240101_20251231", 28, 55, 45, 5, 252, -13.37, -0.28, 27.46, 9]
    ]"""
)


@pytest.mark.parametrize(
    ("file", "span", "upper", "lower", "bps", "per_year", "percent", "sharpe", "fall", "trades"), HYSTERESIS
)
def test_published_sharpe_ratios_and_drawdowns_are_met_to_the_digit(
    reference_data, run_of, order, file, span, upper, lower, bps, per_year, percent, sharpe, fall, trades
) -> None:
    import pyarrow.parquet as parquet

    path = next(iter(reference_data.rglob(f"{file}.parquet")), None)
    if path is None:
        pytest.skip(f"{file} is not among the reference data")
    closes = parquet.read_table(path).column("close").to_pylist()
    orders = hysteresis(closes, span, upper, lower, bps / 1e4)
    result = run_of(
        {"AAA": closes},
        [order(**bought_and_sold(entry, end, units)) if end else
         order(symbol="AAA", row=entry, units=units, exits=()) for entry, end, units in orders],
        commission_rate=bps / 1e4,
        timeframe="1Day" if per_year == 252 else "1Hour",
    )  # fmt: skip
    metrics = metrics_of(result)
    assert round(100 * metrics.return_fraction, 2) == percent
    assert metrics.sharpe is not None and round(metrics.sharpe, 2) == sharpe
    assert round(100 * metrics.drawdown_fraction_max, 2) == fall
    assert metrics.trades == trades
    assert metrics.periods_per_year == per_year


def hysteresis(closes, span: int, upper: float, lower: float, rate: float):
    """Entry row, exit row (or None) and units of each trade, by the published rules, in plain Python."""
    alpha, gain, loss, cash, units, orders = 2 / (span + 1), 0.0, 0.0, 10_000.0, 0, []
    for row, close in enumerate(closes):
        change = close - closes[row - 1] if row else 0.0
        gain += alpha * (max(change, 0.0) - gain)
        loss += alpha * (max(-change, 0.0) - loss)
        rsi = 50.0 if gain == loss == 0.0 else 100.0 * gain / (gain + loss)
        if not units and rsi > upper:
            units = int(cash / (close * (1 + rate)))
            cash -= units * close * (1 + rate)
            if units:
                orders.append([row, None, float(units)])
        elif units and rsi < lower:
            cash += units * close * (1 - rate)
            units, orders[-1][1] = 0, row
    return orders
