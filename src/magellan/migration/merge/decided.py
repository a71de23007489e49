"""What was decided about each definition while two versions are merged, members of classes with their class."""

from __future__ import annotations

from dataclasses import dataclass, field

from magellan.migration.merge.account import Conflict, Decision, Outcome, Side, key_of
from magellan.migration.merge.pieces import Cut, Piece, PieceKind, members


@dataclass(kw_only=True)
class Decided:
    """Grows while the merge goes on."""

    decisions: list[Decision] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def conflict(self, key: str, why: str, mine: Piece, theirs: Piece, before: Piece | None) -> None:
        """Both versions wait for a person."""
        self.conflicts.append(
            Conflict(
                key=key,
                why=why,
                source=mine.body,
                target=theirs.body,
                base="" if before is None else before.body,
            )
        )
        for side, piece in ((Side.SOURCE, mine), (Side.TARGET, theirs)):
            self.decide(side, key, Outcome.WAITING, why)
            for member in member_keys(piece):
                self.decide(side, key + member.removeprefix(piece.key), Outcome.WAITING, why)

    def wait(self, piece: Piece, key: str, why: str, target_text: str, base: Cut | None) -> None:
        """The source's definition waits for a person."""
        before = base[piece.key].body if base is not None and piece.key in base else ""
        self.conflicts.append(Conflict(key=key, why=why, source=piece.body, target=target_text, base=before))
        self.decide(Side.SOURCE, key, Outcome.WAITING, why)
        for member in member_keys(piece):
            self.decide(Side.SOURCE, key + member.removeprefix(piece.key), Outcome.WAITING, why)

    def taken(self, mine: Piece, theirs: Piece, key: str, outcome: Outcome, why: str) -> None:
        """One side's version replaces the other's, which is the ancestor's and so is nobody's work."""
        self.both(key, outcome, why)
        for side, piece in ((Side.SOURCE, mine), (Side.TARGET, theirs)):
            for member in member_keys(piece):
                self.decide(side, key + member.removeprefix(piece.key), outcome, why)

    def kept_members(self, side: Side, piece: Piece, key: str) -> None:
        """Members of a definition that is kept whole."""
        for member in member_keys(piece):
            self.decide(side, key + member.removeprefix(piece.key), Outcome.KEPT, "with its class")

    def both(self, key: str, outcome: Outcome, why: str) -> None:
        """The same for both sides."""
        self.decide(Side.SOURCE, key, outcome, why)
        self.decide(Side.TARGET, key, outcome, why)

    def take(self, other: Decided) -> None:
        """What was decided about parts, too."""
        self.decisions += other.decisions
        self.conflicts += other.conflicts
        self.notes += other.notes

    def decide(self, side: Side, key: str, outcome: Outcome, why: str) -> None:
        """What became of one definition."""
        self.decisions.append(Decision(side=side, key=key, outcome=outcome, why=why))


def member_keys(piece: Piece) -> list[str]:
    """Keys of a class's members, and theirs, below the piece's own key."""
    parts = members(piece)
    if parts is None:
        return []
    found = []
    for each in parts[1].pieces:
        if each.kind in (PieceKind.DOCSTRING, PieceKind.IMPORT) or each.key == "pass":
            continue
        key = key_of(each, f"{piece.key}.")
        found.append(key)
        found += [key + inner.removeprefix(each.key) for inner in member_keys(each)]
    return found
