"""Clock, calendar, assets, activities, portfolio history, watchlists, lists of orders: as Alpaca answers."""

from datetime import date
from typing import Any

import pytest

from exchange.venue.trading_floor import OPENS_NS, SESSIONS, TODAY, Floor, alpaca_models, bars_of, flat
from magellan.exchange.venue.era import FEATURES, Era
from magellan.exchange.venue.terms import VenueTerms
from magellan.trading.timeframe import MINUTE_NS


def test_the_clock_is_on_the_exchanges_wall() -> None:
    clock = Floor().get("/clock")
    assert clock == {
        "timestamp": "2026-11-10T09:35:20-05:00",
        "is_open": True,
        "next_open": "2026-11-11T09:30:00-05:00",
        "next_close": "2026-11-10T16:00:00-05:00",
    }
    alpaca_models().Clock(**clock)


@pytest.mark.parametrize(
    ("minutes", "phase"), [(-400, "closed"), (-60, "pre"), (5, "core"), (391, "post"), (700, "closed")]
)
def test_the_newer_clock_names_the_phase_of_the_day(minutes: int, phase: str) -> None:
    floor = Floor(now_ns=OPENS_NS[1] + minutes * MINUTE_NS)
    (clock,) = floor.get("/v3/clock", markets="NYSE")["clocks"]
    assert (clock["phase"], clock["market"]["mic"]) == (phase, "XNYS")


def test_the_calendar_lists_sessions_with_their_hours() -> None:
    days = Floor().get("/calendar", start="2026-11-13", end="2026-11-16")
    assert [day["date"] for day in days] == ["2026-11-13", "2026-11-16"]
    assert days[0] == {
        "date": "2026-11-13",
        "open": "09:30",
        "close": "16:00",
        "session_open": "0400",
        "session_close": "2000",
        "settlement_date": "2026-11-16",
    }
    alpaca_models().Calendar(**days[0])
    assert len(Floor().get("/calendar")) == len(SESSIONS)
    settled = Floor().get("/calendar", start="2026-11-16", end="2026-11-16", date_type="SETTLEMENT")
    assert [day["date"] for day in settled] == ["2026-11-13"]
    newer = Floor().get("/v3/calendar/NYSE", start="2026-11-13", end="2026-11-13")
    assert newer["calendar"][0]["core_start"] == "2026-11-13T09:30:00-05:00"


def test_assets_are_found_by_symbol_and_id_and_parse_in_alpaca_py() -> None:
    floor = Floor()
    (asset,) = floor.get("/assets")
    assert floor.get("/assets/AAPL") == floor.get(f"/assets/{asset['id']}") == asset
    alpaca_models().Asset(**asset)
    assert floor.get("/assets", status="inactive") == []
    assert floor.get("/assets", asset_class="crypto") == []


# A day of the API, and which fields an asset has then; easy_to_borrow stays for clients that cannot do without it.
@pytest.mark.parametrize(
    ("on", "borrow_status"), [(date(2026, 6, 4), False), (date(2026, 6, 5), True), (TODAY, True)]
)
def test_how_an_asset_says_that_it_can_be_borrowed(on: date, borrow_status: bool) -> None:
    asset = Floor(as_of=on).get("/assets/AAPL")
    assert asset["easy_to_borrow"] is True
    assert ("borrow_status" in asset) == borrow_status


def test_easy_to_borrow_ends_on_its_day_where_the_terms_say_so() -> None:
    strict = VenueTerms(keeps_easy_to_borrow=False)
    assert "easy_to_borrow" in Floor(as_of=date(2026, 9, 21), terms=strict).get("/assets/AAPL")
    assert "easy_to_borrow" not in Floor(as_of=date(2026, 9, 22), terms=strict).get("/assets/AAPL")


def test_each_feature_comes_and_goes_on_its_day() -> None:
    for feature in FEATURES:
        for on, holds in ((feature.starts_on, True), (feature.ends_on, False)):
            if on is not None:
                assert getattr(Era(on, keeps_easy_to_borrow=False), feature.name) is holds
                assert feature.holds(date.fromordinal(on.toordinal() - 1)) is not holds


