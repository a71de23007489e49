"""Splits and dividends, on positions and on open orders."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from exchange.venue.trading_floor import Floor, bars_of, flat
from magellan.exchange.venue.broker_side import SplitNow
from magellan.trading.corporate_action import CashDividend, Split

EX_AT = datetime(2026, 11, 11, 5, tzinfo=UTC)  # midnight before session 2


def split(new: int, old: int) -> Split:
    return Split(symbol="AAPL", effective_at=EX_AT, new_shares=new, old_shares=old)


def floor_with(price: float, *actions: Split | CashDividend) -> Floor:
    """100 $ until session 1, another price from session 2 on."""
    return Floor(bars_of("AAPL", {0: flat(100.0), 1: flat(100.0), 2: flat(price)}), actions=actions)


def test_a_split_keeps_the_money_and_changes_the_shares() -> None:
    floor = floor_with(25.0, split(4, 1))
    floor.filled()
    floor.at(2, 1)
    position = floor.get("/positions/AAPL")
    assert (position["qty"], position["avg_entry_price"], position["market_value"]) == ("40", "25", "1000")
    assert floor.money("equity") == 100_000
    (activity,) = floor.get("/account/activities/SPLIT")
    assert (activity["symbol"], activity["qty"]) == ("AAPL", "30")


def test_what_is_less_than_a_share_is_paid_out() -> None:
    floor = floor_with(300.0, split(1, 3))
    floor.filled(qty="10")
    floor.at(2, 1)
    assert floor.position() == 3
    (activity,) = floor.get("/account/activities/CIL")
    assert activity["net_amount"] == "100"
    assert floor.money("equity") == 100_000


@pytest.mark.parametrize(("new", "old", "expected"), [(4, 1, ("40", "22.5")), (1, 2, ("5", "180"))])
def test_open_orders_are_restated_on_the_new_basis(new: int, old: int, expected: tuple[str, str]) -> None:
    floor = floor_with(100.0 * old / new, split(new, old))
    order = floor.order(type="limit", limit_price="90", time_in_force="gtc")
    floor.updates()
    floor.at(2, 1)
    found = floor.look(order)
    assert (found["qty"], found["limit_price"], found["status"]) == (*expected, "new")
    assert floor.told() == [("restated", "limit")]


def test_an_order_that_would_become_a_fraction_is_cancelled() -> None:
    floor = floor_with(300.0, split(1, 3))
    order = floor.order(type="limit", limit_price="90", time_in_force="gtc")
    floor.at(2, 1)
    assert floor.status(order) == "canceled"


def test_the_exits_of_a_bracket_follow_a_split() -> None:
    floor = floor_with(25.0, split(4, 1))
    order = floor.order(
        order_class="bracket",
        time_in_force="gtc",
        take_profit={"limit_price": "120"},
        stop_loss={"stop_price": "90"},
    )
    floor.at(2, 1)
    target, stop = floor.look(order, nested=True)["legs"]
    assert (target["qty"], target["limit_price"], stop["qty"], stop["stop_price"]) == (
        "40",
        "30",
        "40",
        "22.5",
    )
    assert floor.get("/positions/AAPL")["qty_available"] == "0"


@pytest.mark.parametrize(("side", "paid"), [("buy", "5"), ("sell", "-5")])
def test_a_dividend_is_paid_to_who_is_long_and_by_who_is_short(side: str, paid: str) -> None:
    dividend = CashDividend(symbol="AAPL", ex_at=EX_AT, amount_usd=Decimal("0.50"))
    floor = floor_with(99.5, dividend)
    floor.filled(side=side)
    before = floor.money("cash")
    floor.at(2, 1)
    assert floor.money("cash") == before + Decimal(paid)
    (activity,) = floor.get("/account/activities", activity_types="DIV")
    assert (activity["net_amount"], activity["per_share_amount"]) == (paid, "0.5")


def test_a_split_by_hand_takes_effect_at_once() -> None:
    floor = Floor()
    floor.filled()
    floor.venue.external(floor.account_id, SplitNow(symbol="AAPL", new_shares=2, old_shares=1))
    assert floor.position() == 20


def test_announcements_list_what_the_market_knows() -> None:
    dividend = CashDividend(symbol="AAPL", ex_at=EX_AT, amount_usd=Decimal("0.50"))
    floor = floor_with(25.0, split(4, 1), dividend)
    path = "/corporate_actions/announcements"
    found = floor.get(path, since="2026-11-01", until="2026-11-30", ca_types="split,dividend")
    assert sorted(each["ca_type"] for each in found) == ["dividend", "split"]
    assert floor.get(f"{path}/{found[0]['id']}") == found[0]
    assert floor.get(path, since="2026-11-01", until="2026-11-30", ca_types="merger") == []
