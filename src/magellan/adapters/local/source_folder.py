"""A folder of this machine as a `SourceTree`."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from magellan.errors import FixInput
from magellan.migration.source_tree import Entry, SourceTree, is_ignored
from magellan.plan.files.tree import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderContent:
    """Reads files of a folder; other processes can be handed it."""

    root: str

    def __call__(self, path: str) -> bytes:
        with open(f"{self.root}/{path}", "rb") as file:
            return file.read()


def read_source_tree(folder: Path) -> SourceTree:
    """Look through the folder. What cannot be looked into is noted, and links are not followed.

    Raises: FixInput where there is no such folder.
    """
    root = os.path.realpath(folder)
    if not os.path.isdir(root):
        raise FixInput(f"there is no folder {folder}", next_step="name the folder of the project")
    entries: dict[str, Entry] = {}
    unreadable: dict[str, str] = {}
    ignored: list[str] = []
    waiting = [""]
    while waiting:
        at = waiting.pop()
        try:
            with os.scandir(f"{root}/{at}" if at else root) as found:
                listed = sorted(found, key=lambda each: each.name)
        except OSError as error:
            unreadable[at or "."] = error.strerror or str(error)
            continue
        if at and is_ignored(at.rpartition("/")[2], {each.name for each in listed}):
            ignored.append(at)
            del entries[at]
            continue
        for each in listed:
            path = f"{at}/{each.name}" if at else each.name
            entry = _entry(path, each)
            entries[path] = entry
            if entry.kind is Kind.FOLDER:
                waiting.append(path)

    return SourceTree(
        entries=dict(sorted(entries.items())),
        content_of=FolderContent(root=root),
        unreadable=unreadable,
        ignored=tuple(sorted(ignored)),
    )


def _entry(path: str, found: os.DirEntry[str]) -> Entry:
    status = found.stat(follow_symlinks=False)
    if found.is_symlink():
        kind = Kind.LINK
    elif found.is_dir(follow_symlinks=False):
        kind = Kind.FOLDER
    else:
        kind = Kind.FILE if stat.S_ISREG(status.st_mode) else Kind.OTHER
    return Entry(
        path=path,
        kind=kind,
        mode=stat.S_IMODE(status.st_mode),
        size=0 if kind is Kind.FOLDER else status.st_size,
        mtime_ns=status.st_mtime_ns,
        points_at=os.readlink(found.path) if kind is Kind.LINK else "",
    )
