"""Walk-forward: the rules of its windows, and what is chained into one out-of-sample result."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magellan.archive.generated.small_market import small_market
from magellan.backtest.result import EquityCurve
from magellan.backtest.walk_forward import (
    OutOfSample,
    StoodAside,
    Trained,
    WalkForward,
    Window,
    WindowResult,
    entering_from,
    run_out_of_sample,
    sessions_of,
    stood_aside,
    stretch_of,
    walked_forward,
    windows_of,
)
from magellan.errors import FixInput
from magellan.strategy.contract import Enter, Exit, Features, Moment, NoParameters, Strategy
from magellan.strategy.market_view import MarketView
from magellan.strategy.trade_plan import CashFraction, TradePlan
from magellan.trading.bar import Bars
from magellan.trading.session import SessionClock, day_number
from magellan.trading.timeframe import DAY, DAY_NS, HOUR
from magellan.workspace.config import StrategyConfig

CLOCK = SessionClock.EXCHANGE
FIRST_ON = date(2024, 1, 1)
CONFIG = StrategyConfig.model_validate(
    {
        "strategy": {"name": "by_hand", "version": "1.0.0", "kind": "trend"},
        "symbols": ["TEST"],
        "account": {"cash_usd": 10_000.0},
        "instruments": {"TEST": {"quantity_step": 0.0}},
    }
)


def days(count: int) -> np.ndarray:
    """So many dates, two days apart."""
    return np.arange(day_number(FIRST_ON), day_number(FIRST_ON) + 2 * count, 2, dtype=np.int32)


@given(count=st.integers(2, 300), train=st.integers(1, 100), test=st.integers(1, 60), anchored=st.booleans())
def test_test_windows_follow_one_another_and_training_ends_where_they_begin(
    count: int, train: int, test: int, anchored: bool
) -> None:
    sessions = days(count)
    if count < train + test:
        with pytest.raises(FixInput, match="too few"):
            windows_of(sessions, train=train, test=test, anchored=anchored)
        return
    windows = windows_of(sessions, train=train, test=test, anchored=anchored)
    assert sum(window.test.sessions for window in windows) == count - train
    for number, window in enumerate(windows):
        start = train + number * test
        assert day_number(window.test.first_on) == sessions[start]
        assert day_number(window.train.last_on) == sessions[start - 1]
        assert window.train.sessions == (start if anchored else train)
        assert window.test.sessions == test or window is windows[-1]


@pytest.mark.parametrize(("train", "test"), [(0, 5), (5, 0)])
def test_a_window_of_no_session_is_refused(train: int, test: int) -> None:
    with pytest.raises(FixInput, match="at least one"):
        windows_of(days(50), train=train, test=test, anchored=False)


# What a chosen set may do in a test window --------------------------------------------------------------------


class AlwaysIn(Strategy):
    """Enters whenever it is flat, and never leaves of itself."""

    def enter_long(self, f: Features, p: Any) -> np.ndarray:
        return np.ones(len(f.bars), dtype=bool)


class SlowMean(Strategy):
    """Needs twenty bars before it knows anything."""

    def features(self, bars: MarketView, p: Any) -> Mapping[str, np.ndarray]:
        mean = np.full(len(bars), np.nan)
        if len(bars) >= 20:
            mean[19:] = np.convolve(bars.close, np.full(20, 1 / 20), mode="valid")
        return {"known": ~np.isnan(mean)}

    def enter_long(self, f: Features, p: Any) -> np.ndarray:
        return np.asarray(f.known)

    def plan(self, f: Features, p: Any) -> TradePlan:
        return TradePlan(size=CashFraction(fraction=1.0), hold_bars=2)


BARS = small_market(5, 120, timeframe=DAY)
WINDOW = windows_of(sessions_of([BARS], CLOCK), train=60, test=30, anchored=False)[0]


def run(strategy: Strategy, window: Window = WINDOW, bars: tuple[Bars, ...] = (BARS,)) -> OutOfSample:
    parameters = {one.symbol: NoParameters() for one in bars}
    config = CONFIG.model_copy(update={"symbols": tuple(parameters)})
    return run_out_of_sample(window, strategy, parameters, config, bars)


def test_nothing_is_decided_before_the_test_window_and_nothing_is_held_into_it() -> None:
    tested = run(AlwaysIn())
    rows = slice(60, 90)
    assert tested.equity.closed_at_ns.tolist() == (BARS.opened_at_ns[rows] + DAY_NS).tolist()
    # Decided at the close of the window's first bar, so filled at the open of its second.
    assert tested.equity.gross_exposure_usd[0] == 0.0
    assert tested.equity.gross_exposure_usd[1] > 0.0
    units = 10_000.0 / max(BARS.close[60], BARS.open[61])  # sized at the close, reduced to what is affordable
    gain = units * (BARS.close[89] - BARS.open[61])
    assert tested.equity.equity_usd[-1] == pytest.approx(10_000.0 + gain)


def test_what_is_still_held_at_the_windows_end_is_valued_there_and_counted() -> None:
    tested = run(AlwaysIn())
    assert (tested.trades, tested.cut_off) == (1, 1)
    assert tested.trade_pnl_usd[0] == pytest.approx(tested.equity.equity_usd[-1] - 10_000.0)


def test_indicators_are_warm_on_the_test_windows_first_bar() -> None:
    tested = run(SlowMean())
    assert tested.equity.gross_exposure_usd[1] > 0.0


def test_indicators_of_a_test_window_see_the_training_window_and_nothing_earlier() -> None:
    seen = []

    class Looks(AlwaysIn):
        def features(self, bars: MarketView, p: Any) -> Mapping[str, np.ndarray]:
            seen.append((int(bars.opened_at_ns[0]), int(bars.opened_at_ns[-1])))
            return {}

    second = windows_of(sessions_of([BARS], CLOCK), train=60, test=30, anchored=False)[1]
    run(Looks(), second)
    assert seen == [(int(BARS.opened_at_ns[30]), int(BARS.opened_at_ns[119]))]


class Declared(Strategy):
    """In on up bars, out on down bars."""

    def features(self, bars: MarketView, p: Any) -> Mapping[str, np.ndarray]:
        return {"up": bars.close > bars.open}

    def enter_long(self, f: Features, p: Any) -> np.ndarray:
        return np.asarray(f.up)

    def exit_long(self, f: Features, p: Any) -> np.ndarray:
        return np.asarray(~f.up)


class Woken(Strategy):
    """The same in plain Python, woken on every bar."""

    def features(self, bars: MarketView, p: Any) -> Mapping[str, np.ndarray]:
        return {"up": bars.close > bars.open}

    def wake(self, f: Features, p: Any) -> np.ndarray:
        return np.ones(len(f.bars), dtype=bool)

    def decide(self, now: Moment, p: Any) -> Enter | Exit | None:
        if now["up"]:
            return Enter() if now.holding.is_flat else None
        return None if now.holding.is_flat else Exit()


class Plain(Woken):
    """The same, without saying when to wake."""

    wake = Strategy.wake


@settings(max_examples=10)
@given(seed=st.integers(0, 1000))
def test_the_three_forms_of_a_decision_are_tested_alike(seed: int) -> None:
    bars = small_market(seed, 90, timeframe=DAY)
    window = windows_of(sessions_of([bars], CLOCK), train=40, test=50, anchored=False)[0]
    declared, woken, plain = (run(form(), window, (bars,)) for form in (Declared, Woken, Plain))
    assert declared.trades > 0
    for other in (woken, plain):
        assert other.equity.equity_usd.tolist() == declared.equity.equity_usd.tolist()


def test_a_strategy_that_enters_late_is_otherwise_the_same() -> None:
    late = entering_from(Declared(), int(BARS.opened_at_ns[50]))
    view = MarketView(BARS)
    features = Features(view, late.features(view, None))
    assert late.name() == "Declared"
    entering = late.enter_long(features, None)
    assert entering is not None
    assert not entering[:50].any()
    assert entering[50:].tolist() == (BARS.close > BARS.open)[50:].tolist()
    assert np.array_equal(late.exit_long(features, None), BARS.close <= BARS.open)
    assert late.enter_short(features, None) is None


def test_symbols_without_a_bar_in_a_stretch_are_left_out_and_others_keep_their_breaks() -> None:
    late = small_market(1, 120, symbol="LATE", timeframe=DAY).rows(slice(80, 120))
    breaks = {"TEST": np.arange(120) == 65, "LATE": np.zeros(40, dtype=bool)}
    part = stretch_of(WINDOW.test, (BARS, late), (late,), breaks, CLOCK)
    assert [one.symbol for one in part.bars] == ["TEST", "LATE"]
    assert part.breaks["TEST"].tolist() == (np.arange(60, 90) == 65).tolist()
    part = stretch_of(WINDOW.train, (BARS, late), (late,), breaks, CLOCK)
    assert [one.symbol for one in part.bars] == ["TEST"]
    assert part.reference == ()


def test_a_symbol_that_begins_inside_the_test_window_is_traded_from_its_beginning() -> None:
    late = small_market(1, 120, symbol="LATE", timeframe=DAY).rows(slice(80, 120))
    tested = run(AlwaysIn(), bars=(BARS, late))
    assert len(tested.equity.equity_usd) == 30


def test_sessions_of_intraday_bars_are_days_and_not_bars() -> None:
    hours = small_market(3, 70, timeframe=HOUR)
    found = sessions_of([hours], CLOCK)
    assert 0 < len(found) <= 10
    window = windows_of(found, train=5, test=2, anchored=False)[0]
    tested = run(AlwaysIn(), window, (hours,))
    assert set(tested.equity.day.tolist()) == set(found[5:7].tolist())


# Putting windows together -------------------------------------------------------------------------------------


def by_hand(
    gains: list[float | None], *, trained: float = 0.10, settings_: list[tuple] | None = None
) -> WalkForward:
    """A walk of so many windows of 30 sessions; None stands aside. Each is trained on 60 sessions."""
    results = []
    for at, gain in enumerate(gains):
        test = days(1000)[60 + 30 * at : 90 + 30 * at]
        window = windows_of(days(1000), train=60, test=30, anchored=False)[at]
        path = np.linspace(1.0, 1.0 + (gain or 0.0), 31)[1:] * 10_000.0
        curve = EquityCurve(
            closed_at_ns=test.astype(np.int64) * DAY_NS + DAY_NS,
            day=test,
            equity_usd=path,
            exposure_usd=path * 0.5,
            gross_exposure_usd=path * 0.5,
        )
        pnl = np.zeros(0) if gain is None else np.array([gain * 10_000.0])
        setting = (settings_[at] if settings_ else (5,)) if gain is not None else (5,)
        results.append(
            WindowResult(
                window=window,
                chosen=StoodAside(reason="no set has 10 trades; the most is 3")
                if gain is None
                else Trained(setting=setting, fit=4, return_fraction=trained, sharpe=1.5, trades=12),
                tested=OutOfSample(equity=curve, trade_pnl_usd=pnl, cut_off=0),
            )
        )
    return walked_forward(results, ("period",), cash_usd=10_000.0, timeframe=DAY)


def test_the_out_of_sample_equity_chains_what_the_windows_gained() -> None:
    walk = by_hand([0.10, -0.05, 0.02])
    assert walk.return_fraction == pytest.approx(1.10 * 0.95 * 1.02 - 1.0)
    assert walk.equity.equity_usd[29] == pytest.approx(11_000.0)
    assert walk.equity.equity_usd[59] == pytest.approx(10_450.0)
    assert len(walk.equity.equity_usd) == 90
    assert walk.drawdown_fraction_max == pytest.approx(0.05)
    assert walk.gaining_windows_share == pytest.approx(2 / 3)


def test_efficiency_is_the_yearly_rate_out_of_sample_over_that_in_training() -> None:
    walk = by_hand([0.02, 0.02], trained=0.10)
    outside = (1.02 * 1.02) ** (252 / 60) - 1
    inside = (1.10 * 1.10) ** (252 / 120) - 1
    assert walk.return_yearly_fraction == pytest.approx(outside)
    assert walk.return_yearly_fraction_trained == pytest.approx(inside)
    assert walk.efficiency == pytest.approx(outside / inside)


def test_a_window_without_a_choice_earns_nothing_and_does_not_count_for_efficiency() -> None:
    walk = by_hand([0.02, None, 0.02])
    assert walk.stood_aside == 1
    assert walk.return_fraction == pytest.approx(1.02 * 1.02 - 1.0)
    assert walk.efficiency == pytest.approx(by_hand([0.02, 0.02]).efficiency)
    assert walk.return_yearly_fraction == pytest.approx((1.02 * 1.02) ** (252 / 90) - 1)


def test_what_cannot_be_computed_is_missing_with_its_reason() -> None:
    walk = by_hand([None, None])
    assert (walk.efficiency, walk.win_rate, walk.sharpe, walk.gaining_windows_share) == (None,) * 4
    assert walk.missing["efficiency"] == "nothing was chosen in any window"
    assert walk.missing["win_rate"] == "nothing was traded in any test window"
    assert walk.missing["sharpe"] == "returns do not vary"
    assert walk.stability == ()
    assert "earned nothing" in by_hand([0.1], trained=-0.1).missing["efficiency"]
    assert by_hand([-1.0]).missing["return_yearly_fraction"] == "the account's equity fell to zero or below"


def test_stability_says_how_often_the_choice_changed() -> None:
    walk = by_hand([0.01] * 5, settings_=[(5,), (5,), (8,), (5,), (5,)])
    (own,) = walk.stability
    assert own.values == (5, 5, 8, 5, 5)
    assert (own.different, own.most_frequent, own.most_frequent_share) == (2, 5, 0.8)
    assert own.changes_share == 0.5
    assert by_hand([0.01]).stability[0].changes_share is None


def test_trades_weigh_in_the_profit_factor_as_much_as_in_the_chain() -> None:
    walk = by_hand([1.0, -0.5])  # doubled, then halved: as much was lost as had been gained
    assert walk.profit_factor == pytest.approx(1.0)
    assert walk.win_rate == 0.5


def test_standing_aside_is_a_flat_line_at_the_windows_closes() -> None:
    flat = stood_aside(WINDOW, (BARS,), CLOCK, 10_000.0)
    assert flat.equity.closed_at_ns.tolist() == (BARS.opened_at_ns[60:90] + DAY_NS).tolist()
    assert set(flat.equity.equity_usd.tolist()) == {10_000.0}
    assert flat.trades == 0
    assert WINDOW.test.last_on - WINDOW.test.first_on >= timedelta(days=29)
