"""Fetch bars from a vendor into the archive: only what is missing, and only what is whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from magellan.archive.checksum import content_sha256
from magellan.archive.dataset import (
    DateRange,
    Provenance,
    SetId,
    SetNotFound,
    SetRecord,
    Source,
    joined,
)
from magellan.archive.returned_range import absent, settled
from magellan.errors import AskOperator, FixInput, Interrupted, MagellanError
from magellan.ports.bars import BarArchive
from magellan.ports.vendor import BarVendor
from magellan.trading.bar import Bars
from magellan.trading.session import (
    ExchangeCalendar,
    day_date,
    exchange_date,
    session_columns,
)
from magellan.trading.timeframe import DAY

Report = Callable[[str, float, float], None]  # phase, sessions done, sessions in all


EDGE_SESSIONS = 5
"""So many sessions without a trade at an edge of the range are taken for a thin symbol; more are not."""


class ShortRange(AskOperator):
    """The vendor returned less than was asked, and nothing explains it. That part was not kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What one fetch of one set did."""

    record: SetRecord  # of the set as it is now
    asked: DateRange
    requests: int  # parts of the range that the vendor was asked for; 0 when nothing was missing
    rows_added: int
    rows_already_there: int
    notes: tuple[str, ...]  # what is absent for a good reason, one sentence each


def fetch_bars(
    vendor: BarVendor,
    archive: BarArchive,
    calendar: ExchangeCalendar,
    set_id: SetId,
    dates: DateRange,
    *,
    now: datetime,
    report: Report = lambda phase, done, total: None,
) -> Fetched:
    """Ask the vendor for the dates that the archive does not hold yet, part by part, oldest first.

    Each part is merged as it arrives, so whatever stops the work, the next call goes on behind it. A part in
    which sessions are absent is kept only where their absence is explained. The calendar knows the holidays;
    for all else the vendor's own daily bars are the witness. Where they show a trade, the vendor left bars
    out. Where they show none between two days with trades, there was none. Where they show none at an edge of
    the range, up to five sessions pass for a thin symbol and are asked for again next time; for more, and
    for any day of daily bars, which have no witness, a person says whether the symbol was listed then.

    dates:  must end before the exchange's current date: today's bars are still being made.
    now:    aware, UTC.
    Raises: ShortRange (incident 21); FixInput for a range without sessions or not yet over, or when the
            vendor has nothing at all; whatever the vendor and the archive raise. `kept` says what is safe.
    """
    today = exchange_date(now)
    if dates.last_on >= today:
        raise FixInput(
            f"bars of {dates.last_on} are still being made (it is {today} at the exchange)",
            next_step=f"fetch up to {today - timedelta(days=1)}",
        )
    sessions = calendar.sessions(dates.first_on, dates.last_on)
    if not sessions:
        raise FixInput(f"{calendar.name} has no session in {dates}", next_step="choose a longer range")
    fetching = _Fetching(vendor, archive, calendar, set_id, dates, now)
    try:
        for part in _parts(_missing(archive, set_id, dates), vendor.days_per_request(set_id.timeframe)):
            fetching.take(part)
            done = calendar.sessions(dates.first_on, part.last_on)
            report(set_id.symbol, len(done), len(sessions))
        return fetching.finished()
    except MagellanError as error:
        error.kept = error.kept or fetching.kept()
        raise
    except KeyboardInterrupt:
        raise Interrupted(
            "interrupted",
            kept=fetching.kept(),
            next_step="run the same command again; it fetches only what is missing",
        ) from None


class _Fetching:
    """One fetch under way."""

    def __init__(
        self,
        vendor: BarVendor,
        archive: BarArchive,
        calendar: ExchangeCalendar,
        set_id: SetId,
        dates: DateRange,
        now: datetime,
    ) -> None:
        self._vendor = vendor
        self._archive = archive
        self._calendar = calendar
        self._set_id = set_id
        self._dates = dates
        self._now = now
        self._requests = self._rows_added = self._rows_already_there = 0
        self._notes: list[str] = []
        self._witness: frozenset[date] | None = None
        self._empty_from: date | None = None  # parts without a trade, waiting for one to be booked with

    def take(self, part: DateRange) -> None:
        """Fetch one part, judge it, and merge it."""
        if not self._calendar.sessions(part.first_on, part.last_on):
            self._empty_from = self._empty_from or part.first_on
            return
        bars = self._vendor.bars(self._set_id, part)
        self._requests += 1
        whole = self._judged(part, bars)
        if len(bars) == 0:
            if whole is not None:
                self._empty_from = self._empty_from or whole.first_on
            return
        assert whole is not None, "a part with bars is settled where they are"
        outcome = self._archive.merge(
            self._set_id,
            bars,
            Provenance(
                source=Source(
                    name=f"{self._vendor.name} {part}",
                    sha256=content_sha256(bars),
                    rows=len(bars),
                    requested=DateRange(first_on=self._empty_from or whole.first_on, last_on=whole.last_on),
                    fetched_at=self._now,
                ),
                calendar=self._calendar.name,
            ),
        )
        self._empty_from = None
        self._rows_added += outcome.rows_added
        self._rows_already_there += outcome.rows_already_there

    def finished(self) -> Fetched:
        """The outcome. Raises FixInput when the vendor had nothing at all."""
        record = self._record()
        if record is None:
            raise self._nothing()
        return Fetched(
            record=record,
            asked=self._dates,
            requests=self._requests,
            rows_added=self._rows_added,
            rows_already_there=self._rows_already_there,
            notes=tuple(self._notes),
        )

    def kept(self) -> str:
        """What is safe in the archive, in words."""
        record = self._record()
        if record is None:
            return f"the archive, which holds no {self._set_id}"
        held = ", ".join(str(each) for each in record.requested)
        return f"{record.rows:,} bars of {self._set_id} in the archive, for {held}"

    def _judged(self, part: DateRange, bars: Bars) -> DateRange | None:
        """What of the part need not be asked for again. Raises ShortRange for what nothing explains."""
        sessions = self._calendar.sessions(part.first_on, part.last_on)
        present = _dates_of(bars)
        if present.issuperset(sessions):
            return part
        daily = self._set_id.timeframe.is_daily
        traded = present if daily else self._days_traded()
        missing = absent(sessions, present, traded, self._known())
        if not (present or traded or self._known()):
            raise self._nothing()
        if missing.lost:
            raise self._short(
                part,
                missing.lost,
                "on which its own daily bars say that it traded",
                f"ask the vendor why; the rest can be fetched {_without(missing.lost, self._dates)}",
            )
        for edge, options, when in (
            (missing.before, "--from", "listed later"),
            (missing.after, "--to", "delisted before"),
        ):
            if len(edge) > (0 if daily else EDGE_SESSIONS):
                alive = present | traded | self._known()
                limit = min(alive) if options == "--from" else max(alive)
                raise self._short(
                    part,
                    edge,
                    "without saying why",
                    f"if it was {when}, fetch with {options} {limit}; otherwise ask the vendor",
                )
        quiet = _spans((*missing.before, *missing.between, *missing.after))
        why = "`magellan data check` judges that" if daily else "its daily bars show no trade either"
        self._notes.append(f"{self._set_id.symbol} has no bar on {quiet}: {why}.")
        return settled(part, missing)

    def _short(self, part: DateRange, lost: tuple[date, ...], why: str, next_step: str) -> ShortRange:
        return ShortRange(
            f"{self._vendor.name} was asked for {self._set_id.timeframe} bars of {self._set_id.symbol} in"
            f" {part} and left out {_spans(lost)}, {why}",
            next_step=next_step,
        )

    def _nothing(self) -> FixInput:
        return FixInput(
            f"{self._vendor.name} has no bar of {self._set_id.symbol} in {self._dates}",
            next_step="check the symbol, the feed and the range",
        )

    def _days_traded(self) -> frozenset[date]:
        """Dates of the vendor's daily bars in the whole range; asked for once, and only in doubt."""
        if self._witness is None:
            daily = self._vendor.set_id(
                self._set_id.symbol,
                DAY,
                feed=self._set_id.feed,
                adjustment=self._set_id.adjustment,
                hours=None,
            )
            self._witness = _dates_of(self._vendor.bars(daily, self._dates))
        return self._witness

    def _known(self) -> frozenset[date]:
        """Dates of the first and last bar that the archive holds."""
        record = self._record()
        if record is None:
            return frozenset()
        if self._set_id.timeframe.is_daily:
            return frozenset((record.first_at.date(), record.last_at.date()))
        return frozenset((exchange_date(record.first_at), exchange_date(record.last_at)))

    def _record(self) -> SetRecord | None:
        try:
            return self._archive.record(self._set_id)
        except SetNotFound:
            return None


