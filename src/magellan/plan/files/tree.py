"""What steps on files act on: a tree of files, here or on another host.

It stands in `plan/` and not in `ports/` because steps stand below every port. Every method is one change, or one look;
what must happen in which order, so that a kill in between can be told, is the steps' business.

Paths are relative to the tree's root, with "/" between their parts: "shop/a.py". Links are never followed at the end of
a path. All methods raise OSError as the system does, and FixInput for a path that leads out of the tree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from magellan.errors import FixInput

UNFINISHED = ".unfinished"
"""How the names end under which a step prepares what it then puts in its place."""


class Kind(StrEnum):
    """What can lie at a path."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"  # symbolic
    OTHER = "other"  # a socket, a device


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What lies at a path."""

    kind: Kind
    mode: int  # permission bits with set-id and sticky: 0o755
    mtime_ns: int  # of the last change, as the file system has it
    size: int  # bytes; 0 for a folder
    device: int  # paths on different devices cannot be renamed into each other

    def as_json(self) -> dict[str, Any]:
        """What a journal keeps of it, by which it is known again."""
        return {"kind": str(self.kind), "mode": self.mode, "mtime_ns": self.mtime_ns, "size": self.size}

    def is_as(self, before: Mapping[str, Any]) -> bool:
        """Whether it is what `as_json` was taken of."""
        return self.as_json() == {name: before.get(name) for name in ("kind", "mode", "mtime_ns", "size")}


class Tree(Protocol):
    """Kept by `adapters/local/file_tree.py`."""

    async def look(self, path: str) -> Found | None:
        """What lies there; None: nothing."""
        ...

    async def folder(self, path: str) -> Found | None:
        """The folder there, or the one that a link there leads to; None: there is none."""
        ...

    async def names(self, path: str) -> tuple[str, ...]:
        """What lies in a folder, sorted; nothing where there is none."""
        ...

    async def read(self, path: str) -> bytes:
        """The content of a file."""
        ...

    async def link_target(self, path: str) -> str:
        """What a symbolic link says, as it says it."""
        ...

    async def write(self, path: str, content: bytes, mode: int) -> None:
        """A file with that content and those permission bits, in the place of any other; on disk when this returns."""
        ...

    async def link(self, path: str, other: str) -> None:
        """A second name for a file. Raises FileExistsError when there is something."""
        ...

    async def rename(self, path: str, to: str) -> None:
        """Give it another name, in the place of any file that has it."""
        ...

    async def remove(self, path: str) -> None:
        """Remove a file or a link."""
        ...

    async def make_folder(self, path: str) -> None: ...

    async def remove_folder(self, path: str) -> None:
        """Remove an empty folder."""
        ...

    async def make_link(self, path: str, target: str) -> None:
        """A symbolic link."""
        ...

    async def set_mode(self, path: str, mode: int) -> None:
        """Permission bits, of a file or folder."""
        ...

    async def set_mtime(self, path: str, mtime_ns: int) -> None:
        """The time of the last change, of anything."""
        ...

    async def sync(self, *paths: str) -> None:
        """Make what changed survive a power cut: names in a folder, permission bits and times of a file or folder.

        What is gone needs nothing, and what this tree has not changed since it was last synced is not waited for.
        """
        ...


def checked(path: str) -> str:
    """The path, if it is one inside a tree. Raises FixInput."""
    parts = path.split("/")
    if not path or path.startswith("/") or any(part in ("", ".", "..") for part in parts) or "\0" in path:
        raise FixInput(f"{path!r} is no path inside the tree: no leading /, no empty part, no . and no ..")
    return path


def folder_of(path: str) -> str:
    """The folder that it lies in; "." for the root."""
    return path.rpartition("/")[0] or "."


def folders_above(*paths: str) -> frozenset[str]:
    """All folders above the paths, without the root."""
    return frozenset(path[:at] for path in paths for at, each in enumerate(path) if each == "/")
