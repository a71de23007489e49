"""Everything that a migration changes, as one value: decided once, stored, and carried out from what was stored.

So a process that goes on after a kill does exactly what was previewed, whatever the tree looks like by then.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from magellan.migration.mapping import FileMove, MigrationMapping, file_moves
from magellan.migration.packages import package_files
from magellan.migration.rewrite.reference import RewriteOptions
from magellan.migration.rewrite.renames import Renames
from magellan.migration.rewrite.rewriter import LookThrough, Rewriting, look_through, rewrite
from magellan.migration.shims import Shim, wants_shim
from magellan.migration.source_tree import SourceTree
from magellan.plan.files.tree import Kind, folder_of, folders_above


class WrittenFor(StrEnum):
    """Why a file is written."""

    NAMES = "names"  # it says the name of something that moved
    PACKAGE = "package"  # an `__init__.py`
    SHIM = "shim"
    CONTENT = "content"  # it is put together of two versions, or brought into a new form


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A file that gets other content, or is new."""

    path: str  # where it lies afterwards
    before: bytes | None  # None: there was none
    after: bytes
    mode: int  # permission bits
    why: WrittenFor


@dataclass(frozen=True, slots=True, kw_only=True)
class Relinked:
    """A symbolic link that would lead astray."""

    path: str  # where it lies afterwards
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSet:
    """What a migration does to a tree."""

    moves: tuple[FileMove, ...]
    written: tuple[Written, ...]
    links: tuple[Relinked, ...]
    folders: tuple[str, ...]  # to be made, those above first
    emptied: tuple[str, ...]  # in which nothing is left, to be taken away
    removed: tuple[str, ...] = ()  # files to be taken away, before anything moves

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.moves or self.written or self.links or self.removed)

    @property
    def paths(self) -> frozenset[str]:
        """What comes, goes or changes."""
        moved = (path for each in self.moves for path in (each.source, each.target))
        written = (each.path for each in self.written)
        links = (each.path for each in self.links)
        return frozenset((*moved, *written, *links, *self.folders, *self.emptied, *self.removed))

    def written_for(self, why: WrittenFor) -> tuple[Written, ...]:
        """Files that are written for one reason."""
        return tuple(each for each in self.written if each.why is why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What a person decides about a migration beside its mapping."""

    rewriting: RewriteOptions
    shims: bool
    shims_expire_on: date  # where the mapping does not say


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """A change set, and what was found on the way to it."""

    changes: ChangeSet
    rewriting: Rewriting
    renames: Renames
    shims: tuple[Shim, ...]


def migration_of(
    tree: SourceTree,
    mapping: MigrationMapping,
    choices: Choices,
    *,
    name: str,
    removed: tuple[str, ...] = (),
    look: LookThrough = look_through,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Migration:
    """Decide everything that the mapping means for that tree. Nothing is written.

    name:    of the mapping's file, for messages.
    removed: files that are taken away first, such as shims where something moves back to.
    look:    how files are looked through: here, or on several cores.
    Raises:  FixInput with every mistake of the mapping at its place.
    """
    tree = tree.without(removed)
    moves = file_moves(mapping, tree, name=name)
    made = package_files(tree, moves, mapping.source_roots, mapping.package_files)
    renames = Renames(tree, moves, mapping.source_roots, made)
    rewriting = rewrite(tree, renames, choices.rewriting, look=look, on_progress=on_progress)
    shims = _shims(tree, moves, made, renames, choices, mapping.shims_expire_on or choices.shims_expire_on)
    written = [
        Written(
            path=renames.new_path(each.path),
            before=each.before,
            after=each.after,
            mode=tree.entries[each.path].mode,
            why=WrittenFor.NAMES,
        )
        for each in rewriting.changed
    ]
    written += [_new(path, content, WrittenFor.PACKAGE) for path, content in made.items()]
    written += [_new(shim.path, shim.source(), WrittenFor.SHIM) for shim in shims]
    targets = [move.target for move in moves] + [each.path for each in written]
    folders, emptied = _folders(tree, moves, targets)
    changes = ChangeSet(
        moves=moves,
        written=tuple(written),
        links=_links(tree, renames),
        folders=folders,
        emptied=emptied,
        removed=removed,
    )
    return Migration(changes=changes, rewriting=rewriting, renames=renames, shims=shims)


def _new(path: str, content: bytes, why: WrittenFor) -> Written:
    return Written(path=path, before=None, after=content, mode=0o644, why=why)


def _shims(
    tree: SourceTree,
    moves: Sequence[FileMove],
    made: Mapping[str, bytes],
    renames: Renames,
    choices: Choices,
    expires_on: date,
) -> tuple[Shim, ...]:
    final = {renames.new_path(path) for path in tree.files} | set(made)
    found = []
    for move in moves:
        wanted = choices.shims and (wants_shim(move.source) if move.shim is None else move.shim)
        old, new = renames.before.name_of(move.source), renames.after.name_of(move.target)
        if not wanted or old is None or new is None or old == new or move.source in final:
            continue
        # A module beside a new package of its name would hide behind it, or hide it.
        if renames.after.is_package(old) or renames.after.file_of(old) is not None:
            continue
        found.append(Shim(path=move.source, old=old, new=new, expires_on=expires_on))
    return tuple(found)


def _folders(
    tree: SourceTree, moves: Sequence[FileMove], targets: Iterable[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Folders to be made, and the outermost of those in which nothing is left."""
    needed = folders_above(*targets)
    made = tuple(sorted(folder for folder in needed if folder not in tree.entries))
    gone = {move.source for move in moves}
    stays = {
        path
        for path in (*tree.entries, *tree.ignored)
        if path not in gone and not path.endswith("/__pycache__")
    }
    left = folders_above(*gone)
    used = needed | folders_above(*(path for path in stays if not _is_folder(path, tree)))
    # A folder that was empty before is somebody's; it keeps those above it.
    used |= folders_above(
        *(path for path in stays if _is_folder(path, tree) and path not in left and path not in used)
    )
    emptied = {folder for folder in left if folder not in used}
    return made, tuple(sorted(folder for folder in emptied if folder_of(folder) not in emptied))


def _is_folder(path: str, tree: SourceTree) -> bool:
    entry = tree.entries.get(path)
    return entry is not None and entry.kind is Kind.FOLDER


def _relative(target: str, folder: str) -> str:
    """What a link in that folder says to lead there. target: from the root; it may lie above it, "../data"."""
    if target == ".." or target.startswith("../"):
        above = [] if folder == "." else [".."] * len(folder.split("/"))
        return "/".join([*above, target])
    return posixpath.relpath(target, folder)


def _links(tree: SourceTree, renames: Renames) -> tuple[Relinked, ...]:
    """Relative links whose target, or who themselves, lie elsewhere afterwards."""
    found = []
    for path, entry in tree.entries.items():
        if entry.kind is not Kind.LINK or entry.points_at.startswith("/"):
            continue
        target = posixpath.normpath(posixpath.join(folder_of(path), entry.points_at))
        new_target = renames.paths.get(target) or renames.folders.get(target) or target
        new_path = renames.new_path(path)
        if (new_target == target and new_path == path) or target == path:
            continue
        after = _relative(new_target, folder_of(new_path))
        if after != entry.points_at:
            found.append(Relinked(path=new_path, before=entry.points_at, after=after))
    return tuple(found)
