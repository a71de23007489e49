"""Yahoo's charts: bars of shares and indices, for personal use.

Yahoo publishes no interface and promises nothing: yfinance speaks the one of Yahoo's own pages, which may
change any day. Prices are always adjusted for splits. Minutes reach back 30 days, hours two years.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

import numpy as np

from magellan.adapters.missing_extra import extra_missing
from magellan.adapters.vendor_columns import bars_of
from magellan.adapters.vendor_request import (
    Answer,
    Patience,
    asked,
    checked_base_url,
    own_words,
)
from magellan.archive.dataset import Adjustment, DateRange, SetId
from magellan.ports.vendor import VendorRefused, VendorUnreadable
from magellan.trading.bar import Bars
from magellan.trading.session import Hours, exchange_midnight
from magellan.trading.timeframe import MINUTE, Timeframe

FEED: Final = "consolidated"
_INTERVALS: Final = {1: "1m", 2: "2m", 5: "5m", 15: "15m", 30: "30m", 60: "1h", 90: "90m"}
_CHART: Final = "/v8/finance/chart/"
_NO_TRADE: Final = "data doesn't exist for startdate"  # how Yahoo says that a range has no bar


class _NothingThere(VendorRefused):
    """Yahoo knows the symbol, and has no bar of it in the range."""


class YahooBars:
    """Keeps `ports.vendor.BarVendor`. Needs no key."""

    name = "yahoo"

    def __init__(self, *, base_url: str | None = None, patience: Patience | None = None) -> None:
        """base_url: where to send every request instead of Yahoo's hosts; None sends them to Yahoo."""
        self._base_url = None if base_url is None else checked_base_url(base_url, "YAHOO_URL")
        self._patience = patience or Patience()
        self._session = self._new_session()

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str], *, patience: Patience | None = None
    ) -> YahooBars:
        """YAHOO_URL redirects it. Raises FixInput."""
        return cls(base_url=environment.get("YAHOO_URL") or None, patience=patience)

    def set_id(
        self,
        symbol: str,
        timeframe: Timeframe,
        *,
        feed: str | None,
        adjustment: Adjustment | None,
        hours: Hours | None,
    ) -> SetId:
        """See the port."""
        if feed not in (None, FEED):
            raise VendorRefused(f"Yahoo has one feed, '{FEED}', not '{feed}'", next_step="leave --feed out")
        if adjustment is Adjustment.RAW:
            raise VendorRefused(
                "Yahoo's prices are always adjusted for splits",
                next_step="choose --adjust split (or all), or take raw prices from Alpaca or Polygon",
            )
        if not timeframe.is_daily and timeframe.minutes not in _INTERVALS:
            have = ", ".join(str(Timeframe(minutes * MINUTE.span_ns)) for minutes in _INTERVALS)
            raise VendorRefused(f"Yahoo has no bars of {timeframe}; it has {have}, 1Day")
        if timeframe.is_daily and hours is Hours.ALL:
            raise VendorRefused("Yahoo's daily bars hold the session only", next_step="leave --hours out")
        return SetId(
            symbol=symbol,
            timeframe=timeframe,
            vendor=self.name,
            feed=FEED,
            adjustment=adjustment or Adjustment.SPLIT,
            hours=hours or Hours.REGULAR,
        )

    def days_per_request(self, timeframe: Timeframe) -> int:
        """See the port. Yahoo refuses longer ranges."""
        if timeframe.is_daily:
            return 20_000
        if timeframe == MINUTE:
            return 7
        return 59 if timeframe.minutes < 60 else 365

    def bars(self, set_id: SetId, dates: DateRange) -> Bars:
        """See the port. Minutes for which Yahoo has no price are left out."""
        import yfinance

        # Otherwise the library logs what went wrong and hands back an empty table.
        yfinance.config.debug.hide_exceptions = False
        logging.getLogger("yfinance").addHandler(logging.NullHandler())
        interval = "1d" if set_id.timeframe.is_daily else _INTERVALS[set_id.timeframe.minutes]
        try:
            with warnings.catch_warnings():
                # yfinance uses parts of pandas that are deprecated; its users cannot help that.
                warnings.simplefilter("ignore", DeprecationWarning)
                table = yfinance.Ticker(set_id.symbol, session=self._session).history(
                    start=exchange_midnight(dates.first_on),
                    end=exchange_midnight(dates.last_on + timedelta(days=1)),
                    interval=interval,
                    prepost=set_id.hours is Hours.ALL,
                    auto_adjust=set_id.adjustment is Adjustment.ALL,
                    actions=False,
                    timeout=self._patience.read_timeout_s,
                )
        except _NothingThere:
            table = None
        except yfinance.exceptions.YFException as error:
            raise VendorUnreadable(f"Yahoo's answer about {set_id.symbol} cannot be used: {error}") from error
        if table is None or len(table) == 0:
            nothing: dict[str, list[float]] = {
                name: [] for name in ("open", "high", "low", "close", "volume")
            }
            return bars_of(set_id, dates, np.zeros(0, dtype=np.int64), nothing)
        opened_at_ns = table.index.tz_convert("UTC").as_unit("ns").asi8
        columns = {
            name: table[name.capitalize()].to_numpy() for name in ("open", "high", "low", "close", "volume")
        }
        return bars_of(set_id, dates, opened_at_ns, columns)

    def _new_session(self) -> Any:
        try:
            import yfinance  # noqa: F401  # missing is said here, before anything is asked
            from curl_cffi.requests import Session
            from curl_cffi.requests.exceptions import RequestException
        except ImportError as error:
            raise extra_missing("yahoo", error) from error
        vendor = self

        class PatientSession(Session[Any]):
            """What yfinance documents as `session`: it decides where a request goes, and how often."""

            def request(self, method: Any, url: Any, *args: Any, **options: Any) -> Any:
                def send() -> Any:
                    return super(PatientSession, self).request(
                        method, vendor._redirected(url), *args, **options
                    )

                if _CHART not in url:
                    return send()  # a cookie: yfinance goes on without where it gets none
                symbol = urlsplit(url).path.removeprefix(_CHART)
                in_range = "period1" in (options.get("params") or {})
                return asked(
                    "Yahoo",
                    send,
                    answer_of=lambda response: Answer(
                        status=response.status_code, headers=dict(response.headers), body=response.content
                    ),
                    transport_errors=(RequestException,),
                    refusal=lambda answer: _refusal(answer, symbol),
                    content=lambda told: _must_be_chart(told, symbol, in_range=in_range),
                    secrets=(),
                    patience=vendor._patience,
                )

        # Yahoo turns away whoever does not look like a browser; yfinance's own default.
        return PatientSession(impersonate="chrome")

    def _redirected(self, url: str) -> str:
        if self._base_url is None:
            return url
        there = urlsplit(self._base_url)
        parts = urlsplit(url)
        return urlunsplit((there.scheme, there.netloc, there.path + parts.path, parts.query, ""))


