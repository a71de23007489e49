"""Import statements that begin a line, each parsed by itself: so they are read where the rest cannot be parsed."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from magellan.migration.import_statement import ImportedName, ImportStatement, statement_of
from magellan.migration.source import Source, Span

# Where a statement may end, what opens and closes parentheses, and what hides any of these.
_TURN: Final = re.compile(rb"[();\r\n]|#[^\r\n]*|\\(?:\r\n|[\s\S])")
_BEGINS: Final = re.compile(rb"^[ \t\f]*(?:from|import)\b", re.MULTILINE)


def statements_by_line(source: Source) -> Iterator[ImportStatement]:
    """Import statements at the beginnings of lines, each parsed by itself; what cannot be parsed is left out.

    What looks like a statement in a string of several lines is found, too.
    """
    for span in import_lines(source.utf8):
        yield from statements_in(source.utf8, span, source)


def import_lines(utf8: bytes) -> Iterator[Span]:
    """The logical lines that begin as an import statement does."""
    for found in _BEGINS.finditer(utf8):
        start = found.start() + len(found[0]) - len(found[0].lstrip())
        yield Span(start, _end_of_statement(utf8, start))


def statements_in(utf8: bytes, span: Span, source: Source | None = None) -> Iterator[ImportStatement]:
    """The import statements in a piece of a text that holds nothing else, with spans in the whole text."""
    found = _statements_of(utf8[span.start : span.end])
    if found:
        line = (source or Source(utf8[: span.start])).line_of(span.start)
        for statement in found:
            yield _shifted(statement, span.start, line - 1)


@lru_cache(maxsize=4096)
def _statements_of(piece: bytes) -> tuple[ImportStatement, ...]:
    """The same of a text of its own. Many files of a tree import the same."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(piece.decode())
    except (SyntaxError, ValueError):
        return ()
    inner = Source(piece)
    return tuple(
        statement_of(node, inner, frozenset())
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
    )


def _end_of_statement(utf8: bytes, start: int) -> int:
    """Where the logical line that begins there ends: lines go on in parentheses and after a backslash."""
    depth, at = 0, start
    while (found := _TURN.search(utf8, at)) is not None:
        match found[0]:
            case b"(":
                depth += 1
            case b")":
                depth -= 1
            case b";" | b"\r" | b"\n":
                if depth <= 0:
                    return found.start()
        at = found.end()
    return len(utf8)


def _shifted(statement: ImportStatement, by: int, lines: int) -> ImportStatement:
    def moved(span: Span) -> Span:
        return Span(span.start + by, span.end + by)

    return ImportStatement(
        level=statement.level,
        module=statement.module,
        module_span=None if statement.module_span is None else moved(statement.module_span),
        names=tuple(
            ImportedName(
                name=each.name,
                bound_as=each.bound_as,
                span=moved(each.span),
                name_span=moved(each.name_span),
            )
            for each in statement.names
        ),
        span=moved(statement.span),
        line=statement.line + lines,
        under=statement.under,
    )
