"""From which folders a tree's own imports are counted."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from magellan.migration.module_names import INIT, ModuleNames
from magellan.migration.scan.scanned_file import ScannedFile

_FEWEST: Final = 3  # imports that only a root explains, before it is taken for one


def source_roots(files: Sequence[ScannedFile]) -> tuple[str, ...]:
    """The tree's own folder, `src` where there is one, and every folder that explains imports which nothing else does.

    A folder explains `import shop.a` when it holds shop.py, or a folder shop with Python in it, and no other folder of
    the tree does. What Python's own library has is explained by that.
    """
    paths = [file.path for file in files if file.is_python]
    roots = [""]
    if any(path.startswith("src/") for path in paths):
        roots.append("src")
    names = ModuleNames(paths, roots)
    holders = _holders(paths)
    votes: Counter[str] = Counter()
    for file in files:
        for top in _unresolved(file, names):
            found = holders.get(top, set())
            if len(found) == 1:
                votes[next(iter(found))] += 1
    roots += sorted(root for root, count in votes.items() if count >= _FEWEST and root not in roots)
    return tuple(roots)


def _unresolved(file: ScannedFile, names: ModuleNames) -> Iterable[str]:
    for statement in file.statements:
        if statement.level:
            continue
        dotted = [statement.module] if statement.is_from else [each.name for each in statement.names]
        for name in dotted:
            top = name.partition(".")[0]
            if top and top not in sys.stdlib_module_names and names.resolve(top, file.path) is None:
                yield top


def _holders(paths: Sequence[str]) -> dict[str, set[str]]:
    """Top-level names, and the folders in which a module or package of that name lies."""
    found: dict[str, set[str]] = defaultdict(set)
    known = frozenset(paths)
    packages = {path.rpartition("/")[0] for path in paths}
    for folder in packages:
        if folder:
            above, _, name = folder.rpartition("/")
            found[name].add(above)
    for path in paths:
        folder, _, leaf = path.rpartition("/")
        stem = leaf.rpartition(".")[0]
        # A module of a package is imported by the package's name, not by its own.
        if stem != INIT and f"{folder}/{INIT}.py" not in known:
            found[stem].add(folder)
    return found
