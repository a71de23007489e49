"""One bar late: the same decisions, a bar after they were taken."""

from typing import Any

import numpy as np

from magellan.archive.generated.small_market import small_market
from magellan.gate.one_bar_late import one_bar_late
from magellan.strategy.contract import Enter, Features, Holding, Moment, NoParameters, Side, Strategy
from magellan.strategy.market_view import MarketView
from magellan.strategy.trade_plan import CashFraction, TradePlan
from magellan.trading.bar import instant
from magellan.trading.timeframe import DAY

NONE = NoParameters()
FLAT = Holding(units=0.0, entry_price=np.nan, opened_at=None, bars_held=0, stop=np.nan)


class Declared(Strategy):
    def features(self, bars: MarketView, p: Any) -> dict:
        return {"up": bars.close > bars.open}

    def enter_long(self, f: Features, p: Any) -> np.ndarray:
        return f.up

    def exit_long(self, f: Features, p: Any) -> np.ndarray:
        return ~f.up

    def plan(self, f: Features, p: Any) -> TradePlan:
        return TradePlan(size=CashFraction(fraction=0.5))


class InPython(Declared):
    enter_long = Strategy.enter_long
    exit_long = Strategy.exit_long

    def wake(self, f: Features, p: Any) -> np.ndarray:
        return f.up

    def decide(self, now: Moment, p: Any) -> Enter | None:
        return Enter(side=Side.LONG if now.bar.close > now.bar.open and now["up"] else Side.SHORT)


def features(strategy: Strategy, bars) -> Features:
    view = MarketView(bars)
    return Features(view, strategy.features(view, NONE))


def test_daily_decisions_come_one_bar_later() -> None:
    bars = small_market(1, 50, timeframe=DAY)
    late = one_bar_late(Declared())
    f = features(late, bars)
    up = bars.close > bars.open
    assert late.enter_long(f, NONE).tolist() == [False, *up[:-1].tolist()]
    assert late.exit_long(f, NONE).tolist() == [False, *(~up)[:-1].tolist()]
    assert late.plan(f, NONE).size == CashFraction(fraction=0.5)


def test_an_entry_is_not_carried_into_the_next_session_and_an_exit_is() -> None:
    bars = small_market(1, 900)  # minutes, over three sessions
    late = one_bar_late(Declared())
    f = features(late, bars)
    first = MarketView(bars).session.first
    assert not late.enter_long(f, NONE)[first].any()
    assert late.enter_long(f, NONE)[~first].tolist() == np.roll(f.up, 1)[~first].tolist()
    assert late.exit_long(f, NONE)[1:].tolist() == (~f.up)[:-1].tolist()


def test_what_the_strategy_does_not_declare_stays_undeclared() -> None:
    late = one_bar_late(Declared())
    assert type(late).enter_short is Strategy.enter_short
    assert type(late).decide is Strategy.decide
    assert isinstance(late, Declared)


def test_a_decision_in_python_is_shown_the_bar_before() -> None:
    bars = small_market(1, 50, timeframe=DAY)
    late, now = one_bar_late(InPython()), InPython()
    f = features(late, bars)
    assert late.wake(f, NONE).tolist() == [False, *f.up[:-1].tolist()]

    def moment(row: int) -> Moment:
        return Moment(
            symbol="TEST",
            at=instant(int(bars.opened_at_ns[row])),
            bar=bars.bar(row),
            row=row,
            holding=FLAT,
            cash_usd=1.0,
            equity_usd=1.0,
            entry_pending=False,
            _features=f.columns,
        )

    assert late.decide(moment(0), NONE) is None
    for row in range(1, 50):
        assert late.decide(moment(row), NONE).side is now.decide(moment(row - 1), NONE).side
