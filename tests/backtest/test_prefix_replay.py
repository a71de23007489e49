"""Incident 11, through the engine: decisions and fills on a prefix of history equal those on the whole."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magellan.archive.generated.small_market import OPENS_MINUTE, SESSION_MINUTES, small_market
from magellan.backtest.market import Market
from magellan.backtest.prefix_replay import ReplayCheck, check_replay, cut_instants
from magellan.backtest.replay import Terms
from magellan.backtest.run import replay_strategy, views_of
from magellan.errors import FixInput
from magellan.strategy.contract import Enter, Exit, Features, Moment, MoveStop, NoParameters, Side, Strategy
from magellan.strategy.market_view import MarketView
from magellan.strategy.trade_plan import (
    CashFraction,
    EntryOrder,
    EquityFraction,
    Limit,
    SessionExit,
    Stop,
    StopLimit,
    Target,
    TimeInForce,
    TradePlan,
    Trailing,
    fixed,
)
from magellan.strategy.trade_plan import Market as MarketOrder
from magellan.trading.bar import Bars
from magellan.trading.session import ExchangeCalendar, SessionClock
from magellan.trading.timeframe import DAY, DAY_NS, HOUR, MINUTE_NS, Timeframe
from magellan.workspace.config import AccountTerms, ExecutionTerms

MINUTES = small_market(3, 3 * 390)
DAYS = small_market(0, 250, timeframe=DAY)
CLOCK = SessionClock.EXCHANGE


def check(kind: type[Strategy], *bars: Bars, **options: Any) -> ReplayCheck:
    bars = bars or (MINUTES,)
    market = Market.of(bars)
    terms = options.pop("terms", Terms())
    return check_replay(
        kind(), market, {symbol: NoParameters() for symbol in market.symbols}, terms, **options
    )


class Rises(Strategy):
    """In after three bars up, out after three down."""

    def features(self, bars: MarketView, p: Any) -> Mapping[str, np.ndarray]:
        up = np.concatenate([[0.0], np.sign(np.diff(bars.close))])
        return {"run": np.convolve(up, np.ones(3))[: len(up)]}

    def enter_long(self, f: Features, p: Any) -> np.ndarray:
        return np.asarray(f.run >= 2)

    def exit_long(self, f: Features, p: Any) -> np.ndarray:
        return np.asarray(f.run <= -2)


class LeavesAtTheClose(Rises):
    """Likewise, and never holds over night."""

    def plan(self, f: Features, p: Any) -> TradePlan:
        return TradePlan(
            size=CashFraction(fraction=0.9), session_exit=SessionExit(), stop=fixed(f.close * 0.998)
        )


class BuysTheClose(Rises):
    """Likewise, with orders for the session's close."""

    def plan(self, f: Features, p: Any) -> TradePlan:
        return TradePlan(
            size=CashFraction(fraction=0.5),
            entry=MarketOrder(time_in_force=TimeInForce.CLS),
            hold_bars=20,
        )


class WaitsForTen(Rises):
    """Likewise, with entries at a time of day, a trailing stop and a target."""

    def plan(self, f: Features, p: Any) -> TradePlan:
        return TradePlan(
            size=EquityFraction(fraction=0.3),
            entry=MarketOrder(at=time(10, 0)),
            trailing=Trailing(fraction=0.002),
            targets=(Target(price=fixed(f.close * 1.002), fraction=0.5),),
        )


class BuysCheaper(Rises):
    """Likewise, with a limit below the market."""

    def plan(self, f: Features, p: Any) -> TradePlan:
        return TradePlan(
            size=CashFraction(fraction=0.5), entry=Limit(price=fixed(f.close * 0.999)), hold_bars=7
        )


class Asks(Strategy):
    """In plain Python, on every bar, with a stop that it moves."""

    def decide(self, now: Moment, p: Any) -> Enter | Exit | MoveStop | None:
        if now.holding.is_flat:
            return Enter(side=Side.LONG) if now.bar.close > now.bar.open * 1.001 else None
        if now.holding.bars_held > 30:
            return Exit(reason="long enough")
        return MoveStop(price=now.holding.entry_price * 0.997)


HONEST = [Rises, LeavesAtTheClose, BuysTheClose, WaitsForTen, BuysCheaper, Asks]


