"""Every error that the venue can answer, with a request that gets it. Entries nobody can reach say why."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from exchange.venue.trading_floor import OLD_ERA, OPENS_NS, TODAY, Floor, bars_of, flat
from magellan.exchange.error_catalogue import entries
from magellan.exchange.market.asset import Asset
from magellan.exchange.venue.broker_side import Restrict
from magellan.exchange.venue.terms import AccountTerms, VenueTerms
from magellan.exchange.venue.wire import Reply
from magellan.trading.bar import nanoseconds
from magellan.trading.timeframe import HOUR_NS, MINUTE_NS

AAPL = Asset.equity("AAPL")
LONG = 400
NOWHERE = "00000000-0000-4000-8000-000000000000"
CALL = "AAPL261120C00100000"
PUT = "AAPL261120P00100000"
FAR_CALL = "AAPL261120C00105000"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A floor, and the request that is refused."""

    ask: Callable[[Floor], Reply]
    floor: Callable[[], Floor] = Floor


def posted(**body: Any) -> Callable[[Floor], Reply]:
    return lambda floor: floor.post(**body)


def called(method: str, path: str, body: Any = None, **query: Any) -> Callable[[Floor], Reply]:
    return lambda floor: floor.call(method, path, body, **query)


def holding(qty: str = "10", **first: Any) -> Callable[[], Floor]:
    """A floor on which something has been bought."""

    def made() -> Floor:
        floor = Floor()
        floor.filled(qty=qty, **first)
        return floor

    return made


def resting(**body: Any) -> Callable[[], Floor]:
    """A floor on which an order rests."""

    def made() -> Floor:
        floor = Floor()
        floor.order(**body)
        return floor

    return made


def with_asset(**terms: Any) -> Callable[[], Floor]:
    return lambda: Floor(assets=[replace(AAPL, **terms)])


def with_account(as_of: date = TODAY, **terms: Any) -> Callable[[], Floor]:
    return lambda: Floor(account=AccountTerms(**terms), as_of=as_of)


def at(hours: int, minutes: int) -> Callable[[], Floor]:
    """A floor at a time of day of the exchange's clock, on a session's date."""
    now_ns = nanoseconds(datetime(2026, 11, 10, 5, tzinfo=UTC)) + hours * HOUR_NS + minutes * MINUTE_NS
    return lambda: Floor(now_ns=now_ns)


def coins() -> Floor:
    """A floor with a coin pair, around the clock."""
    return Floor([bars_of("AAPL", {1: flat(100.0)}), bars_of("BTC/USD", {1: flat(50_000.0)})])


def small_day_trader() -> Floor:
    floor = Floor(account=AccountTerms(cash_usd=Decimal(10_000)), as_of=OLD_ERA)
    for _ in range(3):
        for symbol_session in ("buy", "sell"):
            floor.filled(side=symbol_session, qty="1")
        floor.at(_next_session(floor), 5, 20)
    return floor


def _next_session(floor: Floor) -> int:
    return next(n for n, opens_ns in enumerate(OPENS_NS) if opens_ns > floor.now_ns)


def beyond_six_times() -> Floor:
    """A short that has gone so far against its owner that it is more than six times the equity."""
    rising = [(100.0, 100.0, 100.0, 100.0)] * 10 + [(145.0, 145.0, 145.0, 145.0)] * 380
    floor = Floor(bars_of("AAPL", {0: flat(100.0), 1: rising}), terms=VenueTerms(buying_power_rule=True))
    floor.filled(side="sell", qty="2000")
    floor.at(1, 20, 20)
    return floor


def filled_and(change: Callable[[Floor, dict[str, Any]], Reply]) -> Callable[[Floor], Reply]:
    return lambda floor: change(floor, floor.filled())


def rested_and(change: Callable[[Floor, dict[str, Any]], Reply], **body: Any) -> Callable[[Floor], Reply]:
    order = {"type": "limit", "limit_price": "90", **body}
    return lambda floor: change(floor, floor.order(**order))


def part_filled(floor: Floor) -> dict[str, Any]:
    order = floor.order(qty="10", type="limit", limit_price="101")
    floor.wait(1)
    assert floor.status(order) == "partially_filled"
    return order


