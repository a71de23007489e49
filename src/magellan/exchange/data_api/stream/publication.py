"""Publication: which messages a data stream sends at an instant, from the market alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from magellan.exchange.data_api.crypto import order_book
from magellan.exchange.data_api.series import (
    Venue,
    feed_share,
    quote_row,
    trade_row,
    venue_of,
)
from magellan.exchange.data_api.stream.message import Message
from magellan.exchange.market.asset import Asset
from magellan.exchange.market.halt import Halt
from magellan.exchange.market.market import Market
from magellan.exchange.market.trading_hours import day_of
from magellan.trading.session import day_date, day_number

_HALTED = ("H", "Trading Halt")
_RESUMED = ("T", "Trading Resumption")


def bar_messages(market: Market, symbols: Iterable[str], at_ns: int, *, iex: bool = False) -> list[Message]:
    """The bars of `symbols` that close at an instant; a symbol of which the feed saw nothing has none."""
    return list(_bars(market, symbols, at_ns, iex, "bars", so_far=False))


def updated_bar_messages(
    market: Market, symbols: Iterable[str], at_ns: int, *, iex: bool = False
) -> list[Message]:
    """The same bars once more, as they are sent when trades of the minute came late. Here none ever does."""
    return list(_bars(market, symbols, at_ns, iex, "updatedBars", so_far=False))


def daily_bar_messages(
    market: Market, symbols: Iterable[str], at_ns: int, *, iex: bool = False
) -> list[Message]:
    """The day so far, of every symbol with a bar that closes at an instant."""
    return list(_bars(market, symbols, at_ns, iex, "dailyBars", so_far=True))


def trade_messages(
    market: Market, symbols: Iterable[str], after_ns: int, until_ns: int, *, iex: bool = False
) -> list[Message]:
    """Trades in (after_ns, until_ns], by time."""
    found = [
        message
        for symbol, asset in _known(market, symbols)
        for message in _trades(market, symbol, asset, after_ns, until_ns, iex)
    ]
    found.sort(key=_at_ns)
    return found


def quote_messages(
    market: Market, symbols: Iterable[str], after_ns: int, until_ns: int, *, iex: bool = False
) -> list[Message]:
    """Quotes made in (after_ns, until_ns], by time."""
    found = [
        Message(
            "quotes",
            symbol,
            quote.at_ns,
            _rest(quote_row(quote, asset.asset_class, venue_of(asset, iex))),
        )
        for symbol, asset in _known(market, symbols)
        for quote in market.quotes(symbol, after_ns + 1, until_ns)
    ]
    found.sort(key=_at_ns)
    return found


def orderbook_messages(market: Market, symbols: Iterable[str], at_ns: int) -> list[Message]:
    """The whole order book of each pair, as it stands at an instant."""
    found = []
    for symbol, _ in _known(market, symbols):
        quote = market.quote(symbol, at_ns)
        if quote is not None:
            found.append(Message("orderbooks", symbol, quote.at_ns, _rest(order_book(quote)) | {"r": True}))
    return found


def band_messages(market: Market, symbols: Iterable[str], at_ns: int) -> list[Message]:
    """The price bands that are in force from an instant on."""
    found = []
    for symbol, asset in _known(market, symbols):
        band = market.band(symbol, at_ns)
        if band is not None:
            tape = Venue.of(asset, iex=False).tape
            fields = {"u": band.up, "d": band.down, "i": "B", "z": tape}
            found.append(Message("lulds", symbol, band.at_ns, fields))
    return found


def halt_message(market: Market, halt: Halt) -> Message:
    """A symbol stops trading."""
    fields = {"sc": _HALTED[0], "sm": _HALTED[1], "rc": halt.reason_code, "rm": halt.reason}
    return Message("statuses", halt.symbol, halt.from_ns, fields | {"z": _tape(market, halt.symbol)})


def resume_message(market: Market, symbol: str, at_ns: int) -> Message:
    """A symbol trades again."""
    fields = {"sc": _RESUMED[0], "sm": _RESUMED[1], "rc": "", "rm": "", "z": _tape(market, symbol)}
    return Message("statuses", symbol, at_ns, fields)


def correction_message(trade: Message, corrected_price: float, corrected_size: int, at_ns: int) -> Message:
    """A trade that was sent before had another price or size."""
    was = trade.value
    fields = {
        "x": was["x"],
        "oi": was["i"],
        "op": was["p"],
        "os": was["s"],
        "oc": was["c"],
        "ci": was["i"],
        "cp": corrected_price,
        "cs": corrected_size,
        "cc": was["c"],
        "z": was["z"],
    }
    return Message("corrections", trade.symbol, at_ns, fields)


def cancel_message(trade: Message, at_ns: int, *, error: bool = False) -> Message:
    """A trade that was sent before is void: cancelled, or made in error."""
    was = trade.value
    fields = {"i": was["i"], "x": was["x"], "p": was["p"], "s": was["s"], "a": "E" if error else "C"}
    return Message("cancelErrors", trade.symbol, at_ns, fields | {"z": was["z"]})


def _bars(
    market: Market, symbols: Iterable[str], at_ns: int, iex: bool, channel: str, *, so_far: bool
) -> Iterator[Message]:
    share = _iex_share if iex else _whole
    for symbol, bar in market.published_bars(symbols, at_ns, share, days_so_far=so_far):
        label_ns, open_, high, low, close, volume, trades, vwap = bar
        fields = {
            "o": open_,
            "h": high,
            "l": low,
            "c": close,
            "v": volume if "/" in symbol else int(volume),
            "n": trades,
            "vw": vwap,
        }
        yield Message(channel, symbol, label_ns, fields)


@lru_cache(maxsize=65536)
def _iex_share(symbol: str) -> float:
    return feed_share(symbol, iex=True)


def _whole(symbol: str) -> float:
    return 1.0


def _trades(
    market: Market, symbol: str, asset: Asset, after_ns: int, until_ns: int, iex: bool
) -> Iterator[Message]:
    venue = venue_of(asset, iex)
    for day in range(day_number(day_of(after_ns)), day_number(day_of(until_ns)) + 1):
        tape = market.ticks(symbol, day_date(day), feed_share(symbol, iex))
        low, high = tape.at_ns.searchsorted((after_ns, until_ns), side="right").tolist()
        for place in range(low, high):
            at_ns, number = int(tape.at_ns[place]), int(tape.number[place])
            price, size = float(tape.price[place]), float(tape.size[place])
            row = trade_row(at_ns, price, size, number, asset.asset_class, venue)
            yield Message("trades", symbol, at_ns, _rest(row))


def _known(market: Market, symbols: Iterable[str]) -> Iterator[tuple[str, Asset]]:
    for symbol in symbols:
        asset = market.asset(symbol)
        if asset is not None:
            yield symbol, asset


def _rest(row: dict[str, object]) -> dict[str, object]:
    del row["t"]
    return row


def _tape(market: Market, symbol: str) -> str:
    asset = market.asset(symbol)
    return "C" if asset is None else Venue.of(asset, iex=False).tape


def _at_ns(message: Message) -> int:
    return message.at_ns
