"""Payloads as JSON and back, without loss.

Decimals are strings, digit for digit. Instants are UTC with a trailing Z. A missing field, an unknown one and a value
of another type are errors: a record either reads as what was written, or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import orjson

from magellan.ledger.entries import PAYLOADS, Payload
from magellan.ledger.known_secrets import NO_SECRETS, KnownSecrets
from magellan.ledger.migration import upgraded

Read = Callable[[Any], Any]
Form = Mapping[type, Read | None]

_OPTIONS: Final = orjson.OPT_UTC_Z
_WITH_FLOATS: Final[dict[type, tuple[str, ...]]] = {}  # worked out when a class is first written
_READERS: Final[dict[type, Read]] = {}  # made when a kind is first read


class UnreadableRecord(ValueError):
    """A stored record is not what its kind and version promise."""


def payload_from(kind: str, version: int, stored: Mapping[str, Any]) -> Payload:
    """The payload that a record of this kind and version holds. Raises UnreadableRecord."""
    cls = PAYLOADS.get(kind)
    if cls is None:
        raise UnreadableRecord(f"no entry is of the kind {kind!r}; a newer Magellan may have written it")
    if version != cls.version:
        if version > cls.version:
            raise UnreadableRecord(
                f"{kind} is of version {version}, and this Magellan reads up to {cls.version}"
            )
        stored = upgraded(kind, version, stored, to=cls.version)
    try:
        payload: Payload = _reader(cls)(stored)
    except (KeyError, TypeError, ValueError, AttributeError, InvalidOperation) as error:
        raise UnreadableRecord(f"{kind}: {error}") from error
    return payload


def value_from(hint: Any, stored: Any) -> Any:
    """A value of this type, from what `json_bytes` wrote of it and JSON gave back. Raises UnreadableRecord."""
    try:
        return _converted(_form(hint), stored)
    except (KeyError, TypeError, ValueError, AttributeError, InvalidOperation) as error:
        raise UnreadableRecord(f"{hint}: {error}") from error


def json_bytes(value: Any) -> bytes:
    """Any value that entries are made of, as JSON. Raises ValueError for a Decimal that is no number."""
    try:
        return orjson.dumps(value, default=_plain, option=_OPTIONS)
    except orjson.JSONEncodeError as error:
        if isinstance(error.__cause__, ValueError):
            raise error.__cause__ from None
        raise


def storable(payload: Payload, secrets: KnownSecrets = NO_SECRETS) -> tuple[Payload, bytes]:
    """The payload as a ledger can hold it, and its JSON: without secrets, and so that it can be read again.

    Text from outside may hold half of a character, which no file in UTF-8 can: it is written out, as \\ud83d.
    Raises ValueError for a number that is none, which would otherwise be stored as missing.
    """
    try:
        line = json_bytes(payload)
    except orjson.JSONEncodeError:
        payload = _written_out(payload)
        line = json_bytes(payload)
    if secrets.occur_in(line):
        payload = secrets.hidden_within(payload)
        line = json_bytes(payload)
    if not _is_finite(payload):
        raise ValueError(
            f"an entry that could not be read again: it holds a float that is no number: {payload}"
        )
    return payload, line


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"{value} is no number that a ledger can hold")
        return f"{value:f}"
    if isinstance(value, float):  # of NumPy's
        return float(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"an entry holds no {type(value).__name__}")


def _written_out(value: Any) -> Any:
    """The value with every half of a character written out."""
    if isinstance(value, str) and type(value) is str:
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, tuple):
        return tuple(_written_out(each) for each in value)
    if isinstance(value, Mapping):
        return {_written_out(name): _written_out(each) for name, each in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return type(value)(**{each.name: _written_out(getattr(value, each.name)) for each in fields(value)})
    return value


def _is_finite(value: Any) -> bool:
    """Whether no float in it is one that JSON writes as missing."""
    if value is None:
        return True
    if isinstance(value, float):
        return isfinite(value)
    if isinstance(value, tuple):
        return all(map(_is_finite, value))
    if is_dataclass(value):
        held = [getattr(value, name) for name in _with_floats(type(value))]
        return all(_is_finite(each) for each in held if each is not None)
    if isinstance(value, Mapping):
        return all(map(_is_finite, value.values()))
    return True


def _with_floats(cls: type) -> tuple[str, ...]:
    """The fields of a class that may hold a float."""
    known = _WITH_FLOATS.get(cls)
    if known is None:
        known = _WITH_FLOATS[cls] = tuple(
            name for name, hint in get_type_hints(cls).items() if _mentions_floats(hint, set())
        )
    return known


def _mentions_floats(hint: Any, seen: set[Any]) -> bool:
    if hint is float:
        return True
    if hint in seen:
        return False
    if isinstance(hint, type) and is_dataclass(hint):
        seen.add(hint)
        return any(_mentions_floats(each, seen) for each in get_type_hints(hint).values())
    return any(_mentions_floats(each, seen) for each in get_args(hint))


def _reader(cls: type) -> Read:
    """Reads a dataclass from its JSON object."""
    known = _READERS.get(cls)
    if known is None:
        known = _READERS[cls] = _made_reader(cls)
    return known


def _made_reader(cls: type) -> Read:
    hints = get_type_hints(cls)
    names = tuple(each.name for each in fields(cls))
    forms = tuple(_form(hints[name]) for name in names)
    # What must be converted depends on which values are missing. There are few such patterns, so each is worked out
    # once, and a recovery reads a hundred thousand records by them.
    plans: dict[tuple[type, ...], tuple[tuple[int, Read], ...]] = {}

    def read(stored: dict[str, Any]) -> Any:
        if len(stored) != len(names):
            raise ValueError(f"{cls.__name__}: {sorted(set(names) ^ stored.keys())} missing or unknown")
        values = [stored[name] for name in names]
        found = tuple(map(type, values))
        plan = plans.get(found)
        if plan is None:
            plan = plans[found] = _plan(cls, names, forms, found)
        for at, convert in plan:
            values[at] = convert(values[at])
        return cls(**dict(zip(names, values, strict=True)))

    return read


def _plan(
    cls: type, names: tuple[str, ...], forms: tuple[Form, ...], found: tuple[type, ...]
) -> tuple[tuple[int, Read], ...]:
    """Which fields to convert, and how, when their JSON values are of these types."""
    plan = []
    for at, (name, form, kind) in enumerate(zip(names, forms, found, strict=True)):
        if kind not in form:
            raise TypeError(f"{cls.__name__}: {name} cannot be a JSON {kind.__name__}")
        convert = form[kind]
        if convert is not None:
            plan.append((at, convert))
    return tuple(plan)


def _form(hint: Any) -> Form:
    """By the type of a JSON value: how it becomes what the hint says; None where it is that already."""
    if hint in _SCALARS:
        return _SCALARS[hint]
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        (inner,) = (each for each in get_args(hint) if each is not NoneType)
        return {**_form(inner), NoneType: None}
    if origin in (tuple, list):
        each = _form(get_args(hint)[0])
        return {list: lambda value: origin([_converted(each, item) for item in value])}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        of = _form(get_args(hint)[1])
        return {dict: lambda value: {name: _converted(of, item) for name, item in value.items()}}
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return {str: {str(each): each for each in hint}.__getitem__}
    assert isinstance(hint, type) and is_dataclass(hint), f"{hint} has no JSON form"
    of_class: type = hint
    # Looked up when it is first read: an order's legs are orders.
    return {dict: lambda value: _reader(of_class)(value)}


def _converted(form: Form, value: Any) -> Any:
    kind = type(value)
    if kind not in form:
        raise TypeError(f"{value!r} cannot be a JSON {kind.__name__}")
    convert = form[kind]
    return value if convert is None else convert(value)


_SCALARS: Final[Mapping[Any, Form]] = {
    str: {str: None},
    int: {int: None},
    bool: {bool: None},
    float: {float: None, int: float},
    Decimal: {str: Decimal},
    datetime: {str: datetime.fromisoformat},
    date: {str: date.fromisoformat},
}
