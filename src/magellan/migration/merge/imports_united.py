"""The import statements of two versions of a module, united by what they bind."""

from __future__ import annotations

import ast
import collections.abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from magellan.migration.merge.pieces import Cut, Piece, PieceKind

# The `Set` of `typing` is the built-in one, which can be changed.
_SAME_IN_TYPING: Final = frozenset(collections.abc.__all__) - {"Set"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportClash:
    """One name that the two sides import from different places."""

    name: str
    source: str  # "from a import x"
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitedImports:
    """What the target's imports lack."""

    added: tuple[Piece, ...]  # whole statements of the source
    lines: tuple[str, ...]  # statements for those names of the source's statements that are lacking
    clashes: tuple[ImportClash, ...]
    future: tuple[str, ...]  # features of `from __future__` that only the source asks for
    taken_away: Mapping[str, str]  # what the target imports no more since the ancestor: name and statement


def united_imports(source: Cut, target: Cut, base: Cut | None = None) -> UnitedImports:
    """What must be added to the target's imports so that the source's definitions find theirs.

    base: the common ancestor, where one is known: what only the target has changed since is as it wants it.
    """
    known = dict(_bindings(target.pieces))
    before = {} if base is None else dict(_bindings(base.pieces))
    taken_away: dict[str, str] = {}
    added: list[Piece] = []
    lines: list[str] = []
    clashes: list[ImportClash] = []
    future: list[str] = []
    for piece in source.pieces:
        if piece.kind is not PieceKind.IMPORT:
            continue
        bound = dict(_bindings([piece]))
        missing = {name: origin for name, origin in bound.items() if name not in known}
        lacking = {name: origin for name, origin in missing.items() if before.get(name) != origin}
        taken_away |= {name: origin for name, origin in missing.items() if name not in lacking}
        for name, origin in bound.items():
            is_changed_here = before.get(name) != origin
            if name in known and is_changed_here and _same_place(known[name]) != _same_place(origin):
                clashes.append(ImportClash(name=name, source=origin, target=known[name]))
        of_future = [origin for origin in lacking.values() if origin.startswith("from __future__")]
        if of_future:
            future += of_future
        elif lacking and len(lacking) == len(bound):
            added.append(piece)
        else:
            lines += lacking.values()
        known.update(missing)
    return UnitedImports(
        added=tuple(added),
        lines=tuple(lines),
        clashes=tuple(clashes),
        future=tuple(future),
        taken_away=taken_away,
    )


def _same_place(origin: str) -> str:
    """The statement with the place that the name really comes from: many of `typing` are those of `collections.abc`."""
    module, _, name = origin.removeprefix("from ").partition(" import ")
    is_alias = module == "typing" and name.partition(" ")[0] in _SAME_IN_TYPING
    return f"from collections.abc import {name}" if is_alias else origin


def unused_imports(source: str) -> tuple[str, ...]:
    """Names that a module imports at the top and says nowhere else. Raises SyntaxError."""
    tree = ast.parse(source)
    bound: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            bound.update(_of_statement(node))
    said = said_names(tree)
    return tuple(
        name
        for name, origin in bound.items()
        if name.partition(".")[0] not in said and "*" not in name and "__future__" not in origin
    )


def said_names(tree: ast.AST) -> frozenset[str]:
    """Names that code says, in strings too; not those that an import binds."""
    nodes = list(ast.walk(tree))
    said = {node.id for node in nodes if isinstance(node, ast.Name)}
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return frozenset(said | {word for text in texts for word in text.replace(".", " ").split()})


def imported_names(version: Cut) -> frozenset[str]:
    """Names that the import statements at the top bind: of `import a.b` it is `a`."""
    return frozenset(
        name
        for piece in version.pieces
        if piece.kind is PieceKind.IMPORT
        for name in names_imported_by(piece)
    )


def names_imported_by(piece: Piece) -> frozenset[str]:
    """The same of one piece."""
    return frozenset(
        (each.asname or each.name).partition(".")[0]
        for node in piece.nodes
        if isinstance(node, ast.Import | ast.ImportFrom)
        for each in node.names
    )


def _bindings(pieces: Sequence[Piece]) -> list[tuple[str, str]]:
    """(what is bound, the statement that binds it alone), of all import statements at the top."""
    found: list[tuple[str, str]] = []
    for piece in pieces:
        if piece.kind is PieceKind.IMPORT:
            for node in piece.nodes:
                assert isinstance(node, ast.Import | ast.ImportFrom), "an import piece holds imports"
                found += _of_statement(node)
    return found


def _of_statement(node: ast.Import | ast.ImportFrom) -> list[tuple[str, str]]:
    found = []
    for each in node.names:
        suffix = f" as {each.asname}" if each.asname else ""
        if isinstance(node, ast.ImportFrom):
            origin = f"from {'.' * node.level}{node.module or ''} import {each.name}{suffix}"
            found.append((each.asname or (each.name if each.name != "*" else origin), origin))
        else:
            # `import a.b` and `import a.c` both bind `a`, and both are needed.
            found.append((each.asname or each.name, f"import {each.name}{suffix}"))
    return found
