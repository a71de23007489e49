"""Journals as files in a folder of the workspace.

.magellan/journals/20260120T143100Z-deploy-opening-gap-to-prod.journal   unfinished: under way, or killed
.magellan/journals/finished/...                                          read-only
.magellan/journals/locks/prod%2Fopening_gap.lock
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from magellan.adapters.durable_file import (
    AGAIN,
    cannot_write,
    make_folder_durably,
    sync_folder,
    write_durably,
)
from magellan.adapters.local.plan_locks import PlanLockFiles
from magellan.errors import AskOperator, FixInput
from magellan.plan.actor import Actor
from magellan.plan.journal import NO_SEAL, Journal, JournalText, read_journal, sealed
from magellan.plan.plan import PlanDescription
from magellan.plan.records import Ending, Head, Record, Resumed
from magellan.plan.standing import JournalState
from magellan.plan.status import next_commands
from magellan.ports.journal import JournalEntry, PlanUnfinished
from magellan.ports.plan_lock import Holder

_SUFFIX: Final = ".journal"
_FINISHED: Final = "finished"
_KEPT: Final = "everything that the journal says; what was being done may have happened or not"


class JournalFiles:
    """Keeps `ports.journal.Journals`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._locks = PlanLockFiles(folder / "locks")

    @contextmanager
    def begin(self, plan: PlanDescription, *, by: Actor, at: datetime) -> Generator[Journal]:
        """See the port."""
        with self._locks.hold(plan.subject, Holder(by=by, since=at, what=plan.name)) as dead:
            self._refuse_unfinished(plan.subject, dead)
            path = self._new_file(plan.name, at)
            records = (Head(at=at, by=by, plan=plan),)
            lines, seal = sealed(records, number=0, seal=NO_SEAL)
            # Beside first and then in its place: a journal that is there has a whole head.
            write_durably(path, lines, kept="everything; nothing was begun")
            with _opened(path, records, seal) as journal, self._put_away_at_end(path, journal):
                yield journal

    @contextmanager
    def reopen(self, name: str, *, by: Actor, at: datetime) -> Generator[Journal]:
        """See the port."""
        plan = JournalState(self.read(name).records).plan
        with self._locks.hold(plan.subject, Holder(by=by, since=at, what=plan.name)) as dead:
            self._refuse_unfinished(plan.subject, dead, but=name)
            path = self._file(name)
            text = _read(path)  # again: it may have grown until we had the lock
            if JournalState(text.records).ending is Ending.UNDONE:
                if path.parent == self._folder:  # it was killed before it was put away
                    _make_evidence(path)
                raise FixInput(f"{name} was taken back already: nothing is left to do", kept="its journal")
            path = self._taken_out(path)
            with (
                _opened(path, text.records, text.seal, cut_to=text.whole_bytes) as journal,
                self._put_away_at_end(path, journal),
            ):
                journal.append([Resumed(at=at, by=by, torn_bytes=text.torn_bytes)], durably=True)
                yield journal

    def read(self, name: str) -> JournalText:
        """See the port."""
        return _read(self._file(name))

    def at_work(self, subject: str) -> Holder | None:
        """See the port."""
        return self._locks.holder(subject)

    def all(self) -> tuple[JournalEntry, ...]:
        """See the port."""
        found = [
            JournalEntry(name=path.stem, is_finished=path.parent != self._folder)
            for folder in (self._folder, self._folder / _FINISHED)
            for path in folder.glob(f"*{_SUFFIX}")
        ]
        return tuple(sorted(found, key=lambda each: each.name))

    def _file(self, name: str) -> Path:
        for folder in (self._folder, self._folder / _FINISHED):
            path = folder / f"{name}{_SUFFIX}"
            if path.parent == folder and path.is_file():
                return path
        known = [each.name for each in self.all()][-3:]
        raise FixInput(
            f"there is no journal {name} in {self._folder}",
            next_step=f"the newest are {', '.join(known)}" if known else "none was ever written there",
        )

    def _new_file(self, name: str, at: datetime) -> Path:
        words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:80]
        stem = f"{at.astimezone(UTC):%Y%m%dT%H%M%S%fZ}-{words}"
        number = 1
        taken = {each.name for each in self.all()}
        while (numbered := stem if number == 1 else f"{stem}-{number}") in taken:
            number += 1
        return self._folder / f"{numbered}{_SUFFIX}"

    def _refuse_unfinished(self, subject: str, dead: Holder | None, *, but: str = "") -> None:
        """Raises PlanUnfinished. A journal with an end, whose process was killed before it was put away, is now."""
        for entry in self.all():
            if entry.is_finished or entry.name == but:
                continue
            path = self._file(entry.name)
            state = JournalState(_read(path).records)
            if state.plan.subject != subject:
                continue
            if state.ending is not None:
                _make_evidence(path)
                continue
            died = "" if dead is None else f"; process {dead.by.pid} of {dead.by.person} died at it"
            raise PlanUnfinished(
                f"{state.plan.name}, begun {state.head.at:%Y-%m-%d %H:%M:%S} UTC by {state.head.by}, "
                f"is unfinished{died}",
                kept=f"its journal, {path}",
                next_step=next_commands(state),
            )

    @contextmanager
    def _put_away_at_end(self, path: Path, journal: Journal) -> Generator[None]:
        try:
            yield
        finally:
            if JournalState(journal.records).ending is not None:
                _make_evidence(path)

    def _taken_out(self, path: Path) -> Path:
        """The file where unfinished journals lie, so that it is one until its plan has come to an end again.

        It may lie there and be read-only all the same: a kill came while it was put away.
        """
        unfinished = self._folder / path.name
        try:
            path.chmod(stat.S_IMODE(path.stat().st_mode) | stat.S_IWUSR)
            if path != unfinished:
                os.rename(path, unfinished)
                sync_folder(unfinished.parent)
        except OSError as error:
            raise cannot_write(unfinished, error, kept="everything; nothing was begun") from error
        return unfinished


