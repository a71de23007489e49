"""Fields of classes: what an instance is made with, as dataclasses, named tuples, attrs and models have them."""

from __future__ import annotations

import ast
from collections.abc import Mapping
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
    return _misplaced(_fields_in_order(_class_of(text)))


def inherited_out_of_order(module: str) -> dict[str, tuple[str, str]]:
    """The same for every class at the top of a module, together with the fields of its bases there; by the class.

    A field that a class has from a base keeps its place there, and takes its default from the class.
    Raises: SyntaxError, ValueError (zero bytes) where the module cannot be parsed.
    """
    classes = {node.name: node for node in ast.parse(module).body if isinstance(node, ast.ClassDef)}
    found = {}
    for name, node in classes.items():
        misplaced = (
            _misplaced(_with_inherited(node, classes, frozenset())) if _fields_in_order(node) else None
        )
        if misplaced is not None:
            found[name] = misplaced
    return found


def _with_inherited(
    node: ast.ClassDef, classes: Mapping[str, ast.ClassDef], above: frozenset[str]
) -> dict[str, bool]:
    """above: classes that this one is a base of; a circle of bases ends there."""
    fields: dict[str, bool] = {}
    for base in reversed(node.bases):
        known = classes.get(ast.unparse(base).partition("[")[0])
        if known is not None and known.name not in above | {node.name}:
            fields |= _with_inherited(known, classes, above | {node.name})
    # One that is named anew without a default still finds the base's, which is an attribute of the class.
    own = _fields_in_order(node).items()
    return fields | {name: has_default or fields.get(name, False) for name, has_default in own}


def _misplaced(fields: Mapping[str, bool]) -> tuple[str, str] | None:
    with_default = ""
    for name, has_default in fields.items():
        if has_default:
            with_default = with_default or name
        elif with_default:
            return name, with_default
    return None


def _fields_in_order(node: ast.ClassDef) -> dict[str, bool]:
    """The fields that are given in their turn, and whether each has a default; none where there is no turn."""
    if not node.decorator_list and not any("NamedTuple" in ast.unparse(base) for base in node.bases):
        return {}
    asked = [
        keyword for each in node.decorator_list if isinstance(each, ast.Call) for keyword in each.keywords
    ]
    if any(_says(keyword, "kw_only") for keyword in asked):
        return {}
    fields: dict[str, bool] = {}
    for each in node.body:
        if not _is_field(each):
            continue
        assert isinstance(each, ast.AnnAssign | ast.Assign), "nothing else is a field"
        if isinstance(each, ast.AnnAssign) and "KW_ONLY" in ast.unparse(each.annotation):
            break  # those below it are given by name
        name = ast.unparse(each.target if isinstance(each, ast.AnnAssign) else each.targets[0])
        has_default = _default(each.value)
        if has_default is not None:
            fields[name] = has_default
    return fields


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
