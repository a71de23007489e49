"""Look through a tree of Python, and say what is in it. Nothing of the tree is changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from magellan.migration.categories.rules import CategoryRules
from magellan.migration.scan.activation import TriedImport
from magellan.migration.scan.scan import Activation, Scan, analysed, imports_to_try
from magellan.migration.scan.scanned_file import ScannedFile, read_file
from magellan.migration.source_tree import SourceTree
from magellan.ports.executor import Executor, Work
from magellan.ports.import_sandbox import ImportSandbox

Progress = Callable[[str, int, int], None]
"""What is counted, how many are done, of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileToRead:
    """A file, by path, and its size in bytes as it was listed."""

    path: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """How a worker comes to a tree's files; sent to other processes."""

    content_of: Callable[[str], bytes]

    def __call__(self, file: FileToRead) -> ScannedFile:
        return read_file(file.path, file.size, self.content_of)


def scan_tree(
    tree: SourceTree,
    rules: CategoryRules,
    *,
    executor: Executor,
    is_installed: Callable[[str], bool],
    roots: Sequence[str] | None = None,
    sandbox: ImportSandbox | None = None,
    imports_within_s: float | None = None,
    on_progress: Progress = lambda phase, done, total: None,
) -> Scan:
    """What is in the tree.

    is_installed: whether the project's interpreter knows a top-level module.
    roots:        source roots; None: found by what the imports need.
    sandbox:      tries whether modules can be imported; None: none is tried.
    imports_within_s: seconds on the clock for all of these; None: as long as it takes.
    """
    files = [FileToRead(path=path, size=tree.entries[path].size) for path in tree.files]
    done = 0

    def count(number: int, file: ScannedFile) -> None:
        nonlocal done
        done += 1
        on_progress("read files", done, len(files))

    work = Work(begin=_reader, given=tree.content_of, describe=_path_of)
    read = executor.map(work, files, on_done=count)
    scan = analysed(tree, read, rules, is_installed, roots)
    if sandbox is None:
        return scan
    asked = imports_to_try(scan)
    on_progress("try imports", 0, len(asked))
    tried: list[TriedImport] = []
    for answer in sandbox.try_imports(asked, scan.graph.imports, within_s=imports_within_s):
        tried.append(answer)
        on_progress("try imports", len(tried), len(asked))
    return replace(scan, activation=Activation.of(sandbox.isolation, asked, tried))


def _reader(content_of: Callable[[str], bytes]) -> Callable[[FileToRead], ScannedFile]:
    return Reader(content_of=content_of)


def _path_of(file: FileToRead) -> str:
    return file.path
