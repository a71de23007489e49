"""The archive of bars in Parquet: `bars/` holds the parts, `catalogue/` says which of them count.

A merge writes new parts beside the old ones, then replaces the catalogue file, then deletes what that file no
longer names. Killed before the middle step, it has not happened; killed after, it has. The next merge of the
set sweeps up either way.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from magellan.adapters.durable_file import UNFINISHED, write_durably
from magellan.adapters.parquet.catalogue import (
    Catalogue,
    StoredPart,
    StoredSet,
    StoredSource,
    StoredTerms,
    stored_source,
)
from magellan.adapters.parquet.part import encoded, periods, read_about, read_part
from magellan.adapters.parquet.write_lock import sole_writer
from magellan.archive.checksum import combined_sha256, year_checksums
from magellan.archive.coverage import returned_dates
from magellan.archive.dataset import (
    MergeOutcome,
    Provenance,
    Rebuilt,
    SetId,
    SetNotFound,
    SetRecord,
)
from magellan.archive.merge import merged
from magellan.archive.spacing import must_fit_timeframe
from magellan.errors import AskOperator, FixInput
from magellan.trading.bar import PRICE_COLUMNS, Bars, nanoseconds
from magellan.trading.timeframe import Timeframe

_OUR_FILE = re.compile(rf"[0-9]{{4}}-[0-9a-f]{{16}}\.parquet({re.escape(UNFINISHED)})?")
_AS_IT_WAS = "the archive, as it was"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Merge:
    """A merge that has been compared and not yet written."""

    stored: StoredSet  # the catalogue file as it shall be
    changed: dict[str, Bars]  # the parts to write, by file name
    outcome: MergeOutcome


class ParquetBarArchive:
    """Keeps `ports.bars.BarArchive` in a workspace's data folder."""

    def __init__(self, data_folder: Path) -> None:
        self._bars_folder = data_folder / "bars"
        self._catalogue = Catalogue(data_folder / "catalogue")
        self._lock_file = data_folder / ".writing"

    def sets(self) -> tuple[SetRecord, ...]:
        """See the port. Bars without any catalogue are refused: they must not look like an empty archive."""
        if not self._catalogue.exists() and self._sets_on_disk():
            raise AskOperator(
                f"{self._bars_folder} holds bars, and its catalogue is gone",
                kept="the bars",
                next_step="run `magellan data rebuild`",
            )
        return tuple(
            stored.record()
            for set_id in self._catalogue.set_ids()
            if (stored := self._catalogue.read(set_id)) is not None
        )

    def record(self, set_id: SetId) -> SetRecord:
        """See the port."""
        return self._stored(set_id).record()

    def read(self, set_id: SetId, start_at: datetime | None = None, end_at: datetime | None = None) -> Bars:
        """See the port."""
        first_ns = None if start_at is None else nanoseconds(start_at)
        before_ns = None if end_at is None else nanoseconds(end_at)
        stored = self._stored(set_id)
        while True:
            try:
                return self._read(set_id, stored, first_ns, before_ns)
            except FileNotFoundError as error:
                # A merge may have replaced a part between our two looks; then the catalogue changed as well.
                earlier, stored = stored, self._stored(set_id)
                if stored == earlier:
                    raise _missing(error) from error

    def merge(
        self, set_id: SetId, bars: Bars, provenance: Provenance, *, dry_run: bool = False
    ) -> MergeOutcome:
        """See the port."""
        if len(bars) == 0:
            raise FixInput(f"{set_id}: {provenance.source.name} holds no bars", kept=_AS_IT_WAS)
        if (bars.symbol, bars.timeframe) != (set_id.symbol, set_id.timeframe):
            raise FixInput(
                f"bars of {bars.symbol} {bars.timeframe} do not belong into {set_id}", kept=_AS_IT_WAS
            )
        if dry_run:
            return self._compared(set_id, self._held(set_id), bars, provenance).outcome
        with sole_writer(self._lock_file):
            stored = self._held(set_id)
            self._sweep(set_id, stored)
            merge = self._compared(set_id, stored, bars, provenance)
            if merge.stored != self._catalogue.read(set_id):
                self._carry_out(set_id, merge)
            return merge.outcome

    def rebuild(self) -> Rebuilt:
        """See the port."""
        damaged: list[str] = []
        with sole_writer(self._lock_file):
            for set_id in sorted({*self._catalogue.set_ids(), *self._sets_on_disk()}):
                try:
                    stored = self._rebuilt_set(set_id, self._readable(set_id))
                except AskOperator as error:
                    damaged.append(error.message)
                    continue
                if stored is None:
                    self._catalogue.forget(set_id)
                else:
                    self._catalogue.write(set_id, stored)
        return Rebuilt(records=self._readable_records(), damaged=tuple(damaged))

    def _sets_on_disk(self) -> tuple[SetId, ...]:
        """The sets whose folders are there; folders that are named like no set are not ours."""
        found = []
        for folder in self._bars_folder.glob("*/*/*/*/*/*/"):
            with suppress(FixInput):
                found.append(SetId.parse(folder.relative_to(self._bars_folder).as_posix()))
        return tuple(found)

    def _readable_records(self) -> tuple[SetRecord, ...]:
        records = []
        for set_id in self._catalogue.set_ids():
            with suppress(AskOperator):  # its parts are named among the damaged ones
                records.append(self.record(set_id))
        return tuple(records)

    def _stored(self, set_id: SetId) -> StoredSet:
        stored = self._catalogue.read(set_id)
        if stored is not None:
            return stored
        same_symbol = [each.slug for each in self._catalogue.set_ids() if each.symbol == set_id.symbol]
        have = ", ".join(same_symbol) or "nothing"
        raise SetNotFound(
            f"the archive holds no {set_id}; of {set_id.symbol} it holds {have}",
            next_step="`magellan data list` shows every set; `magellan data import` and `data fetch` add one",
        )

    def _folder(self, set_id: SetId) -> Path:
        return self._bars_folder / set_id.slug

    def _read(self, set_id: SetId, stored: StoredSet, first_ns: int | None, before_ns: int | None) -> Bars:
        pieces = [
            read_part(self._folder(set_id) / part.file, set_id.symbol, set_id.timeframe, first_ns, before_ns)
            for part in stored.parts
            if (before_ns is None or part.first_ns < before_ns)
            and (first_ns is None or part.last_ns >= first_ns)
        ]
        return _strung_together(set_id, pieces)

    def _held(self, set_id: SetId) -> StoredSet | None:
        """What the catalogue says of the set; should its file be lost, what the parts say."""
        return self._catalogue.read(set_id) or self._rebuilt_set(set_id)

    def _compared(
        self, set_id: SetId, stored: StoredSet | None, bars: Bars, provenance: Provenance
    ) -> _Merge:
        """The merge, ready to be written. Bars that disagree are refused here, before anything is."""
        terms = _joined_terms(set_id, stored, bars, provenance)
        must_fit_timeframe(bars.checked(allow_negative_prices=terms.negative_prices))
        parts = {} if stored is None else {_period(part): part for part in stored.parts}
        rows_added = 0
        changed: dict[str, Bars] = {}
        period_of_bar = periods(bars.opened_at_ns, set_id.timeframe)
        for period in np.unique(period_of_bar).tolist():
            held = self._part_bars(set_id, parts.get(period))
            result = merged(held, bars.rows(period_of_bar == period), given_name=provenance.source.name)
            rows_added += result.rows_added
            if result.rows_added:
                parts[period] = _part_of(period, must_fit_timeframe(result.bars))
                changed[parts[period].file] = result.bars
        now = StoredSet(terms=terms, parts=tuple(part for _, part in sorted(parts.items())))
        outcome = MergeOutcome(
            record=now.record(), rows_added=rows_added, rows_already_there=len(bars) - rows_added
        )
        return _Merge(stored=now, changed=changed, outcome=outcome)

    def _carry_out(self, set_id: SetId, merge: _Merge) -> None:
        about = merge.stored.terms.model_dump_json().encode()
        try:
            self._catalogue.begin()
            for file, content in merge.changed.items():
                write_durably(self._folder(set_id) / file, encoded(content, about), kept=_AS_IT_WAS)
            self._catalogue.write(set_id, merge.stored)
        except BaseException:  # Ctrl-C too; on a full disk, what was begun is in the way of the next attempt
            with suppress(OSError, AskOperator):
                self._sweep(set_id, self._catalogue.read(set_id))
            raise
        self._sweep(set_id, merge.stored)

    def _part_bars(self, set_id: SetId, part: StoredPart | None) -> Bars:
        if part is None:
            return _no_bars(set_id)
        path = self._folder(set_id) / part.file
        try:
            return read_part(path, set_id.symbol, set_id.timeframe, None, None)
        except FileNotFoundError as error:
            raise _missing(error) from error

    def _sweep(self, set_id: SetId, stored: StoredSet | None) -> None:
        """Delete what a killed merge left: our files that the catalogue does not name."""
        named = set() if stored is None else {part.file for part in stored.parts}
        folder = self._folder(set_id)
        for path in folder.iterdir() if folder.is_dir() else ():
            if _OUR_FILE.fullmatch(path.name) and path.name not in named:
                path.unlink(missing_ok=True)

    def _readable(self, set_id: SetId) -> StoredSet | None:
        """What the catalogue says of the set, if its file is there and sound."""
        try:
            return self._catalogue.read(set_id)
        except AskOperator:
            return None

    def _rebuilt_set(self, set_id: SetId, known: StoredSet | None = None) -> StoredSet | None:
        """What the parts on disk say; None when there are none.

        Two parts of one period are the old and the new one of a killed merge. Merges only ever add bars, so
        the longer one holds everything.

        known: what the catalogue says. It also knows sources that added no bar, and what was said of a range
               later, which are in no part; it counts while all the parts that it names are there.
        """
        longest: dict[int, StoredPart] = {}
        terms: list[StoredTerms] = []
        folder = self._folder(set_id)
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if not _OUR_FILE.fullmatch(path.name) or path.name.endswith(UNFINISHED):
                continue
            part, its_terms = self._examined_part(path, set_id)
            terms.append(its_terms)
            period = _period(part)
            if period not in longest or longest[period].rows < part.rows:
                longest[period] = part
        if not longest:
            return None
        if known is not None and {part.file for part in known.parts} <= {
            part.file for part in longest.values()
        }:
            terms.append(known.terms)
        terms.sort(key=lambda each: max(source.fetched_at for source in each.sources))
        sources = {(each.sha256, each.name): each for of in terms for each in of.sources}
        return StoredSet(
            terms=terms[-1].model_copy(update={"sources": tuple(sorted(sources.values(), key=_by_age))}),
            parts=tuple(part for _, part in sorted(longest.items())),
        )

    def _examined_part(self, path: Path, set_id: SetId) -> tuple[StoredPart, StoredTerms]:
        damaged = f"{path} is damaged: "
        try:
            terms = StoredTerms.model_validate_json(read_about(path))
        except ValidationError as error:
            raise AskOperator(f"{damaged}what it says about itself cannot be read ({error})") from error
        if terms.set != set_id.slug:
            raise AskOperator(f"{path} belongs to the set {terms.set}", next_step="move it there")
        bars = read_part(path, set_id.symbol, set_id.timeframe, None, None)
        part = _part_of(int(path.name[:4]), bars)
        if part.file != path.name:
            raise AskOperator(f"{damaged}its bars do not have the checksum that its name says")
        return part, terms


