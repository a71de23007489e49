"""The rules that are tables: kinds of order, wash trades, order states. Each row is tried against the venue."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from exchange.venue.trading_floor import Floor, bars_of, flat
from magellan.exchange.market.asset import AssetClass
from magellan.exchange.venue.order_kinds import CLASSES, KINDS, TIMES_IN_FORCE, TYPES
from magellan.exchange.venue.order_reference import order_page
from magellan.exchange.venue.order_states import ENDED, TRANSITIONS, Happening, State, after, drawing
from magellan.exchange.venue.wash_trade import WASH_TRADES, Verdict, WashRow
from magellan.trading.bar import nanoseconds

CONTRACT = "AAPL261120C00100000"
EARLY_NS = nanoseconds(datetime(2026, 11, 10, 14, 0, tzinfo=UTC))  # 09:00 on the exchange's clock
SYMBOLS = {AssetClass.US_EQUITY: "AAPL", AssetClass.CRYPTO: "BTC/USD", AssetClass.US_OPTION: CONTRACT}
PRICES = {AssetClass.US_EQUITY: 100.0, AssetClass.CRYPTO: 50_000.0, AssetClass.US_OPTION: 2.0}


def kinds() -> Iterator[tuple[AssetClass, str, str, str]]:
    for asset_class in AssetClass:
        for order_class in CLASSES:
            if order_class == "mleg":
                continue  # has a body of its own; see test_options
            for tif in TIMES_IN_FORCE:
                for type_ in TYPES:
                    yield asset_class, order_class, tif, type_


def body(asset_class: AssetClass, order_class: str, tif: str, type_: str) -> dict[str, Any]:
    """An order of that kind with which nothing else is wrong."""
    price = PRICES[asset_class]
    given: dict[str, Any] = {
        "symbol": SYMBOLS[asset_class],
        "side": "buy",
        "type": type_,
        "time_in_force": tif,
        "qty": "0.1" if asset_class is AssetClass.CRYPTO else "1",
        "order_class": order_class,
    }
    if type_ in ("limit", "stop_limit"):
        given["limit_price"] = str(round(price * 1.5))
    if type_ in ("stop", "stop_limit"):
        given["stop_price"] = str(round(price * 1.4))
    if type_ == "trailing_stop":
        given["trail_price"] = "1"
    if order_class in ("bracket", "oto", "oco"):
        given["take_profit"] = {"limit_price": str(round(price * 2))}
    if order_class in ("bracket", "oco"):
        given["stop_loss"] = {"stop_price": str(round(price * 0.5))}
    if order_class == "oco":
        given["side"] = "sell"
        if type_ == "limit":
            del given["limit_price"]
    return given


@pytest.fixture(scope="module")
def before_the_open() -> Floor:
    """09:00, when every time in force is accepted; ten shares are held, so that an OCO has something to leave."""
    floor = Floor(
        [
            bars_of("AAPL", {session: flat(100.0) for session in range(3)}),
            bars_of("BTC/USD", {session: flat(50_000.0) for session in range(3)}),
        ],
        now_ns=EARLY_NS - 20 * 3600 * 10**9,
    )
    floor.filled(qty="10")
    floor.to(EARLY_NS)
    return floor


def test_an_order_is_taken_exactly_when_its_kind_is_in_the_table(before_the_open: Floor) -> None:
    wrong = []
    for asset_class, order_class, tif, type_ in kinds():
        reply = before_the_open.call("POST", "/orders", body(asset_class, order_class, tif, type_))
        listed = type_ in KINDS[asset_class].get(order_class, {}).get(tif, ())
        if reply.is_error == listed:
            wrong.append((asset_class.value, order_class, tif, type_, reply.body.get("message")))
        if not reply.is_error:
            before_the_open.cancel(reply.body)
    assert not wrong


def of_type(type_: str, side: str, price: float) -> dict[str, Any]:
    """An order that rests: limits at the price, stops triggered beyond the market."""
    trigger = "104" if side == "buy" else "96"
    return {
        "side": side,
        "type": type_,
        "qty": "1",
        "limit_price": str(price) if type_ in ("limit", "stop_limit") else None,
        "stop_price": trigger if type_ in ("stop", "stop_limit") else None,
    }


@pytest.mark.parametrize(
    "row", WASH_TRADES, ids=lambda row: f"{row.open_side}-{row.open_type}-{row.new_type}"
)
@pytest.mark.parametrize("prices_meet", [True, False])
def test_each_row_of_the_wash_trade_table(row: WashRow, prices_meet: bool) -> None:
    # Before the open nothing fills, so that market orders rest, too.
    floor = Floor(now_ns=EARLY_NS)
    new_side = "sell" if row.open_side == "buy" else "buy"
    buy, sell = (101.0, 101.0) if prices_meet else (99.0, 101.0)
    price = {"buy": buy, "sell": sell}
    resting = floor.order(**of_type(row.open_type, row.open_side, price[row.open_side]))
    status, code, message = floor.refused(**of_type(row.new_type, new_side, price[new_side]))
    assert (status, code) == (403, 40310000)
    if row.verdict is Verdict.ALWAYS or prices_meet:
        assert message == "potential wash trade detected. use complex orders"
        body = floor.post(**of_type(row.new_type, new_side, price[new_side])).body
        assert body["existing_order_id"] == resting["id"]
        assert body["reject_reason"] == row.reason
    else:
        # Without a position, the other side of an order that opens one is refused for another reason.
        assert message.startswith("cannot open a")


def test_the_table_has_a_row_for_each_pair_of_types_and_side() -> None:
    assert len(WASH_TRADES) == 32


def test_complex_orders_and_trailing_stops_are_no_wash_trades() -> None:
    floor = Floor()
    floor.filled(qty="10")
    floor.order(side="sell", qty="5", type="trailing_stop", trail_price="5")
    assert floor.post(qty="1", type="limit", limit_price="99").status == 200


@pytest.mark.parametrize("state", State)
def test_an_order_that_has_ended_stays_so(state: State) -> None:
    for happening in Happening:
        follows = TRANSITIONS[state].get(happening)
        if follows is not None and state in ENDED:
            assert after(state, happening, filled=True) is state


def test_nothing_else_than_the_table_moves_an_order() -> None:
    with pytest.raises(AssertionError, match="an order that is canceled cannot be fill"):
        after(State.CANCELED, Happening.FILL, filled=False)


def test_a_refused_cancel_leads_back_to_what_the_order_was() -> None:
    assert after(State.PENDING_CANCEL, Happening.REFUSE_CANCEL, filled=False) is State.NEW
    assert after(State.PENDING_CANCEL, Happening.REFUSE_CANCEL, filled=True) is State.PARTIALLY_FILLED


def test_the_reference_page_draws_every_state_and_lists_every_kind() -> None:
    page = order_page()
    assert drawing() in page
    for state, followers in TRANSITIONS.items():
        for happening in followers:
            assert any(
                line.startswith(f"    {state} --> ") and line.endswith(f": {happening.name.lower()}")
                for line in page.splitlines()
            )
    for asset_class, order_class, tif, type_ in kinds():
        listed = type_ in KINDS[asset_class].get(order_class, {}).get(tif, ())
        rows = [
            row for row in page.splitlines() if row.startswith(f"| {asset_class} | {order_class} | {tif} |")
        ]
        assert bool(rows and type_ in rows[0].split("|")[4].replace(" ", "").split(",")) == listed
