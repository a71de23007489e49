"""What each moved file was called, and what it is called now: as a module, and as a path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from magellan.migration.mapping import FileMove
from magellan.migration.module_names import ModuleNames, is_init, name_from_root
from magellan.migration.source_tree import SourceTree
from magellan.plan.files.tree import folders_above


class Renames:
    """The old and the new names of everything that moves, and of what does not."""

    def __init__(
        self,
        tree: SourceTree,
        moves: Sequence[FileMove],
        source_roots: Sequence[str],
        made: Iterable[str] = (),
    ) -> None:
        """made: paths of `__init__.py` files that the migration adds."""
        self.paths: Mapping[str, str] = {move.source: move.target for move in moves}
        self.before = ModuleNames(tree.python_files, source_roots)
        after = [self.paths.get(path, path) for path in tree.python_files]
        self.after = ModuleNames([*after, *made], source_roots)
        self._tree = tree
        self._new_names: dict[str, str] = {}
        self._nameless: dict[str, str] = {}
        for path in tree.python_files:
            if path in self.paths:
                for name in self.before.names_of(path):
                    new = self._new_name(name, path)
                    if new is None:
                        self._nameless.setdefault(name, self.paths[path])
                    elif new != name:
                        self._new_names.setdefault(name, new)
        self._add_whole_packages()

    def new_path(self, path: str) -> str:
        """Where a file lies afterwards."""
        return self.paths.get(path, path)

    def new_name(self, dotted: str) -> str:
        """The dotted name, afterwards, of exactly that module or package; itself where it stays."""
        return self._new_names.get(dotted, dotted)

    def deepest(self, dotted: str) -> str | None:
        """The longest beginning of a dotted name that is a module or package of the tree."""
        while dotted and not self.before.knows(dotted):
            dotted = dotted.rpartition(".")[0]
        return dotted or None

    def renamed(self, dotted: str) -> tuple[str, str] | None:
        """The module that a dotted name begins with, and its new name, where that is another one."""
        known = self.deepest(dotted)
        if known is None or known not in self._new_names:
            return None
        return known, self._new_names[known]

    @property
    def modules(self) -> Mapping[str, str]:
        """The new dotted name of every module and package that has another one, by the old name."""
        return self._new_names

    @property
    def nameless(self) -> Mapping[str, str]:
        """The new path, by the old dotted name, of every module that goes where it cannot be imported."""
        return self._nameless

    @cached_property
    def tops(self) -> frozenset[str]:
        """First parts of the names that change."""
        return frozenset(name.partition(".")[0] for name in self._new_names)

    @cached_property
    def words(self) -> frozenset[bytes]:
        """Words of which every text has at least one that names anything that moves."""
        leaves = {name.rpartition(".")[2] for name in (*self._new_names, *self._nameless)}
        names = {path.rpartition("/")[2] for path in self.paths if not is_init(path)}
        files = {name.lstrip(".").partition(".")[0] or name for name in names}  # of `.env` it is env
        folders = {path.rpartition("/")[2] for path in self.folders}
        return frozenset(word.encode() for word in leaves | files | folders)

    @cached_property
    def folders(self) -> Mapping[str, str]:
        """Folders all of whose files went to the same other folder, below which they lie as before."""
        return _whole_folders(self._tree.files, self.paths)

    @cached_property
    def parents_of_moved(self) -> frozenset[str]:
        """Dotted names of packages that a module with another name was, or is, in."""
        return frozenset(
            part
            for name in self._new_names
            for part in (name[:at] for at, each in enumerate(name) if each == ".")
        )

    @cached_property
    def folders_of_moved_inits(self) -> frozenset[str]:
        """Folders whose `__init__` moves: what lies in them may name the package without a word."""
        return frozenset(path.rpartition("/")[0] for path in self.paths if is_init(path))

    def _new_name(self, name: str, path: str) -> str | None:
        """By the root that the old name was counted from; from the deepest one where it was the deepest."""
        target = self.paths[path]
        names = self.before.names_of(path)
        if name != names[0]:
            root = next(root for root in self.before.source_roots if name_from_root(path, root) == name)
            counted = name_from_root(target, root)
            if counted is not None:
                return counted
        return self.after.name_of(target)

    def _add_whole_packages(self) -> None:
        """Packages without `__init__.py` move when all that is in them does."""
        inside: dict[str, list[str]] = {}
        for name, _ in self.before.modules:
            for at, each in enumerate(name):
                if each == ".":
                    inside.setdefault(name[:at], []).append(name)
        for package, names in inside.items():
            if self.before.is_regular_package(package) or package in self._new_names:
                continue
            new = {_without(self._new_names.get(name, name), name[len(package) :]) for name in names}
            only = new.pop() if len(new) == 1 else None
            if only and only != package:
                self._new_names[package] = only


def _without(name: str, ending: str) -> str | None:
    return name[: -len(ending)] if name.endswith(ending) else None


def _whole_folders(files: Sequence[str], paths: Mapping[str, str]) -> Mapping[str, str]:
    targets: dict[str, str | None] = {}
    for path in files:
        target = paths.get(path, path)
        for folder in folders_above(path):
            ending = path[len(folder) :]
            new = _without(target, ending)
            if targets.setdefault(folder, new) != new:
                targets[folder] = None
    return {folder: new for folder, new in targets.items() if new is not None and new != folder}
