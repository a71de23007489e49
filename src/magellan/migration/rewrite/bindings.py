"""Which names of a file stand for modules of the tree, by its import statements."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from magellan.migration.child_nodes import child_nodes
from magellan.migration.import_statement import ImportStatement
from magellan.migration.rewrite.import_edits import Importer
from magellan.migration.rewrite.interest import Interest
from magellan.migration.rewrite.module_contents import ModuleContents
from magellan.migration.rewrite.renames import Renames
from magellan.migration.source import Source, is_on_any


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A name that an import statement gives to a module."""

    name: str
    module: str  # dotted, as the tree calls it now
    said: str  # what stands after `import`: "a.b" in `import a.b`, which binds `a` to the module a
    statement: ImportStatement

    @property
    def is_top(self) -> bool:
        """Whether `import a.b` or `import a` bound it: the name then follows the module's own name."""
        return not self.statement.is_from and self.said.partition(".")[0] == self.name


def bindings_of(
    statements: Iterable[ImportStatement], importer: Importer, renames: Renames, contents: ModuleContents
) -> dict[str, list[Binding]]:
    """The names, with every module that each of them may stand for."""
    found: dict[str, list[Binding]] = {}
    for statement in statements:
        for binding in _bound_by(statement, importer, renames, contents):
            found.setdefault(binding.name, []).append(binding)
    return found


def _bound_by(
    statement: ImportStatement, importer: Importer, renames: Renames, contents: ModuleContents
) -> Iterator[Binding]:
    if not statement.is_from:
        for each in statement.names:
            said = each.name if each.bound_as is not None else each.name.partition(".")[0]
            module = renames.before.resolve(said, importer.path)
            if module is not None:
                yield Binding(
                    name=each.bound_as or said,
                    module=module,
                    said=each.name if not each.bound_as else "",
                    statement=statement,
                )
        return
    package = importer.module_named(statement, renames)
    if package is None:
        return
    for each in statement.names:
        module = None if each.name == "*" else contents.module_at(package, each.name)
        if module is not None:
            yield Binding(name=each.bound_as or each.name, module=module, said="", statement=statement)


def rebound_names(tree: ast.Module, source: Source, names: frozenset[str]) -> dict[str, list[ast.AST | None]]:
    """Where one of the names is bound by anything but an import: the function, or None for the module itself.

    A name that a function binds means something else in all of the function.
    """
    found: dict[str, list[ast.AST | None]] = {}
    lines = Interest(source.utf8, [name.encode() for name in names]).line_numbers(source)
    waiting: list[tuple[ast.AST, ast.AST | None]] = [(tree, None)]
    while waiting:
        node, scope = waiting.pop()
        if isinstance(node, ast.stmt) and not is_on_any(node, lines):
            continue
        bound: str | None = None
        inner = scope
        match node:
            case ast.Name(ctx=ast.Store() | ast.Del()):
                bound = node.id
            case ast.arg():
                bound = node.arg
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                bound = node.name
                inner = scope if isinstance(node, ast.ClassDef) else node
            case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                inner = node
            case ast.ExceptHandler() if node.name:
                bound = node.name
            case ast.MatchAs() | ast.MatchStar() if node.name:
                bound = node.name
            case _:
                pass
        if bound in names:
            assert bound is not None, "None is no name"
            found.setdefault(bound, []).append(scope)
        waiting.extend((child, inner) for child in child_nodes(node))
    return found
