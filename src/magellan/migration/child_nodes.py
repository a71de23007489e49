"""The nodes in a node of a syntax tree that say what, and not how: `ast.iter_child_nodes`, but quicker."""

from __future__ import annotations

import ast
from typing import Any, Final

_WITHOUT_NODES: Final = frozenset(
    {"arg", "attr", "conversion", "ctx", "id", "kind", "level", "lineno", "module", "op", "ops", "simple"}
    | {"tag", "type_comment"}
)


class _FieldsWithNodes(dict[type[ast.AST], tuple[str, ...]]):
    """Of each kind of node the fields in which others may stand."""

    def __missing__(self, kind: type[ast.AST]) -> tuple[str, ...]:
        fields = () if kind is ast.Constant else kind._fields
        found = self[kind] = tuple(field for field in fields if field not in _WITHOUT_NODES)
        return found


fields_with_nodes: Final = _FieldsWithNodes()


def child_nodes(node: ast.AST) -> list[Any]:
    """All but contexts, `ast.Load`, and operators, in the order of the text's tree."""
    found = []
    for field in fields_with_nodes[type(node)]:
        value = getattr(node, field, None)
        if type(value) is list:
            found += [each for each in value if isinstance(each, ast.AST)]
        elif isinstance(value, ast.AST):
            found.append(value)
    return found