@pytest.mark.parametrize("kind", HONEST)
@pytest.mark.parametrize("fill", ["next-open", "close"])
def test_an_honest_strategy_decides_on_every_prefix_as_on_the_whole(kind: type[Strategy], fill: Any) -> None:
    found = check(kind, terms=Terms(execution=ExecutionTerms(fill=fill, slippage_bps=1.0)), cuts=8)
    assert found.difference is None
    assert found.passed
    assert (found.cuts, found.decisions > 0, found.fills > 0) == (8, True, True)


@pytest.mark.parametrize("kind", [Rises, Asks])
def test_several_symbols_that_share_their_cash_are_cut_at_one_instant(kind: type[Strategy]) -> None:
    thin = small_market(8, 900, symbol="THIN")
    thin = thin.rows(np.flatnonzero(np.arange(900) % 7 != 3))
    found = check(kind, replace(MINUTES, symbol="MAIN"), thin, cuts=6)
    assert found.passed and found.fills > 0


@settings(max_examples=8)
@given(seed=st.integers(0, 10_000))
def test_wherever_history_is_cut_an_honest_strategy_passes(seed: int) -> None:
    assert check(LeavesAtTheClose, small_market(seed, 900), cuts=3, seed=seed).passed


# Where a session ends ------------------------------------------------------------------------------------------

QUARTERS = Timeframe.parse("15Min")