class _JournalFile:
    """Keeps `plan.journal.Journal`."""

    def __init__(self, path: Path, descriptor: int, records: Sequence[Record], seal: str) -> None:
        self._path = path
        self._descriptor = descriptor
        self._records = list(records)
        self._seal = seal
        self._failure: AskOperator | None = None

    @property
    def records(self) -> Sequence[Record]:
        return self._records

    def append(self, records: Sequence[Record], *, durably: bool) -> None:
        # After a write that failed halfway, another one would make damage of what is only torn.
        if self._failure is not None:
            raise self._failure
        lines, seal = sealed(records, number=len(self._records), seal=self._seal)
        try:
            if os.write(self._descriptor, lines) < len(lines):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if durably:
                os.fsync(self._descriptor)
        except OSError as error:
            again = next_commands(JournalState(self._records)) if self._records else ""
            self._failure = cannot_write(self._path, error, kept=_KEPT, again=again or AGAIN)
            raise self._failure from error
        self._records += records
        self._seal = seal


@contextmanager
def _opened(
    path: Path, records: Sequence[Record], seal: str, *, cut_to: int | None = None
) -> Generator[_JournalFile]:
    with ExitStack() as closing:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
            closing.callback(os.close, descriptor)
            if cut_to is not None:
                os.ftruncate(descriptor, cut_to)
                os.fsync(descriptor)
        except OSError as error:
            raise cannot_write(path, error, kept=_KEPT) from error
        yield _JournalFile(path, descriptor, records, seal)


def _read(path: Path) -> JournalText:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AskOperator(
            f"the journal {path} cannot be read: {error.strerror}",
            next_step="give this user the right to read it",
        ) from error
    return read_journal(content, name=str(path))


def _make_evidence(path: Path) -> None:
    """Put a finished journal away, read-only."""
    finished = path.parent / _FINISHED / path.name
    make_folder_durably(finished.parent, kept=f"the journal, {path}")
    try:
        path.chmod(0o444)
        os.rename(path, finished)
        sync_folder(finished.parent)
        sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(finished, error, kept=f"the journal, {path}") from error
