"""What an account may buy, what it holds, and what that is worth."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from exchange.venue.trading_floor import OLD_ERA, Floor, alpaca_models, bars_of, flat
from magellan.exchange.market.asset import Asset
from magellan.exchange.venue.terms import AccountTerms, Costs, VenueTerms

STEP = [*flat(100.0, 6), *flat(110.0)]  # the price from the seventh minute on


def rising(**terms: Any) -> Floor:
    return Floor(bars_of("AAPL", {0: flat(100.0), 1: STEP, 2: flat(110.0)}), **terms)


# multiplier, side, qty, what the account says afterwards: buying power, Reg T, initial and maintenance margin
BUYING_POWER = [
    (1, "buy", "0", "100000", "100000", "0", "0"),
    (2, "buy", "0", "200000", "200000", "0", "0"),
    (4, "buy", "0", "400000", "200000", "0", "0"),
    (1, "buy", "100", "90000", "90000", "5000", "3000"),
    (2, "buy", "100", "190000", "190000", "5000", "3000"),
    (4, "buy", "100", "390000", "190000", "5000", "3000"),
    (4, "sell", "100", "390000", "190000", "5000", "3000"),
    (4, "buy", "1500", "250000", "50000", "75000", "45000"),
]


@pytest.mark.parametrize(
    ("multiplier", "side", "qty", "power", "regt", "initial", "maintenance"), BUYING_POWER
)
def test_buying_power_by_multiplier_and_position(
    multiplier: Any, side: str, qty: str, power: str, regt: str, initial: str, maintenance: str
) -> None:
    floor = Floor(account=AccountTerms(multiplier=multiplier))
    if qty != "0":
        floor.filled(side=side, qty=qty)
    account = floor.account()
    names = ("buying_power", "regt_buying_power", "initial_margin", "maintenance_margin")
    assert tuple(account[name] for name in names) == (power, regt, initial, maintenance)
    assert account["equity"] == "100000"
    alpaca_models().TradeAccount(**account)


# An order, and what it reserves while it is open; a market buy 2.5 % more than the offer from 50 $ on.
RESERVED = [
    ({"type": "limit", "limit_price": "90"}, Decimal(900)),
    ({"type": "stop", "stop_price": "110"}, Decimal("1127.5")),
    ({"type": "stop_limit", "stop_price": "110", "limit_price": "111"}, Decimal(1110)),
    ({"type": "limit", "limit_price": "105", "side": "sell"}, Decimal(1050)),
    ({"type": "limit", "limit_price": "102", "side": "sell"}, Decimal("1030.1030")),
]


@pytest.mark.parametrize(("order", "reserved"), RESERVED)
def test_an_open_order_reserves_what_it_may_cost(order: dict[str, Any], reserved: Decimal) -> None:
    floor = Floor()
    floor.wait(
        2 - floor.now_ns % 2_000_000_000 / 1e9
    )  # the model's spread lies on the other side every second
    taken = floor.order(**order)
    assert abs(400_000 - floor.money("buying_power") - reserved) < 1
    floor.cancel(taken)
    floor.wait(1)
    assert floor.money("buying_power") == 400_000


def test_a_cheap_market_buy_reserves_four_percent_more() -> None:
    floor = Floor(bars_of("AAPL", {session: flat(10.0) for session in range(3)}))
    status, _, message = floor.refused(qty="38500")
    assert (status, message) == (403, "insufficient buying power")
    assert floor.order(qty="38400")


def test_a_replacement_on_its_way_reserves_the_larger_amount() -> None:
    floor = Floor()
    order = floor.order(type="limit", limit_price="90")
    new = floor.patch(order, limit_price="95").body
    assert floor.money("buying_power") == 400_000 - 950
    floor.wait(1)
    assert floor.money("buying_power") == 400_000 - 950
    floor.patch(new, limit_price="80")
    assert floor.money("buying_power") == 400_000 - 950
    floor.wait(1)
    assert floor.money("buying_power") == 400_000 - 800


def test_outside_the_session_only_the_twofold_power_counts() -> None:
    floor = Floor()
    assert floor.post(qty="3000", type="limit", limit_price="100").status == 200
    floor.call("DELETE", "/orders")
    floor.at(2, -60)
    assert floor.refused(qty="3000", type="limit", limit_price="100")[2] == "insufficient buying power"


def test_a_sale_frees_its_money_when_it_is_filled() -> None:
    floor = Floor(account=AccountTerms(multiplier=1))
    floor.filled(qty="900")
    floor.order(side="sell", qty="900", type="trailing_stop", trail_price="20")
    assert floor.refused(qty="200")[2] == "insufficient buying power"
    floor.call("DELETE", "/orders")
    floor.wait(1)
    floor.filled(side="sell", qty="900")
    assert floor.order(qty="200")


@pytest.mark.parametrize(
    ("cash", "as_of", "expected"),
    [
        (1_999, date(2026, 11, 1), "1"),
        (2_000, date(2026, 11, 1), "4"),
        (24_999, date(2026, 7, 6), "4"),
        (24_999, date(2026, 7, 5), "2"),
        (25_000, date(2026, 7, 5), "4"),
    ],
)
def test_the_least_equity_for_margin_by_era(cash: int, as_of: date, expected: str) -> None:
    floor = Floor(account=AccountTerms(cash_usd=Decimal(cash)), as_of=as_of)
    assert floor.account()["multiplier"] == expected


def test_the_day_trading_fields_are_those_of_the_old_era() -> None:
    fields = {"pattern_day_trader", "daytrade_count", "daytrading_buying_power"}
    assert not fields & set(Floor().account())
    old = Floor(as_of=OLD_ERA)
    assert fields <= set(old.account())
    assert {"pdt_check", "dtbp_check"} <= set(old.get("/account/configurations"))
    assert not {"pdt_check", "dtbp_check"} & set(Floor().get("/account/configurations"))
    old.filled()
    old.filled(side="sell")
    assert old.account()["daytrade_count"] == 1


def test_a_position_says_what_it_is_worth_and_what_it_has_earned() -> None:
    floor = rising()
    floor.filled()
    floor.at(1, 7)
    (position,) = floor.get("/positions")
    expected = {
        "qty": "10",
        "side": "long",
        "avg_entry_price": "100",
        "cost_basis": "1000",
        "market_value": "1100",
        "unrealized_pl": "100",
        "unrealized_plpc": "0.1",
        "unrealized_intraday_pl": "100",
        "current_price": "110",
        "lastday_price": "100",
        "change_today": "0.1",
        "qty_available": "10",
    }
    assert {name: position[name] for name in expected} == expected
    alpaca_models().Position(**position)
    floor.at(2, 5)
    (position,) = floor.get("/positions")
    assert (position["unrealized_pl"], position["unrealized_intraday_pl"]) == ("100", "0")
    assert floor.account()["last_equity"] == "100100"


def test_a_short_position_is_negative_throughout() -> None:
    floor = rising()
    floor.filled(side="sell")
    floor.at(1, 7)
    (position,) = floor.get("/positions")
    names = ("qty", "side", "avg_entry_price", "cost_basis", "market_value", "unrealized_pl", "qty_available")
    assert tuple(position[name] for name in names) == ("-10", "short", "100", "-1000", "-1100", "-100", "-10")
    assert floor.account()["short_market_value"] == "-1100"


def test_an_average_is_of_all_units_bought_and_a_sale_leaves_it() -> None:
    floor = rising()
    floor.filled(qty="2")
    floor.at(1, 7)
    floor.filled(qty="1")
    assert floor.get("/positions/AAPL")["avg_entry_price"] == "103.333333333"
    floor.filled(side="sell", qty="1")
    assert floor.get("/positions/AAPL")["avg_entry_price"] == "103.333333333"


def test_commission_and_slippage_are_the_backtesters() -> None:
    terms = VenueTerms(costs=Costs(slippage=0.0007, half_spread=0.0001, commission_per_unit_usd=0.01))
    floor = Floor(terms=terms)
    order = floor.filled()
    assert order["filled_avg_price"] == "100.08"
    assert floor.money("cash") == Decimal("100000") - Decimal("1000.80") - Decimal("0.10")
    assert floor.get("/account/activities/FEE")[0]["net_amount"] == "-0.1"


# Held shares

HELD = [
    ({"qty": "4", "type": "limit", "limit_price": "120"}, "6"),
    ({"qty": "10", "type": "stop", "stop_price": "80"}, "0"),
    ({"qty": "3", "type": "trailing_stop", "trail_price": "5"}, "7"),
    (
        {
            "qty": "6",
            "order_class": "oco",
            "type": "limit",
            "take_profit": {"limit_price": "120"},
            "stop_loss": {"stop_price": "80"},
        },
        "4",
    ),
]


@pytest.mark.parametrize(("order", "available"), HELD)
def test_open_sales_hold_their_shares(order: dict[str, Any], available: str) -> None:
    floor = Floor()
    floor.filled()
    taken = floor.order(side="sell", **order)
    assert floor.get("/positions/AAPL")["qty_available"] == available
    body = floor.post(side="sell", qty="10").body
    if available != "10":
        assert (body["available"], body["existing_qty"]) == (available, "10")
        assert taken["id"] in body["related_orders"]


def test_the_sales_of_a_waiting_bracket_hold_nothing_and_of_a_filled_one_hold_its_shares() -> None:
    floor = Floor()
    floor.filled()
    bracket = {"take_profit": {"limit_price": "110"}, "stop_loss": {"stop_price": "90"}}
    floor.order(order_class="bracket", type="limit", limit_price="95", **bracket)
    assert floor.get("/positions/AAPL")["qty_available"] == "10"
    floor.filled(order_class="bracket", **bracket)
    assert (floor.position(), floor.get("/positions/AAPL")["qty_available"]) == (20, "10")


@pytest.mark.parametrize(
    ("query", "left"),
    [({}, "0"), ({"qty": "3"}, "7"), ({"percentage": "50"}, "5"), ({"percentage": "25"}, "8")],
)
def test_a_position_is_closed_whole_or_in_part(query: dict[str, str], left: str) -> None:
    floor = Floor()
    floor.filled()
    reply = floor.call("DELETE", "/positions/AAPL", **query)
    assert reply.status == 200
    floor.wait(1)
    assert floor.position() == Decimal(left)


def test_closing_everything_cancels_orders_first_when_asked() -> None:
    floor = Floor()
    floor.filled()
    floor.order(side="sell", type="limit", limit_price="120")
    (line,) = floor.call("DELETE", "/positions").body
    assert (line["status"], line["body"]["message"][:26]) == (403, "insufficient qty available")
    alpaca_models().ClosePositionResponse(**line)
    reply = floor.call("DELETE", "/positions", cancel_orders="true")
    assert (reply.status, reply.body[0]["status"], reply.body[0]["symbol"]) == (207, 200, "AAPL")
    alpaca_models().ClosePositionResponse(**reply.body[0])
    floor.wait(1)
    assert (floor.position(), floor.get("/orders")) == (0, [])


def test_cancelling_all_orders_answers_for_each() -> None:
    floor = Floor()
    orders = [floor.order(type="limit", limit_price=str(90 - at)) for at in range(3)]
    reply = floor.call("DELETE", "/orders")
    assert reply.status == 207
    assert reply.body == [{"id": order["id"], "status": 200} for order in orders]


# Shorts

SHORTS = [
    ({}, {}, "200"),
    ({"shortable": False}, {}, 'asset "AAPL" cannot be sold short'),
    ({"easy_to_borrow": False}, {}, "200"),
    ({}, {"no_shorting": True}, "account is not allowed to short"),
    ({}, {"max_margin_multiplier": "1"}, "account is not allowed to short"),
]


@pytest.mark.parametrize(("asset", "settings", "expected"), SHORTS)
def test_who_may_sell_short_what(asset: dict[str, Any], settings: dict[str, Any], expected: str) -> None:
    share = Asset.equity("AAPL")
    terms = {name: getattr(share, name) for name in ("id", "symbol", "name")}
    floor = Floor(assets=[Asset(**terms, **asset)])
    if settings:
        floor.set(**settings)
    reply = floor.post(side="sell")
    assert (str(reply.status) if reply.status == 200 else reply.body["message"]) == expected


def test_pattern_day_trading_counts_five_sessions_and_checks_entries_or_exits_as_set() -> None:
    floor = Floor(account=AccountTerms(cash_usd=Decimal(20_000)), as_of=OLD_ERA)
    floor.filled(qty="2")
    for session in (2, 3, 4):
        floor.at(session, 5, 20)
        floor.filled(qty="1")
        floor.filled(side="sell", qty="1")
    assert floor.account()["daytrade_count"] == 3
    assert floor.refused(qty="1")[1] == 40310100
    floor.set(pdt_check="exit")
    floor.filled(qty="1")
    assert floor.refused(side="sell", qty="1")[1] == 40310100
    floor.set(pdt_check="entry")
    floor.filled(side="sell", qty="1")
    floor.at(9, 5)
    assert floor.account()["daytrade_count"] == 0
    assert floor.order(qty="1")


def test_configurations_change_together_or_not_at_all() -> None:
    floor = Floor()
    reply = floor.call("PATCH", "/account/configurations", {"suspend_trade": True, "no_shorting": "maybe"})
    assert reply.status == 422
    assert floor.get("/account/configurations")["suspend_trade"] is False
    alpaca_models().AccountConfiguration(**floor.get("/account/configurations"))
