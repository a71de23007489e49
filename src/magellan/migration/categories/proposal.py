"""From categories to a mapping: what goes where, what stays, and what a person has to decide first."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

from magellan.migration.categories.judge import HIGH, Judged
from magellan.migration.categories.rules import CategoryRules, Holds
from magellan.migration.mapping import MappedMove, MigrationMapping, is_text
from magellan.migration.module_names import INIT, is_init
from magellan.migration.scan.file_kind import FileKind
from magellan.migration.scan.scan import Scan
from magellan.migration.scan.scanned_file import ScannedFile
from magellan.plan.files.tree import folder_of, folders_above

_TOOLS_LOOK_HERE: Final = (
    "readme*", "license*", "copying*", "changelog*", "contributing*", "code_of_conduct*", "security*", "pyproject.toml",
    "setup.py", "setup.cfg", "manifest.in", "requirements*.txt", "constraints*.txt", "makefile", "dockerfile*",
    "docker-compose*", "compose.y*ml", "tox.ini", "noxfile.py", "pytest.ini", "conftest.py", "mypy.ini", "*.lock", ".*",
    "procfile", "package.json", "mkdocs.yml", ".pre-commit-config.yaml",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Collision:
    """Files that would get the same path. None of them is moved until somebody gives them names."""

    target: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """A name that something else has already."""

    name: str
    with_what: str  # "the standard library's logging", "the installed package core"
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A mapping, and what must be known about it."""

    mapping: MigrationMapping
    undecided: tuple[Judged, ...]  # Python files that nobody was sure about
    collisions: tuple[Collision, ...]
    clashes: tuple[Clash, ...]
    staying: Mapping[FileKind, int] = field(default_factory=dict)  # files that the rules have no category for
    kept_by_hand: tuple[str, ...] = ()  # sources of moves that a person wrote or edited
    gone: tuple[str, ...] = ()  # sources of an earlier mapping that are no longer there


def propose(
    scan: Scan,
    rules: CategoryRules,
    is_installed: Callable[[str], bool],
    *,
    earlier: MigrationMapping | None = None,
) -> Proposal:
    """What to move, by the categories that the scan is sure of.

    A file that lies in its category's folder already stays; so does what tools look for where it is, and what is not
    Python and lies in a folder of its own.

    earlier: a mapping that a person may have edited. What he wrote stays, also against a category; what was proposed
             and left as it was is proposed anew. A file that shall stay where it is, is mapped to itself.
    """
    by_hand, gone = _edited(earlier, scan, rules)
    wanted: dict[str, list[tuple[ScannedFile, Judged]]] = defaultdict(list)
    for file, judged in zip(scan.files, scan.judged, strict=True):
        if file.path in by_hand or not judged.is_sure:
            continue
        target = target_of(file, judged, rules)
        if target is not None and target != file.path:
            wanted[target].append((file, judged))
    moved_away = {file.path for each in wanted.values() for file, _ in each} | set(by_hand)
    taken = {file.path for file in scan.files if file.path not in moved_away}
    taken |= {move.target for move in by_hand.values()}
    taken |= folders_above(*taken)
    moves = dict(by_hand)
    collisions = []
    for target, files in sorted(wanted.items()):
        sources = tuple(file.path for file, _ in files)
        if len(files) > 1 or target in taken:
            collisions.append(Collision(target=target, sources=sources))
            continue
        file, judged = files[0]
        moves[file.path] = MappedMove.model_validate(
            {
                "from": file.path,
                "to": target,
                "shim": _needs_shim(file, scan),
                "category": judged.category,
                "confidence": round(judged.confidence, 2),
                "reasons": judged.reasons,
            }
        )
    mapping = MigrationMapping(
        version=1,
        source_roots=scan.source_roots,
        moves=tuple(moves[source] for source in sorted(moves)),
        package_files=_package_files(moves.values(), scan, rules, earlier),
        shims_expire_on=None if earlier is None else earlier.shims_expire_on,
    )
    decided = set(moves)
    return Proposal(
        mapping=mapping,
        undecided=tuple(judged for judged in scan.undecided if judged.path not in decided),
        staying=scan.outside_categories,
        collisions=tuple(collisions),
        clashes=_clashes(moves.values(), scan, is_installed),
        kept_by_hand=tuple(sorted(by_hand)),
        gone=gone,
    )


