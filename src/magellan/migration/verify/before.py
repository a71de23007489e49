"""The tree as it was before a migration, made from what the migration kept and from the tree as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from magellan.migration.change_set import ChangeSet
from magellan.migration.source_tree import Entry, SourceTree
from magellan.plan.files.tree import Kind, folders_above


def tree_before(changes: ChangeSet, tree: SourceTree) -> SourceTree:
    """The tree before. What somebody has edited since, and the migration had only moved, is as it is now."""
    sources = {move.target: move.source for move in changes.moves}
    made = {each.path for each in changes.written if each.before is None}
    contents = {
        sources.get(each.path, each.path): each.before for each in changes.written if each.before is not None
    }
    said = {sources.get(each.path, each.path): each.before for each in changes.links}
    lies_at = {}  # path before: path now
    entries: dict[str, Entry] = {}
    for path, entry in tree.entries.items():
        if path in made or entry.kind is Kind.FOLDER:
            continue
        source = sources.get(path, path)
        lies_at[source] = path
        size = len(contents[source]) if source in contents else entry.size
        entries[source] = replace(entry, path=source, size=size, points_at=said.get(source, entry.points_at))
    for path, entry in tree.entries.items():
        if entry.kind is Kind.FOLDER and path not in changes.folders:
            entries.setdefault(path, entry)
    for folder in folders_above(*entries):
        entries.setdefault(folder, Entry(path=folder, kind=Kind.FOLDER, mode=0o755, size=0))
    return SourceTree(
        entries=dict(sorted(entries.items())), content_of=_Contents(contents, lies_at, tree.content_of)
    )


class _Contents:
    """How a file of the tree before is read; sent to other processes."""

    def __init__(
        self, contents: dict[str, bytes], lies_at: dict[str, str], now: Callable[[str], bytes]
    ) -> None:
        self._contents = contents
        self._lies_at = lies_at
        self._now = now

    def __call__(self, path: str) -> bytes:
        return self._contents[path] if path in self._contents else self._now(self._lies_at[path])
