"""A whole tree as a scan found it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from magellan.migration.categories.judge import Judged, Said, judge
from magellan.migration.categories.rules import CategoryRules
from magellan.migration.imports import Origin
from magellan.migration.module_names import ModuleNames, is_init
from magellan.migration.scan.activation import Cause, ImportToTry, Isolation, TriedImport, causes
from magellan.migration.scan.entry_points import EntryPoint, entry_points
from magellan.migration.scan.file_kind import FileKind
from magellan.migration.scan.import_graph import ImportGraph, dead_modules
from magellan.migration.scan.likeness import Pair, near_duplicates
from magellan.migration.scan.scanned_file import ScannedFile, resolved
from magellan.migration.scan.source_roots import source_roots
from magellan.migration.source_tree import SourceTree
from magellan.plan.files.tree import Kind, folder_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that a person should know before anything is moved."""

    path: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """What came of importing every module."""

    isolation: Isolation
    tried: tuple[TriedImport, ...]  # sorted by path
    not_tried: tuple[str, ...] = ()  # paths for which there was no time left

    @classmethod
    def of(
        cls, isolation: Isolation, asked: Sequence[ImportToTry], tried: Sequence[TriedImport]
    ) -> Activation:
        """What came of those that were to be tried."""
        done = {each.path for each in tried}
        return cls(
            isolation=isolation,
            tried=tuple(sorted(tried, key=lambda each: each.path)),
            not_tried=tuple(sorted(each.path for each in asked if each.path not in done)),
        )

    @property
    def imported(self) -> int:
        """How many modules were imported."""
        return sum(each.succeeded for each in self.tried)

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Why the others were not."""
        return causes(self.tried)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What is in a tree."""

    files: tuple[ScannedFile, ...]  # sorted by path
    source_roots: tuple[str, ...]
    graph: ImportGraph
    circles: tuple[tuple[str, ...], ...]
    copies: tuple[tuple[str, ...], ...]  # groups of files with the same bytes
    near: tuple[Pair, ...]
    dead: tuple[str, ...]
    entry_points: tuple[EntryPoint, ...]
    findings: tuple[Finding, ...]
    judged: tuple[Judged, ...]  # one per file, in the same order
    layout: str  # what the categories are those of
    ignored: tuple[str, ...] = ()  # folders that belong to tools
    activation: Activation | None = field(default=None)

    @property
    def python(self) -> tuple[ScannedFile, ...]:
        """The Python files."""
        return tuple(file for file in self.files if file.is_python)

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

    @property
    def origins(self) -> Mapping[Origin, int]:
        """How many imports resolve to what."""
        counts = dict.fromkeys(Origin, 0)
        for file in self.files:
            for target in file.imports:
                counts[target.origin] += 1
        return counts


def analysed(
    tree: SourceTree,
    read: Sequence[ScannedFile],
    rules: CategoryRules,
    is_installed: Callable[[str], bool],
    roots: Sequence[str] | None,
) -> Scan:
    """Everything that follows from the files once they were read.

    read:  every file of the tree, sorted by path.
    roots: source roots; None: found by what the imports need.
    """
    roots = tuple(roots) if roots is not None else source_roots(read)
    names = ModuleNames([file.path for file in read], roots)
    files = tuple(resolved(file, names, is_installed) for file in read)
    graph = ImportGraph.of(files)
    starts = entry_points(files, tree.read, names)
    shingles = {file.path: file.shingles for file in files if file.shingles}
    copies = _copies(files)
    first_only = {path for group in copies for path in group[1:]}
    judged = judge(
        [Said(path=file.path, features=file.features, is_python=file.is_python) for file in files],
        graph.imports,
        rules,
    )
    return Scan(
        files=files,
        source_roots=roots,
        graph=graph,
        circles=graph.circles(),
        copies=copies,
        near=near_duplicates({path: held for path, held in shingles.items() if path not in first_only}),
        dead=dead_modules(graph, files, {each.path for each in starts}, names),
        entry_points=starts,
        findings=tuple(_findings(tree, files)),
        judged=judged,
        layout=rules.layout,
        ignored=tree.ignored,
    )


def imports_to_try(scan: Scan) -> tuple[ImportToTry, ...]:
    """Every Python file but stubs and tests, and how to import it; those first that most others import.

    A file beside others in a folder that is no package finds them as a script does.
    """
    wanted = sorted(
        (
            file
            for file in scan.python
            if not file.path.endswith(".pyi") and file.kind in (FileKind.CODE, FileKind.SCRIPT)
        ),
        key=lambda file: (-len(scan.graph.imported_by.get(file.path, ())), file.path),
    )
    return tuple(
        ImportToTry(
            path=file.path,
            name=file.module or "",
            search=tuple(dict.fromkeys([*scan.source_roots, _beside(file.path)])),
        )
        for file in wanted
    )


def _beside(path: str) -> str:
    folder = folder_of(path)
    return "" if folder == "." else folder


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
