"""A whole tree as a scan found it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from magellan.migration.categories.judge import Judged, Said, judge
from magellan.migration.categories.rules import CategoryRules
from magellan.migration.module_names import is_init
from magellan.migration.scan.file_kind import FileKind
from magellan.migration.scan.import_graph import dead_modules
from magellan.migration.scan.likeness import Pair, near_duplicates
from magellan.migration.scan.scanned_file import ScannedFile
from magellan.migration.scan.structure import Structure
from magellan.migration.source_tree import SourceTree
from magellan.plan.files.tree import Kind, folder_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that a person should know before anything is moved."""

    path: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan(Structure):
    """What is in a tree: its structure, and what only a person asks about."""

    copies: tuple[tuple[str, ...], ...]  # groups of files with the same bytes
    near: tuple[Pair, ...]
    dead: tuple[str, ...]
    findings: tuple[Finding, ...]
    judged: tuple[Judged, ...]  # one per file, in the same order
    layout: str  # what the categories are those of
    ignored: tuple[str, ...] = ()  # folders that belong to tools

    @property
    def broken(self) -> tuple[ScannedFile, ...]:
        """Python files that cannot be read as such."""
        return tuple(file for file in self.python if file.problem)

    @property
    def undecided(self) -> tuple[Judged, ...]:
        """Python files that belong nowhere surely, so that a person says where; without `__init__` files."""
        return tuple(
            judged
            for file, judged in zip(self.files, self.judged, strict=True)
            if file.is_python and not judged.is_sure and not is_init(file.path)
        )

    @property
    def outside_categories(self) -> Mapping[FileKind, int]:
        """How many other files there are for which the rules have no category, by kind: logs, tables, pictures."""
        counts = Counter(
            file.kind
            for file, judged in zip(self.files, self.judged, strict=True)
            if not file.is_python and judged.category is None
        )
        return dict(sorted(counts.items()))


def analysed(tree: SourceTree, structure: Structure, rules: CategoryRules) -> Scan:
    """Everything else that follows from the files once they were read; none of them for its structure only."""
    files = structure.files
    shingles = {file.path: file.shingles for file in files if file.shingles}
    copies = _copies(files)
    first_only = {path for group in copies for path in group[1:]}
    judged = judge(
        [Said(path=file.path, features=file.features, is_python=file.is_python) for file in files],
        structure.graph.imports,
        rules,
    )
    started = {each.path for each in structure.entry_points}
    return Scan(
        files=files,
        source_roots=structure.source_roots,
        names=structure.names,
        graph=structure.graph,
        circles=structure.circles,
        entry_points=structure.entry_points,
        activation=structure.activation,
        copies=copies,
        near=near_duplicates({path: held for path, held in shingles.items() if path not in first_only}),
        dead=dead_modules(structure.graph, files, started, structure.names),
        findings=tuple(_findings(tree, files)),
        judged=judged,
        layout=rules.layout,
        ignored=tree.ignored,
    )


def _copies(files: Sequence[ScannedFile]) -> tuple[tuple[str, ...], ...]:
    groups: dict[str, list[str]] = defaultdict(list)
    for file in files:
        if file.size and file.sha256:
            groups[file.sha256].append(file.path)
    return tuple(sorted(tuple(group) for group in groups.values() if len(group) > 1))


def _findings(tree: SourceTree, files: Sequence[ScannedFile]) -> list[Finding]:
    found = [
        Finding(path=folder, what=f"could not be looked into: {why}")
        for folder, why in tree.unreadable.items()
    ]
    by_folded: dict[str, list[str]] = defaultdict(list)
    for path, entry in tree.entries.items():
        by_folded[path.casefold()].append(path)
        if entry.kind is Kind.LINK:
            found.append(Finding(path=path, what=_link(path, entry.points_at, tree)))
        elif entry.kind is Kind.OTHER:
            found.append(Finding(path=path, what="is a socket, a pipe or a device; it is left alone"))
    for group in by_folded.values():
        if len(group) > 1:
            found.append(Finding(path=group[0], what=f"differs only by case from {', '.join(group[1:])}"))
    found += [Finding(path=file.path, what=file.problem) for file in files if file.problem]
    return sorted(found, key=lambda each: (each.path, each.what))


def _link(path: str, points_at: str, tree: SourceTree) -> str:
    if points_at.startswith("/"):
        return f"is a link out of the tree, to {points_at}"
    parts = [] if folder_of(path) == "." else folder_of(path).split("/")
    for part in points_at.split("/"):
        if part == "..":
            if not parts:
                return f"is a link out of the tree, to {points_at}"
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    meant = "/".join(parts)
    if meant == path:
        return "is a link to itself"
    if meant and meant not in tree.entries:
        return f"is a link to {points_at}, which is not there"
    return f"is a link to {points_at}; links are not followed"