def _part_of(period: int, bars: Bars) -> StoredPart:
    """The part that holds these bars. Named after their checksum, so that no two contents share a name."""
    years = year_checksums(bars)
    return StoredPart(
        file=f"{period:04d}-{combined_sha256(years)[:16]}.parquet",
        rows=len(bars),
        first_ns=int(bars.opened_at_ns[0]),
        last_ns=int(bars.opened_at_ns[-1]),
        years=years,
    )


def _missing(error: FileNotFoundError) -> AskOperator:
    return AskOperator(
        f"{error.filename} is missing, though the catalogue names it",
        kept="every other part of the archive",
        next_step="restore it from a backup; or run `magellan data rebuild`, then import its sources again",
    )


def _joined_terms(set_id: SetId, stored: StoredSet | None, bars: Bars, provenance: Provenance) -> StoredTerms:
    """What is known of the set once `provenance` has joined it. Raises FixInput where the two contradict."""
    source = stored_source(provenance.source, provenance.source.requested or returned_dates(bars))
    if stored is None:
        return StoredTerms(
            schema_version=1,
            set=set_id.slug,
            calendar=provenance.calendar,
            sources=(source,),
            negative_prices=provenance.negative_prices,
            point_value=provenance.point_value,
            generated=provenance.generated,
        )
    old = stored.terms
    for what, held, given in (
        ("calendar", old.calendar, provenance.calendar),
        ("point value", old.point_value, provenance.point_value),
        ("generated", old.generated, provenance.generated),
    ):
        if held != given:
            raise FixInput(
                f"{set_id} was begun with {what} {held}; {provenance.source.name} comes with {given}",
                kept=_AS_IT_WAS,
                next_step="import with the set's own terms, or under another vendor or feed name",
            )
    return old.model_copy(
        update={
            "sources": _with_source(old.sources, source),
            "negative_prices": old.negative_prices or provenance.negative_prices,
        }
    )