def sessions_of(bars: Bars, half: Collection[int] = ()) -> tuple[Bars, ExchangeCalendar]:
    """The bars without the second half of some sessions (numbers), and the calendar that knows it."""
    day = (bars.opened_at_ns // DAY_NS).astype(np.int32)
    session_on = np.unique(day)
    open_ns = session_on.astype(np.int64) * DAY_NS + OPENS_MINUTE * MINUTE_NS
    minutes = np.full(len(session_on), SESSION_MINUTES)
    minutes[[number for number in half if number < len(session_on)]] = 210
    close_ns = open_ns + minutes * MINUTE_NS
    kept = bars.rows(bars.opened_at_ns < close_ns[np.searchsorted(session_on, day)])
    return kept, ExchangeCalendar(
        name="TEST", session_on=session_on, opens_at_ns=open_ns, closes_at_ns=close_ns
    )


def any_entry(data: st.DataObject) -> tuple[str, TimeInForce, float]:
    tif = st.sampled_from([TimeInForce.DAY, TimeInForce.CLS, TimeInForce.OPG])
    near = st.sampled_from([0.99, 0.997, 1.0, 1.003, 1.01])
    return data.draw(st.tuples(st.sampled_from(["market", "limit", "stop", "stop limit"]), tif, near))


def sends(kind: str, tif: TimeInForce, near: float, session_exit: SessionExit | None) -> type[Strategy]:
    """A strategy that enters by such orders, `near` the close."""

    class Sends(Rises):
        def plan(self, f: Features, p: Any) -> TradePlan:
            level = fixed(f.close * near)
            entry: EntryOrder = MarketOrder(time_in_force=tif)
            if kind == "limit":
                entry = Limit(price=level, time_in_force=tif)
            elif kind == "stop":
                entry = Stop(price=level, time_in_force=tif)
            elif kind == "stop limit":
                entry = StopLimit(stop=level, limit=fixed(f.close * near * 1.004), time_in_force=tif)
            return TradePlan(
                size=CashFraction(fraction=0.5), entry=entry, hold_bars=3, session_exit=session_exit
            )

    return Sends


@settings(max_examples=20)
@given(
    data=st.data(),
    seed=st.integers(0, 10_000),
    half=st.sets(st.integers(0, 3)),
    session_exit=st.sampled_from([None, None, SessionExit()]),
)
def test_cut_at_any_bar_orders_that_end_with_a_session_do_what_they_do_on_the_whole(
    data: st.DataObject, seed: int, half: set[int], session_exit: SessionExit | None
) -> None:
    """Last bars of sessions and of half days included: the calendar knows them before the next bar has come."""
    bars, calendar = sessions_of(small_market(seed, 4 * 26, timeframe=QUARTERS), half)
    kind = sends(*any_entry(data), session_exit)
    found = check(kind, bars, calendar=calendar, cuts=len(bars))
    assert found.difference is None
    # And nothing was left out of the comparison.
    market = Market.of([bars])
    views = views_of(market, calendar=calendar)
    _, whole = replay_strategy(kind(), market, [NoParameters()], Terms(), views=views)
    assert found.cuts == len(bars) - 1
    assert found.decisions == sum(len(bars) - 1 - int(row) for row in whole.decisions["row"])
    assert found.fills == sum(len(bars) - 1 - int(row) for row in whole.fills["row"])


@pytest.mark.parametrize("tif", [TimeInForce.DAY, TimeInForce.CLS])
def test_the_calendar_closes_the_session_of_the_newest_bar(tif: TimeInForce) -> None:
    """At the same close a day order ends and gives way to a new decision, and an order for the close is filled."""
    bars, calendar = sessions_of(small_market(4, 26, timeframe=QUARTERS))
    near = 0.9 if tif is TimeInForce.DAY else 1.0

    class Always(sends("limit" if tif is TimeInForce.DAY else "market", tif, near, None)):  # type: ignore[misc]
        def enter_long(self, f: Features, p: Any) -> np.ndarray:
            return np.ones(len(f.bars), dtype=bool)

    def events(known: ExchangeCalendar | None) -> tuple[int, int]:
        market = Market.of([bars])
        views = views_of(market, calendar=known)
        _, replayed = replay_strategy(Always(), market, [NoParameters()], Terms(), views=views)
        return len(replayed.decisions), len(replayed.fills)

    # The last bar of a file is no session's close unless the calendar says so: unknown, so no.
    assert events(None) == (1, 0)
    assert events(calendar) == ((2, 0) if tif is TimeInForce.DAY else (1, 1))


# Strategies that know the future ------------------------------------------------------------------------------


class KnowsTheDaysLow(Rises):
    """Buys near the day's low, known from its first minute on: +455 % where +135.6 % was true."""

    def features(self, bars: MarketView, p: Any) -> Mapping[str, np.ndarray]:
        low = np.minimum.reduceat(bars.low, np.flatnonzero(bars.session.first))
        return {"low": low[np.cumsum(bars.session.first) - 1]}

    def enter_long(self, f: Features, p: Any) -> np.ndarray:
        return np.asarray(f.close <= f.low * 1.003)

    def exit_long(self, f: Features, p: Any) -> np.ndarray:
        return np.asarray(f.close > f.low * 1.01)


class KnowsTheNextReturn(Rises):
    """Buys what will rise: the forward return, used as a feature."""

    def enter_long(self, f: Features, p: Any) -> np.ndarray:
        return np.append(f.close[1:] > f.close[:-1], False)

    def exit_long(self, f: Features, p: Any) -> np.ndarray:
        return np.append(f.close[1:] < f.close[:-1], False)


class KnowsTheStop(Rises):
    """Decides honestly, and puts its stop below a low that is still to come."""

    def plan(self, f: Features, p: Any) -> TradePlan:
        ahead = np.minimum(f.low, np.append(f.low[5:], f.low[-5:]))
        return TradePlan(size=CashFraction(fraction=0.5), stop=fixed(ahead * 0.9999))


class KnowsHowItEnds(Rises):
    """Sizes its positions by whether the whole history ends above its beginning."""

    def plan(self, f: Features, p: Any) -> TradePlan:
        return TradePlan(size=CashFraction(fraction=0.9 if f.close[-1] > f.close[0] else 0.1))


class PeeksInPython(Asks):
    """Decides in plain Python on a column that is shifted by one bar."""

    def features(self, bars: MarketView, p: Any) -> Mapping[str, np.ndarray]:
        return {"next": np.append(bars.close[1:], bars.close[-1])}

    def decide(self, now: Moment, p: Any) -> Enter | Exit | None:
        if now.holding.is_flat:
            return Enter() if now["next"] > now.bar.close else None
        return Exit() if now["next"] < now.bar.close else None


@pytest.mark.parametrize(
    "kind", [KnowsTheDaysLow, KnowsTheNextReturn, KnowsTheStop, KnowsHowItEnds, PeeksInPython]
)
def test_incident_11_a_strategy_that_knows_the_future_is_caught_by_what_it_does(kind: type[Strategy]) -> None:
    found = check(kind)
    assert not found.passed
    assert found.difference is not None
    assert found.difference.on_prefix != found.difference.on_whole


def test_the_first_difference_is_named_with_symbol_bar_and_both_values() -> None:
    closes = np.array([10.0, 11.0, 10.0, 11.0, 12.0, 11.0, 10.0, 11.0, 12.0, 13.0])
    rows = np.arange(10)
    bars = replace(
        small_market(1, 10, timeframe=DAY, symbol="PEEK"),
        open=closes.copy(),
        high=closes + 0.5,
        low=closes - 0.5,
        close=closes,
        volume=np.full(10, 1000.0),
    )
    found = check(KnowsTheNextReturn, bars, cuts=8)
    difference = found.difference
    assert difference is not None
    assert (difference.symbol, difference.what) == ("PEEK", "decision")
    # The first rise is from row 0 to row 1; a history that ends with row 0 cannot know it.
    assert difference.row == 0
    assert difference.prefix_rows == 1
    assert difference.on_prefix == "nothing"
    assert difference.on_whole.startswith("enter long, 10000 units")
    assert str(difference).startswith("PEEK decision at row 0 (2024-01-01 00:00 UTC) is nothing when history")
    assert len(rows) == len(bars)


def test_a_difference_in_size_names_the_field_that_differs() -> None:
    found = check(KnowsHowItEnds, DAYS)
    assert found.difference is not None
    assert found.difference.what == "decision (units)"


def test_when_the_exchanges_day_ends_is_no_secret() -> None:
    # Without that, every cut inside a session would look like the session's end to a session exit.
    assert check(LeavesAtTheClose, small_market(6, 500, timeframe=HOUR), cuts=20).passed


# Where history is cut -----------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(
    seed=st.integers(0, 1000), cuts=st.integers(1, 40), warmup=st.integers(0, 200), begins=st.integers(0, 300)
)
def test_cuts_are_the_same_for_a_seed_and_leave_every_symbol_a_bar(
    seed: int, cuts: int, warmup: int, begins: int
) -> None:
    late = replace(MINUTES.rows(slice(begins, None)), symbol="LATE")
    market = Market.of([MINUTES, late])
    found = cut_instants(market, (), warmup, cuts, seed, CLOCK)
    assert found == cut_instants(market, (), warmup, cuts, seed, CLOCK)
    assert len(found) == cuts == len(set(found))
    assert list(found) == sorted(found)
    first = int(MINUTES.opened_at_ns[max(begins, warmup)])
    assert first < found[0] and found[-1] <= int(MINUTES.opened_at_ns[-1])


