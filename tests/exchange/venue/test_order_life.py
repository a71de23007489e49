"""An order's life: what it goes through, in trade updates and in answers."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from exchange.venue.trading_floor import OPENS_NS, TODAY, Floor, alpaca_models, bars_of, flat
from magellan.exchange.market.halt import Halt
from magellan.exchange.venue.broker_side import (
    BustTrade,
    CancelNow,
    Deposit,
    FillNow,
    ForcedClose,
    ManualOrder,
    RefuseCancel,
    RefuseReplace,
    RejectAfterAccept,
    Restrict,
    StuckPendingCancel,
)
from magellan.exchange.venue.terms import Costs, VenueTerms
from magellan.trading.timeframe import MINUTE_NS

BRACKET = {
    "order_class": "bracket",
    "take_profit": {"limit_price": "110"},
    "stop_loss": {"stop_price": "90"},
}


def moving(*rows: tuple[float, float, float, float]) -> Floor:
    """A floor on which bars of these prices follow the minute at 100 in which the client stands."""
    return Floor(
        bars_of("AAPL", {0: flat(100.0), 1: [*flat(100.0, 6), *rows, *flat(100.0, 20)], 2: flat(100.0)})
    )


def test_a_market_order_is_received_routed_and_filled_after_the_latency() -> None:
    floor = Floor()
    order = floor.order(client_order_id="mine")
    assert order["status"] == "pending_new"
    assert floor.status(order) == "new"
    assert floor.told() == [("pending_new", "market"), ("new", "market")]
    floor.wait(0.004)
    assert floor.told() == []
    floor.wait(0.001)
    (update,) = floor.updates()
    assert (update["event"], update["price"], update["qty"], update["position_qty"]) == (
        "fill",
        "100",
        "10",
        "10",
    )
    assert update["order"]["status"] == "filled"
    assert floor.look(order)["filled_avg_price"] == "100"
    assert floor.get("/orders:by_client_order_id", client_order_id="mine")["id"] == order["id"]


@pytest.mark.parametrize("kind", ["simple", "bracket", "trailing"])
def test_an_order_has_the_same_life_however_late_its_updates_are_asked_for(kind: str) -> None:
    terms: dict[str, Any] = {
        "simple": {},
        "bracket": {
            "order_class": "bracket",
            "take_profit": {"limit_price": "101"},
            "stop_loss": {"stop_price": "99"},
        },
        "trailing": {"type": "trailing_stop", "trail_percent": "1"},
    }[kind]
    lives = []
    for looks_at_once in (True, False):
        floor = Floor()
        taken = [floor.order(**terms)]
        updates = floor.updates() if looks_at_once else []
        taken.append(floor.order(symbol="AAPL", side="buy", type="limit", limit_price="90"))
        floor.wait(1)
        lives.append((taken, updates + floor.updates(), floor.venue.snapshot()))
    assert lives[0] == lives[1]
    assert [update["event"] for update in lives[0][1]][:2] == ["pending_new", "new"]


def test_every_trade_update_and_answer_parses_in_alpaca_py() -> None:
    models = alpaca_models()
    floor = Floor()
    taken = floor.order(**BRACKET)
    assert len(models.Order(**taken).legs) == 2
    floor.wait(1)
    for order in floor.get("/orders", status="all"):
        models.Order(**order)
    updates = floor.updates()
    assert [models.TradeUpdate(**update).event for update in updates] == ["pending_new", "new", "fill", "new"]


def test_an_order_outside_the_session_waits_accepted_until_the_open() -> None:
    floor = Floor(now_ns=OPENS_NS[1] - 30 * MINUTE_NS)
    order = floor.order()
    assert order["status"] == "accepted"
    assert floor.told() == [("accepted", "market")]
    floor.at(1, 0, 0.001)
    assert floor.told() == [("new", "market"), ("fill", "market")]


def test_before_2026_07_30_no_update_says_accepted() -> None:
    floor = Floor(now_ns=OPENS_NS[1] - 30 * MINUTE_NS, as_of=date(2026, 7, 29))
    floor.order()
    assert floor.told() == []


def test_a_bracket_wakes_its_legs_and_the_target_ends_the_stop() -> None:
    floor = moving((100.0, 111.0, 99.0, 105.0))
    order = floor.order(**BRACKET)
    assert [leg["status"] for leg in order["legs"]] == ["held", "held"]
    floor.wait(1)
    assert [leg["status"] for leg in floor.look(order, nested=True)["legs"]] == ["new", "held"]
    floor.updates()
    floor.at(1, 7)
    assert floor.told() == [("fill", "limit"), ("canceled", "stop")]
    assert floor.position() == 0


def test_a_bracket_stop_is_taken_to_be_reached_before_the_target() -> None:
    floor = moving((100.0, 111.0, 89.0, 105.0))
    floor.order(**BRACKET)
    floor.at(1, 7)
    assert floor.told()[-3:] == [("new", "stop"), ("fill", "stop"), ("canceled", "limit")]
    assert floor.money("cash") == Decimal(100_000 - 10 * 100 + 10 * 90)


def test_a_stop_limit_that_a_gap_passes_waits_as_a_limit_order() -> None:
    floor = moving((105.0, 105.5, 104.0, 104.5), (104.5, 104.5, 101.5, 102.0))
    order = floor.order(type="stop_limit", stop_price="102", limit_price="103")
    floor.at(1, 7, 1)
    assert floor.status(order) == "new"
    floor.at(1, 8)
    assert floor.look(order)["filled_avg_price"] == "103"


def test_a_trailing_stop_follows_the_best_price_and_never_back() -> None:
    floor = moving((100.0, 110.0, 100.0, 109.0), (109.0, 109.0, 106.0, 107.0), (107.0, 107.0, 104.0, 104.5))
    floor.filled()
    order = floor.order(side="sell", type="trailing_stop", trail_price="5", time_in_force="gtc")
    assert (order["hwm"], order["stop_price"]) == ("100", "95")
    floor.at(1, 7, 1)
    assert (floor.look(order)["hwm"], floor.look(order)["stop_price"]) == ("110", "105")
    floor.at(1, 8, 1)
    assert floor.look(order)["stop_price"] == "105"
    floor.at(1, 9, 1)
    assert floor.look(order)["filled_avg_price"] == "105"


def test_a_trailing_percentage_is_of_the_best_price() -> None:
    floor = Floor()
    floor.filled()
    order = floor.order(side="sell", type="trailing_stop", trail_percent="2.5")
    assert order["stop_price"] == "97.5"
    new = floor.patch(order, trail="5").body
    assert (new["trail_percent"], new["stop_price"]) == ("5", "95")


def test_an_oto_has_one_exit_that_goes_to_the_exchange() -> None:
    floor = Floor()
    order = floor.order(order_class="oto", stop_loss={"stop_price": "90"})
    floor.wait(1)
    (leg,) = floor.look(order, nested=True)["legs"]
    assert (leg["type"], leg["status"]) == ("stop", "new")


def test_an_oco_is_a_target_with_its_stop_below() -> None:
    floor = Floor()
    floor.filled()
    order = floor.order(
        order_class="oco",
        side="sell",
        type="limit",
        take_profit={"limit_price": "110"},
        stop_loss={"stop_price": "90"},
    )
    assert (order["type"], order["limit_price"]) == ("limit", "110")
    assert [(leg["type"], leg["status"]) for leg in order["legs"]] == [("stop", "held")]
    assert floor.get("/positions/AAPL")["qty_available"] == "0"
    floor.cancel(order)
    floor.wait(1)
    assert floor.status(order["legs"][0]) == "canceled"


def test_cancelling_a_leg_cancels_what_is_left_of_its_group() -> None:
    floor = Floor()
    order = floor.order(**BRACKET)
    floor.wait(1)
    target, stop = floor.look(order, nested=True)["legs"]
    floor.cancel(target)
    floor.wait(1)
    assert (floor.status(target), floor.status(stop)) == ("canceled", "canceled")


def test_a_cancel_is_on_its_way_and_then_done() -> None:
    floor = Floor()
    order = floor.order(type="limit", limit_price="90")
    floor.updates()
    reply = floor.cancel(order)
    assert (reply.status, reply.body) == (204, None)
    assert floor.status(order) == "pending_cancel"
    floor.wait(0.005)
    assert floor.told() == [("pending_cancel", "limit"), ("canceled", "limit")]


def test_a_fill_may_overtake_a_cancel() -> None:
    floor = Floor()
    order = floor.order(type="limit", limit_price="90")
    floor.cancel(order)
    floor.venue.external(floor.account_id, FillNow(order_id=order["id"], price=Decimal(90)))
    floor.wait(1)
    assert floor.status(order) == "filled"


def test_a_replacement_takes_the_old_orders_place_in_a_chain() -> None:
    floor = Floor()
    old = floor.order(type="limit", limit_price="90", client_order_id="first")
    floor.updates()
    reply = floor.patch(old, limit_price="91", qty="8", client_order_id="second")
    new = reply.body
    assert (new["replaces"], new["limit_price"], new["qty"]) == (old["id"], "91", "8")
    assert floor.status(old) == "pending_replace"
    floor.wait(1)
    assert floor.told() == [
        ("pending_replace", "limit"),
        ("pending_new", "limit"),
        ("replaced", "limit"),
        ("new", "limit"),
    ]
    assert (floor.look(old)["status"], floor.look(old)["replaced_by"]) == ("replaced", new["id"])
    third = floor.patch(new, limit_price="92").body
    floor.wait(1)
    assert [order["id"] for order in floor.get("/orders")] == [third["id"]]


def test_a_replacement_that_comes_after_the_fill_is_rejected() -> None:
    floor = Floor()
    old = floor.order(type="limit", limit_price="90")
    new = floor.patch(old, limit_price="91").body
    floor.updates()
    floor.venue.external(floor.account_id, FillNow(order_id=old["id"], price=Decimal(90)))
    floor.wait(1)
    assert floor.told() == [("fill", "limit"), ("order_replace_rejected", "limit"), ("rejected", "limit")]
    assert (floor.status(old), floor.status(new)) == ("filled", "rejected")
    assert floor.look(old)["replaced_by"] is None


def test_the_cancel_of_a_replacement_on_its_way_follows_it_and_leaves_nothing_open() -> None:
    floor = Floor()
    old = floor.order(type="limit", limit_price="90")
    new = floor.patch(old, limit_price="91").body
    floor.updates()
    answer = floor.call("DELETE", "/orders").body
    assert [(each["id"], each["status"]) for each in answer] == [(old["id"], 422), (new["id"], 200)]
    floor.wait(1)
    assert floor.told() == [
        ("replaced", "limit"),
        ("new", "limit"),
        ("pending_cancel", "limit"),
        ("canceled", "limit"),
    ]
    assert (floor.status(old), floor.status(new), floor.get("/orders")) == ("replaced", "canceled", [])


@pytest.mark.parametrize("happening", [CancelNow, RejectAfterAccept])
def test_an_order_goes_on_when_its_replacement_ends_on_its_way(happening: Any) -> None:
    floor = Floor()
    old = floor.order(type="limit", limit_price="90")
    new = floor.patch(old, limit_price="91").body
    floor.venue.external(floor.account_id, happening(order_id=new["id"]))
    floor.wait(1)
    assert (floor.status(old), floor.look(old)["replaced_by"]) == ("new", None)
    assert floor.cancel(old).status == 204
    floor.wait(1)
    assert floor.get("/orders") == []


def test_the_target_of_a_bracket_goes_on_with_its_stop_when_its_replacement_ends_on_its_way() -> None:
    floor = Floor()
    order = floor.order(**BRACKET)
    floor.wait(1)
    target, stop = floor.look(order, nested=True)["legs"]
    new = floor.patch(target, limit_price="111").body
    floor.venue.external(floor.account_id, RejectAfterAccept(order_id=new["id"]))
    floor.wait(1)
    assert (floor.status(target), floor.status(stop)) == ("new", "held")


@pytest.mark.parametrize("tif", ["day", "gtc"])
def test_a_replacement_on_its_way_when_the_day_ends_is_rejected(tif: str) -> None:
    floor = Floor()
    old = floor.order(type="limit", limit_price="90", time_in_force=tif)
    floor.at(1, 389, 59.999)
    new = floor.patch(old, limit_price="91", time_in_force="day").body
    floor.wait(minutes=60)
    assert floor.status(new) == "rejected"
    assert floor.status(old) == {"day": "expired", "gtc": "new"}[tif]


def test_a_replacement_works_for_what_the_old_order_has_not_filled() -> None:
    floor = Floor()
    old = floor.order(type="limit", limit_price="90")
    floor.venue.external(floor.account_id, FillNow(order_id=old["id"], price=Decimal(90), qty=Decimal(4)))
    new = floor.patch(old, limit_price="101").body
    floor.wait(1)
    assert floor.position() == 10
    assert [floor.look(order)["filled_qty"] for order in (old, new)] == ["4", "6"]


def test_the_leg_of_a_bracket_is_replaced_within_its_group() -> None:
    floor = moving((100.0, 100.0, 94.0, 95.0))
    order = floor.order(**BRACKET)
    floor.wait(1)
    target, stop = floor.look(order, nested=True)["legs"]
    new = floor.patch(stop, stop_price="95").body
    assert (new["status"], floor.status(stop)) == ("held", "replaced")
    floor.at(1, 7)
    assert floor.look(new)["filled_avg_price"] == "95"
    assert floor.status(target) == "canceled"


@pytest.mark.parametrize(
    ("happening", "expected"),
    [
        (RefuseCancel, [("pending_cancel", "limit"), ("order_cancel_rejected", "limit")]),
        (StuckPendingCancel, [("pending_cancel", "limit")]),
    ],
)
def test_a_cancel_may_be_refused_or_never_land(happening: Any, expected: list[tuple[str, str]]) -> None:
    floor = Floor()
    order = floor.order(type="limit", limit_price="90")
    floor.updates()
    floor.venue.external(floor.account_id, happening(order_id=order["id"]))
    floor.cancel(order)
    floor.wait(3600)
    assert floor.told() == expected


def test_a_replacement_may_be_refused() -> None:
    floor = Floor()
    old = floor.order(type="limit", limit_price="90")
    floor.venue.external(floor.account_id, RefuseReplace(order_id=old["id"]))
    new = floor.patch(old, limit_price="91").body
    floor.wait(1)
    assert (floor.status(old), floor.status(new)) == ("new", "rejected")


def test_an_accepted_order_may_be_rejected_or_cancelled_by_the_broker() -> None:
    floor = Floor()
    first, second = (floor.order(type="limit", limit_price="90") for _ in range(2))
    floor.updates()
    floor.venue.external(floor.account_id, RejectAfterAccept(order_id=first["id"]))
    floor.venue.external(floor.account_id, CancelNow(order_id=second["id"]))
    assert floor.told() == [("rejected", "limit"), ("canceled", "limit")]
    assert floor.look(first)["failed_at"] is not None


def test_somebody_else_may_trade_in_the_account() -> None:
    floor = Floor()
    floor.venue.external(floor.account_id, ManualOrder(symbol="AAPL", side="buy", qty=Decimal(3)))
    floor.wait(1)
    assert floor.position() == 3
    floor.order(side="sell", qty="3", type="limit", limit_price="120")
    floor.venue.external(floor.account_id, ForcedClose(symbol="AAPL"))
    floor.wait(1)
    assert (floor.position(), floor.get("/orders")) == (0, [])


def test_a_busted_trade_gives_shares_and_cash_back() -> None:
    floor = Floor()
    order = floor.filled()
    floor.venue.external(floor.account_id, BustTrade(order_id=order["id"]))
    assert (floor.position(), floor.money("cash")) == (0, Decimal(100_000))
    assert floor.updates()[-1]["event"] == "trade_bust"


def test_a_deposit_is_cash_and_an_activity() -> None:
    floor = Floor()
    floor.venue.external(floor.account_id, Deposit(amount_usd=Decimal(500)))
    floor.venue.external(floor.account_id, Restrict(restriction="account_blocked"))
    assert floor.money("cash") == 100_500
    assert floor.account()["account_blocked"] is True
    assert floor.get("/account/activities/CSD")[0]["net_amount"] == "500"


# Time in force


def test_a_day_order_expires_with_its_session_and_a_gtc_order_after_ninety_days() -> None:
    floor = Floor()
    day = floor.order(type="limit", limit_price="90")
    gtc = floor.order(type="limit", limit_price="90", time_in_force="gtc")
    assert day["expires_at"] == "2026-11-10T21:00:00Z"
    assert gtc["expires_at"] == "2027-02-08T21:15:00Z"
    floor.at(2, 1)
    assert (floor.status(day), floor.status(gtc)) == ("expired", "new")


def test_an_aged_gtc_order_expires() -> None:
    floor = Floor(terms=VenueTerms(gtc_days=2))
    order = floor.order(type="limit", limit_price="90", time_in_force="gtc")
    floor.at(5, 0)
    assert floor.status(order) == "expired"


@pytest.mark.parametrize(("limit", "expected"), [("100.05", "filled"), ("99", "canceled")])
@pytest.mark.parametrize("tif", ["ioc", "fok"])
def test_immediate_orders_fill_or_end_at_once(tif: str, limit: str, expected: str) -> None:
    floor = Floor()
    order = floor.order(type="limit", limit_price=limit, time_in_force=tif)
    floor.wait(1)
    assert floor.status(order) == expected


def thin(volume: float, share: float = 0.1) -> Floor:
    bars = bars_of("AAPL", {session: flat(100.0) for session in range(3)}, volume=volume)
    return Floor(bars, terms=VenueTerms(costs=Costs(volume_share_max=share)))


def test_a_fill_or_kill_order_is_whole_or_nothing_and_an_immediate_one_takes_what_there_is() -> None:
    floor = thin(40.0)
    whole = floor.order(time_in_force="fok")
    part = floor.order(time_in_force="ioc")
    floor.wait(1)
    assert (floor.look(whole)["status"], floor.look(whole)["filled_qty"]) == ("canceled", "0")
    assert (floor.look(part)["status"], floor.look(part)["filled_qty"]) == ("canceled", "4")


def test_volume_splits_a_fill_over_the_opens_that_follow() -> None:
    floor = thin(40.0)
    order = floor.order()
    seen = []
    for minute in (6, 7, 8):
        floor.at(1, minute, -1)
        seen.append(floor.look(order)["filled_qty"])
    assert seen == ["4", "8", "10"]
    updates = [update for update in floor.updates() if "qty" in update]
    assert [(each["event"], each["qty"], each["position_qty"]) for each in updates] == [
        ("partial_fill", "4", "4"),
        ("partial_fill", "4", "8"),
        ("fill", "2", "10"),
    ]


def test_a_target_that_fills_in_part_leaves_its_stop_the_rest() -> None:
    bars = bars_of("AAPL", {0: flat(100.0), 1: [*flat(100.0, 8), (100.0, 111.0, 100.0, 100.0), *flat(100.0)]})
    volume = bars.volume
    volume[390 + 8] = 40.0
    floor = Floor(bars, terms=VenueTerms(costs=Costs(volume_share_max=0.1)))
    order = floor.order(**BRACKET)
    floor.at(1, 9, -1)
    target, stop = floor.look(order, nested=True)["legs"]
    assert (target["status"], target["filled_qty"], stop["qty"]) == ("partially_filled", "4", "6")


def test_auction_orders_get_the_first_and_the_last_price() -> None:
    rows = [(101.0, 102.0, 100.0, 101.5), *flat(103.0, 388), (103.0, 104.0, 102.0, 103.5)]
    floor = Floor(bars_of("AAPL", {0: flat(100.0), 1: rows}), now_ns=OPENS_NS[1] - 60 * MINUTE_NS)
    opening = floor.order(time_in_force="opg")
    closing = floor.order(time_in_force="cls")
    missed = floor.order(time_in_force="opg", type="limit", limit_price="100.50")
    floor.at(1, 1)
    assert floor.look(opening)["filled_avg_price"] == "101"
    assert (floor.status(missed), floor.status(closing)) == ("canceled", "new")
    floor.at(1, 391)
    assert floor.look(closing)["filled_avg_price"] == "103.5"


def test_only_orders_for_extended_hours_fill_before_the_open() -> None:
    bars = bars_of("AAPL", {0: flat(100.0), 1: flat(100.0)}, before_open={1: flat(98.0, 30)})
    floor = Floor(bars, now_ns=OPENS_NS[1] - 20 * MINUTE_NS - 10**9)
    early = floor.order(type="limit", limit_price="99", extended_hours=True)
    regular = floor.order(type="limit", limit_price="99")
    assert (early["status"], regular["status"]) == ("pending_new", "accepted")
    floor.at(1, -1)
    assert (floor.status(early), floor.status(regular)) == ("filled", "accepted")
    assert early["expires_at"] == "2026-11-11T01:00:00Z"


# When a marketable order meets which price


@pytest.mark.parametrize(
    ("seconds", "price"),
    [(2.0, "100"), (14.9, "100"), (20.0, "99"), (30.0, "100"), (40.0, "101"), (59.0, "100.5")],
)
def test_an_order_gets_the_open_the_path_or_the_close_by_when_it_comes(seconds: float, price: str) -> None:
    floor = moving((100.0, 101.0, 99.0, 100.5))
    floor.at(1, 6, seconds)
    order = floor.order()
    floor.at(1, 7)
    filled = Decimal(floor.look(order)["filled_avg_price"])
    assert abs(filled - Decimal(price)) <= Decimal("0.01")


def test_a_limit_through_the_quote_takes_the_path_price_and_never_worse_than_its_limit() -> None:
    floor = Floor(terms=VenueTerms(costs=Costs(slippage=0.01)))
    order = floor.order(type="limit", limit_price="100.50")
    floor.wait(1)
    assert floor.look(order)["filled_avg_price"] == "100.5"


def test_a_halted_symbol_fills_nothing_until_it_resumes() -> None:
    floor = Floor()
    floor.market.halt(Halt(symbol="AAPL", from_ns=floor.now_ns, until_ns=floor.now_ns + 10 * MINUTE_NS))
    order = floor.order()
    floor.wait(minutes=9)
    assert floor.status(order) == "new"
    floor.wait(minutes=2)
    assert floor.status(order) == "filled"


def test_the_seeded_model_splits_fills_the_same_way_every_time() -> None:
    def fills(seed: int) -> list[str]:
        floor = Floor(terms=VenueTerms(partial_fill_probability=0.7), seed=seed)
        floor.order(qty="100")
        floor.wait(60)
        assert floor.position() == 100
        return [update["qty"] for update in floor.updates() if "qty" in update]

    assert fills(3) == fills(3)
    assert len({tuple(fills(seed)) for seed in range(5)}) > 1


def test_a_notional_order_buys_what_its_amount_pays_for() -> None:
    floor = Floor(bars_of("AAPL", {session: flat(300.0) for session in range(3)}))
    order = floor.filled(qty=None, notional="100")
    assert (order["qty"], order["notional"], order["filled_qty"]) == (None, "100", "0.333333333")


def test_orders_have_groups_from_2026_10_08_on() -> None:
    assert "group_id" not in Floor(as_of=date(2026, 10, 7)).order(**BRACKET)
    order = Floor(as_of=TODAY).order(**BRACKET)
    assert {leg["group_id"] for leg in order["legs"]} == {order["group_id"]}
    assert [leg["group_role"] for leg in order["legs"]] == ["take_profit", "stop_loss"]


# --- Identities -----------------------------------------------------------------------------------------------


def test_an_exchange_that_is_started_again_gives_no_order_the_id_of_an_older_one() -> None:
    """A ledger goes on, and knows orders by their ids: that of another order would be taken for the old one."""
    first, again, on_another_day = Floor(), Floor(), Floor(now_ns=OPENS_NS[2])
    assert [floor.account_id for floor in (again, on_another_day)] == [first.account_id] * 2
    ids = [floor.order()["id"] for floor in (first, again, on_another_day)]
    assert ids[0] == ids[1] != ids[2]