def _with_source(known: tuple[StoredSource, ...], source: StoredSource) -> tuple[StoredSource, ...]:
    """The sources and this one. The same source once more only counts if another range is said for it now."""
    for number, each in enumerate(known):
        if (each.sha256, each.name) == (source.sha256, source.name):
            if each.counts_as == source.counts_as:
                return known
            return (*known[:number], source, *known[number + 1 :])
    return (*known, source)


def _by_age(source: StoredSource) -> tuple[datetime, str]:
    return source.fetched_at, source.name


def _period(part: StoredPart) -> int:
    return int(part.file[:4])


def _strung_together(set_id: SetId, pieces: list[Bars]) -> Bars:
    if len(pieces) == 1:
        return pieces[0]
    if not pieces:
        return _no_bars(set_id)
    return Bars(
        symbol=set_id.symbol,
        timeframe=set_id.timeframe,
        opened_at_ns=np.concatenate([piece.opened_at_ns for piece in pieces]),
        **{
            name: np.concatenate([getattr(piece, name) for piece in pieces])
            for name in (*PRICE_COLUMNS, "volume")
        },
    )


def _no_bars(set_id: SetId) -> Bars:
    return Bars(
        symbol=set_id.symbol,
        timeframe=Timeframe(set_id.timeframe.span_ns),
        opened_at_ns=np.empty(0, dtype=np.int64),
        **{name: np.empty(0) for name in (*PRICE_COLUMNS, "volume")},
    )
