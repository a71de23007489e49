"""Run manifest: its canonical text and the digest that names a run."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from datetime import date, datetime
from typing import Any

from magellan.backtest.result import RunManifest


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values have equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)


def manifest_digest(manifest: RunManifest) -> str:
    """SHA-256 of the manifest's canonical JSON, in hex."""
    return hashlib.sha256(canonical_json(manifest_fields(manifest)).encode()).hexdigest()


def manifest_fields(manifest: RunManifest) -> dict[str, Any]:
    """The manifest as plain values."""
    return {field.name: _plain(getattr(manifest, field.name)) for field in dataclasses.fields(manifest)}


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
