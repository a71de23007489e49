"""The reference does what README.md says, on markets small enough to work out by hand."""
# ruff: noqa: D103  (a test's name is its sentence)

import math
from dataclasses import replace

import numpy as np
import pytest
from benchmarks import outcome, reference
from benchmarks.outcome import NO_EXIT
from benchmarks.workloads import SESSION_MINUTES, CrashBars, make_crash_columns

SLIP = 0.001


def test_rsi_begins_with_the_plain_mean_of_the_first_changes_and_then_forgets_one_part_in_n():
    rsi = reference.wilder_rsi([10.0, 12.0, 11.0, 14.0], 2)
    assert all(math.isnan(value) for value in rsi[:2])
    assert rsi[2] == pytest.approx(100.0 * 1.0 / (1.0 + 0.5))
    assert rsi[3] == pytest.approx(100.0 * 2.0 / (2.0 + 0.25))


def test_rsi_of_a_price_that_never_moved_is_unknown():
    assert all(math.isnan(value) for value in reference.wilder_rsi([5.0] * 6, 2))


def test_atr_begins_with_the_plain_mean_of_the_first_ranges():
    atr = reference.wilder_atr([11.0, 13.0, 12.0], [10.0, 12.0, 8.0], [10.5, 12.5, 9.0], 2)
    assert math.isnan(atr[0])
    assert atr[1] == pytest.approx((1.0 + 2.5) / 2)
    assert atr[2] == pytest.approx(1.75 + (4.5 - 1.75) / 2)


def test_a_decision_at_a_close_is_filled_at_the_next_open_with_all_equity():
    open_, close = [10.0, 20.0, 25.0, 30.0], [10.0, 21.0, 26.0, 31.0]
    log, equity = reference.hysteresis(open_, close, [60.0, 60.0, 40.0, 50.0], upper=55.0, lower=45.0)
    bought, sold = 20.0 * (1 + SLIP), 30.0 * (1 - SLIP)
    assert (log.entry_bar, log.exit_bar) == ([1], [3])
    assert log.entry_price_usd == [pytest.approx(bought)]
    assert log.exit_price_usd == [pytest.approx(sold)]
    assert log.shares == [pytest.approx(100_000.0 / bought)]
    assert equity == pytest.approx(100_000.0 / bought * sold)


def test_a_decision_at_the_last_close_is_never_filled_and_an_open_position_is_valued_there():
    log, equity = reference.hysteresis([10.0, 20.0], [10.0, 22.0], [60.0, 40.0], upper=55.0, lower=45.0)
    assert log.exit_bar == [NO_EXIT]
    assert equity == pytest.approx(100_000.0 / (20.0 * (1 + SLIP)) * 22.0)


def quiet_market(sessions: int = 2, symbols: int = 1) -> CrashBars:
    """Every bar opens, closes and trades at 100, with a range of 1 and a volume of 1,000."""
    shape = (symbols, sessions * SESSION_MINUTES)
    return CrashBars(
        start_ns=np.arange(shape[1], dtype=np.int64),
        open=np.full(shape, 100.0),
        high=np.full(shape, 100.5),
        low=np.full(shape, 99.5),
        close=np.full(shape, 100.0),
        volume=np.full(shape, 1_000.0),
    )


def with_bar(bars: CrashBars, symbol: int, at: int, **columns: float) -> CrashBars:
    changed = {}
    for name, value in columns.items():
        changed[name] = getattr(bars, name).copy()
        changed[name][symbol, at] = value
    return replace(bars, **changed)


CRASH = {"open": 84.0, "high": 84.5, "low": 79.0, "close": 80.0}
RECLAIM = {"open": 80.0, "high": 81.0, "low": 78.0, "close": 80.0, "volume": 5_000.0}
AFTER = {"open": 80.0, "high": 80.05, "low": 79.95, "close": 80.0, "volume": 1_000.0}
SECOND_SESSION = range(SESSION_MINUTES, 2 * SESSION_MINUTES)


def with_crash(bars: CrashBars, symbol: int, crash: int, reclaim: int) -> CrashBars:
    """A crash on one bar, its reclaim on another; narrow bars at 80 between them and to the end."""
    for at in range(crash, SECOND_SESSION.stop):
        bars = with_bar(bars, symbol, at, **{crash: CRASH, reclaim: RECLAIM}.get(at, AFTER))
    return bars


