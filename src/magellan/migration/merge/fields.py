"""Fields of classes: what an instance is made with, as dataclasses, named tuples, attrs and models have them."""

from __future__ import annotations

import ast
from typing import Final

from magellan.migration.merge.pieces import Piece

_MAKES_FIELDS: Final = frozenset({"Field", "attrib", "field", "ib"})
_GIVES_A_DEFAULT: Final = frozenset({"default", "default_factory", "factory"})


def may_be_made_with_fields(piece: Piece) -> bool:
    """Whether a decorator or a base may give the class an `__init__` that takes its fields."""
    node = piece.definition
    return isinstance(node, ast.ClassDef) and bool(node.decorator_list or node.bases)


def is_field(piece: Piece) -> bool:
    """Whether a member of such a class is one: `shares: int`, or `shares = attr.ib()`."""
    return _is_field(piece.nodes[0])


def out_of_order(text: str) -> tuple[str, str] | None:
    """A field without a default, and the one before it that has one; None: the class can be made with its fields.

    text: the class, indented as it stands. Fields that are given by name only have no order, and those of a model,
    which a base makes and no decorator, neither.
    """
    node = _class_of(text)
    if not node.decorator_list and not any("NamedTuple" in ast.unparse(base) for base in node.bases):
        return None
    asked = [
        keyword for each in node.decorator_list if isinstance(each, ast.Call) for keyword in each.keywords
    ]
    if any(_says(keyword, "kw_only") for keyword in asked):
        return None
    with_default = ""
    for each in node.body:
        if not _is_field(each):
            continue
        assert isinstance(each, ast.AnnAssign | ast.Assign), "nothing else is a field"
        if isinstance(each, ast.AnnAssign) and "KW_ONLY" in ast.unparse(each.annotation):
            return None
        name = ast.unparse(each.target if isinstance(each, ast.AnnAssign) else each.targets[0])
        match _default(each.value):
            case True:
                with_default = with_default or name
            case False if with_default:
                return name, with_default
    return None


def _class_of(text: str) -> ast.ClassDef:
    within = f"if True:\n{text}" if text.lstrip("\r\n")[:1] in (" ", "\t") else text
    return next(each for each in ast.walk(ast.parse(within)) if isinstance(each, ast.ClassDef))


def _is_field(node: ast.stmt) -> bool:
    match node:
        case ast.AnnAssign(annotation=annotation):
            return "ClassVar" not in ast.unparse(annotation)
        case ast.Assign(value=ast.Call(func=ast.Name(id=made) | ast.Attribute(attr=made))):
            return made in _MAKES_FIELDS
        case _:
            return False


def _default(value: ast.expr | None) -> bool | None:
    """Whether a field has one; None where it is not given in its turn, so that it does not matter."""
    match value:
        case None:
            return False
        case ast.Call(func=ast.Name(id=made) | ast.Attribute(attr=made)) if made in _MAKES_FIELDS:
            if any(
                _says(each, "kw_only") or (each.arg == "init" and _is(each.value, False))
                for each in value.keywords
            ):
                return None
            given = [*value.args, *(each.value for each in value.keywords if each.arg in _GIVES_A_DEFAULT)]
            return any(not _is(each, ...) for each in given)
        case _:
            return True


def _says(keyword: ast.keyword, name: str) -> bool:
    return keyword.arg == name and _is(keyword.value, True)


def _is(node: ast.expr, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value
