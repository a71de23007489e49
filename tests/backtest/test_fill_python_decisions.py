"""Orders that a decision in plain Python brings along work as long, and at the same prices, as declared ones."""

from collections.abc import Callable
from datetime import time

import numpy as np
import pytest

from magellan.backtest import records as r
from magellan.backtest.market import Market as Block
from magellan.backtest.replay import Replayed, Terms
from magellan.backtest.run import replay_strategy, views_of
from magellan.errors import FixInput
from magellan.strategy.contract import Enter, Features, Intent, Moment, MoveStop, NoParameters, Strategy
from magellan.strategy.trade_plan import (
    EntryOrder,
    EquityFraction,
    Limit,
    Market,
    Size,
    Target,
    TimeInForce,
    TradePlan,
    Units,
    at_price,
    entry_price,
)
from magellan.trading.bar import Mask
from reference import compiled
from reference.by_hand import FRIDAY, NS, THURSDAY, days, hours, symbol
from reference.plain_market import Row

QUIET = (100, 101, 99, 100)
TWO_SESSIONS = hours(QUIET, QUIET, QUIET, on=THURSDAY) + hours(QUIET, (100, 101, 97, 98), QUIET, on=FRIDAY)


def replayed(strategy: Strategy, rows: list[Row], span_s: int = 3600) -> Replayed:
    market = Block.of([compiled.bars_of(symbol(rows), span_s * NS)])
    return replay_strategy(strategy, market, [NoParameters()], Terms(), views=views_of(market))[1]


def deciding(decide: Callable[[Moment], Intent | None], *, woken: bool) -> Strategy:
    """A strategy that decides so, asked on every bar or woken on the first three."""

    class Plain(Strategy):
        def decide(self, now: Moment, p: NoParameters) -> Intent | None:
            return decide(now)

    class Woken(Plain):
        def wake(self, f: Features, p: NoParameters) -> Mask:
            return np.arange(len(f.bars)) < 3

    return Woken() if woken else Plain()


def ten(entry: EntryOrder, size: Size = Units(units=10.0)) -> TradePlan:  # noqa: B008  (frozen)
    return TradePlan(size=size, entry=entry)


ORDERS = {
    "a limit of 98 that only Friday reaches, for the day": (Limit(price=at_price(98.0)), []),
    "the same, until cancelled": (
        Limit(price=at_price(98.0), time_in_force=TimeInForce.GTC),
        [(4, 98.0)],
    ),
    "at the next session's opening": (Market(time_in_force=TimeInForce.OPG), [(3, 100.0)]),
    "at the session's close": (Market(time_in_force=TimeInForce.CLS), [(2, 100.0)]),
}


@pytest.mark.parametrize("woken", [True, False])
@pytest.mark.parametrize("order", ORDERS)
def test_an_order_that_a_decision_brings_along_knows_its_session(order: str, woken: bool) -> None:
    """Decided on Thursday's first bar, whether Python is asked there alone or on every bar."""
    entry, expected = ORDERS[order]
    strategy = deciding(lambda now: Enter(plan=ten(entry)) if now.row == 0 else None, woken=woken)
    fills = replayed(strategy, TWO_SESSIONS).fills
    assert [(int(fill["row"]), float(fill["price"])) for fill in fills] == expected


def test_a_stop_that_a_decision_moves_stays_although_a_target_had_moved_it() -> None:
    """Row 2 fills the target of 104, which moves the stop to the entry at 100; at its close the decision puts it at
    102. Row 3 falls to 101: the rest is sold at 102."""
    plan = TradePlan(
        size=Units(units=10.0),
        stop=at_price(95.0),
        targets=(Target(price=at_price(104.0), fraction=0.5, then_stop=entry_price()),),
    )

    def decide(now: Moment) -> Intent | None:
        if now.row == 0:
            return Enter(plan=plan)
        return MoveStop(price=102.0) if now.row == 2 else None

    bars = days(QUIET, QUIET, (103, 105, 102.5, 104), (104, 105, 101, 103))
    fills = replayed(deciding(decide, woken=True), bars, span_s=86_400).fills
    assert [(int(fill["row"]), float(fill["price"]), int(fill["reason"])) for fill in fills] == [
        (1, 100.0, r.ENTRY),
        (2, 104.0, r.TARGET),
        (3, 102.0, r.STOP),
    ]


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (ten(Market(at=time(11, 0))), "waits for a time of day"),
        (ten(Market(), EquityFraction(fraction=np.full(6, 0.5))), "whose size is a column"),
    ],
)
def test_a_decision_cannot_bring_along_what_would_silently_not_work(plan: TradePlan, said: str) -> None:
    strategy = deciding(lambda now: Enter(plan=plan) if now.row == 0 else None, woken=True)
    with pytest.raises(FixInput, match=said):
        replayed(strategy, TWO_SESSIONS)
