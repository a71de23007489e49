"""The account of a merge: what became of every definition of either side, and the proof that none is lost."""

from __future__ import annotations

import ast
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
    made = cut(result)
    waiting = {
        Side.SOURCE: [each.source for each in conflicts],
        Side.TARGET: [each.target for each in conflicts],
    }
    renamed = {(each.side, each.key) for each in decisions if each.outcome is Outcome.RENAMED}
    found = []
    for side, version in ((Side.SOURCE, source), (Side.TARGET, target)):
        for key, piece in definitions_of(version):
            if _in_result(piece, key, made) or any(piece.body.strip() in text for text in waiting[side]):
                continue
            if (side, key) in renamed and key.partition(".")[0] in made:
                continue
            before = _at(key, base) if base is not None else None
            if before is not None and before.meaning == piece.meaning and key.partition(".")[0] in made:
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


def _in_result(piece: Piece, key: str, made: Cut) -> bool:
    if piece.kind is PieceKind.EXPORTS:
        return _exports(piece) <= _exports(made[key]) if key in made else False
    found = _at(key, made)
    if found is None:
        return any(each.meaning == piece.meaning for each in made.pieces) if not piece.key else False
    if found.meaning == piece.meaning:
        return True
    one, other = piece.definition, found.definition
    if isinstance(one, ast.ClassDef) and isinstance(other, ast.ClassDef):
        return True  # its members are asked for one by one, and its head was compared before any was taken
    if one is None or other is None or isinstance(one, ast.ClassDef) or isinstance(other, ast.ClassDef):
        return False
    rest = iter([ast.dump(each) for each in other.body])
    said = [ast.dump(each) for each in one.body if not _is_text(each)]
    return ast.dump(one.args) == ast.dump(other.args) and all(any(a == b for b in rest) for a in said)


def _at(key: str, made: Cut) -> Piece | None:
    """The definition of that dotted key."""
    at: Cut | None = made
    found: Piece | None = None
    rest = key
    while rest:
        if at is None:
            return None
        # A key may hold dots itself ("0.5" as a bare constant); the longest that is there counts.
        step = next((name for name in _prefixes(rest) if name in at), None)
        if step is None:
            return None
        found = at[step]
        parts = members(found)
        at = parts[1] if parts is not None else None
        rest = rest[len(step) + 1 :]
    return found


def _prefixes(key: str) -> Iterator[str]:
    yield key
    while "." in key:
        key = key.rpartition(".")[0]
        yield key


def _exports(piece: Piece) -> set[str]:
    node = piece.nodes[0]
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    if not isinstance(value, ast.List | ast.Tuple):
        return {piece.meaning}
    return {str(each.value) if isinstance(each, ast.Constant) else ast.dump(each) for each in value.elts}


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