def thin() -> Floor:
    """A floor where an account gets four shares of each bar."""
    terms = VenueTerms()
    return Floor(
        bars_of("AAPL", {session: flat(100.0) for session in range(3)}, volume=40.0),
        terms=replace(terms, costs=replace(terms.costs, volume_share_max=0.1)),
    )


def repeated(method: str, path: str, body: Any) -> Callable[[Floor], Reply]:
    def ask(floor: Floor) -> Reply:
        assert not floor.call(method, path, body).is_error
        return floor.call(method, path, body)

    return ask


def on_a_watchlist(method: str, body: Any, below: str = "") -> Callable[[Floor], Reply]:
    def ask(floor: Floor) -> Reply:
        made = floor.call("POST", "/watchlists", {"name": "mine", "symbols": ["AAPL"]}).body
        return floor.call(method, f"/watchlists/{made['id']}{below}", body)

    return ask


def replaced_twice(floor: Floor) -> Reply:
    order = floor.order(type="limit", limit_price="90")
    floor.patch(order, limit_price="91")
    return floor.patch(order, limit_price="92")


def cancel_while_replacing(floor: Floor) -> Reply:
    order = floor.order(type="limit", limit_price="90")
    floor.patch(order, limit_price="91")
    return floor.cancel(order)


def blocked(floor: Floor) -> Reply:
    floor.venue.external(floor.account_id, Restrict(restriction="trading_blocked"))
    return floor.post()


def suspended(floor: Floor) -> Reply:
    floor.set(suspend_trade=True)
    return floor.post()


def no_fractions(floor: Floor) -> Reply:
    floor.set(fractional_trading=False)
    return floor.post(qty="0.5")


def exercised_short(floor: Floor) -> Reply:
    floor.filled(qty="100")
    floor.filled(symbol=FAR_CALL, side="sell", qty="1")
    return floor.call("POST", f"/positions/{FAR_CALL}/exercise")


def exercised_without_cash(floor: Floor) -> Reply:
    floor.filled(symbol=CALL, qty="1")
    floor.filled(qty="38")
    return floor.call("POST", f"/positions/{CALL}/exercise")


def leg(symbol: str = CALL, **more: Any) -> dict[str, Any]:
    return {"symbol": symbol, "ratio_qty": "1", "side": "buy", **more}


def spread(*legs: dict[str, Any], **body: Any) -> Callable[[Floor], Reply]:
    given = list(legs or (leg(CALL), leg(FAR_CALL, side="sell")))
    return posted(**{"symbol": None, "side": None, "order_class": "mleg", "qty": "1", "legs": given, **body})


LIMIT = {"type": "limit", "limit_price": "99"}
BRACKET = {"take_profit": {"limit_price": "110"}, "stop_loss": {"stop_price": "90"}}
OCO = {"order_class": "oco", "side": "sell", "type": "limit"}

