"""Ticks: a price on one is the very float of its decimal, as bars have it, so that a touch is a touch."""

import pytest

from magellan.backtest.fill_model import on_tick
from magellan.strategy.trade_plan import Limit, Target, TradePlan, Units, at_price
from reference.by_hand import hours, play, symbol, told

CENTS_MAX = 200_000  # 2,000.00


@pytest.mark.parametrize("tick", [0.01, 0.0001])
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_every_price_in_cents_stays_the_float_that_it_is(side: float, tick: float) -> None:
    for cents in range(1, CENTS_MAX + 1):
        price = float(f"{cents // 100}.{cents % 100:02d}")
        assert on_tick(side, price, tick) == price


@pytest.mark.parametrize(("tick", "cents_in_tick"), [(0.05, 5), (0.25, 25)])
def test_a_price_between_two_ticks_becomes_the_float_of_the_one_above_or_below(
    tick: float, cents_in_tick: int
) -> None:
    for cents in range(1, CENTS_MAX + 1):
        price = float(f"{cents // 100}.{cents % 100:02d}")
        below = cents // cents_in_tick * cents_in_tick
        above = -(-cents // cents_in_tick) * cents_in_tick
        assert on_tick(-1.0, price, tick) == float(f"{below // 100}.{below % 100:02d}")
        assert on_tick(1.0, price, tick) == float(f"{above // 100}.{above % 100:02d}")


@pytest.mark.parametrize(("tick", "below", "above"), [(5.0, 100.0, 105.0), (0.4, 101.2, 101.60000000000001)])
def test_a_tick_that_does_not_divide_one_is_counted_in_whole_ticks(
    tick: float, below: float, above: float
) -> None:
    assert (on_tick(-1.0, 101.3, tick), on_tick(1.0, 101.3, tick)) == (below, above)


@pytest.mark.parametrize("cents", range(10_001, 10_100))
def test_a_high_that_is_the_target_fills_it(cents: int) -> None:
    target = cents / 100
    plan = TradePlan(size=Units(units=10.0), targets=(Target(price=at_price(target)),))
    rows = hours((100, 100, 100, 100), (100, 100, 100, 100), (100, target, 100, 100))
    one = symbol(rows, plan, long={0})
    assert told(play(one, instruments={"A": {"tick_size": 0.01}}))[1] == (2, -10.0, target, "target 1")


@pytest.mark.parametrize("cents", range(9_901, 10_000))
def test_a_low_that_is_the_limit_of_an_entry_fills_it(cents: int) -> None:
    limit = cents / 100
    plan = TradePlan(size=Units(units=10.0), entry=Limit(price=at_price(limit)))
    rows = hours((100, 100, 100, 100), (100, 100, limit, 100))
    one = symbol(rows, plan, long={0})
    assert told(play(one, instruments={"A": {"tick_size": 0.01}}))[0] == (1, 10.0, limit, "entry")
