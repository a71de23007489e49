"""The shims that migrations left: which there are, who still uses them, and taking them away."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from magellan.errors import FixInput
from magellan.migration.apply_plan import Commits, Recorded
from magellan.migration.change_set import ChangeSet
from magellan.migration.encoding import python_text
from magellan.migration.file_imports import read_imports
from magellan.migration.imports import targets_of
from magellan.migration.module_names import ModuleNames
from magellan.migration.shims import Shim, shims_in
from magellan.migration.source import Source
from magellan.migration.source_tree import SourceTree
from magellan.plan.files.tree import folders_above
from magellan.usecases.migrate_apply import Desk, record_of


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundShim:
    """A shim of the tree."""

    shim: Shim
    used_by: tuple[str, ...]  # "path:line" of imports of the old name in the tree
    is_expired: bool


def list_shims(tree: SourceTree, *, on: date) -> tuple[FoundShim, ...]:
    """Every shim, by path. on: the date by which expiry is judged."""
    shims = {shim.path: shim for shim in shims_in(tree)}
    users: dict[str, list[str]] = {path: [] for path in shims}
    names = ModuleNames(tree.python_files)
    leaves = {shim.old.rpartition(".")[2].encode() for shim in shims.values()}
    for path in tree.python_files if shims else ():
        content = b"" if path in shims else tree.read(path)
        text = python_text(content) if any(leaf in content for leaf in leaves) else None
        for statement in read_imports(Source(text.utf8)).statements if text is not None else ():
            for target in targets_of(statement, path, names, lambda _: False):
                if target.path in users:
                    users[target.path].append(f"{path}:{target.line}")
    return tuple(
        FoundShim(shim=shims[path], used_by=tuple(users[path]), is_expired=shims[path].expires_on < on)
        for path in sorted(shims)
    )


def removal_of(
    found: Collection[FoundShim], tree: SourceTree, desk: Desk, *, paths: Collection[str], uses_git: bool
) -> Recorded:
    """Take shims away, as a migration of its own. Nothing is changed.

    paths:  which; none: those that have expired.
    Raises: FixInput for a path that is no shim, and for shims that the tree itself still uses.
    """
    known = {each.shim.path: each for each in found}
    for path in paths:
        if path not in known:
            raise FixInput(
                f"{path} is no shim, or was changed since", next_step="`magellan migrate shims list`"
            )
    chosen = [each for each in found if (each.shim.path in paths if paths else each.is_expired)]
    if not chosen:
        raise FixInput(
            "no shim has expired", next_step="name those that you want to take away, or give `--all`"
        )
    used = [f"{each.shim.path} by {each.used_by[0]}" for each in chosen if each.used_by]
    if used:
        raise FixInput(
            f"{len(used)} shims are still used: {', '.join(used[:5])}",
            kept="all shims",
            next_step="let these imports say the new name first",
        )
    removed = tuple(each.shim.path for each in chosen)
    left = folders_above(*(path for path in tree.files if path not in removed))
    emptied = {folder for folder in folders_above(*removed) if folder not in left}
    changes = ChangeSet(
        moves=(),
        written=(),
        links=(),
        folders=(),
        emptied=tuple(sorted(each for each in emptied if not folders_above(each) & emptied)),
        removed=removed,
    )
    return record_of(
        changes,
        desk,
        name=f"take {len(removed)} shims away",
        source_roots=("",),
        commits=Commits.STAGED if uses_git else Commits.UNTOUCHED,
    )