CASES: dict[str, Case] = {
    # Where, and what
    "endpoint_not_found": Case(ask=called("GET", "/nothing")),
    "method_not_allowed": Case(ask=called("PUT", "/orders")),
    "feature_unavailable": Case(ask=called("GET", "/wallets")),
    "malformed_body": Case(ask=called("POST", "/orders", [1])),
    "invalid_parameter": Case(ask=called("GET", "/orders", status="some")),
    "order_not_found": Case(ask=called("GET", f"/orders/{NOWHERE}")),
    "order_id_missing": Case(ask=called("GET", "/orders/not-an-id")),
    "position_not_found": Case(ask=called("GET", "/positions/AAPL")),
    "asset_not_found": Case(ask=called("GET", "/assets/NONE")),
    "contract_not_found": Case(ask=called("GET", "/options/contracts/NONE")),
    "watchlist_not_found": Case(ask=called("GET", f"/watchlists/{NOWHERE}")),
    "watchlist_name_taken": Case(ask=repeated("POST", "/watchlists", {"name": "mine"})),
    "watchlist_name_missing": Case(ask=called("POST", "/watchlists", {"symbols": []})),
    "watchlist_asset_taken": Case(ask=on_a_watchlist("POST", {"symbol": "AAPL"})),
    "announcement_not_found": Case(ask=called("GET", f"/corporate_actions/announcements/{NOWHERE}")),
    "announcement_window": Case(
        ask=called("GET", "/corporate_actions/announcements", since="2026-01-01", until="2026-11-01")
    ),
    "history_range": Case(
        ask=called("GET", "/account/portfolio/history", period="1D", start="2026-11-09", end="2026-11-10")
    ),
    # The shape of an order
    "symbol_required": Case(ask=posted(symbol=None)),
    "side_required": Case(ask=posted(side=None)),
    "invalid_side": Case(ask=posted(side="hold")),
    "invalid_order_type": Case(ask=posted(type="iceberg")),
    "invalid_time_in_force": Case(ask=posted(time_in_force="week")),
    "invalid_order_class": Case(ask=posted(order_class="pair")),
    "qty_or_notional_required": Case(ask=posted(qty=None)),
    "qty_and_notional": Case(ask=posted(notional="100")),
    "qty_not_positive": Case(ask=posted(qty="-1")),
    "qty_decimals": Case(ask=posted(qty="0.0000000001")),
    "notional_min": Case(ask=posted(qty=None, notional="0.99")),
    "notional_decimals": Case(ask=posted(qty=None, notional="10.001")),
    "limit_price_required": Case(ask=posted(type="limit")),
    "limit_price_unwanted": Case(ask=posted(limit_price="99")),
    "stop_price_required": Case(ask=posted(type="stop")),
    "stop_price_unwanted": Case(ask=posted(stop_price="99")),
    "trail_required": Case(ask=posted(type="trailing_stop")),
    "trail_unwanted": Case(ask=posted(trail_price="1")),
    "price_not_positive": Case(ask=posted(type="limit", limit_price="0")),
    "client_order_id_taken": Case(
        ask=repeated(
            "POST",
            "/orders",
            {
                "symbol": "AAPL",
                "side": "buy",
                "qty": 1,
                "time_in_force": "day",
                "client_order_id": "a",
                **LIMIT,
            },
        )
    ),
    "client_order_id_long": Case(ask=posted(client_order_id="x" * 129)),
    "sub_penny": Case(ask=posted(type="limit", limit_price="99.001")),
    # The asset
    "asset_unknown": Case(ask=posted(symbol="NONE")),
    "asset_not_active": Case(ask=posted(), floor=with_asset(active=False)),
    "asset_not_tradable": Case(ask=posted(), floor=with_asset(tradable=False)),
    "not_fractionable": Case(ask=posted(qty="0.5"), floor=with_asset(fractionable=False)),
    "fractional_off": Case(ask=no_fractions),
    "fractional_day": Case(ask=posted(qty="0.5", time_in_force="gtc")),
    "fractional_simple": Case(ask=posted(qty="0.5", order_class="bracket", **BRACKET)),
    "fractional_types": Case(ask=posted(qty="0.5", type="trailing_stop", trail_price="1")),
    "fractional_short": Case(ask=posted(qty="0.5", side="sell")),
    "notional_market": Case(ask=posted(qty=None, notional="100", **LIMIT)),
    # Sessions
    "extended_day_limit": Case(ask=posted(extended_hours=True), floor=lambda: Floor(as_of=date(2025, 6, 2))),
    "extended_limit": Case(ask=posted(extended_hours=True)),
    "extended_complex": Case(ask=posted(extended_hours=True, order_class="bracket", **LIMIT, **BRACKET)),
    "opg_window": Case(ask=posted(time_in_force="opg"), floor=at(9, 28)),
    "cls_window": Case(ask=posted(time_in_force="cls"), floor=at(15, 50)),
    "auction_types": Case(ask=posted(time_in_force="opg", type="stop", stop_price="101"), floor=at(9, 0)),
    "immediate_types": Case(ask=posted(time_in_force="ioc", type="stop", stop_price="101")),
    # Classes
    "complex_tif": Case(ask=posted(order_class="bracket", time_in_force="ioc", **BRACKET)),
    "complex_type": Case(ask=posted(order_class="bracket", type="trailing_stop", trail_price="1", **BRACKET)),
    "bracket_legs": Case(ask=posted(order_class="bracket", take_profit={"limit_price": "110"})),
    "bracket_entry": Case(
        ask=posted(
            order_class="bracket",
            side="sell",
            take_profit={"limit_price": "90"},
            stop_loss={"stop_price": "110"},
        ),
        floor=holding(),
    ),
    "oto_legs": Case(ask=posted(order_class="oto", **BRACKET)),
    "oco_legs": Case(ask=posted(**OCO, take_profit={"limit_price": "110"}), floor=holding()),
    "oco_limit": Case(ask=posted(**{**OCO, "type": "market"}, **BRACKET), floor=holding()),
    "oco_exit": Case(ask=posted(**OCO, **BRACKET)),
    "legs_unwanted": Case(ask=posted(**BRACKET)),
    "take_profit_above": Case(
        ask=posted(order_class="bracket", take_profit={"limit_price": "100"}, stop_loss={"stop_price": "90"})
    ),
    "take_profit_below": Case(
        ask=posted(
            order_class="bracket",
            side="sell",
            take_profit={"limit_price": "100"},
            stop_loss={"stop_price": "110"},
        )
    ),
    "stop_loss_below": Case(
        ask=posted(order_class="bracket", take_profit={"limit_price": "110"}, stop_loss={"stop_price": "100"})
    ),
    "stop_loss_above": Case(
        ask=posted(
            order_class="bracket",
            side="sell",
            take_profit={"limit_price": "90"},
            stop_loss={"stop_price": "100"},
        )
    ),
    "take_profit_over_stop": Case(
        ask=posted(**OCO, take_profit={"limit_price": "95"}, stop_loss={"stop_price": "95"}), floor=holding()
    ),
    "take_profit_under_stop": Case(
        ask=posted(
            **{**OCO, "side": "buy"}, take_profit={"limit_price": "105"}, stop_loss={"stop_price": "105"}
        ),
        floor=holding(side="sell"),
    ),
    "stop_below_market": Case(ask=posted(side="sell", type="stop", stop_price="101"), floor=holding()),
    "stop_above_market": Case(ask=posted(type="stop", stop_price="99")),
    # Several legs, coins, options
    "mleg_legs": Case(ask=spread(leg())),
    "mleg_symbol": Case(ask=spread(symbol="AAPL")),
    "mleg_leg_invalid": Case(ask=spread(leg(), leg("AAPL"))),
    "mleg_types": Case(ask=spread(type="stop", stop_price="1")),
    "crypto_type": Case(
        ask=posted(symbol="BTC/USD", qty="0.1", time_in_force="gtc", type="stop", stop_price="60000"),
        floor=coins,
    ),
    "crypto_tif": Case(ask=posted(symbol="BTC/USD", qty="0.1"), floor=coins),
    "crypto_class": Case(
        ask=posted(symbol="BTC/USD", qty="0.1", time_in_force="gtc", order_class="bracket", **BRACKET),
        floor=coins,
    ),
    "crypto_size": Case(ask=posted(symbol="BTC/USD", qty="0.000000001", time_in_force="gtc"), floor=coins),
    "option_tif": Case(ask=posted(symbol=CALL, qty="1", time_in_force="ioc")),
    "option_type": Case(ask=posted(symbol=CALL, qty="1", type="trailing_stop", trail_price="1")),
    "option_class": Case(ask=posted(symbol=CALL, qty="1", order_class="bracket", **BRACKET)),
    "option_whole": Case(ask=posted(symbol=CALL, qty="0.5")),
    "option_notional": Case(ask=posted(symbol=CALL, qty=None, notional="100")),
    "option_extended": Case(ask=posted(symbol=CALL, qty="1", extended_hours=True)),
    "option_decimals": Case(ask=posted(symbol=CALL, qty="1", type="limit", limit_price="0.123")),
    "option_expired": Case(ask=posted(symbol="AAPL261106C00100000", qty="1")),
    "option_level": Case(ask=posted(symbol=CALL, qty="1"), floor=with_account(options_level=1)),
    "option_uncovered": Case(ask=posted(symbol=CALL, side="sell", qty="1")),
    "option_covered_call": Case(ask=posted(symbol=CALL, side="sell", qty="1"), floor=holding("10")),
    "exercise_no_position": Case(ask=called("POST", f"/positions/{CALL}/exercise")),
    "exercise_short": Case(ask=exercised_short),
    "exercise_no_cash": Case(
        ask=exercised_without_cash, floor=with_account(cash_usd=Decimal(5_000), multiplier=1)
    ),
    "not_an_option": Case(ask=called("POST", "/positions/AAPL/exercise")),
    # Money and shares
    "insufficient_buying_power": Case(ask=posted(qty="100000")),
    "insufficient_qty": Case(ask=posted(side="sell", qty="11"), floor=holding("10")),
    "wash_trade": Case(ask=posted(side="sell"), floor=resting(**LIMIT)),
    "no_price": Case(ask=posted(), floor=lambda: Floor(bars_of("AAPL", {3: flat(100.0)}))),
    "suspended_by_user": Case(ask=suspended),
    "account_blocked": Case(ask=blocked),
    "short_not_allowed": Case(ask=posted(side="sell"), floor=with_account(shorting=False)),
    "cannot_be_sold_short": Case(ask=posted(side="sell"), floor=with_asset(shortable=False)),
    "hard_to_borrow_day": Case(
        ask=posted(side="sell", time_in_force="gtc"), floor=with_asset(easy_to_borrow=False)
    ),
    "long_while_short": Case(
        ask=posted(order_class="bracket", **BRACKET),
        floor=resting(side="sell", type="limit", limit_price="105"),
    ),
    "short_while_long": Case(
        ask=posted(
            order_class="bracket",
            side="sell",
            take_profit={"limit_price": "90"},
            stop_loss={"stop_price": "110"},
        ),
        floor=resting(**LIMIT),
    ),
    "pattern_day_trading": Case(ask=posted(qty="1"), floor=small_day_trader),
    "closing_only": Case(ask=posted(side="sell", qty="1"), floor=beyond_six_times),
    "intent_mismatch": Case(ask=posted(position_intent="sell_to_close")),
    # Changes
    "not_cancelable": Case(ask=filled_and(Floor.cancel)),
    "cancel_while_replacing": Case(ask=cancel_while_replacing),
    "replace_accepted": Case(
        ask=rested_and(lambda floor, order: floor.patch(order, limit_price="91")), floor=at(8, 0)
    ),
    "replace_chain": Case(ask=replaced_twice),
    "replace_nothing": Case(ask=rested_and(Floor.patch)),
    "replace_field": Case(ask=rested_and(lambda floor, order: floor.patch(order, stop_price="80"))),
    "replace_qty_filled": Case(ask=lambda floor: floor.patch(part_filled(floor), qty="4"), floor=thin),
    "replace_fractional": Case(ask=rested_and(lambda floor, order: floor.patch(order, qty="1.5"), qty="1.5")),
    "qty_and_percentage": Case(
        ask=called("DELETE", "/positions/AAPL", qty="1", percentage="10"), floor=holding()
    ),
    "percentage_range": Case(ask=called("DELETE", "/positions/AAPL", percentage="101"), floor=holding()),
}

