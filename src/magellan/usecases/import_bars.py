"""Import bars: foreign files into the archive, each on its own, so that a bad one spoils no other."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from magellan.archive.dataset import DateRange, Provenance, SetId, SetNotFound, Source
from magellan.archive.declared import Declared
from magellan.archive.foreign_table import ForeignTable
from magellan.archive.interpretation import CalendarNamed, Interpreted, interpreted
from magellan.errors import FixInput, Interrupted, MagellanError
from magellan.ports.bars import BarArchive
from magellan.ports.import_journal import FileDone, ImportJournal

ReadForeign = Callable[[bytes, str], ForeignTable]
"""From a file's bytes and its name to a table. Raises FixInput when they are none."""

Report = Callable[[str, float, float], None]
"""Told of a phase, how many of its files are done, and of how many."""


class Status(StrEnum):
    """What became of a file."""

    IMPORTED = "imported"
    ALREADY_THERE = "already there"
    REFUSED = "refused"
    WOULD_IMPORT = "would be imported"  # in a dry run


@dataclass(frozen=True, slots=True, kw_only=True)
class SetImported:
    """What one file added to one set, and what reading it took for granted."""

    set: str  # its slug
    rows_added: int
    rows_already_there: int
    repeated_rows: int  # in the file, dropped
    empty_rows: int  # in the file, dropped
    first_at: datetime  # of the file's bars
    last_at: datetime
    requested: DateRange | None  # what the file's name asks for
    assumptions: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOutcome:
    """What became of one file."""

    file: Path
    status: Status
    sets: tuple[SetImported, ...] = ()  # when refused: those of its symbols that were imported before
    reason: str = ""  # why it was refused
    next_step: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportResult:
    """What became of every file, in the order of their names."""

    files: tuple[FileOutcome, ...]
    resumed: int  # files that an earlier, interrupted import had finished
    dry_run: bool

    @property
    def counts(self) -> dict[Status, int]:
        """How many files each status has; statuses without a file are absent."""
        return {
            status: count for status in Status if (count := sum(each.status is status for each in self.files))
        }

    @property
    def refused(self) -> tuple[FileOutcome, ...]:
        """The files that were refused."""
        return tuple(each for each in self.files if each.status is Status.REFUSED)


def import_bars(
    paths: Sequence[Path],
    declared: Declared,
    *,
    archive: BarArchive,
    journal: ImportJournal,
    read_foreign: ReadForeign,
    endings: tuple[str, ...],
    calendar_named: CalendarNamed,
    now: datetime,
    dry_run: bool = False,
    report: Report = lambda phase, done, total: None,
) -> ImportResult:
    """Read files and folders, and merge what they hold into the archive.

    Each file is merged whole or refused with its reason. Doing it twice is doing it once. After a kill, the
    same call goes on where the journal ends.
    paths:    files, and folders that are searched for files with one of `endings`.
    now:      aware, UTC: the time of import that is recorded.
    dry_run:  say what would happen. Files are then held against the archive, not against each other.
    Raises:   FixInput when there is nothing to import; AskOperator or TryAgain when the archive cannot be
              written; Interrupted on Ctrl-C. Then `kept` says how many files are done.
    """
    files = _files(paths, endings)
    done: dict[str, FileDone] = {}
    if not dry_run:
        done = {each.file: each for each in journal.begin(_key(files, declared), len(files), now)}
    reading = _Importing(archive, declared, read_foreign, calendar_named, now, dry_run)
    outcomes: list[FileOutcome] = []
    resumed = 0
    with _says_what_is_kept(outcomes, len(files)):
        for file in files:
            report("import", len(outcomes), len(files))
            known = done.get(str(file))
            if known is not None and reading.still_holds(file, known):
                resumed += 1
                outcomes.append(FileOutcome(file=file, status=Status.ALREADY_THERE))
                continue
            outcome, checksum = reading.take(file)
            outcomes.append(outcome)
            if not dry_run and outcome.status is not Status.REFUSED:
                sets = tuple(each.set for each in outcome.sets)
                journal.done(FileDone(file=str(file), sha256=checksum, sets=sets))
        report("import", len(files), len(files))
    if not dry_run:
        journal.end()
    return ImportResult(files=tuple(outcomes), resumed=resumed, dry_run=dry_run)


