"""Interpretation: from a foreign table to bars; each assumption stated, refused where it would be a guess."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from magellan.archive.coverage import shortfall
from magellan.archive.dataset import Adjustment, DateRange, SetId, valid_symbol
from magellan.archive.declared import Declared, RangePolicy
from magellan.archive.file_name import NameSays, name_says
from magellan.archive.foreign_table import ForeignTable, Kind
from magellan.archive.foreign_times import (
    daily_labels,
    dates_in,
    in_order,
    instants,
    labelled_with_start,
    timeframe_of,
)
from magellan.archive.foreign_values import (
    VALUES,
    adjust_to_adjusted_close,
    must_be_sound,
    numbers,
    without_empty,
)
from magellan.archive.layout import NotBars, Roles, plain, roles_of
from magellan.archive.notes import Notes
from magellan.archive.spacing import must_fit_timeframe
from magellan.archive.time_column import Times, times_of
from magellan.errors import FixInput
from magellan.trading.bar import Bars, Instants, instant
from magellan.trading.session import ExchangeCalendar, Hours
from magellan.trading.timeframe import HOUR_NS, Timeframe

CalendarNamed = Callable[[str], ExchangeCalendar]

_NO_NIGHT_NS = 12 * HOUR_NS  # a calendar whose sessions are longer says nothing about the time of day


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Interpreted:
    """One symbol's bars out of a file, and what it took to read them."""

    set_id: SetId
    bars: Bars
    requested: DateRange | None  # what the file's name asks for
    calendar: str
    assumptions: tuple[str, ...]
    warnings: tuple[str, ...]  # what a person should look at
    rows_in_file: int  # of this symbol
    repeated_rows: int  # dropped, because an earlier row of the same instant has the same values
    empty_rows: int  # dropped, because they have no prices


def interpreted(
    table: ForeignTable, declared: Declared, calendar_named: CalendarNamed
) -> tuple[Interpreted, ...]:
    """The bars in a table, a symbol at a time.

    calendar_named: gives the exchange calendar of that name.
    Raises: NotBars when the table holds none; FixInput, naming the place, where reading on would be a guess.
    """
    if table.rows == 0:
        raise NotBars(f"{table.file_name} holds no rows", next_step="leave the file out")
    roles = roles_of(table, ignored=declared.ignored_columns)
    says = name_says(table.file_name)
    reading = _Reading(table, roles, says, declared, times_of(table, roles.times), calendar_named)
    return tuple(
        reading.symbol_bars(symbol, how, rows) for symbol, how, rows in _symbols(table, roles, says, declared)
    )


@dataclass(frozen=True, slots=True)
class _Reading:
    """One table being read."""

    table: ForeignTable
    roles: Roles
    says: NameSays
    declared: Declared
    times: Times
    calendar_named: CalendarNamed

    def symbol_bars(self, symbol: str, how: str, rows: NDArray[np.intp]) -> Interpreted:
        """The bars of one symbol, which stand in `rows`."""
        table, roles, declared = self.table, self.roles, self.declared
        notes = Notes()
        notes.assumptions.append(f"the symbol is {symbol}, {how}")
        rows_in_file = len(rows)
        values = {role: numbers(table, roles.prices_and_volume[role], rows) for role in VALUES}
        rows, values, empty_rows = without_empty(table, rows, values, notes)
        adjust_to_adjusted_close(table, roles, rows, values, declared, notes)
        times = self.times.rows(rows)
        notes.assumptions += times.said
        dates_ns = dates_in(times)
        timeframe = timeframe_of(table, dates_ns, times, self.says, declared, notes)
        calendar = self.calendar_named(_calendar_name(roles, declared, notes))
        clock = self.calendar_named("XNYS") if _is_nightless(calendar) else calendar
        if timeframe.is_daily:
            at_ns = daily_labels(dates_ns, times, notes)
        else:
            at_ns = instants(
                table, rows, times, values["volume"], timeframe, roles.layout, declared, clock, notes
            )
        at_ns, values, rows, repeated_rows = in_order(table, rows, at_ns, values, notes)
        must_be_sound(table, rows, values, declared)
        bars = Bars(symbol=symbol, timeframe=timeframe, opened_at_ns=at_ns, **values)
        notes.warnings += _listed_splits(table, rows, at_ns)
        if not timeframe.is_daily:
            bars = labelled_with_start(table, bars, declared, clock, notes)
        if declared.hours is Hours.REGULAR:
            _must_be_regular(table, bars, calendar)
        if roles.not_kept:
            notes.assumptions.append(f"{', '.join(roles.not_kept)}: not kept, bars hold open to volume only")
        requested = _requested(table, bars, self.says, declared, calendar, notes)
        return Interpreted(
            set_id=_set_id(symbol, timeframe, declared, notes),
            bars=must_fit_timeframe(bars.checked(allow_negative_prices=declared.negative_prices)),
            requested=requested,
            calendar=calendar.name,
            assumptions=tuple(notes.assumptions),
            warnings=tuple(notes.warnings),
            rows_in_file=rows_in_file,
            repeated_rows=repeated_rows,
            empty_rows=empty_rows,
        )


