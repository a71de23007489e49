"""A real exchange on a free loopback port, on a generated session of a fixed day; time passes when a test steps it."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from typing import Any

import pytest
import requests

from magellan.adapters.exchange_calendar import load_calendar
from magellan.exchange.server.background import BackgroundExchange, exchange_in_background
from magellan.exchange.server.clock import ClockMode
from magellan.exchange.server.exchange_server import ExchangeServer
from magellan.exchange.server.faults.plan import FaultPlan
from magellan.exchange.server.options import ServerOptions
from magellan.exchange.server.served_market import AROUND_SESSIONS_NS, generated_sessions

SESSION_ON = date(2024, 3, 11)
KEYS = {"APCA-API-KEY-ID": "PKTEST", "APCA-API-SECRET-KEY": "secret"}
BUY = {"symbol": "AAPL", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day"}
TIMEOUT_S = 20


class Client:
    """A plain HTTP client of one exchange, with a key pair, and the hand on its clock."""

    def __init__(self, exchange: BackgroundExchange) -> None:
        self.exchange = exchange
        self.http, self.ws = exchange.http, exchange.ws
        self.session = requests.Session()
        self.session.headers.update(KEYS)

    def get(self, path: str, **query: Any) -> requests.Response:
        return self.session.get(self.http + path, params=query, timeout=TIMEOUT_S)

    def post(self, path: str, body: Any = None) -> requests.Response:
        return self.session.post(self.http + path, json=body, timeout=TIMEOUT_S)

    def patch(self, path: str, body: Any) -> requests.Response:
        return self.session.patch(self.http + path, json=body, timeout=TIMEOUT_S)

    def delete(self, path: str, **query: Any) -> requests.Response:
        return self.session.delete(self.http + path, params=query, timeout=TIMEOUT_S)

    def step(self, seconds: float) -> dict[str, Any]:
        answer = self.post("/_magellan/clock/step", {"by_s": seconds})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def buy(self, **changes: Any) -> dict[str, Any]:
        answer = self.post("/v2/orders", {**BUY, **changes})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def fault(self, kind: str, **terms: Any) -> int:
        """Put a fault in force; returns its id."""
        answer = self.post("/_magellan/faults", {"kind": kind, **terms})
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    def fired(self) -> list[str]:
        """The kinds of the faults that have fired, in order."""
        return [each["kind"] for each in self.get("/_magellan/faults/fired").json()["fired"]]

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.get("/_magellan/events").text.splitlines()]

    def price(self, symbol: str = "AAPL") -> float:
        return self.get(f"/v2/stocks/{symbol}/trades/latest").json()["trade"]["p"]


def make_server(
    plan: FaultPlan | None = None, symbols: tuple[str, ...] = ("AAPL", "MSFT"), **changes: Any
) -> ExchangeServer:
    """A server with a stepped clock, a minute and a half into a session."""
    served = generated_sessions(symbols, load_calendar(), SESSION_ON, SESSION_ON, seed=7)
    options = {
        "mode": ClockMode.STEPPED,
        "seed": 7,
        "start_ns": served.start_ns + AROUND_SESSIONS_NS + 90_000_000_000,
        "end_ns": served.end_ns,
        "api_as_of": date(2026, 11, 2),
        "plan": plan,
        **changes,
    }
    return ExchangeServer(served.market, ServerOptions(**options))


@pytest.fixture
def start() -> Iterator[Callable[..., Client]]:
    """Start an exchange with these options; it ends with the test."""
    with ExitStack() as stack:

        def started(plan: FaultPlan | None = None, **changes: Any) -> Client:
            client = Client(stack.enter_context(exchange_in_background(lambda: make_server(plan, **changes))))
            stack.callback(client.session.close)
            return client

        yield started


@pytest.fixture
def client(start: Callable[..., Client]) -> Client:
    """An exchange as it is by default, and a client of it."""
    return start()