@dataclass(frozen=True, slots=True)
class _Importing:
    archive: BarArchive
    declared: Declared
    read_foreign: ReadForeign
    calendar_named: CalendarNamed
    now: datetime
    dry_run: bool

    def still_holds(self, file: Path, known: FileDone) -> bool:
        """Whether the file is the one that was imported, and its sets still name it among their sources."""
        try:
            if _sha256(file.read_bytes()) != known.sha256:
                return False
        except OSError:
            return False
        return bool(known.sets) and all(self._came_from(slug, known.sha256) for slug in known.sets)

    def _came_from(self, slug: str, sha256: str) -> bool:
        try:
            record = self.archive.record(SetId.parse(slug))
        except SetNotFound:
            return False
        return any(source.sha256 == sha256 for source in record.sources)

    def take(self, file: Path) -> tuple[FileOutcome, str]:
        """Import one file; returns what became of it, and the checksum of its bytes."""
        sets: list[SetImported] = []
        checksum = ""
        try:
            _must_have_a_name(file)
            content = _bytes_of(file)
            checksum = _sha256(content)
            table = self.read_foreign(content, file.name)
            for found in interpreted(table, self.declared, self.calendar_named):
                sets.append(self._merge(found, file.name, checksum))
        except FixInput as error:
            outcome = FileOutcome(
                file=file,
                status=Status.REFUSED,
                sets=tuple(sets),
                reason=error.message,
                next_step=error.next_step,
            )
            return outcome, checksum
        if not any(each.rows_added for each in sets):
            status = Status.ALREADY_THERE
        else:
            status = Status.WOULD_IMPORT if self.dry_run else Status.IMPORTED
        return FileOutcome(file=file, status=status, sets=tuple(sets)), checksum

    def _merge(self, found: Interpreted, name: str, checksum: str) -> SetImported:
        outcome = self.archive.merge(
            found.set_id,
            found.bars,
            Provenance(
                source=Source(
                    name=name,
                    sha256=checksum,
                    rows=found.rows_in_file,
                    requested=found.requested,
                    fetched_at=self.now,
                    assumptions=found.assumptions,
                    repeated_rows=found.repeated_rows,
                ),
                calendar=found.calendar,
                # Allowing them for a whole folder must not blunt the checks on sets that have none.
                negative_prices=self.declared.negative_prices and bool((found.bars.low <= 0).any()),
                point_value=self.declared.point_value,
            ),
            dry_run=self.dry_run,
        )
        return SetImported(
            set=found.set_id.slug,
            rows_added=outcome.rows_added,
            rows_already_there=outcome.rows_already_there,
            repeated_rows=found.repeated_rows,
            empty_rows=found.empty_rows,
            first_at=found.bars.bar(0).opened_at,
            last_at=found.bars.bar(len(found.bars) - 1).opened_at,
            requested=found.requested,
            assumptions=found.assumptions,
            warnings=found.warnings,
        )


def _files(paths: Sequence[Path], endings: tuple[str, ...]) -> tuple[Path, ...]:
    """The files that the paths name, each once, in the order of their names; folders searched throughout."""
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = [
                each
                for each in path.rglob("*")
                if each.name.lower().endswith(endings) and not _hidden(each, path) and each.is_file()
            ]
            if not inside:
                raise FixInput(
                    f"{path} holds no files that end with {', '.join(endings)}",
                    next_step="name another folder, or the files themselves",
                )
            found |= dict.fromkeys(each.resolve() for each in inside)
        else:
            found[path.resolve()] = None
    if not found:
        raise FixInput("no file was named", next_step="name files or folders of bars")
    return tuple(sorted(found))


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def _must_have_a_name(file: Path) -> None:
    """Records and journal name files as text, and a path may be any bytes."""
    try:
        str(file).encode()
    except UnicodeEncodeError as error:
        raise FixInput(f"{file}: its name or folder is not text in UTF-8", next_step="rename it") from error


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError as error:
        raise FixInput(f"{file} does not exist", next_step="check the path") from error
    except OSError as error:
        raise FixInput(
            f"{file} cannot be read: {error.strerror}", next_step="give this user the right to read it"
        ) from error


def _key(files: Sequence[Path], declared: Declared) -> str:
    """What an import is resumed by: the same files with the same options."""
    options = [f"{each.name}={_stable(getattr(declared, each.name))}" for each in fields(declared)]
    return _sha256(os.fsencode("\n".join([*map(str, files), *options])))[:16]


def _stable(value: object) -> str:
    return ",".join(sorted(value)) if isinstance(value, frozenset) else str(value)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@contextmanager
def _says_what_is_kept(outcomes: Sequence[FileOutcome], total: int) -> Iterator[None]:
    """Let no error leave without saying how far the import came."""

    def kept() -> str:
        return f"{len(outcomes)} of {total} files are done; the archive holds them whole"

    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(
            "interrupted", kept=kept(), next_step="run the same command again; it goes on from there"
        ) from None
    except MagellanError as error:
        error.kept = "; ".join(filter(None, [kept(), error.kept]))
        raise
