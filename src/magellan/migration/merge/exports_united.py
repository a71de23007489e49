"""`__all__` of two versions: the names of both, in the target's list, written as those before them are."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from magellan.migration.merge.pieces import Piece


def listed_names(piece: Piece) -> list[str] | None:
    """The names of a plain `__all__ = [...]`."""
    node = piece.nodes[0]
    if len(piece.nodes) != 1 or not isinstance(node, ast.Assign | ast.AnnAssign):
        return None
    value = node.value
    if not isinstance(value, ast.List | ast.Tuple):
        return None
    found = [
        each.value for each in value.elts if isinstance(each, ast.Constant) and isinstance(each.value, str)
    ]
    return found if len(found) == len(value.elts) else None


def with_more_names(piece: Piece, names: Sequence[str], newline: str) -> str:
    """The list with more names before its closing bracket, written as those before them are."""
    closing = max(piece.text.rfind("]"), piece.text.rfind(")"))
    before, after = piece.text[:closing], piece.text[closing:]
    quote = "'" if before.count("'") > before.count('"') else '"'
    body = before.rstrip()
    last_line = before[before.rfind("\n") + 1 :]
    if not last_line.strip():  # the bracket stands on a line of its own
        above, previous = body[: body.rfind("\n") + 1], body[body.rfind("\n") + 1 :]
        code, hash_sign, comment = previous.partition("#")
        said = code.rstrip()
        comma = "" if said.endswith((",", "[", "(")) else ","
        indent = previous[: len(previous) - len(previous.lstrip())]
        more = "".join(f"{newline}{indent}{quote}{name}{quote}," for name in names)
        return f"{above}{said}{comma}{code[len(said) :]}{hash_sign}{comment}{more}{newline}{last_line}{after}"
    comma = "" if body.endswith((",", "[", "(")) else ","
    listed = ", ".join(f"{quote}{name}{quote}" for name in names)
    gap = "" if body.endswith(("[", "(")) else " "
    return f"{body}{comma}{gap}{listed}{after}"
