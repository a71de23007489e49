"""Packed bars: a day's minute bars as MessagePack, a symbol at a time, before anybody asks.

A session of 500 symbols is 195,000 messages. Made one by one they cost more than a client needs to read them; so the
bars of a symbol's day are written as one block of equal records, and a minute's frame is put together from its slices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import msgpack
import numpy as np

from magellan.exchange.data_api.stream.frame import LONGEST_FRAME
from magellan.exchange.market.bar_span import BarSpan, SpanUnit
from magellan.exchange.market.market import Market
from magellan.exchange.market.shown_bars import ShownBars
from magellan.exchange.market.trading_hours import day_of, day_start_ns
from magellan.trading.session import day_date, day_number
from magellan.trading.timeframe import MINUTE, MINUTE_NS, SECOND_NS

_MINUTES = BarSpan(1, SpanUnit.MINUTE)
_KEPT_DAYS = 3  # of each symbol


class PackedBars:
    """The bars of a market's shares that close at an instant, as MessagePack."""

    def __init__(self, market: Market) -> None:
        self._market = market
        # Whether the market's bars have the shape of these records: minutes of shares, which end where they should.
        self.can_pack = market.timeframe == MINUTE and not any("/" in symbol for symbol in market.symbols)
        self._day = lru_cache(maxsize=_KEPT_DAYS * max(4, len(market.symbols)))(self._packed_day)
        self._days = lru_cache(maxsize=_KEPT_DAYS)(self._packed_days)

    def prepare(self, now_ns: int) -> None:
        """Pack the day that an instant lies in, for every symbol."""
        for symbol in self._market.symbols:
            self._day(symbol, day_number(day_of(now_ns)), 1.0)

    def closing(
        self, symbols: Sequence[str], closed_ns: int, share: Callable[[str], float]
    ) -> list[tuple[str, bytes]]:
        """Each symbol with its bar that closes at an instant, where the feed saw anything.

        share: the part of a symbol's volume that the feed sees.
        """
        day = day_number(day_of(closed_ns - 1))  # what closes at midnight belongs to the day that ends
        return [
            (symbol, packed)
            for symbol, bars in self._days(tuple(symbols), day, share)
            if (packed := bars.get(closed_ns)) is not None
        ]

    def _packed_days(
        self, symbols: tuple[str, ...], day: int, share: Callable[[str], float]
    ) -> list[tuple[str, dict[int, bytes]]]:
        """The day of each symbol: looked up once for its 390 minutes."""
        return [(symbol, self._day(symbol, day, share(symbol))) for symbol in symbols]

    def _packed_day(self, symbol: str, day: int, share: float) -> dict[int, bytes]:
        starts_ns, ends_ns = day_start_ns(day_date(day)), day_start_ns(day_date(day + 1))
        # Looking ahead is the exchange's right: what is packed is sent only when it has closed.
        bars = self._market.closed_bars(symbol, _MINUTES, starts_ns, ends_ns - 1, ends_ns, volume_share=share)
        traded = bars.chosen(bars.volume > 0.0)
        block, size = _records(symbol, traded)
        closes = (traded.label_ns + MINUTE_NS).tolist()
        return {closed_ns: block[at * size : (at + 1) * size] for at, closed_ns in enumerate(closes)}


def packed_frames(messages: Sequence[bytes]) -> Iterator[bytes]:
    """Packed messages in as few frames as clients accept."""
    packer = msgpack.Packer()
    size = max(map(len, messages), default=1)
    per_frame = max(1, LONGEST_FRAME // size)
    for start in range(0, len(messages), per_frame):
        batch = messages[start : start + per_frame]
        yield packer.pack_array_header(len(batch)) + b"".join(batch)


def _records(symbol: str, bars: ShownBars) -> tuple[bytes, int]:
    """All bars as equal records, and the length of one. A map of ten: T, S, o, h, l, c, v, n, vw, t."""
    pack = msgpack.packb
    number, whole, count, seconds = (
        b"\xcb",
        b"\xcf",
        b"\xce",
        b"\xd6\xff",
    )  # float 64, uint 64, uint 32, timestamp 32
    head = b"\x8a" + pack("T") + pack("b") + pack("S") + pack(symbol)
    columns: tuple[tuple[bytes, str, object], ...] = (
        (head + pack("o") + number, ">f8", bars.open),
        (pack("h") + number, ">f8", bars.high),
        (pack("l") + number, ">f8", bars.low),
        (pack("c") + number, ">f8", bars.close),
        (pack("v") + whole, ">u8", bars.volume),
        (pack("n") + count, ">u4", bars.trades),
        (pack("vw") + number, ">f8", bars.vwap),
        (pack("t") + seconds, ">u4", bars.label_ns // SECOND_NS),
    )
    fields: list[tuple[str, str]] = []
    for at, (before, form, _) in enumerate(columns):
        fields += [(f"before{at}", f"V{len(before)}"), (f"value{at}", form)]
    records = np.zeros(len(bars), dtype=fields)
    for at, (before, _, values) in enumerate(columns):
        records[f"before{at}"] = np.void(before)
        records[f"value{at}"] = values
    return records.tobytes(), records.dtype.itemsize
