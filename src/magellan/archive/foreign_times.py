"""Foreign times: from what a file writes to the instant at which each bar opens."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from magellan.archive.declared import Declared, Label
from magellan.archive.file_name import NameSays
from magellan.archive.foreign_table import ForeignTable
from magellan.archive.foreign_values import VALUES
from magellan.archive.hours_evidence import CLEARLY, labelled_with_end, regular_shares
from magellan.archive.layout import Layout
from magellan.archive.notes import Notes
from magellan.archive.spacing import contradicts, timeframe_seen
from magellan.archive.time_column import Times
from magellan.archive.wall_clock import resolved, zone_named
from magellan.errors import FixInput
from magellan.trading.bar import Bars, Floats, Instants, instant
from magellan.trading.session import EXCHANGE_ZONE, ExchangeCalendar, exchange_offset_ns
from magellan.trading.timeframe import DAY, DAY_NS, Timeframe


def dates_in(times: Times) -> Instants | None:
    """The times as dates, if each is a midnight (of the file, of UTC or of the exchange); else None."""
    if not (times.values_ns % DAY_NS).any():
        return times.values_ns
    if times.has_zone:
        wall_ns = times.values_ns + exchange_offset_ns(times.values_ns)
        if not (wall_ns % DAY_NS).any():
            return wall_ns
    return None


def timeframe_of(
    table: ForeignTable,
    dates_ns: Instants | None,
    times: Times,
    says: NameSays,
    declared: Declared,
    notes: Notes,
) -> Timeframe:
    """The span of a bar: what options or name say, held against the spacing; else what the spacing shows."""
    if declared.timeframe and says.timeframe and declared.timeframe != says.timeframe:
        raise FixInput(
            f"{table.file_name}: its name says {says.timeframe}, --timeframe says {declared.timeframe}",
            next_step="leave --timeframe out, or rename the file",
        )
    wanted = declared.timeframe or says.timeframe
    who = "as the options say" if declared.timeframe else "from the file's name"
    spots = np.unique(times.values_ns if dates_ns is None else dates_ns)
    if wanted is None:
        seen = DAY if dates_ns is not None else timeframe_seen(spots)
        if seen is None:
            raise FixInput(
                f"{table.file_name}: {len(spots)} bars are too few to see how long each is",
                next_step="say it with --timeframe, for example 1Min",
            )
        wanted, who = seen, "from the distance between its bars"
    if dates_ns is not None and not wanted.is_daily and len(spots) > 1:
        raise FixInput(
            f"{table.file_name}: every bar is labelled with midnight, so they are days and not {wanted}",
            next_step="give the timeframe that the bars really have",
        )
    if wanted.is_daily and dates_ns is None:
        spots = np.unique(_exchange_days(times))
        why = "several of them fall on one date" if len(spots) < len(np.unique(times.values_ns)) else ""
    else:
        why = contradicts(spots, wanted)
    if why:
        raise FixInput(
            f"{table.file_name}: bars of {wanted} {who}, but {why}",
            next_step="give the timeframe that the bars really have, in --timeframe or in the file's name",
        )
    notes.assumptions.append(f"the timeframe is {wanted}, {who}; the spacing of the bars agrees")
    return wanted


def daily_labels(dates_ns: Instants | None, times: Times, notes: Notes) -> Instants:
    """Midnight UTC of each daily bar's date."""
    if dates_ns is not None:
        notes.assumptions.append("a bar's label is the date of its session")
        return dates_ns
    notes.assumptions.append("of a bar's label, only the exchange's date counts; the time of day is dropped")
    return _exchange_days(times)


def _exchange_days(times: Times) -> Instants:
    """Midnight UTC of each time's date, on the exchange's clock where the times carry a zone."""
    wall_ns = times.values_ns + exchange_offset_ns(times.values_ns) if times.has_zone else times.values_ns
    return wall_ns // DAY_NS * DAY_NS


def instants(
    table: ForeignTable,
    rows: NDArray[np.intp],
    times: Times,
    volume: Floats,
    timeframe: Timeframe,
    layout: Layout | None,
    declared: Declared,
    clock: ExchangeCalendar,
    notes: Notes,
) -> Instants:
    """UTC of each intraday time. Raises FixInput where the zone, or one time in it, would be a guess."""
    if times.has_zone:
        notes.assumptions.append("times carry a zone")
        return times.values_ns
    zone = _zone_of(table, times, volume, timeframe, layout, declared, clock, notes)
    read = resolved(times.values_ns, zone_named(zone))
    for mask, what in (
        (read.absent, f"did not exist in {zone}: the clock was put forward over it"),
        (read.ambiguous, f"happened twice in {zone} (the clock was set back) and stands here once"),
    ):
        if mask.any():
            row = int(np.argmax(mask))
            wall = instant(int(times.values_ns[row]))
            raise FixInput(
                f"{table.place(int(rows[row]))}: {wall:%Y-%m-%d %H:%M} {what}",
                next_step="say which zone it is with --timezone, or correct the file",
            )
    if read.doubled.any():
        count = int(np.count_nonzero(read.doubled))
        notes.assumptions.append(
            f"{count} times appear twice, when the clock was set back: the first is taken as the earlier"
        )
    return read.at_ns


