"""Stand-ins for the vendors of bars: HTTP servers on loopback that speak each vendor's JSON over given bars.

A stand-in answers truthfully unless a test has put a trouble before it. It notes every request.
"""

import contextlib
import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from magellan.adapters.exchange_calendar import load_calendar
from magellan.adapters.vendor_request import Patience
from magellan.archive.generated.generate import generate
from magellan.archive.generated.market import Market
from magellan.archive.generated.style import Style
from magellan.trading.bar import Bars, nanoseconds
from magellan.trading.session import ExchangeCalendar, Hours, exchange_midnight
from magellan.trading.timeframe import DAY_NS, Timeframe

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
LISTED_ON, LAST_ON = date(2025, 9, 2), date(2025, 12, 31)
SYMBOL = "LIMPET"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a stand-in was asked."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a stand-in answers."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None  # bytes after which the connection is cut, though more were announced
    never: bool = False  # no answer at all

    @classmethod
    def of(cls, document: Any, status: int = 200, **headers: str) -> "Reply":
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status=status, body=json.dumps(document).encode(), headers=names)


Trouble = Callable[[Request, Reply], Reply]  # the request, and the truthful answer


class Site:
    """An HTTP server on loopback. Subclasses know a vendor's addresses and JSON."""

    data_path = "/"  # requests below it are for bars, and meet the troubles

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.troubles: deque[Trouble | None] = deque()
        self.over = threading.Event()
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # headers and body in one packet, or each answer waits for an acknowledgement

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
                request = Request(
                    path=parts.path,
                    query=query,
                    headers={name.lower(): value for name, value in self.headers.items()},
                )
                self.write(site.reply_to(request))

            def write(self, reply: Reply) -> None:
                if reply.never:
                    site.over.wait(30)
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body[: reply.cut_after])
                if reply.cut_after is not None:
                    self.close_connection = True

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()

    def close(self) -> None:
        self.over.set()
        self.server.shutdown()
        self.server.server_close()

    def reply_to(self, request: Request) -> Reply:
        self.requests.append(request)
        if not request.path.startswith(self.data_path):
            return Reply(status=404)
        truth = self.truth(request)
        trouble = self.troubles.popleft() if self.troubles else None
        return truth if trouble is None else trouble(request, truth)

    @property
    def data_requests(self) -> list[Request]:
        return [each for each in self.requests if each.path.startswith(self.data_path)]

    def truth(self, request: Request) -> Reply:
        raise NotImplementedError


@cache
def xnys() -> ExchangeCalendar:
    return load_calendar(today=date(2026, 1, 15))


@cache
def market_bars(symbol: str, timeframe: str, first_on: date = LISTED_ON, last_on: date = LAST_ON) -> Bars:
    """What the stand-ins hold: a generated small cap, listed on 2025-09-02."""
    parsed = Timeframe.parse(timeframe)
    market = Market(
        symbol=symbol,
        style=Style.SMALL_CAP,
        first_on=first_on,
        last_on=last_on,
        timeframe=parsed,
        hours=Hours.REGULAR if parsed.is_daily else Hours.ALL,
        listed_on=LISTED_ON,
    )
    return generate(market, xnys(), seed=3).bars()


