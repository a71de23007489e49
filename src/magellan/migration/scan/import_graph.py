"""Who imports whom: circles, and what nothing leads to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from magellan.migration.module_names import ModuleNames, is_init
from magellan.migration.scan.scanned_file import ScannedFile


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportGraph:
    """Files of the tree, and the files of the tree that each of them imports."""

    imports: Mapping[str, frozenset[str]]
    imported_by: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, files: Iterable[ScannedFile]) -> ImportGraph:
        """The graph of the imports that resolve to a file of the tree."""
        imports = {
            file.path: frozenset(
                target.path for target in file.imports if target.path is not None and target.path != file.path
            )
            for file in files
            if file.is_python
        }
        imported_by: dict[str, set[str]] = {path: set() for path in imports}
        for path, targets in imports.items():
            for target in targets:
                imported_by.setdefault(target, set()).add(path)
        return cls(
            imports=imports, imported_by={path: frozenset(found) for path, found in imported_by.items()}
        )

    def circles(self) -> tuple[tuple[str, ...], ...]:
        """Groups of files each of which imports, directly or not, every other one of its group; largest first."""
        import networkx as nx

        graph = nx.DiGraph()
        graph.add_edges_from((path, target) for path, targets in self.imports.items() for target in targets)
        groups = [tuple(sorted(group)) for group in nx.strongly_connected_components(graph) if len(group) > 1]
        return tuple(sorted(groups, key=lambda group: (-len(group), group)))

    def reached_from(self, starts: Iterable[str], names: ModuleNames) -> frozenset[str]:
        """Every file that is loaded when those are: what they import, and the packages above it."""
        reached: set[str] = set()
        waiting = list(starts)
        while waiting:
            path = waiting.pop()
            if path in reached:
                continue
            reached.add(path)
            waiting.extend(self.imports.get(path, ()))
            waiting.extend(_packages_above(path, names))
        return frozenset(reached)


def dead_modules(
    graph: ImportGraph, files: Collection[ScannedFile], started: Collection[str], names: ModuleNames
) -> tuple[str, ...]:
    """Python files that no test, no script and no entry point leads to.

    started: files that something outside of Python starts: entry points, units, shell scripts.
    """
    roots = {
        file.path
        for file in files
        if file.is_python and (file.kind != "code" or file.has_main or file.path in started)
    }
    reached = graph.reached_from(roots, names)
    return tuple(
        sorted(
            file.path
            for file in files
            if file.is_python and file.path not in reached and not is_init(file.path) and file.defines
        )
    )


def _packages_above(path: str, names: ModuleNames) -> Iterable[str]:
    name = names.name_of(path) or ""
    while "." in name:
        name = name.rpartition(".")[0]
        found = names.file_of(name)
        if found is not None:
            yield found
