"""How two definitions of one name stand to each other."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from enum import StrEnum

from magellan.migration.merge.pieces import Piece, members


class Relation(StrEnum):
    """What a definition of the source is to the target's of the same name."""

    IDENTICAL = "identical"  # to the byte
    SAME = "the same but for formatting, comments or docstrings"
    SOURCE_CONTAINS = "the source's contains the target's"
    TARGET_CONTAINS = "the target's contains the source's"
    DISJOINT = "a class whose members have nothing in common"  # and so can have both
    UNITED = "a class to which each side adds members"
    CONFLICT = "different"


def relation(source: Piece, target: Piece) -> Relation:
    """How the source's definition stands to the target's."""
    if source.body == target.body:
        return Relation.IDENTICAL
    if source.meaning == target.meaning:
        return Relation.SAME
    one, other = source.definition, target.definition
    if isinstance(one, ast.ClassDef) and isinstance(other, ast.ClassDef):
        return _classes(source, target, one, other)
    if (
        one is not None
        and type(one) is type(other)
        and not isinstance(one, ast.ClassDef)
        and not isinstance(other, ast.ClassDef | None)
    ):
        return _functions(one, other)
    return Relation.CONFLICT


def _functions(
    one: ast.FunctionDef | ast.AsyncFunctionDef, other: ast.FunctionDef | ast.AsyncFunctionDef
) -> Relation:
    """One body is contained in the other when it is that body with statements left out, and the heads are the same."""
    if _head(one) != _head(other):
        return Relation.CONFLICT
    mine, theirs = _statements(one.body), _statements(other.body)
    # What only ends with another `return` is another function, whatever stands above.
    if mine and theirs and mine[-1] == theirs[-1]:
        if _is_subsequence(theirs, mine):
            return Relation.SOURCE_CONTAINS
        if _is_subsequence(mine, theirs):
            return Relation.TARGET_CONTAINS
    return Relation.CONFLICT


def _classes(source: Piece, target: Piece, one: ast.ClassDef, other: ast.ClassDef) -> Relation:
    if _head(one) != _head(other):
        return Relation.CONFLICT
    mine, theirs = members(source), members(target)
    if mine is None or theirs is None:
        return Relation.CONFLICT
    own, others = mine[1], theirs[1]
    if _effects(own.pieces) or _effects(others.pieces):
        return Relation.CONFLICT
    shared = [key for key in own.defined if key in others]
    found = {relation(own[key], others[key]) for key in shared}
    if Relation.CONFLICT in found:
        return Relation.CONFLICT
    more_here = any(key not in others and key != "pass" for key in own.defined)
    more_there = any(key not in own and key != "pass" for key in others.defined)
    if not [key for key in shared if key != "pass"] and more_here and more_there:
        return Relation.DISJOINT
    same = found <= {Relation.IDENTICAL, Relation.SAME}
    if same and not more_there:
        return Relation.SOURCE_CONTAINS
    if same and not more_here:
        return Relation.TARGET_CONTAINS
    return Relation.UNITED


def _effects(pieces: Sequence[Piece]) -> bool:
    return any(piece.kind == "effect" for piece in pieces)


def _head(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    parts: list[ast.AST] = list(node.decorator_list)
    if isinstance(node, ast.ClassDef):
        parts += [*node.bases, *node.keywords]
        return "class|" + "|".join(ast.dump(each) for each in parts)
    parts.append(node.args)
    return "def|" + "|".join(ast.dump(each) for each in parts)


def _statements(body: Sequence[ast.stmt]) -> list[str]:
    dumped = [ast.dump(each) for each in body]
    first = body[0]
    is_doc = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return dumped[1:] if is_doc else dumped


def _is_subsequence(part: Sequence[str], whole: Sequence[str]) -> bool:
    rest = iter(whole)
    return len(part) <= len(whole) and all(any(each == other for other in rest) for each in part)
