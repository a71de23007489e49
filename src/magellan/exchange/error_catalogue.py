"""The error catalogue: every error answer of the trading API, as data in error_catalogue.json.

Each entry has a name, the HTTP status, Alpaca's code (null where Alpaca sends none), a message with places for
values, the names of further members of the body, and where it is known from: `observed` in payloads that users quoted,
`documented` by Alpaca, `ours` where neither source says what the answer is. `from` and `until` bound the days of the
API on which it is given; `made_by` says who answers it: the venue or the server. The market data API
has a catalogue of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any, Literal

CATALOGUE_FILE = Path(__file__).with_name("error_catalogue.json")
Source = Literal["observed", "documented", "ours"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An error answer with its values filled in."""

    name: str
    status: int
    body: Mapping[str, Any]

    @property
    def message(self) -> str:
        return str(self.body["message"])


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorEntry:
    """One entry of the catalogue."""

    name: str
    status: int
    code: int | None
    message: str
    extras: tuple[str, ...]
    source: Source
    made_by: Literal["venue", "server"]
    from_on: date | None
    until_on: date | None  # the first day without it

    @property
    def places(self) -> frozenset[str]:
        """Names of the values that the message asks for."""
        return frozenset(name for _, name, _, _ in Formatter().parse(self.message) if name)

    def fill(self, values: Mapping[str, Any]) -> Refusal:
        """The answer with these values. Raises KeyError when one that the message or the body needs is missing."""
        body: dict[str, Any] = {} if self.code is None else {"code": self.code}
        body["message"] = self.message.format_map(values)
        body.update({name: values[name] for name in self.extras})
        return Refusal(name=self.name, status=self.status, body=body)


@cache
def entries() -> Mapping[str, ErrorEntry]:
    """The whole catalogue by name."""
    rows = json.loads(CATALOGUE_FILE.read_text(encoding="utf-8"))["errors"]
    return {row["name"]: _entry(row) for row in rows}


def refusal(name: str, /, **values: Any) -> Refusal:
    """The answer of that name. Raises KeyError for a name or a value that is missing: both are mistakes of ours."""
    return entries()[name].fill(values)


def _entry(row: Mapping[str, Any]) -> ErrorEntry:
    return ErrorEntry(
        name=row["name"],
        status=row["status"],
        code=row["code"],
        message=row["message"],
        extras=tuple(row.get("extras", ())),
        source=row["source"],
        made_by=row.get("made_by", "venue"),
        from_on=_day(row.get("from")),
        until_on=_day(row.get("until")),
    )


def _day(written: str | None) -> date | None:
    return None if written is None else date.fromisoformat(written)
