"""A change set of files that are written or moved for another reason than a mapping."""

from __future__ import annotations

from collections.abc import Iterable

from magellan.errors import FixInput
from magellan.migration.change_set import ChangeSet, Written
from magellan.migration.mapping import FileMove
from magellan.migration.source_tree import SourceTree
from magellan.plan.files.tree import Kind, folders_above


def content_changes(
    tree: SourceTree, *, written: Iterable[Written] = (), moves: Iterable[FileMove] = ()
) -> ChangeSet:
    """The changes, with the folders that they need. Raises FixInput where something else is in a folder's place."""
    written, moves = tuple(written), tuple(moves)
    needed = folders_above(*(each.path for each in written), *(each.target for each in moves))
    in_the_way = sorted(
        path for path in needed if path in tree.entries and tree.entries[path].kind is not Kind.FOLDER
    )
    if in_the_way:
        raise FixInput(f"{in_the_way[0]} is no folder, and files are to be put into it")
    return ChangeSet(
        moves=moves,
        written=written,
        links=(),
        folders=tuple(sorted(path for path in needed if path not in tree.entries)),
        emptied=(),
    )
