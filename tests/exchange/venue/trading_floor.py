"""A venue over a small market that a test writes down bar by bar, and a client's hand on it."""

import importlib
import warnings
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np

from magellan.exchange.market.asset import Asset
from magellan.exchange.market.market import Market
from magellan.exchange.venue.terms import AccountTerms, VenueTerms
from magellan.exchange.venue.venue import Venue
from magellan.exchange.venue.wire import EventKind, Reply, Request
from magellan.trading.bar import Bars, nanoseconds
from magellan.trading.corporate_action import CorporateAction
from magellan.trading.session import ExchangeCalendar, day_number
from magellan.trading.timeframe import MINUTE, MINUTE_NS, SECOND_NS, Timeframe

# Two weeks without a change of the clocks: sessions from 14:30 to 21:00 UTC.
SESSIONS = tuple(date(2026, 11, day) for day in (9, 10, 11, 12, 13, 16, 17, 18, 19, 20))
OPENS_NS = tuple(nanoseconds(datetime(on.year, on.month, on.day, 14, 30, tzinfo=UTC)) for on in SESSIONS)
SESSION_NS = 390 * MINUTE_NS
TODAY = date(2026, 11, 21)
OLD_ERA = date(2026, 1, 5)

Prices = tuple[float, float, float, float]  # open, high, low, close


def calendar() -> ExchangeCalendar:
    opens = np.array(OPENS_NS, dtype=np.int64)
    return ExchangeCalendar(
        name="XNYS",
        session_on=np.array([day_number(on) for on in SESSIONS], dtype=np.int32),
        opens_at_ns=opens,
        closes_at_ns=opens + SESSION_NS,
    )


