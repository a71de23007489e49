"""Releases as files in the workspace's .magellan folder.

.magellan/releases/bear_trap/0007-20260121T213000Z-1f3a90c2...e5.tar

Number, time and id stand in the name, so that a release is there whole or not at all, and their order does not hang on
what a copy does to a file's times. A file that does not bear such a name is not ours, and is passed over.
"""

from __future__ import annotations

import fcntl
import os
import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from magellan.adapters.durable_file import UNFINISHED, cannot_write, make_folder_durably, sync_folder
from magellan.errors import AskOperator
from magellan.release.stored import StoredRelease

_NAME: Final = re.compile(r"(\d{4,})-(\d{8}T\d{6}Z)-([0-9a-f]{64})\.tar")
_TIME: Final = "%Y%m%dT%H%M%SZ"
_LOCK: Final = ".numbers.lock"
_KEPT: Final = "all releases that were there"


class ReleaseFolder:
    """Keeps `ports.release_store.ReleaseStore`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def place(self) -> str:
        """See the port."""
        return str(self._folder)

    def put(self, strategy: str, release_id: str, content: bytes, *, at: datetime) -> StoredRelease:
        """See the port."""
        folder = self._folder / strategy
        make_folder_durably(folder, kept=_KEPT)
        unfinished = folder / f"{release_id}.tar{UNFINISHED}"
        try:
            with open(unfinished, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            return self._named(strategy, release_id, unfinished, at, len(content))
        except OSError as error:
            raise cannot_write(unfinished, error, kept=_KEPT) from error
        finally:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)

    def releases(self, strategy: str) -> tuple[StoredRelease, ...]:
        """See the port."""
        return tuple(self._found(strategy).values())

    def strategies(self) -> tuple[str, ...]:
        """See the port."""
        if not self._folder.is_dir():
            return ()
        return tuple(
            sorted(each.name for each in self._folder.iterdir() if each.is_dir() and self._found(each.name))
        )

    def content(self, release: StoredRelease) -> bytes:
        """See the port."""
        path = self._path(release)
        try:
            return path.read_bytes()
        except OSError as error:
            raise AskOperator(
                f"{path} cannot be read: {error.strerror}",
                next_step="restore it from a backup, or build it again",
            ) from error

    def remove(self, release: StoredRelease) -> None:
        """See the port."""
        path = self._path(release)
        try:
            path.unlink(missing_ok=True)
            sync_folder(path.parent)
        except OSError as error:
            raise AskOperator(
                f"{path} cannot be removed: {error.strerror}",
                kept="the release",
                next_step="look at its folder",
            ) from error

    def _named(
        self, strategy: str, release_id: str, unfinished: Path, at: datetime, size: int
    ) -> StoredRelease:
        """Give a file that is whole its name, under the next number; another process waits meanwhile."""
        with open(unfinished.with_name(_LOCK), "ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            found = self._found(strategy)
            if release_id in found:
                return found[release_id]
            release = StoredRelease(
                strategy=strategy,
                number=max((each.number for each in found.values()), default=0) + 1,
                release_id=release_id,
                stored_at=at.astimezone(UTC).replace(microsecond=0),
                size=size,
            )
            path = self._path(release)
            os.link(unfinished, path)
            sync_folder(path.parent)
        return release

    def _found(self, strategy: str) -> dict[str, StoredRelease]:
        """By id, oldest first."""
        folder = self._folder / strategy
        found: list[StoredRelease] = []
        if folder.is_dir():
            for path in folder.iterdir():
                named = _NAME.fullmatch(path.name)
                if named is not None:
                    number, at, release_id = named.groups()
                    found.append(
                        StoredRelease(
                            strategy=strategy,
                            number=int(number),
                            release_id=release_id,
                            stored_at=datetime.strptime(at, _TIME).replace(tzinfo=UTC),
                            size=path.stat().st_size,
                        )
                    )
        return {
            each.release_id: each for each in sorted(found, key=lambda each: (each.number, each.stored_at))
        }

    def _path(self, release: StoredRelease) -> Path:
        name = f"{release.number:04}-{release.stored_at.strftime(_TIME)}-{release.release_id}.tar"
        return self._folder / release.strategy / name
