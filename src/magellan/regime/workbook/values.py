"""One value: from what stands in a cell to what it means, and back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time

from magellan.regime.workbook.located import Located
from magellan.regime.workbook.schema import Field, Kind, Scalar, Value

_COMMA = re.compile(r"(-?[0-9]+),([0-9]+)")
_PERCENT = re.compile(r"(-?[0-9]+(?:[.,][0-9]+)?)\s*%")
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::00)?")


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a cell cannot be read: a kind of finding."""

    kind: str


class Unread(str):
    """What stands in a cell that cannot be read: it takes the value's place in a workbook that is refused."""


def read_value(field: Field, cell: Located) -> Value | Refused:
    """What the cell means. Numbers and truth that stand there as text are taken for what they say."""
    if cell.is_blank and not isinstance(cell.value, list | tuple):
        return None if field.may_be_blank else Refused("blank")
    match field.kind:
        case Kind.BOOLEAN:
            truth = cell.truth
            return Refused("wrong-type") if truth is None else truth
        case Kind.INTEGER | Kind.NUMBER:
            return _number(field, cell)
        case Kind.CHOICE:
            return str(cell) if str(cell) in field.options else Refused("value-not-an-option")
        case Kind.TIME:
            return _time(cell.value)
        case Kind.WORDS:
            parts = tuple(str(part) for part in _parts(cell))
            return (
                Refused("value-not-an-option") if field.options and set(parts) - set(field.options) else parts
            )
        case Kind.NUMBERS:
            return _numbers(field, cell)
        case Kind.TEXT:
            return (
                Refused("too-long") if field.most is not None and len(str(cell)) > field.most else str(cell)
            )


def how_to_write(field: Field, cell: Located) -> str:
    """What to do about a number that nearly is one; "" where nothing better is known than what may stand there."""
    if field.kind not in (Kind.INTEGER, Kind.NUMBER):
        return ""
    if isinstance(cell.value, datetime | date | time):
        return "it was taken for a date: give the cell the format of a number, and write the number again"
    if match := _COMMA.fullmatch(str(cell)):
        return f"write {match[1]}.{match[2]}, with a point"
    if match := _PERCENT.fullmatch(str(cell)):
        return f"write {float(match[1].replace(',', '.')) / 100:g}: 1 is 100 %"
    number = cell.number
    if field.most == 1 and number is not None and 1 < number <= 100:
        return f"is {number / 100:g} meant? 1 is 100 %"
    return ""


def written(value: Value) -> Scalar:
    """How a value stands in a cell: lists as text, blanks as ""."""
    if value is None:
        return ""
    return shown(value) if isinstance(value, tuple) else value


def shown(value: Value) -> str:
    """A value in words, for people."""
    if isinstance(value, Unread):
        return f"{value or 'nothing'} (refused)"
    if isinstance(value, tuple):
        return ",".join(shown(each) for each in value)
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return f"{value:g}"
    return "blank" if value is None else str(value)


def _number(field: Field, cell: Located) -> Value | Refused:
    number = cell.number
    if number is None:
        return Refused("wrong-type")
    if field.kind is Kind.INTEGER and number != int(number) if _is_finite(number) else True:
        return Refused("wrong-type")
    if _is_outside(field, number):
        return Refused("out-of-range")
    return int(number) if field.kind is Kind.INTEGER else number


def _numbers(field: Field, cell: Located) -> Value | Refused:
    found = [Located(part, cell.cell).number for part in _parts(cell)]
    read = [number for number in found if number is not None and _is_finite(number)]
    if len(read) < len(found):
        return Refused("wrong-type")
    if any(_is_outside(field, number) for number in read):
        return Refused("out-of-range")
    return tuple(int(number) if number == int(number) else number for number in read)


def _is_finite(number: float) -> bool:
    return abs(number) < float("inf")


def _is_outside(field: Field, number: float) -> bool:
    return (field.least is not None and number < field.least) or (
        field.most is not None and number > field.most
    )


def _time(value: object) -> Value | Refused:
    if isinstance(value, datetime | time):
        return f"{value.hour:02d}:{value.minute:02d}"
    match = _TIME.fullmatch(str(value).strip())
    return Refused("wrong-type") if match is None else f"{int(match[1]):02d}:{match[2]}"


def _parts(cell: Located) -> list[object]:
    if isinstance(cell.value, list | tuple):
        return list(cell.value)
    if isinstance(cell.value, str):
        return [part.strip() for part in cell.value.split(",") if part.strip()]
    return [cell.value]
