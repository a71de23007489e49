"""The way back of a migration as a change set of its own: of a part of it, or around what was edited since.

Taking a whole migration back goes by its journal, to the byte. This is for the rest, and is journaled as any migration.
"""

from __future__ import annotations

from collections.abc import Callable
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
    """A part of a migration that can be taken back by itself."""

    NAMES = "names"  # what files say; they stay where they are
    SHIMS = "shims"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverse:
    """The way back."""

    changes: ChangeSet
    merged: tuple[str, ...]  # files that somebody has edited, and whose edits are kept
    kept: tuple[str, ...]  # new files that somebody has edited, and that stay
    conflicts: tuple[str, ...]  # why it cannot be gone; then the rest means nothing


def reverse_of(applied: ChangeSet, tree: SourceTree, part: Part, merge: Merge | None) -> Reverse:
    """Decide what has to change in the tree as it is now. merge: None where edits are refused."""
    return _Reversal(applied, tree, part, merge).found()


class _Reversal:
    def __init__(self, applied: ChangeSet, tree: SourceTree, part: Part, merge: Merge | None) -> None:
        self._applied = applied
        self._tree = tree
        self._part: Final = part
        self._merge = merge
        self._merged: list[str] = []
        self._kept: list[str] = []
        self._conflicts: list[str] = []

    def found(self) -> Reverse:
        whole = self._part is Part.ALL
        removed = self._removed() if self._part in (Part.ALL, Part.SHIMS) else ()
        moves = self._moves(frozenset(removed)) if whole else ()
        written = self._written() if self._part in (Part.ALL, Part.NAMES) else ()
        links = self._links() if whole else ()
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

    def _removed(self) -> tuple[str, ...]:
        """New files that nobody has changed. A package's file stays where somebody else's modules need it."""
        found = []
        whole = self._part is Part.ALL
        ours = {each.path for each in self._applied.written} | {move.target for move in self._applied.moves}
        for each in self._applied.written:
            if each.before is not None or (each.why is not WrittenFor.SHIM and not whole):
                continue
            if each.path not in self._tree.entries:
                continue
            folder = each.path.rpartition("/")[0]
            needed = each.why is WrittenFor.PACKAGE and any(
                path.startswith(f"{folder}/") and path not in ours for path in self._tree.files
            )
            if needed or self._tree.read(each.path) != each.after:
                self._kept.append(each.path)
            else:
                found.append(each.path)
        return tuple(found)

    def _moves(self, removed: frozenset[str]) -> tuple[FileMove, ...]:
        found = []
        leaving = {move.target for move in self._applied.moves}
        for move in self._applied.moves:
            if move.target not in self._tree.entries:
                self._conflicts.append(f"{move.target}, where {move.source} went, is gone")
            elif move.source in self._tree.entries and move.source not in removed | leaving:
                self._conflicts.append(f"{move.source} is there: {move.target} cannot go back to it")
            else:
                found.append(FileMove(source=move.target, target=move.source))
        return tuple(found)

    def _written(self) -> tuple[Written, ...]:
        sources = {move.target: move.source for move in self._applied.moves}
        found = []
        for each in self._applied.written_for(WrittenFor.NAMES):
            assert each.before is not None, "names are written in files that were there"
            if each.path not in self._tree.entries:
                self._conflicts.append(f"{each.path} is gone")
                continue
            now = self._tree.read(each.path)
            after = each.before
            if now != each.after:
                merged = None if self._merge is None else self._merge(each.after, now, each.before)
                if merged is None:
                    how = "" if self._merge is None else ", on lines that name what moved"
                    self._conflicts.append(f"{each.path} was edited since{how}")
                    continue
                after = merged
                self._merged.append(each.path)
            path = sources.get(each.path, each.path) if self._part is Part.ALL else each.path
            mode = self._tree.entries[each.path].mode
            found.append(Written(path=path, before=now, after=after, mode=mode, why=WrittenFor.NAMES))
        return tuple(found)

    def _links(self) -> tuple[Relinked, ...]:
        targets = {move.target: move.source for move in self._applied.moves}
        return tuple(
            Relinked(path=targets.get(each.path, each.path), before=each.after, after=each.before)
            for each in self._applied.links
            if (entry := self._tree.entries.get(each.path)) is not None and entry.points_at == each.after
        )

    def _folders(
        self, moves: tuple[FileMove, ...], removed: tuple[str, ...]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        needed = folders_above(*(move.target for move in moves))
        made = tuple(sorted(folder for folder in needed if folder not in self._tree.entries))
        if self._part is not Part.ALL:
            return made, ()
        gone = {*removed, *(move.source for move in moves)}
        used = needed | folders_above(*(path for path in self._tree.files if path not in gone))
        emptied = {each for each in self._applied.folders if each in self._tree.entries and each not in used}
        return made, tuple(sorted(each for each in emptied if not folders_above(each) & emptied))
