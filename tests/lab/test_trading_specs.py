"""Every answer of the venue against Alpaca's own OpenAPI document of its trading API."""

import json
import re
from decimal import Decimal
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator

from exchange.venue.trading_floor import TODAY, Floor, bars_of, flat
from lab.alpaca_specs import alpaca_spec
from magellan.exchange.venue.api.routes import ROUTES, UNAVAILABLE
from magellan.exchange.venue.broker_side import Deposit
from magellan.exchange.venue.wire import Reply
from magellan.trading.corporate_action import CashDividend, Split
from magellan.trading.session import exchange_midnight

CALL = "AAPL261113C00095000"


@pytest.fixture(scope="module")
def document() -> Any:
    return alpaca_spec("trading-api.json")


def busy_floor() -> Floor:
    """A floor on which a little of everything has happened."""
    split_at = exchange_midnight(TODAY.replace(day=10))
    floor = Floor(
        [
            bars_of("AAPL", {session: flat(100.0) for session in range(5)}),
            bars_of("BTC/USD", {session: flat(50_000.0) for session in range(5)}),
        ],
        actions=[
            Split(symbol="AAPL", effective_at=split_at.replace(day=11), new_shares=2, old_shares=1),
            CashDividend(symbol="AAPL", ex_at=split_at.replace(day=12), amount_usd=Decimal("0.5")),
        ],
    )
    floor.filled(qty="10")
    floor.filled(symbol="BTC/USD", qty="0.1", time_in_force="gtc")
    floor.filled(symbol=CALL, qty="1")
    floor.filled(qty=None, notional="100.50")
    floor.order(order_class="bracket", take_profit={"limit_price": "110"}, stop_loss={"stop_price": "90"})
    floor.order(side="sell", qty="2", type="trailing_stop", trail_percent="3", time_in_force="gtc")
    legs = [
        {"symbol": CALL, "ratio_qty": "1", "side": "buy"},
        {"symbol": "AAPL261113C00105000", "ratio_qty": "1", "side": "sell"},
    ]
    floor.order(
        symbol=None, side=None, order_class="mleg", legs=legs, qty="1", type="limit", limit_price="0.01"
    )
    resting = floor.order(type="limit", limit_price="80")
    floor.patch(resting, limit_price="81")
    floor.cancel(floor.order(type="limit", limit_price="70"))
    floor.call("POST", "/watchlists", {"name": "mine", "symbols": ["AAPL", "BTC/USD"]})
    floor.venue.external(floor.account_id, Deposit(amount_usd=Decimal(100)))
    floor.wait(1)
    return floor


def later(floor: Floor) -> Floor:
    floor.at(3, 10)
    return floor


Ask = tuple[str, str, Any, dict[str, Any]]

# The document's path, how it is asked for, the body, the query.
ASKS: list[tuple[str, Ask]] = [
    ("/v2/account", ("GET", "/account", None, {})),
    ("/v2/account/configurations", ("GET", "/account/configurations", None, {})),
    ("/v2/account/configurations", ("PATCH", "/account/configurations", {"no_shorting": True}, {})),
    ("/v2/account/activities", ("GET", "/account/activities", None, {})),
    ("/v2/account/activities/{activity_type}", ("GET", "/account/activities/FILL", None, {})),
    ("/v2/account/portfolio/history", ("GET", "/account/portfolio/history", None, {"cashflow_types": "ALL"})),
    ("/v2/account/portfolio/history", ("GET", "/account/portfolio/history", None, {"period": "1D"})),
    ("/v2/assets", ("GET", "/assets", None, {})),
    ("/v2/assets", ("GET", "/assets", None, {"asset_class": "crypto"})),
    ("/v2/assets/{symbol_or_asset_id}", ("GET", "/assets/AAPL", None, {})),
    ("/v2/calendar", ("GET", "/calendar", None, {})),
    ("/v2/clock", ("GET", "/clock", None, {})),
    ("/v3/clock", ("GET", "/v3/clock", None, {})),
    (
        "/v3/calendar/{market}",
        ("GET", "/v3/calendar/NYSE", None, {"start": "2026-11-09", "end": "2026-11-20"}),
    ),
    (
        "/v2/corporate_actions/announcements",
        ("GET", "/corporate_actions/announcements", None, {"since": "2026-11-01", "until": "2026-11-30"}),
    ),
    ("/v2/options/contracts", ("GET", "/options/contracts", None, {"show_deliverables": "true"})),
    ("/v2/options/contracts/{symbol_or_id}", ("GET", f"/options/contracts/{CALL}", None, {})),
    ("/v2/orders", ("GET", "/orders", None, {"status": "all", "nested": "true"})),
    ("/v2/orders", ("GET", "/orders", None, {"status": "all"})),
    (
        "/v2/orders",
        (
            "POST",
            "/orders",
            {"symbol": "AAPL", "qty": 1, "side": "buy", "type": "market", "time_in_force": "day"},
            {},
        ),
    ),
    ("/v2/orders", ("DELETE", "/orders", None, {})),
    ("/v2/positions", ("GET", "/positions", None, {})),
    ("/v2/positions/{symbol_or_asset_id}", ("GET", "/positions/AAPL", None, {})),
    ("/v2/positions/{symbol_or_asset_id}", ("DELETE", "/positions/BTCUSD", None, {})),
    ("/v2/positions", ("DELETE", "/positions", None, {"cancel_orders": "true"})),
    ("/v2/watchlists", ("GET", "/watchlists", None, {})),
    ("/v2/watchlists", ("POST", "/watchlists", {"name": "ours", "symbols": ["AAPL"]}, {})),
    ("/v2/watchlists:by_name", ("GET", "/watchlists:by_name", None, {"name": "mine"})),
    ("/v2/watchlists:by_name", ("PUT", "/watchlists:by_name", {"symbols": ["AAPL"]}, {"name": "mine"})),
]


