"""Checksums of bars: equal for equal bars, whichever library or format wrote them to disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from magellan.archive.dataset import SCHEMA_VERSION
from magellan.trading.bar import PRICE_COLUMNS, Bars, Instants, Mask


def content_sha256(bars: Bars) -> str:
    """SHA-256 of the bars' content, as hexadecimal digits; of symbol and timeframe it knows nothing.

    Taken over the years' checksums, so that a store can keep it up to date by reading only the years that a
    merge touches.
    """
    return combined_sha256(year_checksums(bars))


def year_checksums(bars: Bars) -> tuple[tuple[int, str], ...]:
    """(UTC year, SHA-256 of the bars that open in it), oldest first; years without bars are absent.

    The digest reads the row count and then each column, as little-endian 8-byte values with -0 written as 0:
    opened_at_ns, open, high, low, close, volume.
    """
    years = utc_years(bars.opened_at_ns)
    first_rows = np.flatnonzero(_changes(years))
    ends = [*first_rows[1:].tolist(), len(bars)][: len(first_rows)]
    return tuple(
        (int(years[first]), _digest(bars.rows(slice(first, end))))
        for first, end in zip(first_rows.tolist(), ends, strict=True)
    )


def combined_sha256(checksums: Iterable[tuple[int, str]]) -> str:
    """The checksum of bars from those of their years, which must be oldest first."""
    lines = "".join(f"{year} {digest}\n" for year, digest in checksums)
    return hashlib.sha256(f"magellan bars {SCHEMA_VERSION}\n{lines}".encode()).hexdigest()


def utc_years(opened_at_ns: Instants) -> Instants:
    """The UTC year of each instant; shape (n,)."""
    years: Instants = opened_at_ns.astype("datetime64[ns]").astype("datetime64[Y]").astype(np.int64) + 1970
    return years


def _changes(values: Instants) -> Mask:
    change = np.ones(len(values), dtype=bool)
    np.not_equal(values[1:], values[:-1], out=change[1:])
    return change


def _digest(bars: Bars) -> str:
    content = hashlib.sha256(f"{len(bars)}\n".encode())
    content.update(np.ascontiguousarray(bars.opened_at_ns, dtype="<i8").data)
    for name in (*PRICE_COLUMNS, "volume"):
        content.update(np.ascontiguousarray(getattr(bars, name) + 0.0, dtype="<f8").data)
    return content.hexdigest()
