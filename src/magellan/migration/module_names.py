"""Which dotted names a file can be imported by, and which file a dotted name stands for.

A name is counted from a source root: `src/shop/a.py` is `shop.a` from the root `src`, and `src.shop.a` from the root
"". Folders without `__init__.py` are packages too (namespace packages).
"""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Sequence
from typing import Final

from magellan.plan.files.tree import folder_of

_SUFFIXES: Final = (".py", ".pyi", ".pyw")
INIT: Final = "__init__"


class ModuleNames:
    """The modules of a tree. Roots: "" is the tree's own folder; "src" that folder in it."""

    def __init__(self, paths: Iterable[str], source_roots: Sequence[str] = ("", "src")) -> None:
        self.source_roots = tuple(sorted(set(source_roots), key=lambda root: (-len(root), root)))
        self._files: dict[str, str] = {}  # dotted name: file
        self._names: dict[str, tuple[str, ...]] = {}  # file: dotted names
        self._regular: set[str] = set()  # dotted names of packages with an __init__ file
        self._packages: set[str] = set()  # dotted names of all packages
        # A source before its stub, so that a name stands for what runs.
        for path in sorted(paths, key=lambda path: (path.endswith(".pyi"), path)):
            if path.endswith(_SUFFIXES):
                self._add(path)

    def names_of(self, path: str) -> tuple[str, ...]:
        """Every dotted name of a file, the one from the deepest source root first; none where no import can say it."""
        return self._names.get(path, ())

    def name_of(self, path: str) -> str | None:
        """The dotted name from the deepest source root."""
        names = self.names_of(path)
        return names[0] if names else None

    def file_of(self, dotted: str) -> str | None:
        """The file that a name stands for: a package's is its `__init__.py`; None for a namespace package."""
        return self._files.get(dotted)

    def is_package(self, dotted: str) -> bool:
        """Whether it is a package, with or without `__init__.py`."""
        return dotted in self._packages

    def is_regular_package(self, dotted: str) -> bool:
        """Whether it is a package with `__init__.py`."""
        return dotted in self._regular

    def knows(self, dotted: str) -> bool:
        """Whether anything in the tree has that name."""
        return dotted in self._files or dotted in self._packages

    def resolve(self, dotted: str, importer: str) -> str | None:
        """The name, from a source root, of what `importer` means by an absolute dotted name; None: nothing in the tree.

        A file in a folder without `__init__.py` also finds what lies beside it, as a script does and as tests do.
        """
        if self.knows(dotted):
            return dotted
        folder = folder_of(importer)
        if folder == "." or self._has_init(folder):
            return None
        for candidate in (path_of(dotted, folder), path_of(dotted, folder, package=True)):
            if (name := self.name_of(candidate)) is not None:
                return name
        return None

    def package_of(self, path: str) -> str | None:
        """The package that a file's relative imports are counted from; None where it has no name.

        "" for a module that lies in a source root: nothing can be imported relative to it.
        """
        name = self.name_of(path)
        if name is None:
            return None
        return name if is_init(path) else name.rpartition(".")[0]

    @property
    def modules(self) -> Iterable[tuple[str, str]]:
        """Every dotted name and its file."""
        return self._files.items()

    def _has_init(self, folder: str) -> bool:
        return f"{folder}/{INIT}.py" in self._names

    def _add(self, path: str) -> None:
        names = names_from_roots(path, self.source_roots)
        self._names[path] = names
        for name in names:
            self._files.setdefault(name, path)
            if is_init(path):
                self._regular.add(name)
                self._packages.add(name)
            above = name.rpartition(".")[0]
            while above and above not in self._packages:
                self._packages.add(above)
                above = above.rpartition(".")[0]


def names_from_roots(path: str, source_roots: Sequence[str]) -> tuple[str, ...]:
    """The dotted names of a path from those roots, the deepest root first."""
    found = []
    for root in sorted(source_roots, key=len, reverse=True):
        name = name_from_root(path, root)
        if name is not None:
            found.append(name)
    return tuple(dict.fromkeys(found))


def name_from_root(path: str, root: str) -> str | None:
    """The dotted name of a path from one root; None where it lies elsewhere or no import can say it."""
    if root and not path.startswith(f"{root}/"):
        return None
    inner = path[len(root) + 1 :] if root else path
    stem, dot, _ = inner.rpartition(".")
    parts = stem.split("/")
    if parts[-1] == INIT:
        parts = parts[:-1]
    if not dot or not parts or not all(is_name(part) for part in parts):
        return None
    return ".".join(parts)


def is_name(part: str) -> bool:
    """Whether an import statement can say it."""
    return part.isidentifier() and not keyword.iskeyword(part)


def is_init(path: str) -> bool:
    """Whether it is a package's own file."""
    return path.rpartition("/")[2].partition(".")[0] == INIT


def path_of(dotted: str, root: str, *, package: bool = False) -> str:
    """The file that a name would have below a root."""
    inner = dotted.replace(".", "/") + (f"/{INIT}.py" if package else ".py")
    return f"{root}/{inner}" if root else inner
