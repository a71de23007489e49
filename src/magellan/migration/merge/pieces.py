"""A module's source cut into pieces: one per statement, with the comments above it, so that the pieces make the source.

A class can be cut again, into its members. Pieces are found by `ast` positions and taken from the text: nothing is ever
written anew from a tree, so comments, blank lines and spelling survive.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class PieceKind(StrEnum):
    """What a piece is to a merge."""

    DOCSTRING = "docstring"
    IMPORT = "import"
    DEFINITION = "definition"  # a class, a function, a constant, or names bound under a condition
    EXPORTS = "exports"  # __all__
    EFFECT = "effect"  # anything else: it does something
    MAIN = "main"  # `if __name__ == "__main__":`


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One statement, or several on one line."""

    kind: PieceKind
    key: str  # what it defines: "Regime", "LIMIT", "LIMIT, OTHER"; a second definition of a name is "load#2"
    text: str  # with the comments and blank lines above it, and its line ending
    nodes: tuple[ast.stmt, ...]
    line: int  # of its first statement, from 1

    @cached_property
    def meaning(self) -> str:
        """Its tree without positions and docstrings: equal for code that is the same but for how it is written."""
        return "\n".join(_meaning(node) for node in self.nodes)

    @cached_property
    def parts(self) -> tuple[str, Cut] | None:
        """See `members`."""
        return _parts(self)

    @property
    def definition(self) -> Definition | None:
        """The class or function that it is, where it is one."""
        only = self.nodes[0] if len(self.nodes) == 1 else None
        return only if isinstance(only, Definition) else None

    @property
    def body(self) -> str:
        """Its text without blank lines above and below."""
        return self.text.strip("\r\n")


@dataclass(frozen=True, kw_only=True)
class Cut:
    """Source in pieces. `"".join(texts) + tail` is the source."""

    pieces: tuple[Piece, ...]
    tail: str  # comments and blank lines below the last piece

    def __getitem__(self, key: str) -> Piece:
        return self._by_key[key]

    def __contains__(self, key: object) -> bool:
        return key in self._by_key

    @cached_property
    def _by_key(self) -> dict[str, Piece]:
        return {piece.key: piece for piece in self.pieces if piece.key}

    @property
    def defined(self) -> tuple[str, ...]:
        """Keys of all definitions, in order."""
        return tuple(piece.key for piece in self.pieces if piece.kind is PieceKind.DEFINITION)


