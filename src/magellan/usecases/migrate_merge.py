"""Merge one tree into another: decide, prove that nothing is lost, and say what would be written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from magellan.errors import AskOperator, FixInput
from magellan.migration.change_set import ChangeSet, Written, WrittenFor
from magellan.migration.content_changes import content_changes
from magellan.migration.merge.merged_tree import MergedTree
from magellan.migration.merge.review import REPORT, report_text, review_files
from magellan.migration.merge.tree_merge import BaseOf, merge_trees
from magellan.migration.source_tree import SourceTree

REVIEWS = "merge_conflicts"
"""The folder in the target that review files go to."""
_LOST_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """What a merge would do to the target."""

    merged: MergedTree
    changes: ChangeSet


def merge(
    source: SourceTree,
    target: SourceTree,
    base_of: BaseOf,
    *,
    reviews: str = REVIEWS,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Merge:
    """Decide what becomes of every file and definition of both. Nothing is written.

    reviews: folder in the target for review files; must not be there.
    Raises:  FixInput where that folder is there; AskOperator when a definition would be lost, which is a defect of
             this command: nothing is offered then.
    """
    if any(path == reviews or path.startswith(f"{reviews}/") for path in target.entries):
        raise FixInput(
            f"{reviews} is there already: an earlier merge left decisions to a person",
            kept="both trees, as they were",
            next_step="decide what it holds and remove it, or name another folder with --reviews",
        )
    merged = merge_trees(source, target, base_of, on_progress=on_progress)
    if merged.lost:
        told = [f"{path}: {lost.key} of the {lost.side}" for path, lost in merged.lost[:_LOST_SHOWN]]
        raise AskOperator(
            "\n  ".join([f"{len(merged.lost)} definitions would be lost", *told]),
            kept="both trees, as they were",
            next_step="leave these files out of the merge, and report this as a defect of `magellan migrate merge`",
        )
    written = [
        Written(
            path=file.path,
            before=target.read(file.path) if file.path in target.entries else None,
            after=file.result,
            mode=file.mode,
            why=WrittenFor.CONTENT,
        )
        for file in merged.files
        if file.result is not None
    ]
    pages = dict(review_files(merged, source, target))
    if pages:
        pages[REPORT] = report_text(merged).encode("utf-8", "backslashreplace")
    written += [
        Written(path=f"{reviews}/{path}", before=None, after=content, mode=0o644, why=WrittenFor.CONTENT)
        for path, content in sorted(pages.items())
    ]
    return Merge(merged=merged, changes=content_changes(target, written=written))
