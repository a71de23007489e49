"""Queries: reading the parameters that the market data endpoints share. Each reader raises `Refused`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from magellan.errors import FixInput
from magellan.exchange.data_api.entitlement import (
    HISTORICAL_FEEDS,
    SIP_DELAY_NS,
    Entitlement,
    Feed,
)
from magellan.exchange.data_api.reply import Refused
from magellan.exchange.data_api.wire_time import parse_instant
from magellan.exchange.market.adjustment import Adjustment
from magellan.exchange.market.bar_span import BarSpan
from magellan.exchange.market.trading_hours import day_of, day_start_ns
from magellan.trading.timeframe import DAY_NS

LIMIT_DEFAULT, LIMIT_MAX = 1000, 10_000
_STOCK = re.compile(r"[A-Z]{1,6}(?:[./][A-Z0-9]{1,4})?")
_PAIR = re.compile(r"[A-Z0-9]{2,10}/[A-Z0-9]{2,10}")
_OPTION = re.compile(r"[A-Z]{1,6}\d{6}[CP]\d{8}")
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What a historical request asks for: instants from start to end, both included, UTC."""

    start_ns: int
    end_ns: int
    limit: int
    descending: bool
    page_token: str | None


class Query:
    """The parameters of one request."""

    def __init__(self, values: Mapping[str, Sequence[str]], known: frozenset[str]) -> None:
        """Raises Refused for names that the endpoint does not know, and for one that is given twice."""
        unexpected = sorted(set(values) - known)
        if unexpected:
            raise Refused("unexpected parameters", names=", ".join(unexpected))
        self._values: dict[str, str] = {}
        for name, given in values.items():
            if len(given) > 1:
                raise Refused("repeated parameter", name=name)
            if given and given[0] != "":
                self._values[name] = given[0]

    def text(self, name: str) -> str | None:
        """The value of a parameter; None when it is absent or empty."""
        return self._values.get(name)

    def required(self, name: str) -> str:
        """The value of a parameter that must be there."""
        value = self._values.get(name)
        if value is None:
            raise Refused("missing parameter", name=name)
        return value

    def stock_symbols(self, trades_here: Callable[[str], bool]) -> tuple[str, ...]:
        """The `symbols` of shares, sorted, each once. What trades here may be called as nothing at Alpaca is."""
        return tuple(
            each if trades_here(each) else check_symbol(each, _STOCK) for each in self._listed("symbols")
        )

    def crypto_symbols(self) -> tuple[str, ...]:
        """The `symbols` of crypto pairs, sorted, each once."""
        return self._symbols(_PAIR, None)

    def option_symbols(self) -> tuple[str, ...]:
        """The `symbols` of contracts, sorted, each once; at most a hundred."""
        return self._symbols(_OPTION, 100)

    def span(self) -> BarSpan:
        """The `timeframe`."""
        try:
            return BarSpan.parse(self.required("timeframe"))
        except FixInput:
            raise Refused("invalid timeframe") from None

    def adjustment(self) -> Adjustment:
        """The `adjustment`."""
        try:
            return Adjustment.parse(self.text("adjustment") or "raw")
        except FixInput:
            raise Refused("invalid adjustment") from None

    def check_asof(self) -> None:
        """`asof` is a date or "-". No symbol was ever renamed here, so it changes nothing."""
        asof = self.text("asof")
        if asof not in (None, "-"):
            self.date("asof", "invalid asof")

    def currency(self) -> str | None:
        """The `currency`, which can only be US dollars."""
        currency = self.text("currency")
        if currency not in (None, "USD"):
            raise Refused("invalid currency", currency=currency)
        return currency

    def date(self, name: str, refusal: str = "invalid value") -> date | None:
        """A parameter written YYYY-MM-DD."""
        text = self.text(name)
        if text is None:
            return None
        try:
            if _ISO_DATE.fullmatch(text):
                return date.fromisoformat(text)
        except ValueError:
            pass  # a 31st of February is refused like any other text that is no date
        raise Refused(refusal, name=name)

    def instant(self, name: str, *, utc: bool, end_of_day: bool = False) -> int | None:
        """A parameter that is an instant or a date, as nanoseconds UTC."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return parse_instant(text, utc=utc, end_of_day=end_of_day)
        except ValueError:
            refusal = f"invalid {name}" if name in ("start", "end") else "invalid value"
            raise Refused(refusal, name=name) from None

    def number(self, name: str) -> float | None:
        """A parameter that is a number."""
        text = self.text(name)
        try:
            return None if text is None else float(text)
        except ValueError:
            raise Refused("invalid value", name=name) from None

    def limit(self, default: int = LIMIT_DEFAULT, most: int = LIMIT_MAX, name: str = "limit") -> int:
        """How many rows at most."""
        text = self.text(name)
        if text is None:
            return default
        if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
            raise Refused("invalid limit", limit=most)
        return int(text)

    def descending(self, default: str = "asc") -> bool:
        """Whether the newest row comes first."""
        sort = self.text("sort") or default
        if sort not in ("asc", "desc"):
            raise Refused("invalid sort", sort=sort)
        return sort == "desc"

    def window(self, now_ns: int, *, utc: bool, delayed: bool = False) -> Window:
        """The range, limit, order and page that are asked for.

        delayed: whether the data of the last fifteen minutes are not included. Then the range ends fifteen
                 minutes ago unless the request says otherwise, and one that says so is refused.
        """
        newest_ns = now_ns - SIP_DELAY_NS if delayed else now_ns
        start_ns = self.instant("start", utc=utc)
        end_ns = self.instant("end", utc=utc, end_of_day=True)
        if delayed and end_ns is not None and end_ns > newest_ns:
            raise Refused("recent sip")
        if end_ns is None:
            end_ns = newest_ns
        if start_ns is None:
            today_ns = now_ns - now_ns % DAY_NS if utc else day_start_ns(day_of(now_ns))
            start_ns = min(today_ns, newest_ns, end_ns)
        if end_ns < start_ns:
            raise Refused("end before start")
        return Window(
            start_ns=start_ns,
            end_ns=min(end_ns, now_ns),
            limit=self.limit(),
            descending=self.descending(),
            page_token=self.text("page_token"),
        )

    def historical_feed(self, entitlement: Entitlement) -> tuple[Feed, bool]:
        """The feed of a historical request, and whether its last fifteen minutes are closed to this subscription."""
        feed = self._feed(Feed.SIP)
        if feed not in HISTORICAL_FEEDS:
            raise Refused("invalid feed", feed=feed)
        return feed, feed is Feed.SIP and not entitlement.recent_sip

    def latest_feed(self, entitlement: Entitlement) -> Feed:
        """The feed of a request for the newest data: the best that the subscription includes, unless it says."""
        feed = self._feed(Feed.SIP if entitlement.recent_sip else Feed.IEX)
        if feed is Feed.SIP and not entitlement.recent_sip:
            raise Refused("recent sip")
        return feed

    def option_delay_ns(self, entitlement: Entitlement) -> int:
        """How late trades of the option feed are: OPRA's are not, those of the indicative feed are."""
        feed = self.text("feed") or ("opra" if entitlement.opra else "indicative")
        if feed not in ("opra", "indicative"):
            raise Refused("invalid feed", feed=feed)
        if feed == "opra" and not entitlement.opra:
            raise Refused("opra")
        return 0 if feed == "opra" else SIP_DELAY_NS

    def _feed(self, default: Feed) -> Feed:
        text = self.text("feed")
        try:
            feed = default if text is None else Feed(text)
        except ValueError:
            raise Refused("invalid feed", feed=text) from None
        if feed is Feed.OTC:
            raise Refused("otc")
        return feed

    def _symbols(self, shape: re.Pattern[str], most: int | None) -> tuple[str, ...]:
        symbols = self._listed("symbols")
        for symbol in symbols:
            check_symbol(symbol, shape)
        if most is not None and len(symbols) > most:
            raise Refused("too many symbols", limit=most)
        return symbols

    def _listed(self, name: str) -> tuple[str, ...]:
        """The values of a list that must be there, sorted, each once."""
        values = sorted({value.strip() for value in self.required(name).split(",")} - {""})
        if not values:
            raise Refused("missing parameter", name=name)
        return tuple(values)


def check_stock(symbol: str) -> str:
    """The symbol, if it is shaped like a share's."""
    return check_symbol(symbol, _STOCK)


def check_symbol(symbol: str, shape: re.Pattern[str]) -> str:
    """The symbol, if it has the shape."""
    if not shape.fullmatch(symbol):
        raise Refused("invalid symbol", symbol=symbol)
    return symbol
