"""Which names a module binds at its top level: what `from package import name` finds before it looks for a file."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence

from magellan.migration.encoding import python_text
from magellan.migration.file_imports import read_imports
from magellan.migration.import_statement import Circumstance, absolute_name
from magellan.migration.module_names import ModuleNames
from magellan.migration.source import Source


class ModuleContents:
    """Looks into modules of the tree, each once."""

    def __init__(self, names: ModuleNames, read: Callable[[str], bytes]) -> None:
        self._names = names
        self._read = read
        self._bound: dict[str, frozenset[str]] = {}

    def is_submodule(self, package: str, name: str) -> bool:
        """Whether `from package import name` gives the module `package.name`, and nothing that the package defines."""
        return self._names.knows(f"{package}.{name}") and name not in self.bound_in(package)

    def bound_in(self, dotted: str) -> frozenset[str]:
        """Names that the module binds to something else than its own submodule of that name."""
        if dotted not in self._bound:
            self._bound[dotted] = frozenset()  # a circle of star imports ends here
            path = self._names.file_of(dotted)
            if path is not None:
                self._bound[dotted] = frozenset(self._look(dotted, path))
        return self._bound[dotted]

    def _look(self, dotted: str, path: str) -> Iterator[str]:
        try:
            text = python_text(self._read(path))
        except OSError:
            return
        if text is None:
            return
        found = read_imports(Source(text.utf8))
        if found.tree is not None:
            yield from _bound_by(found.tree.body)
        package = self._names.package_of(path)
        for statement in found.statements:
            if Circumstance.FUNCTION in statement.under:
                continue
            module = absolute_name(statement, package) if statement.is_from else None
            for each in statement.names:
                bound = each.bound_as or each.name.partition(".")[0]
                if bound == "*":
                    if module is not None and module != dotted:
                        yield from (name for name in self.bound_in(module) if not name.startswith("_"))
                elif statement.is_from and f"{module}.{each.name}" != f"{dotted}.{bound}":
                    yield bound


def _bound_by(body: Sequence[ast.stmt]) -> Iterator[str]:
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Assign():
                for target in node.targets:
                    yield from _names_in(target)
            case ast.AnnAssign():
                if node.value is not None:
                    yield from _names_in(node.target)
            case ast.If() | ast.Try() | ast.With() | ast.For() | ast.While():
                if isinstance(node, ast.Try):
                    for handler in node.handlers:
                        yield from _bound_by(handler.body)
                    yield from _bound_by(node.finalbody)
                yield from _bound_by(node.body)
                yield from _bound_by(getattr(node, "orelse", []))
            case _:
                pass


def _names_in(target: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, ast.Tuple | ast.List):
        for each in target.elts:
            yield from _names_in(each)
    elif isinstance(target, ast.Starred):
        yield from _names_in(target.value)