def test_half_of_the_cuts_are_at_ends_of_sessions() -> None:
    hours = small_market(6, 500, timeframe=HOUR)
    ends = set((hours.opened_at_ns[MarketView(hours).session.last] + HOUR.span_ns).tolist())
    found = cut_instants(Market.of([hours]), (), 0, 10, 0, CLOCK)
    assert len(ends & set(found)) >= 5


def test_too_short_a_history_is_refused() -> None:
    with pytest.raises(FixInput, match="too few to cut"):
        check(Rises, small_market(1, 1))
    with pytest.raises(FixInput, match="fewer warm-up bars"):
        check(Rises, small_market(1, 50), terms=Terms(warmup_bars=49))


def test_a_strategy_that_never_decides_passes_and_says_that_nothing_was_compared() -> None:
    class Silent(Rises):
        def enter_long(self, f: Features, p: Any) -> np.ndarray:
            return np.zeros(len(f.bars), dtype=bool)

    found = check(Silent)
    assert found.passed
    assert (found.decisions, found.fills) == (0, 0)


def test_margin_shorts_and_volume_limits_are_replayed_alike() -> None:
    class Both(Rises):
        def enter_short(self, f: Features, p: Any) -> np.ndarray:
            return np.asarray(f.run <= -2)

        def exit_short(self, f: Features, p: Any) -> np.ndarray:
            return np.asarray(f.run >= 2)

    terms = Terms(
        account=AccountTerms(kind="margin", leverage=2.0),
        execution=ExecutionTerms(volume_share_max=0.1, borrow_rate=0.05, impact=0.1),
    )
    found = check(Both, terms=terms)
    assert found.passed and found.fills > 0