OF_THE_VENUE = {name for name, entry in entries().items() if entry.made_by == "venue"}


@pytest.mark.parametrize("name", sorted(CASES))
def test_each_error_is_answered_with_its_status_code_message_and_members(name: str) -> None:
    case, entry = CASES[name], entries()[name]
    reply = case.ask(case.floor())
    assert reply.is_error, reply
    before, *_ = entry.message.partition("{")
    assert reply.body["message"].startswith(before), (name, reply.body)
    assert (reply.status, reply.body.get("code")) == (entry.status, entry.code)
    expected = {"code", "message", *entry.extras} if entry.code is not None else {"message", *entry.extras}
    assert set(reply.body) == expected


def test_every_entry_of_the_venue_has_a_request_that_gets_it() -> None:
    assert set(CASES) == OF_THE_VENUE


def test_entries_say_where_they_are_known_from() -> None:
    for entry in entries().values():
        assert entry.source in ("observed", "documented", "ours"), entry
        assert entry.status >= 400
        assert entry.code is None or str(entry.code).startswith(str(entry.status)[:1]), entry


@pytest.mark.parametrize(
    ("name", "modern"), [("pattern_day_trading", None), ("extended_day_limit", "extended_limit")]
)
def test_an_error_of_another_era_is_not_answered(name: str, modern: str | None) -> None:
    until_on = entries()[name].until_on
    assert until_on is not None and until_on < TODAY
    floor = Floor(account=AccountTerms(cash_usd=Decimal(10_000)), as_of=TODAY)
    if modern is None:
        for _ in range(4):
            floor.filled(qty="1")
            floor.filled(side="sell", qty="1")
    else:
        assert floor.refused(extended_hours=True)[2] == entries()[modern].message