def _symbols(
    table: ForeignTable, roles: Roles, says: NameSays, declared: Declared
) -> Iterator[tuple[str, str, NDArray[np.intp]]]:
    """(symbol, how we know it, row numbers) of each symbol in the table."""
    every_row = np.arange(table.rows)
    if roles.symbol is None:
        if declared.symbol is not None:
            yield valid_symbol(declared.symbol), "as the options say", every_row
        elif says.symbol is not None:
            yield valid_symbol(says.symbol), "from the file's name", every_row
        else:
            raise FixInput(
                f"{table.file_name}: neither its name nor a column says which symbol it is about",
                next_step="say it with --symbol, or name the file like TSLA_1min_20240101_20241231.parquet",
            )
        return
    column = roles.symbol
    if column.kind is not Kind.TEXT or column.missing.any():
        place = table.place(int(np.argmax(column.missing))) if column.missing.any() else table.file_name
        raise FixInput(f"{place}: column '{column.name}' does not name a symbol")
    names = np.array([str(name).strip().upper() for name in column.values.tolist()])
    found = sorted(set(names.tolist()))
    for expected, who in ((declared.symbol, "--symbol says"), (says.symbol, "its name says")):
        if expected is not None and found != [expected]:
            raise FixInput(
                f"{table.file_name}: {who} {expected}, but its column '{column.name}' holds"
                f" {', '.join(found[:5])}{' and others' if len(found) > 5 else ''}",
                next_step="a vendor that ignores the symbol asked for delivers this; fetch the file again",
            )
    for name in found:
        yield valid_symbol(name), f"from column '{column.name}'", np.flatnonzero(names == name)


def _set_id(symbol: str, timeframe: Timeframe, declared: Declared, notes: Notes) -> SetId:
    for what, said in (("vendor", declared.vendor), ("feed", declared.feed)):
        if said is None:
            notes.assumptions.append(f"the {what} is not known (no --{what})")
    if declared.adjustment is None:
        notes.assumptions.append("prices are raw, as traded (no --adjustment)")
    if declared.hours is None:
        notes.assumptions.append(
            "bars outside the session belong to it, as far as there are any (no --hours)"
        )
    return SetId(
        symbol=symbol,
        timeframe=timeframe,
        vendor=declared.vendor or "unknown",
        feed=declared.feed or "unknown",
        adjustment=declared.adjustment or Adjustment.RAW,
        hours=declared.hours or Hours.ALL,
    )


def _calendar_name(roles: Roles, declared: Declared, notes: Notes) -> str:
    if declared.calendar is not None:
        return declared.calendar
    name = roles.layout.calendar if roles.layout else "XNYS"
    why = f"layout '{roles.layout.name}'" if roles.layout else "no --calendar"
    notes.assumptions.append(f"sessions are those of {name} ({why})")
    return name


def _must_be_regular(table: ForeignTable, bars: Bars, calendar: ExchangeCalendar) -> None:
    outside = np.flatnonzero(~calendar.regular(bars))
    if len(outside):
        at = instant(int(bars.opened_at_ns[outside[0]]))
        raise FixInput(
            f"{table.file_name}: --hours regular, but {len(outside)} of {len(bars)} bars lie outside the"
            f" sessions of {calendar.name}, the first at {at:%Y-%m-%dT%H:%M}Z",
            next_step="say --hours all",
        )


def _requested(
    table: ForeignTable,
    bars: Bars,
    says: NameSays,
    declared: Declared,
    calendar: ExchangeCalendar,
    notes: Notes,
) -> DateRange | None:
    """What the file's name asks for, compared with what the file holds: vendors cut ranges off silently."""
    if says.requested is None:
        return None
    short = shortfall(bars, says.requested, calendar)
    if not short.sessions_missing:
        return says.requested
    if declared.range_policy is RangePolicy.REFUSE:
        raise FixInput(
            f"{table.file_name}: {short.explanation}",
            next_step="fetch the rest; or leave --strict-range out to import what there is",
        )
    notes.warnings.append(short.explanation)
    if declared.range_policy is RangePolicy.ACCEPT:
        notes.assumptions.append(f"{short.returned} is all that was asked for (--accept-range)")
        return short.returned
    return says.requested


def _is_nightless(calendar: ExchangeCalendar) -> bool:
    return bool(np.median(calendar.closes_at_ns - calendar.opens_at_ns) > _NO_NIGHT_NS)


def _listed_splits(table: ForeignTable, rows: NDArray[np.intp], at_ns: Instants) -> list[str]:
    """Splits that the file lists in a column of its own: worth a word, since bars do not keep them."""
    for column in table.columns:
        if plain(column.name) == "stock_splits" and column.kind is Kind.NUMBER:
            ratios = column.values[rows].astype(np.float64)
            found = np.flatnonzero((ratios != 0) & ~column.missing[rows]).tolist()
            listed = ", ".join(
                f"{instant(int(at_ns[row])):%Y-%m-%d} ({ratios[row]:g} for 1)" for row in found[:5]
            )
            if found:
                return [
                    f"'{column.name}' lists {len(found)}: {listed}; if the prices are raw, enter them with"
                    " `magellan data split`"
                ]
    return []
