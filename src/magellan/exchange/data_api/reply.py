"""A reply of the market data API, and the error bodies it can carry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer: a status and a body of plain JSON values."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """A query that is answered by an entry of the error catalogue. Ends the reading of a query, nothing more."""

    def __init__(self, entry: str, **values: object) -> None:
        super().__init__(entry)
        self.reply = error_reply(entry, **values)


def error_reply(entry: str, **values: object) -> Reply:
    """The reply of a catalogue entry; `values` fill the blanks of its message. Raises KeyError for no entry."""
    found = error_catalogue()[entry]
    body: dict[str, object] = {} if found["code"] is None else {"code": found["code"]}
    body["message"] = str(found["message"]).format(**values)
    return Reply(status=found["status"], body=body)


@cache
def error_catalogue() -> dict[str, dict[str, Any]]:
    """The catalogue by name: status, code (None: the body has none), message and source of each entry."""
    text = files(__package__).joinpath("error_catalogue.json").read_text(encoding="utf-8")
    entries: dict[str, dict[str, Any]] = json.loads(text)["errors"]
    return entries
