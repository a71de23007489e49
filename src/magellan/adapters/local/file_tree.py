"""A tree of files on this machine."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from magellan.adapters.durable_file import sync_folder
from magellan.errors import FixInput
from magellan.plan.files.tree import Found


class FileTree:
    """Keeps `plan.files.tree.Tree` below a folder.

    Nothing here waits for anything but the disk, so the methods never hand control to other tasks.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    async def look(self, path: str) -> Found | None:
        """See the protocol."""
        try:
            found = os.lstat(self._at(path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        kind = stat.S_IFMT(found.st_mode)
        is_folder = kind == stat.S_IFDIR
        return Found(
            kind="folder"
            if is_folder
            else "file"
            if kind == stat.S_IFREG
            else "link"
            if kind == stat.S_IFLNK
            else "other",
            mode=stat.S_IMODE(found.st_mode),
            mtime_ns=found.st_mtime_ns,
            size=0 if is_folder else found.st_size,
            device=found.st_dev,
        )

    async def read(self, path: str) -> bytes:
        """See the protocol."""
        with open(self._at(path), "rb") as file:
            return file.read()

    async def link_target(self, path: str) -> str:
        """See the protocol."""
        return os.readlink(self._at(path))

    async def write(self, path: str, content: bytes, mode: int) -> None:
        """See the protocol."""
        # Its bits come before its content: what only its owner may read is never readable by others for a moment.
        with open(self._at(path), "wb", opener=_only_mine) as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())

    async def link(self, path: str, other: str) -> None:
        """See the protocol."""
        os.link(self._at(path), self._at(other), follow_symlinks=False)

    async def rename(self, path: str, to: str) -> None:
        """See the protocol."""
        os.rename(self._at(path), self._at(to))

    async def remove(self, path: str) -> None:
        """See the protocol."""
        os.unlink(self._at(path))

    async def make_folder(self, path: str) -> None:
        """See the protocol."""
        os.mkdir(self._at(path), 0o700)

    async def remove_folder(self, path: str) -> None:
        """See the protocol."""
        os.rmdir(self._at(path))

    async def make_link(self, path: str, target: str) -> None:
        """See the protocol."""
        os.symlink(target, self._at(path))

    async def set_mode(self, path: str, mode: int) -> None:
        """See the protocol."""
        os.chmod(self._at(path), mode)

    async def set_mtime(self, path: str, mtime_ns: int) -> None:
        """See the protocol."""
        full = self._at(path)
        accessed_ns = os.lstat(full).st_atime_ns
        os.utime(full, ns=(accessed_ns, mtime_ns), follow_symlinks=False)

    async def sync(self, *folders: str) -> None:
        """See the protocol."""
        for folder in dict.fromkeys(folders):
            sync_folder(Path(self._at(folder)))

    def _at(self, path: str) -> str:
        """The path on this machine. Raises FixInput where a link among its folders leads out of the tree."""
        full = os.path.join(self._root, path)
        if path == ".":
            return full
        folder = os.path.realpath(os.path.dirname(full))
        if folder != str(self._root) and not folder.startswith(f"{self._root}{os.sep}"):
            raise FixInput(f"{path} leads out of {self._root}, to {folder}", kept="everything there")
        return full


def _only_mine(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
