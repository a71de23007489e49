"""Pages: as many rows as the limit allows, over all symbols in their order, and a token for the rest."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from magellan.exchange.data_api.query import Window
from magellan.exchange.data_api.reply import Refused
from magellan.exchange.data_api.wire_time import parse_instant, rfc3339

Row = dict[str, Any]
Series = Callable[[str, int, int, bool], Iterator[tuple[int, Row]]]
"""(symbol, start_ns, end_ns, descending) to (instant, row), both ends included, no two rows at one instant."""


def paged(symbols: Iterable[str], window: Window, series: Series) -> tuple[dict[str, list[Row]], str | None]:
    """The rows of one page by symbol, and the token of the next page; None after the last one.

    symbols: in their order. The limit counts rows of all symbols together; a page begins where the token's row
             ended. Symbols without a row on this page are left out.
    """
    reached = None if window.page_token is None else _read_token(window.page_token)
    rows: dict[str, list[Row]] = {}
    left, last = window.limit, ("", 0)
    for symbol in symbols:
        start_ns, end_ns = window.start_ns, window.end_ns
        if reached is not None:
            if symbol < reached[0]:
                continue
            if symbol == reached[0] and window.descending:
                end_ns = min(end_ns, reached[1] - 1)
            elif symbol == reached[0]:
                start_ns = max(start_ns, reached[1] + 1)
        if end_ns < start_ns:
            continue
        found = series(symbol, start_ns, end_ns, window.descending)
        for at_ns, row in islice(found, left):
            rows.setdefault(symbol, []).append(row)
            last = (symbol, at_ns)
            left -= 1
        if left == 0 and next(found, None) is not None:
            return rows, _token(*last)
        if left == 0:
            # Whether there is more is known only when the symbols after this one have been asked too.
            after = ((each, window.start_ns, window.end_ns) for each in symbols if each > symbol)
            more = any(next(series(*each, window.descending), None) is not None for each in after)
            return rows, _token(*last) if more else None
    return rows, None


def _token(symbol: str, at_ns: int) -> str:
    return base64.b64encode(f"{symbol}|{rfc3339(at_ns)}".encode()).decode()


def _read_token(token: str) -> tuple[str, int]:
    try:
        symbol, _, at = base64.b64decode(token, validate=True).decode().partition("|")
        return symbol, parse_instant(at, utc=True)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise Refused("invalid page token") from None
