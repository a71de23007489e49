"""What becomes of two trees that are made one: of every path, and of every definition in it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from magellan.migration.merge.account import Conflict, Decision, Lost, Outcome, Side


class FileRelation(StrEnum):
    """How the two sides' files of one path stand to each other."""

    SOURCE_ONLY = "source-only"
    TARGET_ONLY = "target-only"
    RENAMED = "renamed"  # the target has the same bytes under another path
    IDENTICAL = "identical"
    SAME = "same but for formatting"
    SOURCE_CONTAINS = "the source's contains the target's"
    TARGET_CONTAINS = "the target's contains the source's"
    DISJOINT = "disjoint definitions"
    UNITED = "definitions of both"
    CONFLICTING = "conflicting definitions"


ACTION = {
    FileRelation.SOURCE_ONLY: "copied",
    FileRelation.TARGET_ONLY: "left as it is",
    FileRelation.RENAMED: "left as it is, under the target's name",
    FileRelation.IDENTICAL: "left as it is",
    FileRelation.SAME: "left as the target has it",
    FileRelation.SOURCE_CONTAINS: "takes what the source has more",
    FileRelation.TARGET_CONTAINS: "left as it is",
    FileRelation.DISJOINT: "takes the source's definitions",
    FileRelation.UNITED: "takes what the source has more",
    FileRelation.CONFLICTING: "takes what can be taken; the rest waits for a person",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedFile:
    """What becomes of one path."""

    path: str
    relation: FileRelation
    result: bytes | None = None  # what the target's file shall hold; None: it stays as it is
    mode: int = 0o644
    decisions: tuple[Decision, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    notes: tuple[str, ...] = ()
    other_path: str = ""  # where the target has it, if it is renamed
    whole_source: bytes | None = None  # the source's file, where all of it waits for a person


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedTree:
    """What becomes of everything."""

    files: tuple[MergedFile, ...]  # sorted by path
    lost: tuple[tuple[str, Lost], ...]  # path and definition; must be empty

    @property
    def conflicts(self) -> int:
        """How many decisions are left to a person."""
        return sum(len(file.conflicts) for file in self.files)

    def outcomes(self) -> dict[tuple[Side, Outcome], int]:
        """How many definitions of each side came to what."""
        counts = {(side, outcome): 0 for side in Side for outcome in Outcome}
        for file in self.files:
            for decision in file.decisions:
                counts[decision.side, decision.outcome] += 1
        return counts