def cut(source: str) -> Cut:
    """A module's source in pieces. Raises SyntaxError, ValueError (zero bytes)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(source)
    lines = _lines(source)
    return _cut(tree.body, lines, 0, len(lines), in_class=False)


def members(piece: Piece) -> tuple[str, Cut] | None:
    """A class cut into its head (decorators, `class` line) and its members; None for what is no class of several lines.

    The head and the members' texts make the piece's text.
    """
    return piece.parts


def _parts(piece: Piece) -> tuple[str, Cut] | None:
    node = piece.definition
    if not isinstance(node, ast.ClassDef):
        return None
    lines = _lines(piece.text)
    shift = _first_line(node) - _leading(lines)
    first = _first_line(node.body[0]) - shift - 1
    above = first
    header_end = _header_end(node, lines, shift)
    if first < header_end:
        return None  # `class A: x = 1`
    while above > header_end and _says_nothing(lines[above - 1]):
        above -= 1
    inner = _cut(node.body, lines, above, len(lines), in_class=True, shift=shift)
    return "".join(lines[:above]), inner


def _cut(
    body: Sequence[ast.stmt], lines: Sequence[str], start: int, end: int, *, in_class: bool, shift: int = 0
) -> Cut:
    """The statements as pieces. Lines are counted from 0; statements on the same line are one piece."""
    groups: list[list[ast.stmt]] = []
    for node in body:
        if groups and _first_line(node) <= _last_line(groups[-1][-1]):
            groups[-1].append(node)
        else:
            groups.append([node])
    pieces = []
    seen: Counter[str] = Counter()
    at = start
    for number, group in enumerate(groups):
        until = _last_line(group[-1]) - shift
        kind, key = _kind(group, is_first=number == 0)
        if key:
            seen[key] += 1
            key = key if seen[key] == 1 else f"{key}#{seen[key]}"
        pieces.append(
            Piece(
                kind=kind,
                key=key,
                text="".join(lines[at:until]),
                nodes=tuple(group),
                line=_first_line(group[0]),
            )
        )
        at = until
    return Cut(pieces=tuple(pieces), tail="".join(lines[at:end]))


def _kind(group: Sequence[ast.stmt], *, is_first: bool) -> tuple[PieceKind, str]:
    node = group[0]
    if is_first and isinstance(node, ast.Expr) and _is_text(node.value) and len(group) == 1:
        return PieceKind.DOCSTRING, ""
    if all(isinstance(each, ast.Import | ast.ImportFrom) for each in group):
        return PieceKind.IMPORT, ""
    if isinstance(node, ast.If) and _is_main(node.test):
        return PieceKind.MAIN, "__main__"
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return PieceKind.DEFINITION, f"{node.value.value!r:.40}"  # a text or `...` that stands by itself
    names: list[str] = []
    for each in group:
        bound = _bound(each)
        if bound is None:
            return PieceKind.EFFECT, ""
        names += bound
    if names == ["__all__"]:
        return PieceKind.EXPORTS, "__all__"
    if isinstance(node, ast.Pass) and len(group) == 1:
        return PieceKind.DEFINITION, "pass"
    return PieceKind.DEFINITION, ", ".join(dict.fromkeys(names))


def _bound(node: ast.stmt) -> list[str] | None:
    """The names that a statement binds, where that is all it does; None where it does more."""
    match node:
        case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
            return [node.name]
        case ast.Assign(targets=targets):
            found = [_target(each) for each in targets]
            return None if None in found else [name for each in found if each for name in each]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.AugAssign(target=ast.Name(id="__all__")):
            return ["__all__ +="]
        case ast.Import() | ast.ImportFrom():
            return [each.asname or each.name for each in node.names]
        case ast.Pass():
            return []
        case ast.If() | ast.Try():
            inner = [*node.body, *node.orelse]
            if isinstance(node, ast.Try):
                inner += [*node.finalbody, *(each for handler in node.handlers for each in handler.body)]
            names: list[str] = []
            for each in inner:
                bound = _bound(each)
                if bound is None:
                    return None
                names += bound
            return list(dict.fromkeys(names)) or None
    if type(node).__name__ == "TypeAlias":  # `type X = ...`, from Python 3.12 on
        return [getattr(getattr(node, "name"), "id")]  # noqa: B009  (mypy on 3.11 does not know the node)
    return None


def _target(node: ast.expr) -> list[str] | None:
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Tuple | ast.List):
        found = [_target(each) for each in node.elts]
        return None if None in found else [name for each in found if each for name in each]
    return None


def _meaning(node: ast.stmt) -> str:
    """The tree as text, docstrings left out: taken away while it is dumped, which is far cheaper than a copy."""
    bodies: list[tuple[Definition, list[ast.stmt]]] = []
    for each in ast.walk(node):
        if (
            isinstance(each, Definition)
            and isinstance(each.body[0], ast.Expr)
            and _is_text(each.body[0].value)
        ):
            bodies.append((each, each.body))
    for each, body in bodies:
        each.body = body[1:] or [ast.Pass()]
    try:
        return ast.dump(node)
    finally:
        for each, body in bodies:
            each.body = body


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_main(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"


def _first_line(node: ast.stmt) -> int:
    decorators = node.decorator_list if isinstance(node, Definition) else []
    return min([node.lineno, *(each.lineno for each in decorators)])


def _last_line(node: ast.stmt) -> int:
    assert node.end_lineno is not None, "ast gives every statement an end"
    return node.end_lineno


_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


def _lines(source: str) -> list[str]:
    """Lines with their endings, as Python counts them: a form feed ends none."""
    return _LINE.findall(source)


def _leading(lines: Sequence[str]) -> int:
    """How many lines stand above the first that says something, plus one: the number of that line."""
    return next((at for at, line in enumerate(lines, start=1) if not _says_nothing(line)), 1)


def _says_nothing(line: str) -> bool:
    stripped = line.strip()
    return not stripped or stripped.startswith("#")


def _header_end(node: ast.ClassDef, lines: Sequence[str], shift: int) -> int:
    """The line, from 0, after the one on which the `class` statement's head ends."""
    inside = [*node.bases, *(each.value for each in node.keywords)]
    last = max([node.lineno, *(each.end_lineno or 0 for each in inside)]) - shift
    while last < len(lines) and ":" not in lines[last - 1].partition("#")[0].rpartition(")")[2]:
        last += 1
    return last
