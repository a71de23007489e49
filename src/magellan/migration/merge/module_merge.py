"""Two versions of a module made one. The target's text is what is worked on; what it lacks is spliced in.

With a common ancestor, what only one side changed is that side's. Without, what one side contains is taken, and what
differs waits for a person.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from magellan.migration.merge.account import Conflict, Decision, Outcome, Side, key_of
from magellan.migration.merge.decided import Decided, member_keys
from magellan.migration.merge.early_uses import EarlyUse, early_uses
from magellan.migration.merge.exports_united import listed_names, with_more_names
from magellan.migration.merge.fields import (
    inherited_out_of_order,
    is_field,
    may_be_made_with_fields,
    out_of_order,
)
from magellan.migration.merge.imports_united import (
    UnitedImports,
    imported_names,
    names_imported_by,
    said_names,
    united_imports,
)
from magellan.migration.merge.pieces import Cut, Piece, PieceKind, cut, members
from magellan.migration.merge.relation import Relation, relation

_RENAMED_FROM: Final = 3  # statements; shorter definitions are alike by chance


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedModule:
    """What came of two versions."""

    text: str
    decisions: tuple[Decision, ...]
    conflicts: tuple[Conflict, ...]
    notes: tuple[str, ...]  # what changed without being a definition: imports added, docstrings left out


def merge_modules(source: str, target: str, base: str | None = None) -> MergedModule:
    """One module of two versions.

    base:   the common ancestor, where one is known.
    Raises: SyntaxError, ValueError (zero bytes) where one of them cannot be parsed.
    """
    newline = "\r\n" if "\r\n" in target else "\n"
    if newline not in source or (newline == "\n" and "\r\n" in source):
        source = re.sub(r"\r\n|\r|\n", newline, source)
    merge = _Merge(newline=newline)
    text = merge.pieces(cut(source), cut(target), None if base is None else cut(base), prefix="", head="")
    known = {use.name for side in (source, target) for use in early_uses(side)}
    for use in early_uses(text):
        if use.name not in known:
            merge.book.conflicts.append(_needed_too_early(use))
    before = inherited_out_of_order(source).keys() | inherited_out_of_order(target).keys()
    for name, (bare, given) in inherited_out_of_order(text).items():
        if name not in before:
            why = f"with its bases its field {bare} without a default would follow {given}, which has one"
            merge.book.conflicts.append(Conflict(key=name, why=why, source="", target=""))
    return MergedModule(
        text=text,
        decisions=tuple(merge.book.decisions),
        conflicts=tuple(merge.book.conflicts),
        notes=tuple(merge.book.notes),
    )


@dataclass(kw_only=True)
class _Entry:
    """A piece of the result."""

    kind: PieceKind
    key: str
    text: str


@dataclass(kw_only=True)
class _Merge:
    newline: str
    book: Decided = field(default_factory=Decided)

    def pieces(
        self, source: Cut, target: Cut, base: Cut | None, *, prefix: str, head: str, has_fields: bool = False
    ) -> str:
        """The text of what both make.

        prefix:     of keys, "Regime." in a class.
        head:       what stands above the pieces.
        has_fields: whether it is a class that may be made with its fields, and no ancestor tells who added one.
        """
        entries = [_Entry(kind=each.kind, key=each.key, text=each.text) for each in target.pieces]
        self._docstring(source, target, base, entries, prefix)
        taken = imported_names(target) if not prefix else frozenset()
        aliases = self._renamed(source, target, prefix)
        united = united_imports(source, target, base)
        anchor = self._imports(united, target, entries, prefix)
        for piece in source.pieces:
            if piece.kind in (PieceKind.DOCSTRING, PieceKind.IMPORT) or piece.key == "pass":
                continue
            key = key_of(piece, prefix)
            if piece.kind is PieceKind.EFFECT:
                self._effect(piece, key, target)
                continue
            at = next((n for n, entry in enumerate(entries) if entry.key == piece.key), None)
            if at is not None and piece.key in target:
                entries[at].text = self._shared(piece, target[piece.key], base, key)
                if piece.kind is not PieceKind.MAIN:
                    anchor = max(anchor, at)
            elif piece.key in aliases:
                other = aliases[piece.key]
                there = next(n for n, entry in enumerate(entries) if entry.key == other)
                text = f"{self.newline}{self.newline}{piece.key} = {other}{self.newline}"
                # Below what it names; what follows in the source may need it.
                place = self._insert(entries, there, text, PieceKind.DEFINITION, piece.key)
                anchor = max(anchor + (there <= anchor), place)
            elif taken & set(piece.key.split(", ")):
                why = "the target imports that name from elsewhere"
                self.book.wait(piece, key, why, target_text="", base=base)
            elif base is not None and piece.key in base and base[piece.key].meaning == piece.meaning:
                self.book.wait(
                    piece, key, "it was removed in the target, and is unchanged in the source", "", base
                )
            elif has_fields and is_field(piece):
                why = "a field that only the source has: added there, or removed in the target"
                self.book.wait(piece, key, why, target_text="", base=base)
            else:
                self.book.decide(Side.SOURCE, key, Outcome.KEPT, "only in the source")
                self.book.kept_members(Side.SOURCE, piece, key)
                at_end = piece.kind is PieceKind.MAIN
                before_main = next(
                    (n for n, e in enumerate(entries) if e.kind is PieceKind.MAIN), len(entries)
                )
                place = len(entries) - 1 if at_end else min(anchor, before_main - 1)
                place = self._insert(entries, place, piece.text, piece.kind, piece.key)
                anchor = anchor if at_end else place
        self._only_in_target(source, target, base, prefix, has_fields=has_fields)
        if not prefix and united.taken_away:
            self._taken_away(united.taken_away, target, entries)
        return head + self._joined(entries, target.tail)

    def _shared(self, mine: Piece, theirs: Piece, base: Cut | None, key: str) -> str:
        """The text for a definition that both have."""
        if mine.kind is PieceKind.EXPORTS and theirs.kind is PieceKind.EXPORTS:
            return self._exports(mine, theirs, base, key)
        found = relation(mine, theirs)
        if found in (Relation.IDENTICAL, Relation.SAME):
            self.book.both(key, Outcome.KEPT, str(found))
            self.book.kept_members(Side.SOURCE, mine, key)
            self.book.kept_members(Side.TARGET, theirs, key)
            if found is Relation.SAME:
                self.book.notes.append(f"{key}: the target's formatting, comments and docstring are kept")
            return theirs.text
        before = base[mine.key] if base is not None and mine.key in base else None
        if before is not None and before.meaning == theirs.meaning:
            self.book.taken(mine, theirs, key, Outcome.KEPT, "only the source changed it")
            return mine.text
        if before is not None and before.meaning == mine.meaning:
            self.book.taken(mine, theirs, key, Outcome.KEPT, "only the target changed it")
            return theirs.text
        united = self._class(mine, theirs, before, key, found)
        if united is not None:
            return united
        if found is Relation.SOURCE_CONTAINS:
            self.book.decide(Side.SOURCE, key, Outcome.KEPT, str(found))
            self.book.decide(Side.TARGET, key, Outcome.MERGED, str(found))
            return mine.text
        if found is Relation.TARGET_CONTAINS:
            self.book.decide(Side.SOURCE, key, Outcome.MERGED, str(found))
            self.book.decide(Side.TARGET, key, Outcome.KEPT, str(found))
            return theirs.text
        self.book.conflict(key, "both define it, and differently", mine, theirs, before)
        return theirs.text

    def _class(
        self, mine: Piece, theirs: Piece, before: Piece | None, key: str, found: Relation
    ) -> str | None:
        """The text of a class that both have, member by member; None where it is none, or cannot be done so."""
        own, others = members(mine), members(theirs)
        if (
            own is None
            or others is None
            or _head(mine) != _head(theirs)
            or _indent(own[1]) != _indent(others[1])
        ):
            return None
        if any(each.kind is PieceKind.EFFECT for each in (*own[1].pieces, *others[1].pieces)):
            return None
        ancestor = members(before) if before is not None else None
        together = _Merge(newline=self.newline)
        text = together.pieces(
            own[1],
            others[1],
            None if ancestor is None else ancestor[1],
            prefix=f"{key}.",
            head=others[0],
            has_fields=ancestor is None and may_be_made_with_fields(theirs),
        )
        if may_be_made_with_fields(theirs) and not (out_of_order(mine.text) or out_of_order(theirs.text)):
            misplaced = out_of_order(text)
            if misplaced is not None:
                bare, given = misplaced
                why = f"put together, its field {bare} without a default would follow {given}, which has one"
                self.book.conflict(key, why, mine, theirs, before)
                return theirs.text
        self.book.take(together.book)
        why = "some of its members wait for a person" if together.book.conflicts else str(found)
        self.book.both(key, Outcome.MERGED, why)
        return text

    def _exports(self, mine: Piece, theirs: Piece, base: Cut | None, key: str) -> str:
        names, has = listed_names(mine), listed_names(theirs)
        before = (listed_names(base[mine.key]) or []) if base is not None and mine.key in base else []
        if names is None or has is None:
            self.book.conflict(key, "it is no plain list of names", mine, theirs, None)
            return theirs.text
        lacking = [name for name in names if name not in has and name not in before]
        self.book.both(key, Outcome.MERGED if lacking else Outcome.KEPT, "the names of both")
        return with_more_names(theirs, lacking, self.newline) if lacking else theirs.text

    def _imports(self, united: UnitedImports, target: Cut, entries: list[_Entry], prefix: str) -> int:
        """Add what the target's imports lack. Gives where what is only in the source begins to go."""
        docs = max((n for n, each in enumerate(entries) if each.kind is PieceKind.DOCSTRING), default=-1)
        last = max((n for n, each in enumerate(entries) if each.kind is PieceKind.IMPORT), default=docs)
        if prefix:
            return last
        defined = _names_defined(target)
        for piece in united.added:
            hidden = sorted(defined & names_imported_by(piece))
            if hidden:
                self.book.conflicts.append(
                    Conflict(
                        key=", ".join(hidden),
                        why="the source imports a name that the target defines",
                        source=piece.body,
                        target="",
                    )
                )
                continue
            self.book.notes.append(f"import added: {' '.join(piece.body.split())}")
            last = self._insert(entries, last, piece.text.lstrip("\r\n"), PieceKind.IMPORT, "")
        for line in united.lines:
            self.book.notes.append(f"import added: {line}")
            last = self._insert(entries, last, line + self.newline, PieceKind.IMPORT, "")
        for line in united.future:
            self.book.notes.append(f"import added: {line}")
            self._insert(entries, docs, line + self.newline, PieceKind.IMPORT, "")
            last += 1
        for clash in united.clashes:
            self.book.conflicts.append(
                Conflict(
                    key=clash.name,
                    why="both import that name, from different places",
                    source=clash.source,
                    target=clash.target,
                )
            )
        return last

    def _taken_away(self, imports: Mapping[str, str], target: Cut, entries: list[_Entry]) -> None:
        """Imports that the target has no more since the ancestor: only what is taken from the source can need them."""
        own = {each.text for each in target.pieces}
        taken = [each for each in entries if each.text not in own and each.kind is not PieceKind.IMPORT]
        said = said_names(ast.parse(self._joined(taken, ""))) - _names_defined(target)
        docs = max((n for n, each in enumerate(entries) if each.kind is PieceKind.DOCSTRING), default=-1)
        last = max((n for n, each in enumerate(entries) if each.kind is PieceKind.IMPORT), default=docs)
        for name, line in imports.items():
            if name.partition(".")[0] not in said:
                self.book.notes.append(
                    f"import left out: {line}: the target took it away, and nothing says it"
                )
                continue
            self.book.notes.append(
                f"import added: {line}: the target took it away, and what is taken says it"
            )
            last = self._insert(entries, last, line + self.newline, PieceKind.IMPORT, "")

    def _docstring(
        self, source: Cut, target: Cut, base: Cut | None, entries: list[_Entry], prefix: str
    ) -> None:
        mine, theirs, before = (_docstring_of(each) for each in (source, target, base))
        if mine is None or (theirs is not None and mine.body.strip() == theirs.body.strip()):
            return
        what = f"docstring of {prefix.rstrip('.')}" if prefix else "docstring"
        is_unchanged = before is not None and before.body.strip() == mine.body.strip()
        if theirs is None and not is_unchanged:
            entries.insert(0, _Entry(kind=PieceKind.DOCSTRING, key="", text=mine.text))
            self.book.notes.append(f"{what} taken from the source")
        else:
            self.book.notes.append(f"{what} of the source left out: {' '.join(mine.body.split())[:120]}")

    def _renamed(self, source: Cut, target: Cut, prefix: str) -> dict[str, str]:
        """Definitions of the source that the target has under another name: old key and new."""
        if prefix:
            return {}
        unmatched = {
            _nameless(piece): piece
            for piece in target.pieces
            if piece.key not in source and _is_long(piece) and piece.definition is not None
        }
        found = {}
        for piece in source.pieces:
            if piece.key in target or piece.definition is None or not _is_long(piece):
                continue
            other = unmatched.get(_nameless(piece))
            if other is not None and "#" not in piece.key + other.key:
                found[piece.key] = other.key
                why = f"the target has it as {other.key}; its old name is kept for it"
                self.book.decide(Side.SOURCE, piece.key, Outcome.RENAMED, why)
                for member in member_keys(piece):
                    self.book.decide(Side.SOURCE, member, Outcome.RENAMED, why)
        return found

    def _effect(self, piece: Piece, key: str, target: Cut) -> None:
        if any(each.kind is PieceKind.EFFECT and each.meaning == piece.meaning for each in target.pieces):
            self.book.decide(Side.SOURCE, key, Outcome.KEPT, "both do it")
            return
        self.book.wait(piece, key, "the source does something when it is imported", "", None)

    def _only_in_target(
        self, source: Cut, target: Cut, base: Cut | None, prefix: str, *, has_fields: bool
    ) -> None:
        decided = {(each.side, each.key) for each in self.book.decisions}
        for piece in target.pieces:
            key = key_of(piece, prefix)
            if piece.kind in (PieceKind.DOCSTRING, PieceKind.IMPORT) or piece.key == "pass":
                continue
            if (Side.TARGET, key) in decided:
                continue
            why = "only in the target"
            if piece.kind is PieceKind.EFFECT:
                shared = any(each.meaning == piece.meaning for each in source.pieces)
                why = (
                    "both do it"
                    if shared
                    else "only the target does it when it is imported; look whether it shall"
                )
            elif base is not None and piece.key in base and piece.key not in source:
                why = "removed in the source, and kept here"
            elif has_fields and is_field(piece):
                self.book.notes.append(
                    f"{key}: a field that only the target has: added here, or removed in the source"
                )
            self.book.decide(Side.TARGET, key, Outcome.KEPT, why)
            self.book.kept_members(Side.TARGET, piece, key)

    def _insert(self, entries: list[_Entry], after: int, text: str, kind: PieceKind, key: str) -> int:
        entries.insert(after + 1, _Entry(kind=kind, key=key, text=text))
        return after + 1

    def _joined(self, entries: Sequence[_Entry], tail: str) -> str:
        made: list[str] = []
        for entry in [*(each.text for each in entries), tail]:
            if made and entry and not made[-1].endswith(("\n", "\r")):
                made.append(self.newline)
            if entry:
                made.append(entry)
        return "".join(made)


