"""Time columns: the many ways in which files write when a bar was, as nanoseconds."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray

from magellan.archive.foreign_table import ForeignColumn, ForeignTable, Kind
from magellan.errors import FixInput
from magellan.trading.bar import Instants
from magellan.trading.session import day_number
from magellan.trading.timeframe import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS

_CLOCK = r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?(?:\.0+)?\s*(AM|PM)?"
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([ T][0-9:.,]+(?P<zone>Z|[+-]\d{2}:?\d{0,2})?)?")
_TIME_OF_DAY = re.compile(_CLOCK, re.I)
_NUMERIC_DATE = re.compile(rf"(\d{{1,2}})([/.\-])(\d{{1,2}})\2(\d{{4}})(?:[ T,]+{_CLOCK})?", re.I)
# Epochs are told apart by their size: each of these begins 1973 and ends 2286 in its own unit.
_EPOCH_UNITS = (("seconds", 10**8, 10**9), ("milliseconds", 10**11, 10**6), ("microseconds", 10**14, 1000))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Times:
    """When each row was; shapes (n,)."""

    values_ns: Instants  # UTC where has_zone; else on a wall clock that the table does not name
    has_zone: bool
    said: tuple[str, ...] = ()  # what reading them took for granted

    def rows(self, chosen: NDArray[np.intp]) -> Times:
        """The times of the chosen rows."""
        return Times(values_ns=self.values_ns[chosen], has_zone=self.has_zone, said=self.said)


def times_of(table: ForeignTable, columns: tuple[ForeignColumn, ...]) -> Times:
    """Read one column of times, or a column of dates beside one of times of day.

    Raises: FixInput naming the first row that cannot be read, and dates whose order of day and month is open.
    """
    for column in columns:
        if column.missing.any():
            raise FixInput(f"{table.place(int(np.argmax(column.missing)))}: no {column.name}")
    if len(columns) == 1:
        return _moment(table, columns[0])
    dates, times = columns
    read = _moment(table, dates)
    if read.has_zone or (read.values_ns % DAY_NS).any():
        raise FixInput(
            f"{table.file_name}: column '{dates.name}' holds more than dates beside '{times.name}'"
        )
    return Times(values_ns=read.values_ns + _time_of_day(table, times), has_zone=False, said=read.said)


def _moment(table: ForeignTable, column: ForeignColumn) -> Times:
    match column.kind:
        case Kind.INSTANT:
            return Times(values_ns=column.values.astype(np.int64), has_zone=True)
        case Kind.WALL | Kind.DATE:
            return Times(values_ns=column.values.astype(np.int64), has_zone=False)
        case Kind.NUMBER:
            return _from_numbers(table, column)
        case Kind.TEXT:
            return _from_text(table, column)
    raise FixInput(f"{table.file_name}: column '{column.name}' holds {column.kind}, not times")


def _from_numbers(table: ForeignTable, column: ForeignColumn) -> Times:
    numbers = _whole(table, column)
    if len(numbers) and numbers.min() >= 19_000_101 and numbers.max() <= 21_001_231:
        return Times(
            values_ns=_days(table, column, numbers // 10_000, numbers // 100 % 100, numbers % 100) * DAY_NS,
            has_zone=False,
        )
    for unit, smallest, in_ns in (*_EPOCH_UNITS, ("nanoseconds", 10**17, 1)):
        if len(numbers) and smallest <= numbers.min() and numbers.max() < smallest * 100:
            return Times(
                values_ns=numbers * in_ns,
                has_zone=True,
                said=(f"the numbers in '{column.name}' are {unit} after 1970-01-01 UTC",),
            )
    raise FixInput(
        f"{table.file_name}: numbers in '{column.name}' ({numbers.min()} to {numbers.max()}) are no times",
        next_step="write times like 2024-06-10T13:30:00Z, or as seconds after 1970-01-01 UTC",
    )


def _whole(table: ForeignTable, column: ForeignColumn) -> Instants:
    if column.values.dtype == np.int64:
        return column.values
    broken = np.flatnonzero(~np.isfinite(column.values) | (column.values % 1 != 0))
    if len(broken):
        row = int(broken[0])
        raise FixInput(
            f"{table.place(row)}: '{column.values[row]}' in column '{column.name}' is no time",
            next_step="write times like 2024-06-10T13:30:00Z, or as seconds after 1970-01-01 UTC",
        )
    return column.values.astype(np.int64)


def _from_text(table: ForeignTable, column: ForeignColumn) -> Times:
    """Numeric dates such as 6/10/2024 9:30 AM. A column of nothing but ISO times never comes here as text."""
    _must_not_be_nearly_iso(table, column)
    matches = _matches(table, column, _NUMERIC_DATE.fullmatch, "write it like 2024-06-10 13:30:00")
    first = np.array([int(match[1]) for match in matches], dtype=np.int64)
    second = np.array([int(match[3]) for match in matches], dtype=np.int64)
    year = np.array([int(match[4]) for match in matches], dtype=np.int64)
    if (first > 12).any() == (second > 12).any():
        raise FixInput(
            f"{table.file_name}: in '{column.name}', dates like {column.values[0]} do not show which number"
            " is the month",
            next_step="write dates like 2024-06-10",
        )
    month_first = bool((second > 12).any())
    month, day = (first, second) if month_first else (second, first)
    of_day = np.array([_since_midnight_ns(match.groups()[4:8]) for match in matches], dtype=np.int64)
    order = "month, day, year" if month_first else "day, month, year"
    return Times(
        values_ns=_days(table, column, year, month, day) * DAY_NS + of_day,
        has_zone=False,
        said=(f"dates in '{column.name}' are written {order}, as days above 12 show",),
    )


def _must_not_be_nearly_iso(table: ForeignTable, column: ForeignColumn) -> None:
    """Raises FixInput, naming the row, where ISO times stand beside something else, or some of them lack a zone."""
    iso = [_ISO.fullmatch(text.strip()) for text in column.values.tolist()]
    if not iso or iso[0] is None:
        return
    for row, match in enumerate(iso):
        if match is None:
            raise FixInput(
                f"{table.place(row)}: '{column.values[row]}' in column '{column.name}' is no time",
                next_step=f"write it as in {table.place(0)}: {column.values[0]}",
            )
        if bool(match["zone"]) != bool(iso[0]["zone"]):
            raise FixInput(
                f"{table.place(row)}: '{column.values[row]}' {'has' if match['zone'] else 'lacks'} a zone,"
                f" unlike {table.place(0)}",
                next_step="write all times of a file alike",
            )
    for row, text in enumerate(column.values.tolist()):
        if not _exists(text.strip()):
            raise FixInput(
                f"{table.place(row)}: '{text}' in column '{column.name}' does not exist on any calendar or clock",
                next_step="correct that row",
            )
    raise FixInput(
        f"{table.file_name}: column '{column.name}' holds times before 1677 or after 2262",
        next_step="correct them, or leave the file out",
    )


def _exists(iso: str) -> bool:
    try:
        datetime.fromisoformat(iso)
    except ValueError:
        return False
    return True


def _time_of_day(table: ForeignTable, column: ForeignColumn) -> Instants:
    hint = "write it like 13:30 or 13:30:00"
    if column.kind is Kind.TEXT:
        matches = _matches(table, column, _TIME_OF_DAY.fullmatch, hint)
        return np.array([_since_midnight_ns(match.groups()) for match in matches], dtype=np.int64)
    if column.kind is not Kind.NUMBER:
        raise FixInput(f"{table.file_name}: column '{column.name}' holds {column.kind}, not times of day")
    numbers = _whole(table, column)
    seconds = numbers % 100 if numbers.max(initial=0) >= 2400 else np.zeros(len(numbers), dtype=np.int64)
    hours_minutes = numbers // 100 if numbers.max(initial=0) >= 2400 else numbers
    hours, minutes = hours_minutes // 100, hours_minutes % 100
    broken = np.flatnonzero((hours > 23) | (minutes > 59) | (seconds > 59) | (numbers < 0))
    if len(broken):
        row = int(broken[0])
        raise FixInput(f"{table.place(row)}: {numbers[row]} is no time of day", next_step=hint)
    return np.asarray(hours * HOUR_NS + minutes * MINUTE_NS + seconds * SECOND_NS)


def _matches(
    table: ForeignTable,
    column: ForeignColumn,
    read: Callable[[str], re.Match[str] | None],
    hint: str,
) -> list[re.Match[str]]:
    matches = []
    for row, text in enumerate(column.values.tolist()):
        match = read(text.strip())
        if match is None:
            raise FixInput(
                f"{table.place(row)}: '{text}' in column '{column.name}' is no time", next_step=hint
            )
        matches.append(match)
    return matches


def _since_midnight_ns(parts: tuple[str | None, ...]) -> int:
    hour_text, minute, second, half = parts
    if hour_text is None:
        return 0
    hour = int(hour_text)
    if half is not None:
        hour = hour % 12 + (12 if half.upper() == "PM" else 0)
    return hour * HOUR_NS + int(minute or 0) * MINUTE_NS + int(second or 0) * SECOND_NS


def _days(
    table: ForeignTable,
    column: ForeignColumn,
    year: NDArray[np.int64],
    month: NDArray[np.int64],
    day: NDArray[np.int64],
) -> Instants:
    """Days after 1970-01-01 of calendar dates."""
    days = np.empty(len(year), dtype=np.int64)
    known: dict[tuple[int, int, int], int] = {}
    for row, parts in enumerate(zip(year.tolist(), month.tolist(), day.tolist(), strict=True)):
        if parts not in known:
            try:
                known[parts] = day_number(date(*parts))
            except ValueError as error:
                raise FixInput(
                    f"{table.place(row)}: '{column.values[row]}' in column '{column.name}' is no date"
                ) from error
        days[row] = known[parts]
    return days