def instants(bars: Bars) -> np.ndarray:
    """When the bars open, as vendors stamp them: a daily bar at midnight of its date at the exchange."""
    if not bars.timeframe.is_daily:
        return bars.opened_at_ns
    days = [date.fromordinal(719163 + int(day)) for day in bars.opened_at_ns // DAY_NS]
    return np.array([nanoseconds(exchange_midnight(day)) for day in days], dtype=np.int64)


def error_page() -> bytes:
    return b"<!DOCTYPE html><html><body>Sign in to the hotel network</body></html>"


@dataclass
class Waits:
    """A patience that notes its waits in place of waiting."""

    slept: list[float] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def patience(self, **terms: Any) -> Patience:
        return Patience(sleep=self.slept.append, notice=self.told.append, now=lambda: NOW, **terms)


@pytest.fixture
def waits() -> Waits:
    return Waits()


class AlpacaSite(Site):
    """Alpaca's market data, /v2/stocks/bars."""

    data_path = "/v2/stocks/bars"
    key_id, secret_key = "PKGENERATED", "generated-secret"

    def __init__(self, page_bars: int = 10_000, feeds: tuple[str, ...] = ("sip", "iex")) -> None:
        super().__init__()
        self.page_bars = page_bars
        self.feeds = feeds

    def truth(self, request: Request) -> Reply:
        given = (request.headers.get("apca-api-key-id"), request.headers.get("apca-api-secret-key"))
        if given != (self.key_id, self.secret_key):
            return Reply.of({"message": "forbidden."}, status=403)
        query = request.query
        if query["feed"] not in self.feeds:
            return Reply.of({"message": "subscription does not permit querying recent SIP data"}, status=403)
        symbol = query["symbols"]
        if symbol != SYMBOL:
            return Reply.of({"bars": {}, "next_page_token": None})
        bars = market_bars(symbol, query["timeframe"])
        at = instants(bars)
        first, last = (nanoseconds(datetime.fromisoformat(query[name])) for name in ("start", "end"))
        rows = np.flatnonzero((at >= first) & (at <= last))
        begin = int(query.get("page_token", 0))
        end = begin + min(self.page_bars, int(query["limit"]))
        sent = [
            {
                "t": f"{np.datetime64(int(at[row]) // 1_000_000_000, 's')}Z",
                "o": bars.open[row],
                "h": bars.high[row],
                "l": bars.low[row],
                "c": bars.close[row],
                "v": int(bars.volume[row]),
                "n": 7,
                "vw": bars.close[row],
            }
            for row in rows[begin:end]
        ]
        more = str(end) if end < len(rows) else None
        return Reply.of({"bars": {symbol: sent} if sent else {}, "next_page_token": more})


class PolygonSite(Site):
    """Polygon's aggregates, /v2/aggs/ticker/..."""

    data_path = "/v2/aggs/ticker/"
    key = "generated-polygon-key"

    def __init__(self, page_bars: int = 50_000) -> None:
        super().__init__()
        self.page_bars = page_bars

    def truth(self, request: Request) -> Reply:
        if request.headers.get("authorization") != f"Bearer {self.key}":
            return Reply.of({"status": "ERROR", "request_id": "1", "error": "Unknown API Key"}, status=401)
        symbol, _, multiplier, span, first_ms, last_ms = request.path.removeprefix(self.data_path).split("/")
        nothing = {"ticker": symbol, "queryCount": 0, "resultsCount": 0, "adjusted": False, "status": "OK"}
        if symbol != SYMBOL:
            return Reply.of(nothing)
        unit = {"minute": "Min", "hour": "Hour", "day": "Day"}[span]
        bars = market_bars(symbol, f"{multiplier}{unit}")
        at_ms = instants(bars) // 1_000_000
        rows = np.flatnonzero((at_ms >= int(first_ms)) & (at_ms <= int(last_ms)))
        begin = int(request.query.get("cursor", 0))
        end = begin + min(self.page_bars, int(request.query.get("limit", 50_000)))
        sent = [
            {
                "v": bars.volume[row],
                "vw": bars.close[row],
                "o": bars.open[row],
                "c": bars.close[row],
                "h": bars.high[row],
                "l": bars.low[row],
                "t": int(at_ms[row]),
                "n": 7,
            }
            for row in rows[begin:end]
        ]
        if not sent:
            return Reply.of(nothing)
        document = nothing | {"queryCount": len(sent), "resultsCount": len(sent), "results": sent}
        if end < len(rows):
            document["next_url"] = f"https://api.massive.com{request.path}?cursor={end}"
        return Reply.of(document)


class YahooSite(Site):
    """Yahoo's charts, /v8/finance/chart/... It has no pages; cookies and crumbs are not found here."""

    data_path = "/v8/finance/chart/"

    def truth(self, request: Request) -> Reply:
        symbol = request.path.removeprefix(self.data_path)
        if symbol != SYMBOL:
            return self.error("Not Found", "No data found, symbol may be delisted", 404)
        timeframe = {"1m": "1Min", "1h": "1Hour", "1d": "1Day"}[request.query["interval"]]
        bars = market_bars(symbol, timeframe)
        at = instants(bars) // 1_000_000_000
        if timeframe == "1Day":
            at = at + 34_200  # Yahoo stamps a day with its opening
        first = int(request.query.get("period1", at[-1]))
        last = int(request.query.get("period2", at[-1] + 1))
        rows = np.flatnonzero((at >= first) & (at < last))
        if request.query.get("includePrePost", "").lower() != "true" and timeframe != "1Day":
            rows = rows[xnys().regular(bars)[rows]]
        meta = {
            "currency": "USD",
            "symbol": symbol,
            "instrumentType": "EQUITY",
            "exchangeName": "GEN",
            "firstTradeDate": int(at[0]),
            "regularMarketTime": int(at[-1]),
            "exchangeTimezoneName": "America/New_York",
            "timezone": "EST",
            "gmtoffset": -18000,
            "priceHint": 2,
            "regularMarketPrice": bars.close[-1],
            "dataGranularity": request.query["interval"],
            "range": "",
            "validRanges": ["1d", "5d", "1mo", "max"],
            "currentTradingPeriod": {
                name: {"timezone": "EST", "start": int(at[-1]), "end": int(at[-1]) + 60, "gmtoffset": -18000}
                for name in ("pre", "regular", "post")
            },
        }
        if timeframe != "1Day":
            meta["tradingPeriods"] = self.periods(at[rows])
        if len(rows) == 0:
            said = f"Data doesn't exist for startDate = {first}, endDate = {last}"
            return self.error("Bad Request", said, 400)
        quote = {name: getattr(bars, name)[rows].tolist() for name in ("open", "high", "low", "close")}
        quote["volume"] = bars.volume[rows].astype(int).tolist()
        indicators: dict[str, Any] = {"quote": [quote]}
        if timeframe == "1Day":
            indicators["adjclose"] = [{"adjclose": quote["close"]}]
        result = {"meta": meta, "timestamp": at[rows].tolist(), "indicators": indicators}
        return Reply.of({"chart": {"result": [result], "error": None}})

    @staticmethod
    def periods(at: np.ndarray) -> list[list[dict[str, Any]]]:
        days = sorted({datetime.fromtimestamp(int(second), UTC).date() for second in at})
        hours = [found for day in days if (found := xnys().hours(day)) is not None]
        return [
            [
                {
                    "timezone": "EST",
                    "start": int(opens.timestamp()),
                    "end": int(closes.timestamp()),
                    "gmtoffset": 0,
                }
            ]
            for opens, closes in hours
        ]

    @staticmethod
    def error(code: str, said: str, status: int) -> Reply:
        return Reply.of({"chart": {"result": None, "error": {"code": code, "description": said}}}, status)


@dataclass(frozen=True, kw_only=True)
class VendorWorld:
    """A vendor's adapter, and how a test reaches it and its stand-in."""

    name: str
    new_site: Callable[..., Site]
    new_vendor: Callable[..., Any]  # (site url, patience, right_key=True)
    feed: str
    small_pages: bool  # whether the vendor sends pages


def _alpaca(url: str, patience: Patience, *, right_key: bool = True) -> Any:
    from magellan.adapters.alpaca.bars import AlpacaBars

    environment = {
        "APCA_API_KEY_ID": AlpacaSite.key_id,
        "APCA_API_SECRET_KEY": AlpacaSite.secret_key if right_key else "a-wrong-secret",
        "ALPACA_DATA_URL": url,
    }
    return AlpacaBars.from_environment(environment, patience=patience)


def _polygon(url: str, patience: Patience, *, right_key: bool = True) -> Any:
    from magellan.adapters.polygon.bars import PolygonBars

    key = PolygonSite.key if right_key else "a-wrong-secret"
    return PolygonBars.from_environment({"POLYGON_API_KEY": key, "POLYGON_API_URL": url}, patience=patience)


def _yahoo(url: str, patience: Patience, *, right_key: bool = True) -> Any:
    from yfinance.data import YfData

    from magellan.adapters.yahoo.bars import YahooBars

    # yfinance remembers answers, cookies and crumbs per process, and all stand-ins share Yahoo's addresses.
    YfData.cache_get.cache_clear()
    remembered = YfData()
    remembered._crumb = remembered._cookie = None
    remembered._cookie_strategy = "basic"
    return YahooBars.from_environment({"YAHOO_URL": url}, patience=patience)


WORLDS = {
    "alpaca": VendorWorld(
        name="alpaca", new_site=AlpacaSite, new_vendor=_alpaca, feed="sip", small_pages=True
    ),
    "polygon": VendorWorld(
        name="polygon", new_site=PolygonSite, new_vendor=_polygon, feed="consolidated", small_pages=True
    ),
    "yahoo": VendorWorld(
        name="yahoo", new_site=YahooSite, new_vendor=_yahoo, feed="consolidated", small_pages=False
    ),
}


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> VendorWorld:
    if request.param == "yahoo":
        yfinance = pytest.importorskip("yfinance")
        yfinance.set_tz_cache_location(str(tmp_path_factory.mktemp("yfinance")))
    return WORLDS[request.param]


@pytest.fixture
def sites() -> Iterator[Callable[..., Site]]:
    """`sites(world, page_bars=100)` starts a stand-in that ends with the test."""
    with contextlib.ExitStack() as stack:

        def start(world: VendorWorld, **terms: Any) -> Site:
            site = world.new_site(**terms)
            stack.callback(site.close)
            return site

        yield start


@pytest.fixture
def worlds() -> dict[str, VendorWorld]:
    return WORLDS


@pytest.fixture
def market() -> Callable[..., Bars]:
    return market_bars


@pytest.fixture
def calendar() -> ExchangeCalendar:
    return xnys()


@pytest.fixture
def reply() -> type[Reply]:
    return Reply


@pytest.fixture(name="error_page")
def error_page_fixture() -> bytes:
    return error_page()
