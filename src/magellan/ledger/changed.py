"""A frozen value with some fields changed, as `dataclasses.replace` makes it, at half its time.

A recovery changes every order and trade there ever was a few times over.
"""

from __future__ import annotations

from dataclasses import fields
from operator import attrgetter
from typing import Any, Final, TypeVar

Value = TypeVar("Value")

_FIELDS: Final[dict[type, tuple[tuple[str, ...], attrgetter[Any]]]] = {}


def changed(value: Value, **changes: object) -> Value:
    """The same value with these fields instead. The value must have at least two fields, all of its constructor."""
    cls = type(value)
    known = _FIELDS.get(cls)
    if known is None:
        names = tuple(each.name for each in fields(cls))  # type: ignore[arg-type]  # any dataclass
        known = _FIELDS[cls] = (names, attrgetter(*names))
    names, get = known
    return cls(**{**dict(zip(names, get(value), strict=True)), **changes})
