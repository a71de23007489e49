"""The way back of a migration as a change set of its own: of a part of it, or around what was edited since.

Taking a whole migration back goes by its journal, to the byte. This is for the rest, and is journaled as any migration.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from magellan.migration.change_set import ChangeSet, Relinked, Written, WrittenFor
from magellan.migration.mapping import FileMove
from magellan.migration.source_tree import SourceTree
from magellan.plan.files.tree import folders_above

Merge = Callable[[bytes, bytes, bytes], bytes | None]
"""Of what a file was changed to, what somebody made of that, and what it shall become again; None: they conflict."""


class Part(StrEnum):
    """A part of a migration that can be taken back by itself: what one phase of its plan does."""

    MOVES = "moves"  # files go back to where they were; what they are called elsewhere stays
    NAMES = "names"  # what files say of what moved; they stay where they are
    PACKAGES = "packages"  # `__init__.py` files that were made
    SHIMS = "shims"
    LINKS = "links"
    CONTENTS = "contents"  # files that were put together of two versions, or brought into a new form


EVERY_PART: Final = frozenset(Part)

_PART_OF: Final = {
    WrittenFor.NAMES: Part.NAMES,
    WrittenFor.PACKAGE: Part.PACKAGES,
    WrittenFor.SHIM: Part.SHIMS,
    WrittenFor.CONTENT: Part.CONTENTS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverse:
    """The way back."""

    changes: ChangeSet
    merged: tuple[str, ...]  # files that somebody has edited, and whose edits are kept
    kept: tuple[str, ...]  # new files that stay: somebody has edited them, or needs the package
    conflicts: tuple[str, ...]  # why it cannot be gone; then the rest means nothing


def reverse_of(applied: ChangeSet, tree: SourceTree, parts: Collection[Part], merge: Merge | None) -> Reverse:
    """Decide what has to change in the tree as it is now. merge: None where edits are refused."""
    return _Reversal(applied, tree, frozenset(parts), merge).found()


class _Reversal:
    def __init__(
        self, applied: ChangeSet, tree: SourceTree, parts: frozenset[Part], merge: Merge | None
    ) -> None:
        self._applied = applied
        self._tree = tree
        self._parts: Final = parts
        self._merge = merge
        self._moved = {move.target: move.source for move in applied.moves}
        self._merged: list[str] = []
        self._kept: list[str] = []
        self._conflicts: list[str] = []

    def found(self) -> Reverse:
        if self._parts == EVERY_PART:
            self._conflicts += [
                f"{path} was taken away, and comes back only with the whole" for path in self._applied.removed
            ]
        removed = self._removed()
        moves = self._moves(frozenset(removed)) if Part.MOVES in self._parts else ()
        written = self._written()
        links = self._links() if Part.LINKS in self._parts else ()
        folders, emptied = self._folders(moves, removed)
        changes = ChangeSet(
            moves=moves, written=written, links=links, folders=folders, emptied=emptied, removed=removed
        )
        return Reverse(
            changes=changes,
            merged=tuple(self._merged),
            kept=tuple(self._kept),
            conflicts=tuple(self._conflicts),
        )

    def _asked_for(self) -> Iterator[Written]:
        """Files of the asked parts that were written, and are not back already."""
        for each in self._applied.written:
            if _PART_OF[each.why] not in self._parts:
                continue
            if each.path in self._tree.entries:
                yield each
            elif each.before is not None:
                self._conflicts.append(f"{each.path} is gone")

    def _removed(self) -> tuple[str, ...]:
        """New files that nobody has changed. A package's file stays where modules that stay need it."""
        new = [each for each in self._asked_for() if each.before is None]
        leaving = {each.path for each in new}
        if Part.MOVES in self._parts:
            leaving.update(self._moved)
        found = []
        for each in new:
            folder = f"{each.path.rpartition('/')[0]}/"
            needed = each.why is WrittenFor.PACKAGE and any(
                path.startswith(folder) and path not in leaving for path in self._tree.files
            )
            if needed or self._tree.read(each.path) != each.after:
                self._kept.append(each.path)
            else:
                found.append(each.path)
        return tuple(found)

    def _moves(self, removed: frozenset[str]) -> tuple[FileMove, ...]:
        found = []
        for target, source in self._moved.items():
            if target not in self._tree.entries:
                self._conflicts.append(f"{target}, where {source} went, is gone")
            elif source in self._tree.entries and source not in removed and source not in self._moved:
                self._conflicts.append(f"{source} is there: {target} cannot go back to it")
            else:
                found.append(FileMove(source=target, target=source))
        return tuple(found)

    def _written(self) -> tuple[Written, ...]:
        found = []
        for each in self._asked_for():
            if each.before is None:
                continue
            now = self._tree.read(each.path)
            after = each.before
            if now == after:
                continue
            if now != each.after:
                merged = None if self._merge is None else self._merge(each.after, now, each.before)
                if merged is None:
                    how = "" if self._merge is None else ", on lines that name what moved"
                    self._conflicts.append(f"{each.path} was edited since{how}")
                    continue
                after = merged
                self._merged.append(each.path)
            mode = self._tree.entries[each.path].mode
            found.append(
                Written(path=self._back(each.path), before=now, after=after, mode=mode, why=each.why)
            )
        return tuple(found)

    def _back(self, path: str) -> str:
        """Where a file lies once the way back is gone."""
        return self._moved.get(path, path) if Part.MOVES in self._parts else path

    def _links(self) -> tuple[Relinked, ...]:
        return tuple(
            Relinked(path=self._back(each.path), before=each.after, after=each.before)
            for each in self._applied.links
            if (entry := self._tree.entries.get(each.path)) is not None and entry.points_at == each.after
        )

    def _folders(
        self, moves: tuple[FileMove, ...], removed: tuple[str, ...]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Folders to be made, and those that were made and in which nothing is left."""
        needed = folders_above(*(move.target for move in moves))
        made = tuple(sorted(folder for folder in needed if folder not in self._tree.entries))
        gone = {*removed, *(move.source for move in moves)}
        used = needed | folders_above(*(path for path in self._tree.files if path not in gone))
        left = folders_above(*gone)
        emptied = {
            each for each in self._applied.folders if each in self._tree.entries and each in left - used
        }
        return made, tuple(sorted(each for each in emptied if not folders_above(each) & emptied))