def _needed_too_early(use: EarlyUse) -> Conflict:
    bound = f"and line {use.bound_on} defines it" if use.bound_on else "and nothing defines it"
    why = f"put together, line {use.line} needs it when the module is imported, {bound}"
    return Conflict(key=use.name, why=why, source="", target="")


def _docstring_of(version: Cut | None) -> Piece | None:
    pieces = () if version is None else version.pieces
    return next((each for each in pieces if each.kind is PieceKind.DOCSTRING), None)


def _names_defined(version: Cut) -> frozenset[str]:
    return frozenset(name for key in version.defined for name in key.partition("#")[0].split(", "))


def _head(piece: Piece) -> str:
    node = piece.definition
    assert isinstance(node, ast.ClassDef), "only a class has members"
    return "|".join(ast.dump(each) for each in (*node.bases, *node.keywords, *node.decorator_list))


def _indent(inner: Cut) -> str:
    for piece in inner.pieces:
        for line in piece.text.splitlines():
            if line.strip() and not line.lstrip().startswith("#"):
                return line[: len(line) - len(line.lstrip())]
    return ""


def _is_long(piece: Piece) -> bool:
    node = piece.definition
    return node is not None and sum(isinstance(each, ast.stmt) for each in ast.walk(node)) > _RENAMED_FROM


def _nameless(piece: Piece) -> str:
    name = piece.key.partition("#")[0]
    return piece.meaning.replace(f"name='{name}'", "name=''", 1)