def test_activities_come_in_pages_and_parse_in_alpaca_py() -> None:
    floor = Floor()
    for _ in range(5):
        floor.filled(qty="1")
    everything = floor.get("/account/activities")
    assert len(everything) == 5
    ids = [each["id"] for each in everything]
    assert ids == sorted(ids, reverse=True)
    first = floor.get("/account/activities", page_size=2)
    second = floor.get("/account/activities", page_size=2, page_token=first[-1]["id"])
    assert [*first, *second] == everything[:4]
    assert floor.get("/account/activities", direction="asc") == everything[::-1]
    assert floor.get("/account/activities", activity_types="DIV") == []
    assert floor.get("/account/activities", category="non_trade_activity") == []
    assert floor.get("/account/activities", date="2026-11-10") == everything
    assert floor.get("/account/activities", after="2026-11-10T14:36:00Z") == []
    assert floor.get("/account/activities/FILL", order_id=everything[0]["order_id"]) == everything[:1]
    trade = alpaca_models().TradeActivity(**everything[0])
    assert (trade.cum_qty, trade.leaves_qty, trade.price) == (1, 0, 100)


def test_an_activity_event_is_what_the_list_shows() -> None:
    floor = Floor()
    floor.filled()
    shown = [dict(event.body) for event in floor.venue.take_events() if event.kind == "activity"]
    assert shown == floor.get("/account/activities")


def test_the_history_of_equity_by_day_and_by_minute() -> None:
    floor = Floor(
        bars_of(
            "AAPL", {0: flat(100.0), 1: [*flat(100.0, 6), *flat(110.0, 384)], 2: flat(120.0), 3: flat(90.0)}
        )
    )
    floor.filled()
    floor.at(3, 10)
    daily = floor.get("/account/portfolio/history", period="1W", timeframe="1D")
    assert daily["equity"][-3:] == [100_100, 100_200, 99_900]
    assert daily["profit_loss"][-3:] == [100, 200, -100]
    assert daily["profit_loss_pct"][-1] == -0.001
    alpaca_models().PortfolioHistory(**daily)
    minutes = floor.get("/account/portfolio/history", start="2026-11-10", end="2026-11-11", timeframe="1Min")
    assert (len(minutes["timestamp"]), minutes["equity"][4], minutes["equity"][-1]) == (390, 100_000, 100_100)
    assert (
        len({len(minutes[name]) for name in ("timestamp", "equity", "profit_loss", "profit_loss_pct")}) == 1
    )


def test_within_days_profit_begins_anew_each_day_unless_asked_otherwise() -> None:
    floor = Floor(bars_of("AAPL", {0: flat(100.0), 1: flat(100.0), 2: flat(110.0), 3: flat(120.0)}))
    floor.filled()
    floor.at(3, 60)
    asked = {"start": "2026-11-10", "timeframe": "1H"}
    path = "/account/portfolio/history"
    by_day = floor.get(path, **asked)
    in_all = floor.get(path, **asked, pnl_reset="no_reset")
    assert by_day["equity"] == in_all["equity"]
    assert sorted(set(by_day["profit_loss"])) == [0, 100]
    assert by_day["profit_loss"][-1] == 100
    assert by_day["profit_loss_pct"][-1] == round(100 / 100_100, 6)
    assert in_all["profit_loss"][-1] == 200
    assert (in_all["base_value"], in_all["base_value_asof"]) == (100_000, "2026-11-09")


def test_a_week_comes_in_quarter_hours_and_more_than_a_month_only_in_days() -> None:
    floor = Floor()
    path = "/account/portfolio/history"
    assert floor.get(path, period="6D")["timeframe"] == "1Min"
    assert floor.get(path, period="1W")["timeframe"] == "15Min"
    assert floor.get(path, period="1M")["timeframe"] == "1D"
    assert floor.call("GET", path, period="1M", timeframe="1H").status == 200
    assert floor.call("GET", path, period="2M", timeframe="1H").status == 422


def test_watchlists_are_made_changed_and_deleted_by_id_and_by_name() -> None:
    floor = Floor()
    made = floor.call("POST", "/watchlists", {"name": "mine", "symbols": ["AAPL"]}).body
    alpaca_models().Watchlist(**made)
    assert [asset["symbol"] for asset in made["assets"]] == ["AAPL"]
    (listed,) = floor.get("/watchlists")
    assert "assets" not in listed
    path = f"/watchlists/{made['id']}"
    assert floor.call("DELETE", f"{path}/AAPL").body["assets"] == []
    assert [each["symbol"] for each in floor.call("POST", path, {"symbol": "AAPL"}).body["assets"]] == [
        "AAPL"
    ]
    renamed = floor.call("PUT", "/watchlists:by_name", {"name": "ours"}, name="mine").body
    assert (renamed["name"], len(renamed["assets"])) == ("ours", 1)
    assert floor.get("/watchlists:by_name", name="ours") == floor.get(path)
    assert floor.call("DELETE", path).status == 204
    assert floor.get("/watchlists") == []


# Lists of orders

