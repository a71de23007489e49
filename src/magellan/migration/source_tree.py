"""A tree of files as it was found: what lies where, and how to read it. Nothing here changes anything.

Paths are relative to the tree's root, with "/" between their parts: "shop/a.py". Links are never followed.
`adapters/local/source_folder.py` makes one of a folder.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from magellan.plan.files.tree import Kind, folder_of, folders_above

IGNORED_FOLDERS: Final = frozenset(
    {
        ".eggs",
        ".git",
        ".hg",
        ".hypothesis",
        ".ipynb_checkpoints",
        ".magellan",
        ".mypy_cache",
        ".nox",
        ".pytest_cache",
        ".ruff_cache",
        ".svn",
        ".tox",
        "__pycache__",
        "node_modules",
        "site-packages",
    }
)
"""Folders of these names belong to a tool and not to the project, wherever they lie."""

ENVIRONMENT_MARK: Final = "pyvenv.cfg"
"""A folder with this file is a virtual environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What lies at a path."""

    path: str
    kind: Kind
    mode: int  # permission bits
    size: int  # bytes; 0 for a folder
    mtime_ns: int = 0
    points_at: str = ""  # what a link says

    @property
    def is_python(self) -> bool:
        """Whether it is a Python source or stub by its name."""
        return self.kind is Kind.FILE and self.path.endswith((".py", ".pyi", ".pyw"))


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTree:
    """Every file, folder and link of the project; without what belongs to tools (`is_ignored`)."""

    entries: Mapping[str, Entry]  # by path, sorted
    content_of: Callable[[str], bytes]  # of a file; raises OSError
    unreadable: Mapping[str, str] = field(default_factory=dict)  # folder: why it could not be looked into
    ignored: tuple[str, ...] = ()  # folders that were left out

    @classmethod
    def of(cls, files: Mapping[str, bytes], *, folders: Collection[str] = ()) -> SourceTree:
        """A tree in memory: these files, the folders above them, and these empty folders."""
        entries = {
            path: Entry(path=path, kind=Kind.FILE, mode=0o644, size=len(content))
            for path, content in files.items()
        }
        for path in (*folders, *folders_above(*files, *folders)):
            entries[path] = Entry(path=path, kind=Kind.FOLDER, mode=0o755, size=0)
        return cls(entries=dict(sorted(entries.items())), content_of=files.__getitem__)

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of all files, sorted; neither links nor folders."""
        return tuple(path for path, entry in self.entries.items() if entry.kind is Kind.FILE)

    @property
    def python_files(self) -> tuple[str, ...]:
        """Paths of Python sources and stubs, sorted."""
        return tuple(path for path, entry in self.entries.items() if entry.is_python)

    def read(self, path: str) -> bytes:
        """The content of a file. Raises OSError, KeyError where there is none."""
        return self.content_of(path)

    def without(self, paths: Collection[str]) -> SourceTree:
        """The same tree, had these files never been there."""
        left = {path: entry for path, entry in self.entries.items() if path not in set(paths)}
        return replace(self, entries=left) if paths else self

    def children_of(self, folder: str) -> tuple[str, ...]:
        """Paths directly in a folder ("." is the root), sorted."""
        return tuple(path for path in self.entries if folder_of(path) == folder)


def is_ignored(folder_name: str, names_in_it: Collection[str]) -> bool:
    """Whether a folder belongs to a tool: by its own name, or since it is a virtual environment."""
    return folder_name in IGNORED_FOLDERS or ENVIRONMENT_MARK in names_in_it
