"""Bear Trap, told in sessions of a few hand-made minutes."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from magellan.archive.generated.small_market import small_market
from magellan.backtest.market import Market
from magellan.backtest.result import Trade
from magellan.backtest.run import replay_strategy, terms_of, views_of
from magellan.backtest.trades import trades_of
from magellan.strategy.lookahead import check_lookahead
from magellan.trading.bar import Bars, nanoseconds
from magellan.trading.session import ExchangeCalendar, day_number
from magellan.trading.timeframe import DAY_NS, MINUTE, MINUTE_NS
from magellan.usecases.backtest import Changes, changed
from magellan.usecases.load_strategy import LoadedStrategy, load_strategy

FOLDER = Path(__file__).parents[1]
MONDAY, HALF_DAY = date(2024, 11, 25), date(2024, 11, 29)

Minute = tuple[float, float, float, float, float]  # open, high, low, close, volume

# Ten dollars at the open, then quiet at 8.40: 16 % down, enough bars for every mean.
CRASH: list[Minute] = [(10.0, 10.0, 9.9, 9.9, 1000.0), *[(8.4, 8.42, 8.38, 8.4, 1000.0)] * 24]
# Dips to 8.20, closes at 8.45: a long lower wick, a body, twice the volume.
RECLAIM: Minute = (8.35, 8.5, 8.2, 8.45, 2000.0)
QUIET: Minute = (8.45, 8.46, 8.44, 8.45, 1000.0)


def calendar_of(days: Sequence[int], half_days: Sequence[int] = ()) -> ExchangeCalendar:
    """Sessions from 14:30 to 21:00 UTC, winter in New York; to 18:00 on half days."""
    on = np.array(days, dtype=np.int64)
    closes_minute = np.where(np.isin(on, half_days), 18 * 60, 21 * 60)
    return ExchangeCalendar(
        name="XNYS",
        session_on=on.astype(np.int32),
        opens_at_ns=on * DAY_NS + (14 * 60 + 30) * MINUTE_NS,
        closes_at_ns=on * DAY_NS + closes_minute * MINUTE_NS,
    )


CALENDAR = calendar_of(
    [day_number(date(2024, 11, day)) for day in (22, 25, 26, 27, 29)], half_days=[day_number(HALF_DAY)]
)


def session(minutes: Sequence[Minute], on: date = MONDAY, first: tuple[int, int] = (9, 30)) -> Bars:
    """Consecutive minutes from a time in New York on."""
    start = nanoseconds(datetime(on.year, on.month, on.day, first[0] + 5, first[1], tzinfo=UTC))
    columns = np.array(minutes, dtype=float).T
    return Bars(
        symbol="TEST",
        timeframe=MINUTE,
        opened_at_ns=start + np.arange(len(minutes), dtype=np.int64) * MINUTE_NS,
        **{
            name: np.ascontiguousarray(column)
            for name, column in zip(("open", "high", "low", "close", "volume"), columns, strict=True)
        },
    )


def strategy(**settings: Any) -> LoadedStrategy:
    """The strategy with its config, trading one made-up symbol without costs; `__` stands for a dot."""
    words = {"execution.commission_bps": 0.0}
    words |= {key.replace("__", "."): value for key, value in settings.items()}
    return changed(load_strategy(FOLDER), Changes(symbols=("TEST",), settings=words))


def trades(bars: Bars, **settings: Any) -> list[Trade]:
    loaded = strategy(**settings)
    market = Market.of([bars])
    _, replayed = replay_strategy(
        loaded.strategy,
        market,
        [loaded.parameters["TEST"]],
        terms_of(loaded.config),
        views=views_of(market, calendar=CALENDAR),
    )
    return list(trades_of(replayed, market, np.ones(1)))


def test_it_buys_the_open_after_the_bar_that_reclaims_after_a_crash() -> None:
    next_open = 8.47
    (trade,) = trades(session([*CRASH, RECLAIM, (next_open, 8.48, 8.44, 8.45, 1000.0)]))
    assert trade.entry_price == next_open
    assert trade.entered_at == datetime(2024, 11, 25, 14, 56, tzinfo=UTC)


SPOILED = {
    "it fell by less than 15 %": {"fall_min": 0.156},
    "the wick is short": {"wick_min": 0.51},
    "the body is small": {"body_min": 0.34},
    "the volume is ordinary": {"volume_min": 2.0},
    "the session is nearly over": {"entry_minutes_min": 365},
}


@pytest.mark.parametrize("setting", SPOILED.values(), ids=SPOILED)
def test_it_does_not_buy_when(setting: dict[str, Any]) -> None:
    assert trades(session([*CRASH, RECLAIM, QUIET]), **setting) == []


def test_a_bar_without_a_range_proves_nothing() -> None:
    flat = (8.3, 8.3, 8.3, 8.3, 5000.0)
    low_before = [*CRASH, (8.4, 8.42, 8.2, 8.4, 1000.0)]
    assert trades(session([*low_before, flat, QUIET]), wick_min=0.0, body_min=0.0) == []


def test_it_does_not_buy_at_the_sessions_low() -> None:
    at_low = (8.5, 8.5, 8.2, 8.2, 5000.0)
    assert trades(session([*CRASH, at_low, QUIET]), wick_min=0.0) == []


def test_the_stop_lies_below_the_sessions_low_and_fixes_the_size() -> None:
    # True ranges of the last 14 bars: 13 of 0.04 and 0.30.
    atr = (13 * 0.04 + 0.30) / 14
    risk = 8.45 - (8.20 - 0.45 * atr)
    (trade,) = trades(session([*CRASH, RECLAIM, QUIET]), limits__position_usd_max=None)
    assert trade.units == 2000 // risk
    (trade,) = trades(session([*CRASH, RECLAIM, QUIET]))
    assert trade.units == 50_000 // 8.45


def test_a_night_does_not_widen_the_stop() -> None:
    # The gap from the session before is not a range that this session traded.
    before = session([(20.0, 20.0, 20.0, 20.0, 1000.0)] * 30, on=date(2024, 11, 22))
    short = [(10.0, 10.0, 9.9, 9.9, 1000.0), *[(8.4, 8.42, 8.38, 8.4, 1000.0)] * 12]
    today = session([*short, RECLAIM, QUIET])
    names = ("opened_at_ns", "open", "high", "low", "close", "volume")
    both = Bars(
        symbol="TEST",
        timeframe=MINUTE,
        **{name: np.concatenate((getattr(before, name), getattr(today, name))) for name in names},
    )
    (narrow,) = trades(both, limits__position_usd_max=None)
    (wide,) = trades(both, limits__position_usd_max=None, gap_in_true_range=True)
    assert narrow.units > 1.9 * wide.units


# Entered at its open: half-way from 8.45 to the session's high of 10 is 9.225.
UP_TO_HALF_WAY: Minute = (8.45, 9.3, 8.45, 9.2, 1000.0)
UP_TO_THE_HIGH: Minute = (9.2, 10.1, 9.2, 10.0, 1000.0)


def test_it_sells_in_three_portions() -> None:
    calm = [(10.0, 10.02, 9.98, 10.0, 1000.0)] * 40
    (trade,) = trades(session([*CRASH, RECLAIM, UP_TO_HALF_WAY, UP_TO_THE_HIGH, *calm]))
    assert trade.reasons == ("target 1", "target 2", "holding time")
    first, second = np.floor(0.4 * trade.units), np.floor(0.3 * trade.units)
    rest = trade.units - first - second
    assert trade.exit_price == pytest.approx((first * 9.225 + second * 10.0 + rest * 10.0) / trade.units)


def test_the_rest_leaves_thirty_minutes_after_the_entry() -> None:
    (trade,) = trades(session([*CRASH, RECLAIM, *[QUIET] * 60]))
    assert trade.reasons == ("holding time",)
    assert trade.exited_at is not None
    assert (trade.exited_at - trade.entered_at).total_seconds() == 30 * 60


def test_behind_the_second_portion_the_stop_lies_at_the_sessions_low() -> None:
    down_to_the_low = (9.0, 9.0, 8.19, 8.3, 1000.0)
    above_the_first_stop = session([*CRASH, RECLAIM, UP_TO_HALF_WAY, UP_TO_THE_HIGH, down_to_the_low, QUIET])
    (trade,) = trades(above_the_first_stop)
    assert trade.reasons == ("target 1", "target 2", "stop")
    (trade,) = trades(session([*CRASH, RECLAIM, QUIET, down_to_the_low, QUIET]))
    assert "stop" not in trade.reasons  # without the second portion 8.19 is above the stop


def test_a_gap_through_the_stop_is_sold_at_the_open() -> None:
    gap = session([*CRASH, RECLAIM, QUIET, (7.0, 7.5, 6.9, 7.4, 1000.0), QUIET])
    (trade,) = trades(gap)
    assert trade.exit_price == 7.0
    (flattered,) = trades(gap, execution__stop_fill="at-level")
    assert flattered.exit_price > 8.1


def test_incident_11_a_target_is_the_high_as_it_was_known_before_the_bar() -> None:
    # A new high is no target on the bar that makes it, unless the future may be seen.
    low_open: list[Minute] = [(10.0, 10.0, 9.9, 9.9, 1000.0), *[(8.3, 8.32, 8.28, 8.3, 1000.0)] * 24]
    new_high = (8.5, 10.8, 8.5, 10.7, 1000.0)
    honest, seeing = (
        trades(session([*low_open, RECLAIM, new_high, *[QUIET] * 40]), targets_see_own_bar=sees)[0]
        for sees in (False, True)
    )
    assert honest.reasons[:2] == seeing.reasons[:2] == ("target 1", "target 2")
    assert seeing.exit_price > honest.exit_price


LATE = {
    "full day": (MONDAY, (15, 29), (15, 55)),
    "half day": (HALF_DAY, (12, 29), (12, 55)),
}


@pytest.mark.parametrize(("on", "last_entry", "leaves"), LATE.values(), ids=LATE)
def test_it_enters_until_half_an_hour_and_leaves_five_minutes_before_the_close(
    on: date, last_entry: tuple[int, int], leaves: tuple[int, int]
) -> None:
    hour, minute = last_entry
    first = (hour, minute - len(CRASH))
    bars = session([*CRASH, RECLAIM, *[QUIET] * 29], on=on, first=first)
    (trade,) = trades(bars, hold_minutes=60)
    assert trade.reasons == ("session end",)
    assert trade.exited_at is not None
    assert (trade.exited_at.hour - 5, trade.exited_at.minute) == (
        leaves[0],
        leaves[1] + 1,
    )  # at that bar's close
    one_later = session([*CRASH, QUIET, RECLAIM, *[QUIET] * 28], on=on, first=first)
    assert trades(one_later) == []


def test_incident_6_the_last_minutes_are_new_yorks_and_not_utcs() -> None:
    # 15:55 UTC is 10:55 in New York: the old rule left five hours early.
    bars = session([*CRASH, RECLAIM, *[QUIET] * 40], first=(10, 15))
    (honest,) = trades(bars)
    assert honest.reasons == ("holding time",)
    loaded = strategy(day_end="hour-and-minute", data__clock="utc")
    assert loaded.config.misleading()


def test_a_limit_of_the_day_ends_entries_and_never_exits() -> None:
    again = [*CRASH, RECLAIM, *[QUIET] * 5, RECLAIM, *[QUIET] * 40]
    both = session([*CRASH, RECLAIM, *[QUIET] * 35, RECLAIM, *[QUIET] * 40])
    assert len(trades(both)) == 2
    assert len(trades(both, limits__trades_per_day_max=1)) == 1
    (trade,) = trades(session(again), limits__trades_per_day_max=1)
    assert trade.reasons == ("holding time",)


def test_the_bar_that_ends_a_trade_begins_no_other() -> None:
    # It is stopped out on a bar that would be an entry by itself.
    reclaim_below = (8.1, 8.3, 7.9, 8.25, 9000.0)
    (trade,) = trades(session([*CRASH, RECLAIM, reclaim_below, *[QUIET] * 3]))
    assert trade.reasons == ("stop",)


def test_it_does_not_look_ahead() -> None:
    loaded = strategy()
    bars = small_market(17, 1500, symbol="TEST", price_usd=8.0, volatility=0.01)
    days = calendar_of(np.unique(bars.opened_at_ns // DAY_NS).tolist())
    report = check_lookahead(loaded.strategy, [bars], loaded.parameters, calendar=days)
    assert report.passed, report.findings


def test_seeing_the_bars_own_high_is_found_out() -> None:
    loaded = strategy(targets_see_own_bar=True, day_end="hour-and-minute")
    report = check_lookahead(loaded.strategy, [small_market(17, 800, symbol="TEST")], loaded.parameters)
    assert not report.passed
    assert report.reads_the_future
