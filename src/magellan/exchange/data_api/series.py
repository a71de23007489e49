"""Series: bars, quotes and trades of one symbol between two instants, as the rows that go over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from magellan.exchange.data_api.entitlement import Feed, volume_share
from magellan.exchange.data_api.page import Row, Series
from magellan.exchange.data_api.wire_time import rfc3339, rfc3339_seconds
from magellan.exchange.market.adjustment import RAW, Adjustment
from magellan.exchange.market.asset import Asset, AssetClass
from magellan.exchange.market.bar_span import BarSpan
from magellan.exchange.market.market import Market
from magellan.exchange.market.published_bar import PublishedBar
from magellan.exchange.market.quote import Quote
from magellan.exchange.market.shown_bars import ShownBars
from magellan.exchange.market.spread import mixed
from magellan.exchange.market.trading_hours import day_of
from magellan.trading.session import day_date, day_number
from magellan.trading.timeframe import DAY_NS

TAPE_OF_EXCHANGE = {"NYSE": "A", "AMEX": "B", "ARCA": "B", "NYSEARCA": "B", "BATS": "B", "OTC": "O"}
CODE_OF_EXCHANGE = {
    "NYSE": "N",
    "AMEX": "A",
    "ARCA": "P",
    "NYSEARCA": "P",
    "BATS": "Z",
    "NASDAQ": "Q",
    "OTC": "U",
}
IEX_CODE = "V"
OPTION_EXCHANGE = "C"  # Cboe
_INTRADAY_CHUNK_NS, _LONG_CHUNK_NS = 14 * DAY_NS, 100 * DAY_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """How a symbol's rows are marked: where it trades and on which tape."""

    exchange: str
    tape: str

    @classmethod
    def of(cls, asset: Asset, *, iex: bool) -> Venue:
        """The marks of a share; on the IEX feed everything happens there."""
        home = CODE_OF_EXCHANGE.get(asset.exchange, "Q")
        return cls(exchange=IEX_CODE if iex else home, tape=TAPE_OF_EXCHANGE.get(asset.exchange, "C"))


def bar_rows(bars: ShownBars, *, whole_units: bool) -> list[Row]:
    """Bars as rows. whole_units: volumes are whole numbers (shares, contracts), not fractions (coins)."""
    volumes = bars.volume.astype(int).tolist() if whole_units else bars.volume.round(9).tolist()
    columns = zip(
        rfc3339_seconds(bars.label_ns),
        bars.open.tolist(),
        bars.high.tolist(),
        bars.low.tolist(),
        bars.close.tolist(),
        volumes,
        bars.trades.tolist(),
        bars.vwap.tolist(),
        strict=True,
    )
    names = ("t", "o", "h", "l", "c", "v", "n", "vw")
    return [dict(zip(names, values, strict=True)) for values in columns]


def quote_row(quote: Quote, asset_class: AssetClass, venue: Venue) -> Row:
    """A quote as a row."""
    row: Row = {"t": rfc3339(quote.at_ns), "ap": quote.ask, "bp": quote.bid}
    if asset_class is AssetClass.CRYPTO:
        return row | {"as": quote.ask_size, "bs": quote.bid_size}
    row |= {"as": int(quote.ask_size), "bs": int(quote.bid_size), "ax": venue.exchange, "bx": venue.exchange}
    if asset_class is AssetClass.US_OPTION:
        return row | {"c": " "}
    return row | {"c": ["R"], "z": venue.tape}


def trade_row(
    at_ns: int, price: float, size: float, number: int, asset_class: AssetClass, venue: Venue
) -> Row:
    """A trade as a row."""
    row: Row = {"t": rfc3339(at_ns), "p": price}
    if asset_class is AssetClass.CRYPTO:
        taker = "B" if mixed(at_ns) & 1 else "S"
        return row | {"s": round(size, 9), "i": number, "tks": taker}
    if asset_class is AssetClass.US_OPTION:
        return row | {"s": int(size), "x": venue.exchange, "c": "a"}
    condition = ["@"] if size >= 100 else ["@", "I"]
    return row | {"s": int(size), "x": venue.exchange, "i": number, "c": condition, "z": venue.tape}


def bar_series(
    market: Market, span: BarSpan, now_ns: int, *, adjustment: Adjustment = RAW, iex: bool = False
) -> Series:
    """Bars that have closed by now, as a series for `paged`."""
    return partial(_bars, market, span, now_ns, adjustment, iex)


def quote_series(market: Market, now_ns: int, *, iex: bool = False) -> Series:
    """Quotes up to now, as a series for `paged`."""
    return partial(_quotes, market, now_ns, iex)


def trade_series(market: Market, now_ns: int, *, iex: bool = False) -> Series:
    """Trades up to now, as a series for `paged`."""
    return partial(_trades, market, now_ns, iex)


def latest_trade_row(market: Market, symbol: str, now_ns: int, *, iex: bool = False) -> Row | None:
    """The newest trade; None before the first."""
    asset = market.asset(symbol)
    last = None if asset is None else market.last_trade(symbol, now_ns, feed_share(symbol, iex))
    if asset is None or last is None:
        return None
    return trade_row(*last, asset.asset_class, venue_of(asset, iex))


