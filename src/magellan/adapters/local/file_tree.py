"""A tree of files on this machine."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from magellan.errors import FixInput
from magellan.plan.files.tree import Found, Kind


class FileTree:
    """Keeps `plan.files.tree.Tree` below a folder.

    Nothing here waits for anything but the disk, so the methods never hand control to other tasks.
    """

    def __init__(self, root: Path) -> None:
        self._root = str(root.resolve())
        self._synced: set[str] = set()  # on the disk as it is, as far as we changed it

    async def look(self, path: str) -> Found | None:
        """See the protocol."""
        try:
            return _found(os.lstat(self._at(path)))
        except OSError as error:
            _must_mean_nothing(error)
            return None

    async def folder(self, path: str) -> Found | None:
        """See the protocol."""
        try:
            found = _found(os.stat(self._at(path)))
        except OSError as error:
            _must_mean_nothing(error)
            return None
        return found if found.kind is Kind.FOLDER else None

    async def names(self, path: str) -> tuple[str, ...]:
        """See the protocol."""
        try:
            return tuple(sorted(os.listdir(self._at(path))))
        except OSError as error:
            _must_mean_nothing(error)
            return ()

    async def read(self, path: str) -> bytes:
        """See the protocol."""
        with open(self._at(path), "rb") as file:
            return file.read()

    async def link_target(self, path: str) -> str:
        """See the protocol."""
        return os.readlink(self._at(path))

    async def write(self, path: str, content: bytes, mode: int) -> None:
        """See the protocol."""
        # It begins as its owner's alone: what nobody else may read is readable to nobody else at any moment.
        with open(self._changed(path), "wb", opener=_only_mine) as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())

    async def link(self, path: str, other: str) -> None:
        """See the protocol."""
        os.link(self._at(path), self._changed(other), follow_symlinks=False)

    async def rename(self, path: str, to: str) -> None:
        """See the protocol."""
        os.rename(self._changed(path), self._changed(to))

    async def remove(self, path: str) -> None:
        """See the protocol."""
        os.unlink(self._changed(path))

    async def make_folder(self, path: str) -> None:
        """See the protocol."""
        os.mkdir(self._changed(path), 0o700)

    async def remove_folder(self, path: str) -> None:
        """See the protocol."""
        os.rmdir(self._changed(path))

    async def make_link(self, path: str, target: str) -> None:
        """See the protocol."""
        os.symlink(target, self._changed(path))

    async def set_mode(self, path: str, mode: int) -> None:
        """See the protocol."""
        os.chmod(self._changed(path), mode)

    async def set_mtime(self, path: str, mtime_ns: int) -> None:
        """See the protocol."""
        full = self._changed(path)
        accessed_ns = os.lstat(full).st_atime_ns
        os.utime(full, ns=(accessed_ns, mtime_ns), follow_symlinks=False)

    async def sync(self, *paths: str) -> None:
        """See the protocol."""
        for full in dict.fromkeys(self._at(path) for path in paths):
            if full in self._synced:
                continue
            try:
                descriptor = os.open(full, os.O_RDONLY)
            except PermissionError:
                # What nobody may open is synced with the folder that holds its name.
                descriptor = os.open(os.path.dirname(full), os.O_RDONLY)
            except OSError as error:
                _must_mean_nothing(error)
                continue
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            self._synced.add(full)

    def _changed(self, path: str) -> str:
        """The path on this machine, where something is about to change: it, and the folder that holds its name."""
        full = self._at(path)
        self._synced.discard(full)
        self._synced.discard(os.path.dirname(full))
        return full

    def _at(self, path: str) -> str:
        """The path on this machine. Raises FixInput where a link among its folders leads out of the tree."""
        if path == ".":
            return self._root
        full = f"{self._root}/{path}"
        above = full.rfind("/")
        while above > len(self._root):
            if os.path.islink(full[:above]):
                self._refuse_outside(path, full)
                break
            above = full.rfind("/", 0, above)
        return full

    def _refuse_outside(self, path: str, full: str) -> None:
        folder = os.path.realpath(os.path.dirname(full))
        if folder != self._root and not folder.startswith(f"{self._root}/"):
            raise FixInput(f"{path} leads out of {self._root}, to {folder}", kept="everything there")


_KINDS: Final[Mapping[int, Kind]] = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFDIR: Kind.FOLDER,
    stat.S_IFLNK: Kind.LINK,
}


def _found(status: os.stat_result) -> Found:
    kind = _KINDS.get(stat.S_IFMT(status.st_mode), Kind.OTHER)
    return Found(
        kind=kind,
        mode=stat.S_IMODE(status.st_mode),
        mtime_ns=status.st_mtime_ns,
        size=0 if kind is Kind.FOLDER else status.st_size,
        device=status.st_dev,
    )


def _must_mean_nothing(error: OSError) -> None:
    """Raises the error, unless it says that nothing is there; links to themselves lead to nothing either."""
    if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
        raise error


def _only_mine(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
