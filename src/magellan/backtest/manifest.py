"""Run manifest: its canonical text and the digest that names a run."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from datetime import date, datetime
from typing import Any

import numpy as np

from magellan.backtest.result import RunManifest
from magellan.trading.bar import PRICE_COLUMNS, Bars


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values have equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)


def manifest_digest(manifest: RunManifest) -> str:
    """SHA-256 of the manifest's canonical JSON, in hex."""
    return hashlib.sha256(canonical_json(manifest_fields(manifest)).encode()).hexdigest()


def manifest_fields(manifest: RunManifest) -> dict[str, Any]:
    """The manifest as plain values."""
    return {field.name: _plain(getattr(manifest, field.name)) for field in dataclasses.fields(manifest)}


def bars_digest(bars: Bars) -> str:
    """SHA-256 of the rows that a run read, in hex: times and prices as little-endian bytes, column by column."""
    digest = hashlib.sha256()
    for name in ("opened_at_ns", *PRICE_COLUMNS, "volume"):
        column = getattr(bars, name)
        digest.update(np.ascontiguousarray(column, dtype=column.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    return value