def crashed_market(symbols: int = 1) -> tuple[CrashBars, int]:
    """A quiet session; in the next a crash and, on the bar after it, a reclaim. Returns that bar."""
    bars = quiet_market(symbols=symbols)
    reclaim = SECOND_SESSION.start + 10
    for symbol in range(symbols):
        bars = with_crash(bars, symbol, reclaim - 1, reclaim)
    return bars, reclaim


def atr_at(bars: CrashBars, at: int, symbol: int = 0) -> float:
    columns = (column[symbol].tolist() for column in (bars.high, bars.low, bars.close))
    return reference.wilder_atr(*columns, 14)[at]


def test_a_reclaim_is_bought_at_the_next_open_and_sold_at_the_last_close_of_the_session():
    bars, reclaim = crashed_market()
    run = reference.crash_and_reclaim(bars)
    assert run.entry_bar.tolist() == [reclaim + 1]
    assert run.exit_bar.tolist() == [2 * SESSION_MINUTES - 1]
    assert run.entry_price_usd.tolist() == [80.0 * (1 + SLIP)]
    assert run.exit_price_usd.tolist() == [80.0 * (1 - SLIP)]
    risk = 2.0 * atr_at(bars, reclaim)
    assert run.shares.tolist() == [math.floor(0.02 * 100_000.0 / risk)]


@pytest.mark.parametrize(
    ("what", "columns"),
    [
        ("the low is not below the session's former low", {"low": 79.0}),
        ("it does not close back above the former low", {"close": 79.0}),
        ("the fall from the previous close is less than 15 %", {"close": 85.01, "high": 85.5}),
        ("the volume is below twice the mean", {"volume": 2_000.0}),
    ],
)
def test_a_bar_is_not_a_reclaim_when(what, columns):
    bars, reclaim = crashed_market()
    bars = with_bar(bars, 0, reclaim, **columns)
    assert reference.crash_and_reclaim(bars).trade_count == 0, what


def test_the_stop_in_force_on_the_entry_bar_lies_two_atr_of_the_decision_bar_below_the_entry_price():
    bars, reclaim = crashed_market()
    stop = 80.0 * (1 + SLIP) - 2.0 * atr_at(bars, reclaim)
    bars = with_bar(bars, 0, reclaim + 1, low=stop - 0.01)
    run = reference.crash_and_reclaim(bars)
    assert run.exit_bar.tolist() == [reclaim + 1]
    assert run.exit_price_usd.tolist() == [pytest.approx(stop * (1 - SLIP))]


def test_a_gap_through_the_stop_is_filled_at_the_open():
    bars, reclaim = crashed_market()
    bars = with_bar(bars, 0, reclaim + 3, open=60.0, high=61.0, low=59.0, close=60.0)
    run = reference.crash_and_reclaim(bars)
    assert run.exit_bar.tolist() == [reclaim + 3]
    assert run.exit_price_usd.tolist() == [60.0 * (1 - SLIP)]


def test_the_stop_follows_the_highest_high_from_the_next_bar_on_and_never_falls():
    bars, reclaim = crashed_market()
    entry = reclaim + 1
    bars = with_bar(bars, 0, entry, high=90.0)
    trailed = 90.0 - 2.0 * atr_at(bars, entry)
    assert trailed > 80.0, "or the case says nothing"
    run = reference.crash_and_reclaim(bars)
    assert run.exit_bar.tolist() == [entry + 1]
    assert run.exit_price_usd.tolist() == [80.0 * (1 - SLIP)], "the bar opens below the stop: a gap"


def test_the_stop_in_force_on_the_entry_bar_is_no_lower_than_the_one_the_size_was_made_for():
    bars, reclaim = crashed_market()
    bars = with_bar(bars, 0, reclaim + 1, open=79.0)
    stop = 80.0 - 2.0 * atr_at(bars, reclaim)
    bars = with_bar(bars, 0, reclaim + 1, low=stop - 0.01)
    assert reference.crash_and_reclaim(bars).exit_price_usd.tolist() == [pytest.approx(stop * (1 - SLIP))]


