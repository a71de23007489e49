"""Option contracts and coins: how they trade, what covers them, exercise and expiry."""

from decimal import Decimal
from typing import Any

import pytest

from exchange.venue.trading_floor import OPENS_NS, Floor, alpaca_models, bars_of, flat
from magellan.trading.timeframe import MINUTE_NS

CALL = "AAPL261113C00095000"  # in the money, expires with session 4
OUT = "AAPL261113C00130000"
PUT = "AAPL261113P00105000"
FAR = "AAPL261113C00105000"


def test_contracts_are_listed_in_pages_and_parse_in_alpaca_py() -> None:
    floor = Floor()
    first = floor.get("/options/contracts", underlying_symbols="AAPL", limit=10)
    assert len(first["option_contracts"]) == 10
    second = floor.get(
        "/options/contracts", underlying_symbols="AAPL", limit=10, page_token=first["next_page_token"]
    )
    symbols = [each["symbol"] for each in (*first["option_contracts"], *second["option_contracts"])]
    assert symbols == sorted(set(symbols))
    for contract in first["option_contracts"]:
        alpaca_models().OptionContract(**contract)
    filtered = floor.get("/options/contracts", type="put", strike_price_gte=100, strike_price_lte=100)
    assert {each["strike_price"] for each in filtered["option_contracts"]} == {"100"}
    one = filtered["option_contracts"][0]
    assert floor.get(f"/options/contracts/{one['symbol']}") == floor.get(f"/options/contracts/{one['id']}")


@pytest.mark.parametrize("days_after_friday", [1, 2])
def test_on_a_weekend_the_contracts_of_the_week_that_comes_are_listed(days_after_friday: int) -> None:
    floor = Floor()
    floor.to(OPENS_NS[4] + days_after_friday * 24 * 60 * MINUTE_NS)
    found = floor.get("/options/contracts", underlying_symbols="AAPL")["option_contracts"]
    assert {each["expiration_date"] for each in found} == {"2026-11-20"}


def test_a_contract_is_bought_for_a_hundred_times_its_price() -> None:
    floor = Floor()
    order = floor.filled(symbol=CALL, qty="2")
    price = Decimal(order["filled_avg_price"])
    assert floor.money("cash") == 100_000 - 200 * price
    position = floor.get(f"/positions/{CALL}")
    assert (position["asset_class"], position["qty"]) == ("us_option", "2")
    assert Decimal(position["cost_basis"]) == 200 * price
    alpaca_models().Position(**position)


def test_exercising_a_call_takes_the_shares_at_the_strike() -> None:
    floor = Floor()
    floor.filled(symbol=CALL, qty="1")
    before = floor.money("cash")
    assert floor.call("POST", f"/positions/{CALL}/exercise").status == 200
    assert (floor.position(CALL), floor.position()) == (0, 100)
    assert floor.money("cash") == before - 9_500
    kinds = [each["activity_type"] for each in floor.get("/account/activities", direction="asc")]
    assert kinds == ["FILL", "OPEXC", "OPTRD"]


@pytest.mark.parametrize(
    ("symbol", "side", "before", "shares", "kind"),
    [
        (CALL, "buy", 0, 100, "OPEXC"),
        (PUT, "buy", 100, 0, "OPEXC"),
        (CALL, "sell", 100, 0, "OPASN"),
        (PUT, "sell", 0, 100, "OPASN"),
        (OUT, "buy", 0, 0, "OPEXP"),
    ],
)
def test_a_contract_is_settled_at_the_close_of_its_last_day(
    symbol: str, side: str, before: int, shares: int, kind: str
) -> None:
    floor = Floor()
    if before:
        floor.filled(qty=str(before))
    floor.filled(symbol=symbol, side=side, qty="1")
    floor.at(5, 1)
    assert (floor.position(symbol), floor.position()) == (0, shares)
    assert floor.get(f"/account/activities/{kind}")[0]["symbol"] == symbol


def test_a_contract_is_left_to_expire_when_its_owner_says_so() -> None:
    floor = Floor()
    floor.filled(symbol=CALL, qty="1")
    assert floor.call("POST", f"/positions/{CALL}/do-not-exercise").status == 200
    floor.at(5, 1)
    assert floor.position() == 0
    assert floor.get("/account/activities/OPEXP")


def spread(floor: Floor, **body: Any) -> dict[str, Any]:
    legs = [
        {"symbol": CALL, "ratio_qty": "1", "side": "buy", "position_intent": "buy_to_open"},
        {"symbol": FAR, "ratio_qty": "1", "side": "sell", "position_intent": "sell_to_open"},
    ]
    order = {"symbol": None, "side": None, "order_class": "mleg", "qty": "2", "legs": legs}
    return floor.order(**order, **body)


def test_an_order_of_several_legs_fills_all_of_them_or_none() -> None:
    floor = Floor()
    order = spread(floor)
    assert "symbol" not in order
    alpaca_models().Order(**order)
    floor.wait(1)
    assert floor.status(order) == "filled"
    assert (floor.position(CALL), floor.position(FAR)) == (2, -2)
    resting = spread(floor, type="limit", limit_price="0.01")
    floor.wait(60)
    assert floor.status(resting) == "new"
    assert [floor.status(leg) for leg in resting["legs"]] == ["new", "new"]
    floor.cancel(resting)
    floor.wait(1)
    assert [floor.status(leg) for leg in resting["legs"]] == ["canceled", "canceled"]


def test_coins_trade_around_the_clock_in_fractions() -> None:
    always = bars_of("BTC/USD", {0: flat(50_000.0, 1440)}, before_open={0: flat(50_000.0, 1440)})
    floor = Floor(
        [bars_of("AAPL", {0: flat(100.0)}), always], now_ns=OPENS_NS[0] - 300 * MINUTE_NS + 20 * 10**9
    )
    order = floor.filled(symbol="BTC/USD", qty="0.25", time_in_force="gtc")
    assert (order["asset_class"], order["filled_qty"]) == ("crypto", "0.25")
    position = floor.get("/positions/BTCUSD")
    assert (position["symbol"], position["exchange"], position["qty"]) == ("BTCUSD", "CRYPTO", "0.25")
    alpaca_models().Position(**position)
    assert floor.call("DELETE", "/positions/BTCUSD").status == 200
    floor.wait(1)
    assert floor.get("/positions") == []
    alpaca_models().Asset(**floor.get("/assets/BTC/USD"))