def _zone_of(
    table: ForeignTable,
    times: Times,
    volume: Floats,
    timeframe: Timeframe,
    layout: Layout | None,
    declared: Declared,
    clock: ExchangeCalendar,
    notes: Notes,
) -> str:
    """The zone of times without one: what the options or the layout say, held against when the volume is traded."""
    zone = declared.timezone or (layout.timezone if layout else None)
    candidates = dict.fromkeys([zone or "UTC", "UTC", EXCHANGE_ZONE.key])
    shares = regular_shares(times.values_ns, volume, timeframe, candidates, clock)
    told = "; ".join(
        f"read as {name}, {share:.0%} of the volume falls into {clock.name} sessions"
        for name, share in shares.items()
    )
    if zone is None:
        raise FixInput(
            f"{table.file_name}: its times carry no zone" + (f" ({told})" if told else ""),
            next_step="say which it is with --timezone, for example --timezone UTC or America/New_York",
        )
    doubt = bool(shares) and max(shares.values()) - shares[zone] > CLEARLY
    if doubt and declared.timezone is None:
        raise FixInput(
            f"{table.file_name}: times in this layout are {zone}, but its volume contradicts that: {told}",
            next_step="say which it is with --timezone",
        )
    why = "--timezone" if declared.timezone or layout is None else f"layout '{layout.name}'"
    checked = f"; {shares[zone]:.0%} of the volume then falls into {clock.name} sessions" if shares else ""
    notes.assumptions.append(f"times without a zone are {zone} ({why}){checked}")
    if doubt:
        notes.warnings.append(f"the volume contradicts --timezone: {told}")
    return zone


def labelled_with_start(
    table: ForeignTable, bars: Bars, declared: Declared, clock: ExchangeCalendar, notes: Notes
) -> Bars:
    """The bars with labels moved to their start, where the options say that the file has ends."""
    if declared.label is Label.END:
        notes.assumptions.append("bars are labelled with their end in the file (--label end) and moved back")
        return Bars(
            symbol=bars.symbol,
            timeframe=bars.timeframe,
            opened_at_ns=bars.opened_at_ns - bars.timeframe.span_ns,
            **{name: getattr(bars, name) for name in VALUES},
        )
    if declared.label is None and labelled_with_end(bars, clock):
        raise FixInput(
            f"{table.file_name}: its bars look as if they were labelled with their end: the first loud one of"
            f" a session is a bar later than {clock.name} opens",
            next_step="say --label end; or --label start if you know that they are not",
        )
    notes.assumptions.append("bars are labelled with their start")
    return bars


def in_order(
    table: ForeignTable,
    rows: NDArray[np.intp],
    at_ns: Instants,
    values: dict[str, Floats],
    notes: Notes,
) -> tuple[Instants, dict[str, Floats], NDArray[np.intp], int]:
    """Oldest first, each instant once."""
    if (np.diff(at_ns) < 0).any():
        order = np.argsort(at_ns, kind="stable")
        at_ns, rows = at_ns[order], rows[order]
        values = {name: column[order] for name, column in values.items()}
        notes.assumptions.append("rows were not in the order of time and were sorted")
    same_time = np.zeros(len(at_ns), dtype=bool)
    same_time[1:] = at_ns[1:] == at_ns[:-1]
    if not same_time.any():
        return at_ns, values, rows, 0
    differs = np.zeros(len(at_ns), dtype=bool)
    for column in values.values():
        differs[1:] |= column[1:] != column[:-1]
    broken = np.flatnonzero(same_time & differs)
    if len(broken):
        row = int(broken[0])
        raise FixInput(
            f"{table.place(int(rows[row]))}: {instant(int(at_ns[row])):%Y-%m-%dT%H:%M}Z also stands in"
            f" row {int(rows[row - 1]) + table.first_line}, with other values",
            next_step="take the wrong one of the two out of the file",
        )
    count = int(np.count_nonzero(same_time))
    notes.assumptions.append(f"{count} rows repeat an earlier row, value for value, and were dropped")
    kept = ~same_time
    return at_ns[kept], {name: column[kept] for name, column in values.items()}, rows[kept], count
