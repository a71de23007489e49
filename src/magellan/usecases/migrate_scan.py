"""Look through a tree of Python, and say what is in it. Nothing of the tree is changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from magellan.collector import uncollected
from magellan.migration.categories.rules import CategoryRules
from magellan.migration.scan.activation import Activation, TriedImport
from magellan.migration.scan.file_reader import FileToRead, ReadingTask, reader_of
from magellan.migration.scan.scan import Scan, analysed
from magellan.migration.scan.scanned_file import ScannedFile
from magellan.migration.scan.structure import Structure, imports_to_try, structure_of
from magellan.migration.source_tree import SourceTree
from magellan.ports.executor import Executor, Work
from magellan.ports.import_sandbox import ImportSandbox

Progress = Callable[[str, int, int], None]
"""What is counted, how many are done, of how many."""


def _silent(phase: str, done: int, total: int) -> None:
    """Nobody watches."""


def scan_tree(
    tree: SourceTree,
    rules: CategoryRules,
    *,
    executor: Executor,
    is_installed: Callable[[str], bool],
    roots: Sequence[str] | None = None,
    sandbox: ImportSandbox | None = None,
    imports_within_s: float | None = None,
    on_progress: Progress = _silent,
) -> Scan:
    """What is in the tree.

    is_installed: whether the project's interpreter knows a top-level module.
    roots:        source roots; None: found by what the imports need.
    sandbox:      tries whether modules can be imported; None: none is tried.
    imports_within_s: seconds on the clock for all of these; None: as long as it takes.
    """
    task = ReadingTask(content_of=tree.content_of, structure_only=False)
    read = _read(tree, tree.files, task, executor, on_progress)
    scan = analysed(tree, structure_of(tree, read, is_installed, roots), rules)
    if sandbox is None:
        return scan
    return replace(scan, activation=_tried(scan, sandbox, imports_within_s, on_progress))


def look_at_structure(
    tree: SourceTree,
    *,
    executor: Executor,
    is_installed: Callable[[str], bool],
    roots: Sequence[str],
    known: Sequence[ScannedFile] = (),
    sandbox: ImportSandbox | None = None,
    on_progress: Progress = _silent,
) -> Structure:
    """How the modules of the tree hang together: what a comparison needs, in half of a scan's time.

    known: files of another tree that were looked at already; one with the same bytes is not parsed again.
    The rest as for `scan_tree`.
    """
    found = _found_again(tree, known)
    task = ReadingTask(content_of=tree.content_of, structure_only=True)
    left = [path for path in tree.files if path not in found]
    read = {**found, **{file.path: file for file in _read(tree, left, task, executor, on_progress)}}
    structure = structure_of(tree, [read[path] for path in tree.files], is_installed, roots)
    if sandbox is None:
        return structure
    return replace(structure, activation=_tried(structure, sandbox, None, on_progress))


def _found_again(tree: SourceTree, known: Sequence[ScannedFile]) -> Mapping[str, ScannedFile]:
    """Python files of the tree with the very bytes of a known one, by path."""
    by_content = {file.sha256: file for file in known if file.is_python and file.sha256}
    found = {}
    for path in tree.python_files if by_content else ():
        try:
            content = tree.read(path)
        except OSError:
            continue  # whoever reads it says so
        same = by_content.get(hashlib.sha256(content).hexdigest())
        if same is not None:
            found[path] = same.lying_at(path)
    return found


def _read(
    tree: SourceTree, paths: Sequence[str], task: ReadingTask, executor: Executor, on_progress: Progress
) -> list[ScannedFile]:
    files = [FileToRead(path=path, size=tree.entries[path].size) for path in paths]
    done = 0

    def count(number: int, file: ScannedFile) -> None:
        nonlocal done
        done += 1
        on_progress("read files", done, len(files))

    with uncollected():
        return executor.map(Work(begin=reader_of, given=task, describe=_path_of), files, on_done=count)


def _path_of(file: FileToRead) -> str:
    return file.path


def _tried(
    structure: Structure, sandbox: ImportSandbox, within_s: float | None, on_progress: Progress
) -> Activation:
    asked = imports_to_try(structure)
    on_progress("try imports", 0, len(asked))
    tried: list[TriedImport] = []
    for answer in sandbox.try_imports(asked, structure.graph.imports, within_s=within_s):
        tried.append(answer)
        on_progress("try imports", len(tried), len(asked))
    return Activation.of(sandbox.isolation, asked, tried)
