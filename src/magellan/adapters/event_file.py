"""Files of dates in a workspace: FOMC meetings, earnings. CSV with a header, or TOML with a table per date.

    on,last_on,name,symbol                      [[event]]
    2026-01-27,2026-01-28,FOMC,                 on = 2026-01-27
    2026-02-25,,,NVDA                           name = "FOMC"

`on` is needed in every row, and `name` or `symbol`; dates are the exchange's.
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

from magellan.deploy.freeze import DatedEvent, EventList
from magellan.errors import FixInput
from magellan.workspace.config_file import read_text

_KEYS: Final = frozenset({"on", "last_on", "name", "symbol"})
_CORRECT: Final = "correct the file"


def read_events(path: Path, *, called: str) -> EventList:
    """The dates in a file. `called`: its name in magellan.toml.

    Raises: FixInput for a file that is missing or empty, and for the first row that is no dated event, by its number.
    """
    text = read_text(path)
    rows = _toml(text, called) if path.suffix == ".toml" else _csv(text, called)
    return EventList(file=called, events=tuple(_event(row, f"{called}, {place}") for place, row in rows))


def _csv(text: str, called: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    reader = csv.DictReader(text.splitlines(), restkey="more")
    unknown = sorted(set(reader.fieldnames or ()) - _KEYS)
    if unknown or "on" not in (reader.fieldnames or ()):
        raise FixInput(
            f"{called}: its first line is {','.join(reader.fieldnames or ())}",
            next_step="begin it with: on,name",
        )
    for row in reader:
        yield f"line {reader.line_num}", {key: value for key, value in row.items() if value not in ("", None)}


def _toml(text: str, called: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FixInput(f"{called}: {error}", next_step=_CORRECT) from None
    events = document.pop("event", [])
    if document or not isinstance(events, list) or not all(isinstance(each, dict) for each in events):
        raise FixInput(f"{called}: it holds something else than tables [[event]]", next_step=_CORRECT)
    for number, row in enumerate(events, start=1):
        yield f"event {number}", row


def _event(row: Mapping[str, Any], place: str) -> DatedEvent:
    unknown = sorted(str(key) for key in row.keys() - _KEYS)
    if unknown:
        raise FixInput(
            f"{place}: unknown {', '.join(unknown)}; allowed: {', '.join(sorted(_KEYS))}", next_step=_CORRECT
        )
    first_on = _date(row.get("on"), f"{place}: on")
    last_on = _date(row.get("last_on", first_on), f"{place}: last_on")
    if last_on < first_on:
        raise FixInput(f"{place}: it ends on {last_on}, before it begins", next_step=_CORRECT)
    symbol = str(row["symbol"]).strip().upper() if "symbol" in row else None
    name = str(row.get("name", "") or (f"{symbol} earnings" if symbol else "")).strip()
    if not name:
        raise FixInput(f"{place}: it has neither a name nor a symbol", next_step=_CORRECT)
    return DatedEvent(name=name, first_on=first_on, last_on=last_on, symbol=symbol)


def _date(value: Any, place: str) -> date:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value).strip())
    except ValueError:
        raise FixInput(
            f"{place}: found {value!r}; allowed: a date such as 2026-01-28", next_step=_CORRECT
        ) from None
