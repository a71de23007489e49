"""One file as a scan found it. Reading it and resolving its imports are two steps: the first needs no other file."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from magellan.collector import uncollected
from magellan.migration.categories.features import features, is_script
from magellan.migration.encoding import python_text
from magellan.migration.file_imports import read_imports
from magellan.migration.import_statement import ImportStatement
from magellan.migration.imports import Origin, Target, targets_of
from magellan.migration.module_names import ModuleNames, is_init
from magellan.migration.scan.effects import Effect, import_effects
from magellan.migration.scan.file_kind import SNIFFED_BYTES, FileKind, is_test, kind_of
from magellan.migration.scan.likeness import shingles_of
from magellan.migration.source import Source

HUGE_BYTES: Final = 4_000_000
"""Python that nobody wrote: it is listed and not parsed."""
PYTHON: Final = (".py", ".pyi", ".pyw")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannedFile:
    """What one file is, and what it says about itself. The fields from `module` on are of Python alone.

    Those from `effects` on are empty where only the structure of a tree is asked for.
    """

    path: str
    kind: FileKind
    size: int  # bytes
    sha256: str  # "" where it could not be read
    problem: str = ""  # "line 7: invalid syntax", "is no text in the encoding that it declares"
    module: str | None = None  # its dotted name
    imports: tuple[Target, ...] = ()
    statements: tuple[ImportStatement, ...] = ()  # what `imports` are resolved from
    defines: tuple[str, ...] = ()  # public classes and functions at the top
    has_main: bool = False  # whether it has an `if __name__ == "__main__":`
    effects: tuple[Effect, ...] = ()  # of importing it
    features: frozenset[str] = frozenset()  # see `categories.features`
    shingles: frozenset[int] = frozenset()  # see `likeness`

    @property
    def is_python(self) -> bool:
        """Whether it is Python, by its name."""
        return self.path.endswith(PYTHON)

    def lying_at(self, path: str) -> ScannedFile:
        """The same content in another place, before its imports are resolved there; it is Python both times."""
        return replace(self, path=path, kind=_kind_of_python(path), module=None, imports=())


def read_file(
    path: str, size: int, read: Callable[[str], bytes], *, structure_only: bool = False
) -> ScannedFile:
    """Read one file and say what it is. What is wrong with it is its `problem`; nothing is raised for it.

    structure_only: without what only categories and the search for copies need; half of the work.
    """
    try:
        content = read(path)
    except OSError as error:
        why = error.strerror or str(error)
        return ScannedFile(path=path, kind=FileKind.UNREADABLE, size=size, sha256="", problem=why)
    digest = hashlib.sha256(content).hexdigest()
    if path.endswith(PYTHON):
        with uncollected():
            return _python(path, content, digest, structure_only=structure_only)
    kind = kind_of(path, len(content), content[:SNIFFED_BYTES])
    return ScannedFile(path=path, kind=kind, size=len(content), sha256=digest)


def resolved(file: ScannedFile, names: ModuleNames, is_installed: Callable[[str], bool]) -> ScannedFile:
    """The file with its module's name, and with everything that it imports resolved."""
    if not file.is_python or file.kind is FileKind.UNREADABLE:
        return file
    module = names.name_of(file.path)
    imports = tuple(
        target
        for statement in file.statements
        for target in targets_of(statement, file.path, names, is_installed)
    )
    outside = {each.name.partition(".")[0] for each in imports if each.origin is not Origin.TREE}
    kind = file.kind
    if kind is FileKind.CODE and module is None and not is_init(file.path):
        kind = FileKind.SCRIPT  # no import can say its name
    said = file.features | {f"import:{name}" for name in outside}
    return replace(file, kind=kind, module=module, imports=imports, features=said)


def _kind_of_python(path: str) -> FileKind:
    return FileKind.TEST if is_test(path) else FileKind.CODE


def _python(path: str, content: bytes, digest: str, *, structure_only: bool) -> ScannedFile:
    bare = ScannedFile(path=path, kind=_kind_of_python(path), size=len(content), sha256=digest)
    if len(content) > HUGE_BYTES:
        return replace(bare, problem="it is too long to be written by hand, and was not parsed")
    if b"\0" in content:
        return replace(bare, problem="it holds zero bytes, so it is no Python source")
    text = python_text(content)
    if text is None:
        return replace(bare, problem="it is no text in the encoding that it declares")
    source = Source(text.utf8)
    found = read_imports(source)
    structure = replace(
        bare,
        problem=found.problem,
        statements=found.statements,
        defines=_defines(found.tree),
        has_main=found.tree is not None and is_script(found.tree),
    )
    if structure_only:
        return structure
    plain = text.utf8.decode()
    return replace(
        structure,
        effects=() if found.tree is None else import_effects(found.tree, source),
        features=features(path, plain, found.tree),
        shingles=shingles_of(plain),
    )


def _defines(tree: ast.Module | None) -> tuple[str, ...]:
    if tree is None:
        return ()
    return tuple(
        node.name
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
    )
