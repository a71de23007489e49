"""Trade plan: what could only be a slip is refused where it is written."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from magellan.strategy.contract import Features
from magellan.strategy.market_view import MarketView
from magellan.strategy.trade_plan import (
    CashFraction,
    EquityFraction,
    Limit,
    Notional,
    RiskFraction,
    StopLimit,
    Target,
    TradePlan,
    Trailing,
    Units,
    at_price,
    entry_price,
    fixed,
)
from magellan.trading.bar import Bars
from magellan.trading.timeframe import DAY, DAY_NS

LOW = np.array([9.0, 9.5, 9.2])
ALL = CashFraction(fraction=1.0)


@pytest.mark.parametrize(
    ("write", "kind", "told"),
    [
        (lambda: TradePlan(size=0.1), TypeError, "a plan's size is of type float; write for example"),
        (lambda: TradePlan(size=ALL, stop=LOW), TypeError, "stop is of type ndarray; .* fixed"),
        (lambda: TradePlan(size=ALL, stop=9.5), TypeError, "stop is of type float; .* at_price"),
        (lambda: TradePlan(size=ALL, stop=fixed(9.5)), TypeError, "a price column is of type float"),
        (lambda: TradePlan(size=ALL, stop=fixed(LOW.reshape(3, 1))), ValueError, "has 2 dimensions"),
        (lambda: TradePlan(size=ALL, stop=at_price("9.5")), TypeError, "a stated price is of type str"),
        (lambda: TradePlan(size=ALL, entry=fixed(LOW)), TypeError, "a plan's entry is of type Price"),
        (lambda: Limit(price=9.5), TypeError, "a limit order's price is of type float"),
        (lambda: StopLimit(stop=at_price(9), limit=LOW), TypeError, "a stop-limit order's limit"),
        (lambda: TradePlan(size=ALL, targets=Target(price=fixed(LOW))), TypeError, "targets is of type Target"),
        (lambda: TradePlan(size=ALL, targets=(fixed(LOW),)), TypeError, "one of a plan's targets is of type"),
        (lambda: Target(price=LOW), TypeError, "a target's price is of type ndarray"),
        (lambda: Target(price=at_price(9), fraction=1.5), ValueError, r"fraction in \(0, 1\]"),
        (lambda: TradePlan(size=ALL, hold_bars="9"), TypeError, "hold_bars is of type str"),
        (lambda: TradePlan(size=ALL, hold_bars=0), ValueError, "hold_bars is 0, below 1"),
        (lambda: TradePlan(size=ALL, hold_minutes=-30), ValueError, "hold_minutes is -30, below 1"),
        (lambda: TradePlan(size=ALL, cooldown_bars=-1), ValueError, "cooldown_bars is -1, below 0"),
        (lambda: TradePlan(size=ALL, cooldown_bars=2.5), TypeError, "cooldown_bars is of type float"),
        (lambda: TradePlan(size=RiskFraction(fraction=0.01)), ValueError, "needs a stop"),
        (lambda: Units(units=-3.0), ValueError, "units is -3, not above zero"),
        (lambda: Notional(usd="5000"), TypeError, "usd is of type str"),
        (lambda: CashFraction(fraction=5.0), ValueError, "1 is all of it"),
        (lambda: EquityFraction(fraction=0.0), ValueError, "fraction is 0, not above zero"),
        (lambda: RiskFraction(fraction=2.0), ValueError, "more than all of it"),
        (lambda: Trailing(fraction=-0.02), ValueError, "fraction is -0.02, not above zero"),
        (lambda: Trailing(column=3.0), TypeError, "a trailing stop's column is of type float"),
    ],
)  # fmt: skip
def test_a_slip_is_refused_where_it_is_written(
    write: Callable[[], object], kind: type[Exception], told: str
) -> None:
    with pytest.raises(kind, match=told):
        write()


def test_a_number_that_is_not_known_is_no_slip() -> None:
    unknown = TradePlan(size=Units(units=math.nan), stop=at_price(math.nan))
    assert math.isnan(unknown.size.units)


def test_numbers_of_numpy_are_numbers() -> None:
    plan = TradePlan(
        size=Units(units=np.float64(3)),
        stop=at_price(LOW[0]),
        trailing=Trailing(column=LOW, multiple=np.int64(2)),
        targets=(Target(price=entry_price().plus(risk=2), then_stop=entry_price()),),
        hold_bars=np.int64(4),
    )
    assert plan.hold_bars == 4


def test_a_feature_that_nobody_computed_is_answered_with_those_there_are() -> None:
    days = np.arange(3) * DAY_NS
    view = MarketView(
        Bars(
            symbol="AMC", timeframe=DAY, opened_at_ns=days, open=LOW, high=LOW, low=LOW, close=LOW, volume=LOW
        )
    )
    features = Features(view, {"rsi": LOW, "atr": LOW})
    assert features.low is LOW
    with pytest.raises(AttributeError, match=r"no feature is called 'rsii'.* features\(\) gives rsi, atr"):
        _ = features.rsii