def test_an_order_is_no_larger_than_the_cash_buys_at_the_close_that_was_decided_on():
    crash, reclaim = SECOND_SESSION.start + 10, SECOND_SESSION.start + 160
    bars = with_crash(quiet_market(), 0, crash, reclaim)
    bars = with_bar(bars, 0, reclaim + 1, open=79.0)
    assert 0.02 * 100_000.0 / (2.0 * atr_at(bars, reclaim)) > 1_250, "or the risk is what limits it"
    assert reference.crash_and_reclaim(bars).shares.tolist() == [100_000.0 // 80.0]


def test_cash_from_a_gap_through_a_stop_pays_for_entries_at_the_same_opening():
    crash, reclaim = SECOND_SESSION.start + 10, SECOND_SESSION.start + 160
    bars = quiet_market(symbols=3)
    bars = with_crash(bars, 0, reclaim - 2, reclaim - 1)
    for symbol in (1, 2):  # each wants all the cash that the first has left
        bars = with_crash(bars, symbol, crash, reclaim)
    gap = reclaim + 1
    bars = with_bar(bars, 0, gap, open=70.0, high=70.0, low=70.0, close=70.0)
    run = reference.crash_and_reclaim(bars)
    assert run.symbol.tolist() == [0, 1, 2]
    assert run.exit_bar[0] == run.entry_bar[1] == run.entry_bar[2] == gap
    price = 80.0 * (1 + SLIP)
    cash = 100_000.0 - run.shares[0] * price
    second = math.floor(cash / 80.0)
    cash += run.shares[0] * 70.0 * (1 - SLIP)
    assert run.shares[1] == second
    assert run.shares[2] == math.floor((cash - second * price) / price)


def test_several_entries_on_one_bar_share_the_cash_in_the_order_of_the_symbols():
    bars, reclaim = crashed_market(symbols=4)
    run = reference.crash_and_reclaim(bars)
    wanted = math.floor(0.02 * 100_000.0 / (2.0 * atr_at(bars, reclaim)))
    price = 80.0 * (1 + SLIP)
    cash = 100_000.0
    expected = []
    for _ in range(4):
        shares = min(wanted, math.floor(cash / price))
        cash -= shares * price
        expected.append(shares)
    assert run.symbol.tolist() == [0, 1, 2, 3]
    assert run.shares.tolist() == expected
    assert 0 < expected[3] < wanted, "or the case says nothing about cash"


def test_never_more_than_five_positions_are_open():
    bars, _ = crashed_market(symbols=8)
    bars = replace(bars, high=np.where(bars.high < 99, bars.high, 130.0))  # a wide range: small positions
    assert reference.crash_and_reclaim(bars).trade_count == 5


def test_a_reclaim_on_the_last_bar_of_a_session_is_not_taken():
    bars = quiet_market(sessions=3)
    last = 2 * SESSION_MINUTES - 1
    bars = with_bar(bars, 0, last - 1, **CRASH)
    bars = with_bar(bars, 0, last, **RECLAIM)
    assert reference.crash_and_reclaim(bars).trade_count == 0


def test_a_generated_market_has_trades_and_ends_flat():
    columns = make_crash_columns(symbols=6, sessions=40)
    bars = CrashBars(start_ns=columns.pop("ts"), **columns)
    run = reference.crash_and_reclaim(bars)
    assert run.trade_count > 3
    gained = run.shares * (run.exit_price_usd - run.entry_price_usd)
    assert run.equity_final_usd == pytest.approx(100_000.0 + gained.sum())
    assert np.all(run.exit_bar // SESSION_MINUTES == run.entry_bar // SESSION_MINUTES)


def test_an_outcome_reads_back_as_it_was_written(tmp_path):
    bars, _ = crashed_market(symbols=2)
    run = reference.crash_and_reclaim(bars)
    run.save(tmp_path / "run.npz")
    assert outcome.differences(outcome.load(tmp_path / "run.npz"), run) == ()


@pytest.mark.parametrize(
    ("column", "change", "says"),
    [
        ("exit_bar", lambda bars: bars + 1, "first trade at another bar: number 0"),
        ("symbol", lambda rows: rows[::-1], "first trade at another bar: number 0"),
        ("shares", lambda shares: shares * (1 + 1e-8), "shares differs by up to 1.0e-08"),
        ("exit_price_usd", lambda price: price * np.nan, "exit_price_usd differs by up to inf"),
    ],
)
def test_an_engine_that_trades_otherwise_is_told_so(column, change, says):
    bars, _ = crashed_market(symbols=2)
    run = reference.crash_and_reclaim(bars)
    other = replace(run, **{column: change(getattr(run, column))})
    assert says in outcome.differences(other, run)[0]


def test_a_missing_trade_is_told(tmp_path):
    bars, _ = crashed_market(symbols=2)
    run = reference.crash_and_reclaim(bars)
    fewer = replace(
        run,
        **{
            name: getattr(run, name)[:-1]
            for name in ("symbol", "entry_bar", "exit_bar", "entry_price_usd", "exit_price_usd", "shares")
        },
    )
    assert outcome.differences(fewer, run)[0] == "1 trades instead of 2"
