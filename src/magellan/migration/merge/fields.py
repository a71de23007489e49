"""Fields of classes: what an instance is made with, as dataclasses, named tuples, attrs and models have them."""

from __future__ import annotations

import ast
from typing import Final

from magellan.migration.merge.pieces import Piece

_MAKES_FIELDS: Final = frozenset({"Field", "attrib", "field", "ib"})


def may_be_made_with_fields(piece: Piece) -> bool:
    """Whether a decorator or a base may give the class an `__init__` that takes its fields."""
    node = piece.definition
    return isinstance(node, ast.ClassDef) and bool(node.decorator_list or node.bases)


def is_field(piece: Piece) -> bool:
    """Whether a member of such a class is one: `shares: int`, or `shares = attr.ib()`."""
    match piece.nodes[0]:
        case ast.AnnAssign(annotation=annotation):
            return "ClassVar" not in ast.unparse(annotation)
        case ast.Assign(value=ast.Call(func=ast.Name(id=made) | ast.Attribute(attr=made))):
            return made in _MAKES_FIELDS
        case _:
            return False