QUERIES: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [3, 2, 1]),
    ({"status": "all"}, [3, 2, 1, 0]),
    ({"status": "closed"}, [0]),
    ({"direction": "asc"}, [1, 2, 3]),
    ({"limit": 2}, [3, 2]),
    ({"side": "sell"}, [3]),
    ({"symbols": "MSFT"}, [2]),
    ({"symbols": "MSFT,AAPL", "side": "buy"}, [2, 1]),
    ({"asset_class": "us_option"}, []),
    ({"asset_class": "all"}, [3, 2, 1]),
    ({"after": "2026-11-10T14:36:00Z"}, [3, 2]),
    ({"until": "2026-11-10T14:36:00Z", "status": "all"}, [1, 0]),
]


@pytest.mark.parametrize(("query", "expected"), QUERIES)
def test_orders_are_listed_newest_first_and_filtered(query: dict[str, Any], expected: list[int]) -> None:
    floor = Floor([bars_of(symbol, {s: flat(100.0) for s in range(3)}) for symbol in ("AAPL", "MSFT")])
    orders = [floor.filled(), floor.order(type="limit", limit_price="90")]
    floor.wait(60)
    orders += [
        floor.order(symbol="MSFT", type="limit", limit_price="90"),
        floor.order(side="sell", type="limit", limit_price="120"),
    ]
    assert [found["id"] for found in floor.get("/orders", **query)] == [orders[at]["id"] for at in expected]


def test_orders_before_and_after_another() -> None:
    floor = Floor()
    orders = [floor.order(type="limit", limit_price=str(90 + at))["id"] for at in range(4)]
    assert [each["id"] for each in floor.get("/orders", after_order_id=orders[1])] == orders[:1:-1]
    assert [each["id"] for each in floor.get("/orders", before_order_id=orders[1])] == orders[:1]


def test_a_list_cut_at_the_instant_of_an_order_does_not_show_that_order_again() -> None:
    floor = Floor()
    orders = []
    for _ in range(3):
        floor.to(floor.now_ns + 1_000_999)  # clients are shown microseconds
        orders.append(floor.filled())
    shown = orders[1]["submitted_at"]
    found = floor.get("/orders", status="all", after=shown)
    assert [each["id"] for each in found] == [orders[2]["id"]]
    fills = floor.get("/account/activities")
    found = floor.get("/account/activities", after=fills[1]["transaction_time"])
    assert [each["id"] for each in found] == [fills[0]["id"]]


REFUSED_QUERIES: list[tuple[str, dict[str, Any]]] = [
    ("/orders", {"side": "long"}),
    ("/orders", {"asset_class": "shares"}),
    ("/account/portfolio/history", {"pnl_reset": "never"}),
    ("/account/portfolio/history", {"intraday_reporting": "all"}),
    ("/account/portfolio/history", {"timeframe": "2Min"}),
]


@pytest.mark.parametrize(("path", "query"), REFUSED_QUERIES)
def test_a_choice_that_does_not_exist_is_refused_and_not_taken_for_nothing(
    path: str, query: dict[str, Any]
) -> None:
    reply = Floor().call("GET", path, **query)
    ((name, value),) = query.items()
    assert (reply.status, reply.body["message"]) == (422, f"invalid {name}: {value}")


def test_orders_are_cut_before_or_after_another_and_not_both() -> None:
    floor = Floor()
    order_id = floor.order(type="limit", limit_price="90")["id"]
    assert floor.call("GET", "/orders", after_order_id=order_id, before_order_id=order_id).status == 422


UNAVAILABLE = ["/wallets", "/tokenization/requests", "/v1/locates", "/v2beta1/events/activities"]


@pytest.mark.parametrize("path", [*UNAVAILABLE, "/perpetuals/leverage", "/assets/fixed_income/us_treasuries"])
def test_what_this_exchange_does_not_lend_is_answered_as_for_an_account_without_it(path: str) -> None:
    reply = Floor().call("GET", path)
    assert (reply.status, reply.body["code"]) == (403, 40310000)
    assert reply.body["message"].startswith("account is not enabled for")


def test_nested_lists_show_legs_below_their_parents_and_flat_ones_beside_them() -> None:
    floor = Floor()
    order = floor.order(
        order_class="bracket", take_profit={"limit_price": "110"}, stop_loss={"stop_price": "90"}
    )
    floor.wait(1)
    (nested,) = floor.get("/orders", nested="true")
    assert nested["id"] == order["id"]
    assert [leg["order_class"] for leg in nested["legs"]] == ["bracket", "bracket"]
    flat_list = floor.get("/orders")
    assert len(flat_list) == 2
    assert all(each["legs"] is None for each in flat_list)