def _refusal(answer: Answer, symbol: str) -> VendorRefused | None:
    import json

    try:
        told = json.loads(answer.body)
    except ValueError:
        return None
    chart = told.get("chart") if isinstance(told, dict) else None
    error = chart.get("error") if isinstance(chart, dict) else None
    said = str(error.get("description", "")) if isinstance(error, dict) else own_words(answer.body, ())
    return _refused(said, symbol, answer.status)


def _refused(said: str, symbol: str, status: int) -> VendorRefused:
    if said.lower().startswith(_NO_TRADE):
        return _NothingThere(said)
    if status == 404:
        return VendorRefused(
            f"Yahoo does not know {symbol}: {said}",
            next_step="write the symbol as Yahoo does, for example BRK-B or ^VIX",
        )
    return VendorRefused(
        f"Yahoo refuses {symbol} (status {status}): {said}", next_step="choose another range"
    )


def _must_be_chart(told: Any, symbol: str, *, in_range: bool) -> None:
    """Raises where an answer with status 200 is not the symbol's chart."""
    chart = told.get("chart") if isinstance(told, dict) else None
    if not isinstance(chart, dict):
        raise VendorUnreadable(
            "Yahoo answered with JSON that holds no chart", next_step="check YAHOO_URL, if you set it"
        )
    if isinstance(chart.get("error"), dict):
        raise _refused(str(chart["error"].get("description", "")), symbol, 200)
    results = chart.get("result")
    if not isinstance(results, list) or not results or not isinstance(results[0].get("meta"), dict):
        raise VendorUnreadable(f"Yahoo's chart of {symbol} is empty")
    sent = str(results[0]["meta"].get("symbol", symbol))
    if quote(sent.upper(), safe="=^") != quote(symbol.upper(), safe="=^%"):
        raise VendorUnreadable(f"Yahoo sent bars of {sent}, not of {symbol}")
    if in_range and not results[0].get("timestamp"):
        raise _NothingThere(f"Yahoo has no bar of {symbol} in the range")
