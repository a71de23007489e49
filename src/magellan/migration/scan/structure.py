"""How the modules of a tree hang together: who imports what, what is defined and started where."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from magellan.migration.imports import Origin
from magellan.migration.module_names import INIT, ModuleNames
from magellan.migration.scan.activation import Activation, ImportToTry
from magellan.migration.scan.entry_points import EntryPoint, entry_points
from magellan.migration.scan.file_kind import FileKind
from magellan.migration.scan.import_graph import ImportGraph
from magellan.migration.scan.scanned_file import ScannedFile, resolved
from magellan.migration.scan.source_roots import source_roots
from magellan.migration.source_tree import SourceTree
from magellan.plan.files.tree import folder_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """What a tree's files are to each other."""

    files: tuple[ScannedFile, ...]  # sorted by path
    source_roots: tuple[str, ...]
    names: ModuleNames
    graph: ImportGraph
    circles: tuple[tuple[str, ...], ...]
    entry_points: tuple[EntryPoint, ...]
    activation: Activation | None = None  # None: no import was tried

    @property
    def python(self) -> tuple[ScannedFile, ...]:
        """The Python files."""
        return tuple(file for file in self.files if file.is_python)

    @property
    def origins(self) -> Mapping[Origin, int]:
        """How many imports resolve to what."""
        counts = dict.fromkeys(Origin, 0)
        for file in self.files:
            for target in file.imports:
                counts[target.origin] += 1
        return counts


def structure_of(
    tree: SourceTree,
    read: Sequence[ScannedFile],
    is_installed: Callable[[str], bool],
    roots: Sequence[str] | None,
) -> Structure:
    """Everything that follows from what the files import and define.

    read:  every file of the tree, sorted by path.
    roots: source roots; None: found by what the imports need.
    """
    roots = tuple(roots) if roots is not None else source_roots(read)
    names = ModuleNames([file.path for file in read], roots)
    files = tuple(resolved(file, names, is_installed) for file in read)
    graph = ImportGraph.of(files)
    return Structure(
        files=files,
        source_roots=roots,
        names=names,
        graph=graph,
        circles=graph.circles(),
        entry_points=entry_points(files, tree.read, names),
    )


def imports_to_try(structure: Structure) -> tuple[ImportToTry, ...]:
    """Every Python file but stubs and tests, and how to import it; those first that most others import.

    A file beside others in a folder that is no package finds them as a script does; in a package, only what nothing
    else explains: its `types.py` is not Python's own.
    """
    wanted = sorted(
        (
            file
            for file in structure.python
            if not file.path.endswith(".pyi") and file.kind in (FileKind.CODE, FileKind.SCRIPT)
        ),
        key=lambda file: (-len(structure.graph.imported_by.get(file.path, ())), file.path),
    )
    paths = {file.path for file in structure.python}
    return tuple(_import_of(file, structure.source_roots, paths) for file in wanted)


def _import_of(file: ScannedFile, source_roots: tuple[str, ...], paths: Collection[str]) -> ImportToTry:
    folder = folder_of(file.path)
    beside = () if folder == "." or folder in source_roots else (folder,)
    is_in_package = f"{folder}/{INIT}.py" in paths
    return ImportToTry(
        path=file.path,
        name=file.module or "",
        search=source_roots if is_in_package else (*source_roots, *beside),
        search_last=beside if is_in_package else (),
    )
