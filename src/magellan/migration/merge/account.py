"""The account of a merge: what became of every definition of either side, and the proof that none is lost."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from magellan.migration.merge.pieces import Cut, Piece, PieceKind, cut, members


class Side(StrEnum):
    """Which of the two versions."""

    SOURCE = "source"
    TARGET = "target"


class Outcome(StrEnum):
    """What became of a definition."""

    KEPT = "kept"  # it stands in the result, perhaps formatted as on the other side
    MERGED = "merged"  # the result's holds all of it, and more
    RENAMED = "renamed"  # the result has it under the other side's name, and its own name for it
    WAITING = "waiting"  # for a person, in a review file


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What became of one definition."""

    side: Side
    key: str  # "Regime", "Regime.fit"
    outcome: Outcome
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Something that only a person can decide. The result holds the target's version until then."""

    key: str
    why: str
    source: str  # text; "" where that side has none
    target: str
    base: str = ""  # of the common ancestor


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A definition that is neither in the result nor in a review file: the merge must not be carried out."""

    side: Side
    key: str


def lost_definitions(
    source: Cut,
    target: Cut,
    result: str,
    conflicts: Sequence[Conflict],
    decisions: Sequence[Decision],
    base: Cut | None = None,
) -> tuple[Lost, ...]:
    """Every definition of either side that cannot be found again; found out from the texts, not from the decisions.

    Only for what was renamed, the decisions are believed, and the name is looked for. What a side left as the common
    ancestor had it is nobody's work on that side: the other side's may stand in its place.
    """
    made = _by_name(cut(result))
    before = {} if base is None else _by_name(base)
    waiting = {
        Side.SOURCE: [each.source for each in conflicts],
        Side.TARGET: [each.target for each in conflicts],
    }
    renamed = {(each.side, each.key) for each in decisions if each.outcome is Outcome.RENAMED}
    found = []
    for side, version in ((Side.SOURCE, source), (Side.TARGET, target)):
        for key, piece in definitions_of(version):
            top = _name(key).partition(".")[0]
            as_before = any(each.meaning == piece.meaning for each in before.get(_name(key), ()))
            if (
                any(_holds(each, piece) for each in made.get(_name(key), ()))
                or any(piece.body.strip() in text for text in waiting[side])
                or ((side, key) in renamed and top in made)
                or (as_before and top in made)
            ):
                continue
            found.append(Lost(side=side, key=key))
    return tuple(found)


def unaccounted(source: Cut, target: Cut, decisions: Sequence[Decision]) -> tuple[Lost, ...]:
    """Definitions of either side about which nothing was decided."""
    known = {(each.side, each.key) for each in decisions}
    return tuple(
        Lost(side=side, key=key)
        for side, version in ((Side.SOURCE, source), (Side.TARGET, target))
        for key, _ in definitions_of(version)
        if (side, key) not in known
    )


def definitions_of(version: Cut, prefix: str = "") -> Iterator[tuple[str, Piece]]:
    """Every definition, members of classes after their class; with effects, which are named by their line."""
    for piece in version.pieces:
        if piece.kind in (PieceKind.IMPORT, PieceKind.DOCSTRING) or piece.key == "pass":
            continue
        key = key_of(piece, prefix)
        yield key, piece
        parts = members(piece)
        if parts is not None:
            yield from definitions_of(parts[1], f"{key}.")


def key_of(piece: Piece, prefix: str) -> str:
    """How a definition is named in an account: what has no name, by its line."""
    return f"{prefix}{piece.key or f'line {piece.line}'}"


def _by_name(version: Cut) -> dict[str, list[Piece]]:
    """Definitions by name. Of several with one name the numbers differ from side to side, so they share an entry."""
    found: dict[str, list[Piece]] = {}
    for key, piece in definitions_of(version):
        found.setdefault(_name(key), []).append(piece)
    return found


def _name(key: str) -> str:
    """A key without numbers: of a second definition of a name, and of the line of what has no name."""
    return re.sub(r"#\d+|(?<=line )\d+", "", key)


def _holds(made: Piece, piece: Piece) -> bool:
    """Whether a definition of the result has all that one of a side's has."""
    if piece.kind is PieceKind.EXPORTS:
        return _exports(piece) <= _exports(made)
    if made.meaning == piece.meaning:
        return True
    one, other = piece.definition, made.definition
    if isinstance(one, ast.ClassDef) and isinstance(other, ast.ClassDef):
        return True  # its members are asked for one by one, and its head was compared before any was taken
    if one is None or other is None or isinstance(one, ast.ClassDef) or isinstance(other, ast.ClassDef):
        return False
    rest = iter([ast.dump(each) for each in other.body])
    said = [ast.dump(each) for each in one.body if not _is_text(each)]
    return ast.dump(one.args) == ast.dump(other.args) and all(any(a == b for b in rest) for a in said)


def _exports(piece: Piece) -> set[str]:
    node = piece.nodes[0]
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    if not isinstance(value, ast.List | ast.Tuple):
        return {piece.meaning}
    return {str(each.value) if isinstance(each, ast.Constant) else ast.dump(each) for each in value.elts}


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