def faults(document: Any, path: str, method: str, reply: Reply) -> list[str]:
    """What is wrong with an answer by the document; empty when nothing is."""
    described = document["paths"][path][method.lower()]["responses"]
    content = described[str(reply.status)].get("content", {})
    if not content:
        return []
    # Neither kind of activity requires anything, so that by the document's own oneOf every fill would be both.
    schema = json.loads(json.dumps(content["application/json"]["schema"]).replace('"oneOf"', '"anyOf"'))
    answer = orjson.loads(orjson.dumps(reply.body))
    if path.startswith("/v2/corporate_actions/announcements"):
        # The document capitalises what alpaca-py, and the answers that users quote, write small.
        answer = [{**each, "ca_type": each["ca_type"].title()} for each in answer]
    validator = Draft202012Validator(schema | {"components": document["components"]})
    return [
        f"{'/'.join(map(str, fault.absolute_path))}: {fault.message[:200]}"
        for fault in validator.iter_errors(answer)
    ]


@pytest.mark.parametrize(("path", "ask"), ASKS, ids=[f"{ask[0]} {ask[1]}" for _, ask in ASKS])
@pytest.mark.parametrize("when", ["now", "two days later"])
def test_an_answer_keeps_to_the_published_schema(document: Any, path: str, ask: Ask, when: str) -> None:
    floor = busy_floor() if when == "now" else later(busy_floor())
    method, asked, body, query = ask
    reply = floor.call(method, asked, body, **query)
    assert reply.status in (200, 207), reply
    assert faults(document, path, method, reply) == []


def test_orders_and_trade_updates_carry_no_member_that_alpaca_does_not_know(document: Any) -> None:
    known = set(document["components"]["schemas"]["Order"]["properties"])
    floor = later(busy_floor())
    for order in floor.get("/orders", status="all", limit=500):
        assert set(order) <= known
    for update in floor.updates():
        assert set(update["order"]) <= known


def test_every_published_path_is_served_or_known_to_be_unavailable(document: Any) -> None:
    served = {_shape(route if route.startswith("/v3") else f"/v2{route}") for route in ROUTES}
    missing = set()
    for path, described in document["paths"].items():
        below = "/" + path.removeprefix("/v2/").removeprefix("/")
        if any(below.startswith(prefix) for prefix in UNAVAILABLE) or _shape(path) in served:
            continue
        missing.add((path, *described))
    assert not missing


def test_every_published_method_of_a_served_path_is_answered(document: Any) -> None:
    by_shape = {
        _shape(route if route.startswith("/v3") else f"/v2{route}"): methods
        for route, methods in ROUTES.items()
    }
    for path, described in document["paths"].items():
        methods = by_shape.get(_shape(path))
        if methods is not None:
            published = {
                each.upper() for each in described if each in ("get", "post", "put", "patch", "delete")
            }
            assert published <= set(methods), path


def _shape(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)