def alpaca_models() -> Any:
    """alpaca-py's own models of answers; importing them warns about a library of theirs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return importlib.import_module("alpaca.trading.models")


def flat(price: float, count: int = 390) -> list[Prices]:
    return [(price, price, price, price)] * count


def bars_of(
    symbol: str,
    sessions: Mapping[int, Sequence[Prices]],
    volume: float = 1e6,
    before_open: Mapping[int, Sequence[Prices]] | None = None,
    timeframe: Timeframe = MINUTE,
) -> Bars:
    """Minute bars from the open of the sessions that are named by number; before_open: bars that end at the open."""
    rows: list[tuple[int, Prices]] = []
    for session in range(len(SESSIONS)):
        early = (before_open or {}).get(session, ())
        rows += [
            (OPENS_NS[session] - (len(early) - at) * MINUTE_NS, prices) for at, prices in enumerate(early)
        ]
        rows += [
            (OPENS_NS[session] + at * timeframe.span_ns, prices)
            for at, prices in enumerate(sessions.get(session, ()))
        ]
    columns = np.array([prices for _, prices in rows], dtype=np.float64).reshape(-1, 4)
    return Bars(
        symbol=symbol,
        timeframe=timeframe,
        opened_at_ns=np.array([at for at, _ in rows], dtype=np.int64),
        open=columns[:, 0].copy(),
        high=columns[:, 1].copy(),
        low=columns[:, 2].copy(),
        close=columns[:, 3].copy(),
        volume=np.full(len(rows), volume),
    )


class Floor:
    """One account at a venue, and the instant at which its client stands."""

    def __init__(
        self,
        bars: Bars | Iterable[Bars] | None = None,
        *,
        terms: VenueTerms | None = None,
        account: AccountTerms | None = None,
        assets: Iterable[Asset] = (),
        actions: Iterable[CorporateAction] = (),
        as_of: date = TODAY,
        seed: int = 7,
        now_ns: int | None = None,
    ) -> None:
        if bars is None:
            bars = bars_of("AAPL", {session: flat(100.0) for session in range(len(SESSIONS))})
        several = [bars] if isinstance(bars, Bars) else list(bars)
        self.market = Market(
            {each.symbol: each for each in several},
            calendar(),
            assets=assets,
            actions=actions,
        )
        self.venue = Venue(self.market, terms or VenueTerms(), seed=seed, api_as_of=as_of)
        self.now_ns = OPENS_NS[1] + 5 * MINUTE_NS + 20 * SECOND_NS if now_ns is None else now_ns
        self.account_id = self.venue.open_account("KEY", account or AccountTerms(), self.now_ns)

    # Time

    def to(self, now_ns: int) -> None:
        """Let exchange time pass until an instant."""
        assert now_ns >= self.now_ns, "time does not go back"
        self.venue.advance(now_ns)
        self.now_ns = now_ns

    def wait(self, seconds: float = 0.0, *, minutes: float = 0.0) -> None:
        self.to(self.now_ns + round((seconds + 60 * minutes) * SECOND_NS))

    def at(self, session: int, minutes: float, seconds: float = 0.0) -> None:
        """Let time pass until so long after a session's open."""
        self.to(OPENS_NS[session] + round((60 * minutes + seconds) * SECOND_NS))

    # Requests

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> Reply:
        given = {
            name.rstrip("_"): [str(each) for each in value] if isinstance(value, list) else [str(value)]
            for name, value in query.items()
        }
        request = Request(method=method, path=path, body=body, query=given)
        return self.venue.request(self.account_id, request, self.now_ns)

    def get(self, path: str, **query: Any) -> Any:
        reply = self.call("GET", path, **query)
        assert reply.status == 200, reply
        return reply.body

    def post(self, **body: Any) -> Reply:
        """POST /orders: ten shares of AAPL, bought at the market for the day, but for what is named."""
        order = {"symbol": "AAPL", "side": "buy", "type": "market", "time_in_force": "day", "qty": "10"}
        return self.call(
            "POST", "/orders", {name: each for name, each in {**order, **body}.items() if each is not None}
        )

    def order(self, **body: Any) -> dict[str, Any]:
        """The body of an order that is taken."""
        reply = self.post(**body)
        assert reply.status == 200, reply.body
        assert isinstance(reply.body, dict)
        return reply.body

    def refused(self, **body: Any) -> tuple[int, int, str]:
        """Status, code and message with which an order is refused."""
        reply = self.post(**body)
        assert reply.is_error, reply.body
        return reply.status, reply.body["code"], reply.body["message"]

    def filled(self, **body: Any) -> dict[str, Any]:
        """An order that is filled after a second."""
        taken = self.order(**body)
        self.wait(1)
        found = self.look(taken)
        assert found["status"] == "filled", found
        return found

    def look(self, order: Mapping[str, Any] | str, *, nested: bool = False) -> dict[str, Any]:
        """The order as it stands."""
        order_id = order if isinstance(order, str) else order["id"]
        found = self.get(f"/orders/{order_id}", nested=str(nested).lower())
        assert isinstance(found, dict)
        return found

    def status(self, order: Mapping[str, Any] | str) -> str:
        return str(self.look(order)["status"])

    def patch(self, order: Mapping[str, Any] | str, **body: Any) -> Reply:
        order_id = order if isinstance(order, str) else order["id"]
        return self.call("PATCH", f"/orders/{order_id}", body)

    def cancel(self, order: Mapping[str, Any] | str) -> Reply:
        order_id = order if isinstance(order, str) else order["id"]
        return self.call("DELETE", f"/orders/{order_id}")

    def updates(self) -> list[dict[str, Any]]:
        """The trade updates since the last look."""
        return [
            dict(event.body) for event in self.venue.take_events() if event.kind is EventKind.TRADE_UPDATE
        ]

    def told(self) -> list[tuple[str, str]]:
        """(event, type of the order) of every trade update since the last look."""
        return [(update["event"], update["order"]["type"]) for update in self.updates()]

    def account(self) -> dict[str, Any]:
        body = self.get("/account")
        assert isinstance(body, dict)
        return body

    def money(self, name: str) -> Decimal:
        return Decimal(self.account()[name])

    def position(self, symbol: str = "AAPL") -> Decimal:
        """Units held; 0 without a position."""
        reply = self.call("GET", f"/positions/{symbol}")
        return Decimal(reply.body["qty"]) if reply.status == 200 else Decimal(0)

    def set(self, **settings: Any) -> None:
        reply = self.call("PATCH", "/account/configurations", settings)
        assert reply.status == 200, reply