def _missing(archive: BarArchive, set_id: SetId, dates: DateRange) -> tuple[DateRange, ...]:
    """The parts of `dates` that the archive was never asked to hold, oldest first."""
    try:
        known = joined(archive.record(set_id).requested)
    except SetNotFound:
        return (dates,)
    missing, from_on = [], dates.first_on
    for held in known:
        if held.last_on < from_on or held.first_on > dates.last_on:
            continue
        if held.first_on > from_on:
            missing.append(DateRange(first_on=from_on, last_on=held.first_on - timedelta(days=1)))
        from_on = held.last_on + timedelta(days=1)
    if from_on <= dates.last_on:
        missing.append(DateRange(first_on=from_on, last_on=dates.last_on))
    return tuple(missing)


def _parts(ranges: tuple[DateRange, ...], days: int) -> tuple[DateRange, ...]:
    """The same dates in ranges of at most `days`."""
    parts = []
    for each in ranges:
        from_on = each.first_on
        while from_on <= each.last_on:
            last_on = min(from_on + timedelta(days=days - 1), each.last_on)
            parts.append(DateRange(first_on=from_on, last_on=last_on))
            from_on = last_on + timedelta(days=1)
    return tuple(parts)


def _dates_of(bars: Bars) -> frozenset[date]:
    return frozenset(day_date(day) for day in np.unique(session_columns(bars).day).tolist())


def _spans(dates: tuple[date, ...]) -> str:
    """How many dates, and from when to when, in words."""
    if len(dates) == 1:
        return f"{dates[0]}"
    return f"{len(dates)} sessions from {dates[0]} to {dates[-1]}"


def _without(lost: tuple[date, ...], asked: DateRange) -> str:
    """The options with which the longer side of what is left can be fetched."""
    if asked.last_on - lost[-1] > lost[0] - asked.first_on:
        return f"with --from {lost[-1] + timedelta(days=1)}"
    return f"with --to {lost[0] - timedelta(days=1)}"
