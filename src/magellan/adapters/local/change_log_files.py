"""The audit log of changes as files in a folder of the workspace.

.magellan/audit/changes-0000000001.jsonl   named by its first number; read-only once the next one was begun
.magellan/audit/head.json                  where the chain ends: the only thing that shows that its end was cut off
.magellan/audit/lock                       one process appends at a time

A line is on the disk before the head says so. A process that is killed in between leaves one line more than the head
knows, which the next one takes in; or a part of a line, which the next one cuts off: whoever wrote it was never told
that it is recorded.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from magellan.adapters.durable_file import cannot_write, make_folder_durably, sync_folder, write_durably
from magellan.audit.change import Change
from magellan.audit.change_chain import (
    RecordedChange,
    UnreadableChange,
    change_from,
    is_torn,
    links,
    sealed,
)
from magellan.errors import AskOperator
from magellan.ledger.chain import EMPTY, Broken, ChainBroken, Head, Sound
from magellan.ledger.known_secrets import NO_SECRETS, KnownSecrets

_NAME: Final = re.compile(r"changes-(\d{10})\.jsonl")
_SEGMENT_BYTES: Final = 2_000_000  # read and checked before every append, in some milliseconds
_KEPT: Final = "everything that was recorded before; nothing was begun"


class ChangeLogFiles:
    """Keeps `ports.change_log.ChangeLog`.

    secrets: what is hidden in records. segment_bytes: of a file, before the next one is begun.
    """

    def __init__(
        self, folder: Path, *, secrets: KnownSecrets = NO_SECRETS, segment_bytes: int = _SEGMENT_BYTES
    ) -> None:
        self._folder = folder
        self._secrets = secrets
        self._segment_bytes = segment_bytes

    @property
    def head(self) -> Head:
        """See the port."""
        return self._end()[0]

    def append(self, change: Change) -> RecordedChange:
        """See the port."""
        change = self._secrets.hidden_within(change)
        make_folder_durably(self._folder, kept=_KEPT)
        with self._alone():
            end, segment, whole_bytes = self._end()
            line, head = sealed(change, end)
            try:
                if segment is None:
                    # First, so that a log without a head is known to have lost it.
                    self._write_head(EMPTY)
                if segment is None or whole_bytes >= self._segment_bytes:
                    if segment is not None:
                        segment.chmod(0o444)
                    segment, whole_bytes = self._folder / f"changes-{head.number:010}.jsonl", 0
                _write(segment, line + b"\n", at=whole_bytes)
            except OSError as error:
                raise cannot_write(self._folder, error, kept=_KEPT) from error
            self._write_head(head)
        return change_from(line, head)

    def changes(self, *, after: int = 0) -> Iterator[RecordedChange]:
        """See the port."""
        try:
            for line, head in links(self._whole_lines(), EMPTY):
                if head.number > after:
                    yield change_from(line, head)
        except ChainBroken as error:
            raise _damaged(self._folder, error.broken) from error
        except UnreadableChange as error:
            raise AskOperator(
                f"the audit log {self._folder} cannot be read: {error}",
                next_step="install the Magellan that wrote it, or a newer one",
            ) from error

    def lines(self) -> Iterator[bytes]:
        """See the port."""
        return self._whole_lines()

    def copy(self, into: Path) -> None:
        """Copy the log, as it is at one instant, into a folder that is there. Raises AskOperator."""
        with self._unchanging():
            try:
                for path in self._folder.iterdir() if self._folder.is_dir() else ():
                    if path.suffix in (".json", ".jsonl"):
                        shutil.copy2(path, into / path.name)
            except OSError as error:
                raise cannot_write(into, error, kept=_KEPT) from error

    def verify(self, noted: Sequence[Head] = ()) -> Sound | Broken:
        """See the port."""
        with self._unchanging():
            return self._verified(noted)

    def _verified(self, noted: Sequence[Head]) -> Sound | Broken:
        written = self._written_head()
        wanted = {each.number: each.hash for each in (*noted, *([written] if written else [])) if each.number}
        contradicting = next(
            (each for each in noted if wanted.get(each.number, each.hash) != each.hash), None
        )
        if contradicting is not None:
            return Broken(
                number=contradicting.number, reason="two heads were noted for it, with different hashes"
            )
        reached = EMPTY
        segments = self._segments()
        try:
            for first, path in segments:
                if first != reached.number + 1:
                    return Broken(
                        number=reached.number + 1, reason=f"it is missing; {path.name} begins with {first}"
                    )
                lines, torn = _split(path.read_bytes())
                for _, each in links(lines, reached):
                    reached = each
                    if wanted.get(reached.number, reached.hash) != reached.hash:
                        return Broken(
                            number=reached.number,
                            reason="it had another hash when the head was noted: it was changed, or the chain "
                            "was written anew",
                        )
                if torn and (path is not segments[-1][1] or not is_torn(torn, reached)):
                    return Broken(number=reached.number + 1, reason=f"it is not whole, in {path.name}")
        except ChainBroken as error:
            return error.broken
        if written is None and segments:
            return Broken(number=reached.number, reason="head.json, which says where the chain ends, is gone")
        last = max(wanted, default=0)
        if reached.number < last:
            return Broken(number=reached.number + 1, reason=f"it is missing; the chain had {last} changes")
        if written is not None and reached.number > written.number + 1:
            return Broken(
                number=written.number + 1, reason=f"it was added to a chain of {written.number} changes"
            )
        return Sound(head=reached)

    def _end(self) -> tuple[Head, Path | None, int]:
        """Where the chain ends, the newest file, and how many of its bytes are whole lines."""
        written = self._written_head()
        segments = self._segments()
        if not segments:
            if written is not None and written.number:
                raise _damaged(
                    self._folder, Broken(number=1, reason=f"it is missing; there were {written.number}")
                )
            return EMPTY, None, 0
        if written is None:
            raise _damaged(self._folder, Broken(number=1, reason="head.json is gone"))
        first, path = segments[-1]
        content = path.read_bytes()
        lines, torn = _split(content)
        try:
            reached = before = _before(first, lines, written)
            for _, reached in links(lines, before):
                if reached.number == written.number and reached.hash != written.hash:
                    raise ChainBroken(reached.number, "it has another hash than head.json says")
            if not written.number <= reached.number <= written.number + 1:
                raise ChainBroken(reached.number + 1, f"the chain had {written.number} changes")
            if not is_torn(torn, reached):
                raise ChainBroken(reached.number + 1, "it is not whole, and nothing that a kill would leave")
        except ChainBroken as error:
            raise _damaged(self._folder, error.broken) from error
        return reached, path, len(content) - len(torn)

    def _segments(self) -> list[tuple[int, Path]]:
        found = [(_NAME.fullmatch(path.name), path) for path in self._folder.glob("changes-*")]
        return sorted((int(match[1]), path) for match, path in found if match is not None)

    def _whole_lines(self) -> Iterator[bytes]:
        for _, path in self._segments():
            yield from _split(path.read_bytes())[0]

    def _written_head(self) -> Head | None:
        try:
            told = json.loads((self._folder / "head.json").read_bytes())
            return Head(number=int(told["number"]), hash=str(told["hash"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise _damaged(
                self._folder, Broken(number=0, reason="head.json does not say where the chain ends")
            ) from error

    def _write_head(self, head: Head) -> None:
        content = json.dumps({"number": head.number, "hash": head.hash}).encode() + b"\n"
        write_durably(self._folder / "head.json", content, kept=_KEPT)

    @contextmanager
    def _alone(self) -> Generator[None]:
        """The only one that appends. Others are done in milliseconds, so they are waited for."""
        try:
            descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o660)
        except OSError as error:
            raise cannot_write(self._folder / "lock", error, kept=_KEPT) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def _unchanging(self) -> Generator[None]:
        """Nobody appends meanwhile. A copy that lies elsewhere has no lock, and nobody who would append."""
        try:
            descriptor = os.open(self._folder / "lock", os.O_RDONLY)
        except OSError:
            yield
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            yield
        finally:
            os.close(descriptor)


def _split(content: bytes) -> tuple[list[bytes], bytes]:
    """The whole lines, without their ends, and what follows that is no whole line."""
    *lines, rest = content.split(b"\n")
    return lines, rest


def _before(first: int, lines: Sequence[bytes], written: Head) -> Head:
    """Where the chain stood before a file's first line."""
    if not lines:  # a file that was begun, and nothing whole came into it
        return written
    if first == 1:
        return EMPTY
    found = re.match(rb'\{"previous_hash":"([0-9a-f]{64})"', lines[0])
    if found is None:
        raise ChainBroken(first, "it does not begin as a change does")
    if written.number == first - 1 and found[1].decode() != written.hash:
        raise ChainBroken(first, "it does not follow from the one before")
    return Head(number=first - 1, hash=found[1].decode())


def _write(path: Path, content: bytes, *, at: int) -> None:
    """Put `content` behind the first `at` bytes of the file, and cut off what followed them; on the disk then."""
    is_new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o640)
    try:
        os.ftruncate(descriptor, at)
        if os.pwrite(descriptor, content, at) < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if is_new:
        sync_folder(path.parent)


def _damaged(folder: Path, broken: Broken) -> AskOperator:
    return AskOperator(
        f"the audit log {folder} is damaged at change {broken.number}: {broken.reason}",
        kept="the log, as it is",
        next_step="`magellan audit verify` says what is whole; find out what changed it, and restore it from a backup",
    )
