"""A from import whose names end up in several modules: names leave its lines, and statements follow it.

Names leave with their commas and comments, and each takes its comment along.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from magellan.migration.import_statement import ImportedName, ImportStatement
from magellan.migration.rewrite.reference import Edit
from magellan.migration.source import Span

_LINE_LENGTH: Final = 88  # of a new statement on one line
_PRAGMA: Final = re.compile(rb"#[ \t]*(?:noqa|type:|pragma|pylint|isort|pyright|mypy|ruff|fmt)")


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedName:
    """How one imported name is to be said."""

    name: ImportedName
    module: str  # what follows `from`
    leaf: str  # what follows `import`


def said_as(wanted: WantedName) -> str:
    """What stands for it after `import`, with `as` where the name it is bound to is another one."""
    bound = wanted.name.bound_as or wanted.name.name
    return wanted.leaf if wanted.leaf == bound else f"{wanted.leaf} as {bound}"


def statement_text(module: str, group: Sequence[WantedName]) -> str:
    """The whole statement that imports those names of one module; "" is no module, but top-level ones."""
    names = ", ".join(said_as(each) for each in group)
    return f"from {module} import {names}" if module else f"import {names}"


class FromLines:
    """The physical lines of a from import: names leave them with their commas and comments, statements follow them."""

    def __init__(self, statement: ImportStatement, utf8: bytes) -> None:
        self._statement = statement
        self._utf8 = utf8
        self._start = (
            max(utf8.rfind(b"\n", 0, statement.span.start), utf8.rfind(b"\r", 0, statement.span.start)) + 1
        )
        self._newline = b"\r\n" if b"\r\n" in utf8 else b"\n" if b"\n" in utf8 or b"\r" not in utf8 else b"\r"

    def without(self, names: Sequence[ImportedName]) -> Iterator[Edit]:
        """Take names out; at least one stays. Comments between names stay where they are."""
        leaving = {each.span for each in names}
        all_names = self._statement.names
        for at, each in enumerate(all_names):
            if each.span not in leaving:
                continue
            if (whole := self._own_lines(each)) is not None:
                yield Edit(span=whole, text=b"")
            elif all(other.span in leaving for other in all_names[at:]):
                # Nothing stays behind it: the comma before it goes, and one after it stays.
                before = next(other for other in reversed(all_names[:at]) if other.span not in leaving)
                first = all_names[all_names.index(before) + 1]
                if self._has_comment(before.span.end, all_names[-1].span.end):
                    # In parentheses the comma before it may stay, too.
                    for other in all_names[at:]:
                        yield Edit(span=self._own_lines(other) or self._with_comma(other), text=b"")
                elif first.span == each.span:
                    yield Edit(span=Span(before.span.end, all_names[-1].span.end), text=b"")
                return
            elif self._has_comment(each.span.end, all_names[at + 1].span.start):
                yield Edit(span=self._with_comma(each), text=b"")
            else:
                yield Edit(span=Span(each.span.start, all_names[at + 1].span.start), text=b"")

    def _has_comment(self, start: int, end: int) -> bool:
        return b"#" in self._utf8[start:end]

    def _with_comma(self, name: ImportedName) -> Span:
        found = re.compile(rb"[ \t]*,").match(self._utf8, name.span.end)
        return Span(name.span.start, name.span.end if found is None else found.end())

    def followed_by(self, groups: Sequence[tuple[str, Sequence[WantedName]]]) -> Edit:
        """Statements after this one: on lines of their own where this one has its own."""
        end = self._statement.span.end
        rest = re.compile(rb"[^\r\n]*").match(self._utf8, end)
        assert rest is not None, "any text matches"
        comment = rest[0].strip()
        indent = self._utf8[self._start : self._statement.span.start]
        if indent.strip() or (comment and not comment.startswith(b"#")):
            said = "; ".join(statement_text(*each) for each in groups)
            return Edit(span=Span(end, end), text=f"; {said}".encode())
        pragma = b"  " + comment if _PRAGMA.match(comment) else b""
        lines = [self._newline + indent + self._as_lines(*group, indent) + pragma for group in groups]
        return Edit(span=Span(rest.end(), rest.end()), text=b"".join(lines))

    def _as_lines(self, module: str, group: Sequence[WantedName], indent: bytes) -> bytes:
        said = statement_text(module, group).encode()
        comments = [self._comment_of(each.name) for each in group]
        if len(group) == 1 and comments[0]:
            return said + b"  " + comments[0]
        if not any(comments) and (len(indent) + len(said) <= _LINE_LENGTH or not module):
            return said
        lines = [f"from {module} import (".encode()]
        for each, comment in zip(group, comments, strict=True):
            lines.append(
                indent + b"    " + said_as(each).encode() + b"," + (b"  " + comment if comment else b"")
            )
        return self._newline.join([*lines, indent + b")"])

    def _comment_of(self, name: ImportedName) -> bytes:
        """The comment behind a name that has its line to itself."""
        found = re.compile(rb"[ \t]*,?[ \t]*(#[^\r\n]*)").match(self._utf8, name.span.end)
        return found[1].rstrip() if found is not None and self._own_lines(name) is not None else b""

    def _own_lines(self, name: ImportedName) -> Span | None:
        """The whole line, with its end, of a name that stands alone on it, in parentheses."""
        if b"(" not in self._utf8[self._statement.span.start : name.span.start]:
            return None  # the line goes on from one before it, by a backslash
        start = (
            max(self._utf8.rfind(b"\n", 0, name.span.start), self._utf8.rfind(b"\r", 0, name.span.start)) + 1
        )
        if self._utf8[start : name.span.start].strip():
            return None
        found = re.compile(rb"[ \t]*,?[ \t]*(?:#[^\r\n]*)?(?:\r\n|\r|\n)").match(self._utf8, name.span.end)
        return None if found is None else Span(start, found.end())
