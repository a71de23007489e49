"""Which `__init__.py` files a migration adds, so that what it moves can be imported from where it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from magellan.migration.mapping import FileMove
from magellan.migration.module_names import INIT, is_init, name_from_root
from magellan.migration.source_tree import SourceTree
from magellan.plan.files.tree import folder_of, folders_above


def package_files(
    tree: SourceTree,
    moves: Sequence[FileMove],
    source_roots: Sequence[str],
    contents: Mapping[str, str],
) -> dict[str, bytes]:
    """The files to be made, by path, with their contents.

    A new folder becomes a package where a module goes there that came from a package or from a source root. A folder
    that is there already stays what it is; and what came from a folder of scripts makes no package.
    contents: what some of the files shall hold; those not named are empty.
    """
    gone = {move.source for move in moves}
    targets = {move.target for move in moves}
    stays = {path for path in tree.files if path not in gone}
    kept_folders = folders_above(*(path for path in stays if path.endswith(".py")))
    final = stays | targets
    made = {path: text.encode() for path, text in contents.items() if path not in final}
    for move in moves:
        if not move.target.endswith(".py") or not _was_importable(move.source, tree, source_roots):
            continue
        for folder in _packages_above(move.target, source_roots):
            path = f"{folder}/{INIT}.py"
            if path not in final and folder not in kept_folders:
                made.setdefault(path, b"")
    return dict(sorted(made.items()))


def _was_importable(path: str, tree: SourceTree, source_roots: Sequence[str]) -> bool:
    if not path.endswith(".py") or all(name_from_root(path, root) is None for root in source_roots):
        return False
    folder = folder_of(path)
    if is_init(path) or (folder == "." and "" in source_roots) or folder in source_roots:
        return True
    return f"{folder}/{INIT}.py" in tree.entries


def _packages_above(path: str, source_roots: Sequence[str]) -> list[str]:
    """Folders above a path, from the deepest source root down, without it."""
    root = max(
        (each for each in source_roots if not each or path.startswith(f"{each}/")), key=len, default=""
    )
    return sorted(folder for folder in folders_above(path) if len(folder) > len(root))