def target_of(file: ScannedFile, judged: Judged, rules: CategoryRules) -> str | None:
    """Where the file would go; None: it stays."""
    assert judged.category is not None, "who is sure has a category"
    leaf = file.path.rpartition("/")[2]
    category = rules.category[judged.category]
    if is_init(file.path) or tools_look_for(file.path):
        return None
    if rules.leaves(file.path) or not is_text(file.path):
        return None
    folder = rules.folder_of(judged.category)
    above = folder_of(file.path).split("/")
    if folder.split("/")[-1] in above:
        return None  # it is there, perhaps deeper than we would put it
    if not file.is_python:
        return None if "/" in file.path else f"{folder}/{leaf}"
    is_part = category.kind is Holds.CODE and judged.category not in _BESIDE_THE_PACKAGE
    root = f"{rules.root}/" if rules.root and is_part else ""
    package = f"/{judged.package}" if judged.package is not None and judged.confidence >= HIGH else ""
    return f"{root}{folder}{package}/{leaf}"


def tools_look_for(path: str) -> bool:
    """Whether tools know the file by its name and look for it where it is."""
    leaf = path.rpartition("/")[2].lower()
    return any(fnmatchcase(leaf, pattern) for pattern in _TOOLS_LOOK_HERE)


_BESIDE_THE_PACKAGE: Final = frozenset({"tests", "scripts", "examples", "deployment", "docs", "configs"})
"""Categories that are no part of the importable package, by the names that they have everywhere."""


def _needs_shim(file: ScannedFile, scan: Scan) -> bool:
    """Whether the old path is one that somebody may import: by the tree, or by an entry point."""
    if not file.is_python or file.module is None or file.kind is not FileKind.CODE:
        return False
    return bool(scan.graph.imported_by.get(file.path)) or any(
        each.path == file.path for each in scan.entry_points
    )


def _edited(
    earlier: MigrationMapping | None, scan: Scan, rules: CategoryRules
) -> tuple[dict[str, MappedMove], tuple[str, ...]]:
    """Moves that a person wrote or changed, by source; and sources that are no longer there."""
    if earlier is None:
        return {}, ()
    there = {file.path for file in scan.files}
    folders = folders_above(*there)
    kept: dict[str, MappedMove] = {}
    gone = []
    for move in earlier.moves:
        if move.source not in there and move.source not in folders:
            gone.append(move.source)
        elif move.note or move.category not in rules.category or not _is_as_proposed(move, rules):
            kept[move.source] = move
    return kept, tuple(gone)


def _is_as_proposed(move: MappedMove, rules: CategoryRules) -> bool:
    """Whether the target is one that its own category would have given."""
    folder, leaf = rules.folder_of(move.category), move.source.rpartition("/")[2]
    packages = ["", *(f"/{name}" for name in rules.category[move.category].packages)]
    roots = ["", f"{rules.root}/"] if rules.root else [""]
    return move.target in {f"{root}{folder}{package}/{leaf}" for root in roots for package in packages}


def _package_files(
    moves: Iterable[MappedMove],
    scan: Scan,
    rules: CategoryRules,
    earlier: MigrationMapping | None,
) -> dict[str, str]:
    """A sentence for each package that is made, so that nobody has to guess what belongs there."""
    contents = dict(earlier.package_files) if earlier is not None else {}
    there = {file.path for file in scan.files}
    for move in moves:
        if not move.target.endswith(".py") or move.category not in rules.category:
            continue
        category = rules.category[move.category]
        folder = rules.folder_of(move.category)
        if category.kind is not Holds.CODE or move.category in _BESIDE_THE_PACKAGE:
            continue
        root = f"{rules.root}/" if rules.root else ""
        path = f"{root}{folder}/{INIT}.py"
        if path not in there and move.target.startswith(f"{root}{folder}/"):
            title = category.title[0].upper() + category.title[1:]
            contents.setdefault(path, f'"""{title}."""\n')
    return dict(sorted(contents.items()))


def _clashes(
    moves: Iterable[MappedMove], scan: Scan, is_installed: Callable[[str], bool]
) -> tuple[Clash, ...]:
    """New names that hide, or are hidden by, a module of Python's own library or an installed package."""
    top_before = {file.path.split("/")[0].removesuffix(".py") for file in scan.files if file.is_python}
    found: dict[str, Clash] = {}
    for move in moves:
        if not move.target.endswith(".py"):
            continue
        top = move.target.split("/")[0].removesuffix(".py")
        if top not in top_before and top not in found:
            if top in sys.stdlib_module_names:
                found[top] = Clash(name=top, with_what=f"the standard library's {top}", advice=_RENAME)
            elif is_installed(top):
                found[top] = Clash(name=top, with_what=f"the installed package {top}", advice=_RENAME)
        stem = move.target.rpartition("/")[2].removesuffix(".py")
        if stem in sys.stdlib_module_names and move.target not in found:
            found[move.target] = Clash(
                name=move.target,
                with_what=f"the standard library's {stem}, for what is started in that folder",
                advice="give the file another name",
            )
    return tuple(found[name] for name in sorted(found))


_RENAME: Final = "give the category another `folder`, or all of them a `root`, in the rules"