def latest_quote_row(market: Market, symbol: str, now_ns: int, *, iex: bool = False) -> Row | None:
    """The newest quote; None before the first."""
    asset = market.asset(symbol)
    quote = None if asset is None else market.quote(symbol, now_ns)
    if asset is None or quote is None:
        return None
    return quote_row(quote, asset.asset_class, venue_of(asset, iex))


def latest_bar_row(market: Market, symbol: str, now_ns: int, *, iex: bool = False) -> Row | None:
    """The newest minute bar that has closed (the newest bar, where they are longer); None before the first."""
    asset = market.asset(symbol)
    bar = None if asset is None else market.newest_bar(symbol, now_ns, feed_share(symbol, iex))
    return None if asset is None or bar is None else _published_row(bar, whole_units=_whole_units(asset))


def day_rows(market: Market, symbol: str, now_ns: int, *, iex: bool = False) -> list[Row]:
    """The day before and the day that trades or traded last, oldest first; fewer where there are fewer."""
    asset = market.asset(symbol)
    if asset is None:
        return []
    days = market.newest_days(symbol, now_ns, 2, feed_share(symbol, iex))
    return [_published_row(day, whole_units=_whole_units(asset)) for day in days]


def venue_of(asset: Asset, iex: bool) -> Venue:
    """The marks of an asset's rows on a feed."""
    if asset.asset_class is AssetClass.US_OPTION:
        return Venue(exchange=OPTION_EXCHANGE, tape="")
    return Venue.of(asset, iex=iex)


def feed_share(symbol: str, iex: bool) -> float:
    """The part of the volume that a feed sees."""
    return volume_share(Feed.IEX if iex else Feed.SIP, symbol)


def _published_row(bar: PublishedBar, *, whole_units: bool) -> Row:
    return {
        "t": rfc3339(bar.label_ns),
        "o": bar.open,
        "h": bar.high,
        "l": bar.low,
        "c": bar.close,
        "v": int(bar.volume) if whole_units else round(bar.volume, 9),
        "n": bar.trades,
        "vw": bar.vwap,
    }


def _bars(
    market: Market,
    span: BarSpan,
    now_ns: int,
    adjustment: Adjustment,
    iex: bool,
    symbol: str,
    start_ns: int,
    end_ns: int,
    descending: bool,
) -> Iterator[tuple[int, Row]]:
    asset = market.asset(symbol)
    if asset is None:
        return
    start_ns, end_ns = max(start_ns, market.first_ns), min(end_ns, now_ns)
    chunk_ns = _INTRADAY_CHUNK_NS if span.is_intraday else _LONG_CHUNK_NS
    # A long range is walked in parts: the first page of ten years needs none of the other nine.
    for first_ns, last_ns in _chunks(start_ns, end_ns, chunk_ns, descending):
        bars = market.closed_bars(
            symbol, span, first_ns, last_ns, now_ns, adjustment, volume_share=feed_share(symbol, iex)
        )
        rows = zip(bars.label_ns.tolist(), bar_rows(bars, whole_units=_whole_units(asset)), strict=True)
        yield from reversed(list(rows)) if descending else rows


def _quotes(
    market: Market, now_ns: int, iex: bool, symbol: str, start_ns: int, end_ns: int, descending: bool
) -> Iterator[tuple[int, Row]]:
    asset = market.asset(symbol)
    if asset is None:
        return
    venue = venue_of(asset, iex)
    for quote in market.quotes(symbol, start_ns, min(end_ns, now_ns), descending):
        yield quote.at_ns, quote_row(quote, asset.asset_class, venue)


def _trades(
    market: Market, now_ns: int, iex: bool, symbol: str, start_ns: int, end_ns: int, descending: bool
) -> Iterator[tuple[int, Row]]:
    asset = market.asset(symbol)
    if asset is None:
        return
    venue = venue_of(asset, iex)
    start_ns, end_ns = max(start_ns, market.first_ns), min(end_ns, now_ns)
    first, last = day_number(day_of(start_ns)), day_number(day_of(end_ns))
    days = range(last, first - 1, -1) if descending else range(first, last + 1)
    for day in days:
        tape = market.ticks(symbol, day_date(day), feed_share(symbol, iex))
        low = int(tape.at_ns.searchsorted(start_ns))
        high = int(tape.at_ns.searchsorted(end_ns, side="right"))
        places = range(high - 1, low - 1, -1) if descending else range(low, high)
        for place in places:
            at_ns = int(tape.at_ns[place])
            price, size = float(tape.price[place]), float(tape.size[place])
            yield at_ns, trade_row(at_ns, price, size, int(tape.number[place]), asset.asset_class, venue)


def _chunks(start_ns: int, end_ns: int, chunk_ns: int, descending: bool) -> Iterator[tuple[int, int]]:
    if descending:
        while end_ns >= start_ns:
            yield max(start_ns, end_ns - chunk_ns + 1), end_ns
            end_ns -= chunk_ns
    else:
        while start_ns <= end_ns:
            yield start_ns, min(end_ns, start_ns + chunk_ns - 1)
            start_ns += chunk_ns


def _whole_units(asset: Asset) -> bool:
    return asset.asset_class is not AssetClass.CRYPTO
