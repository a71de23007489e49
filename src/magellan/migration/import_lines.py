"""Import statements that begin a line, each parsed by itself: so they are read where the rest cannot be parsed."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from typing import Final

from magellan.migration.import_statement import ImportedName, ImportStatement, statement_of
from magellan.migration.source import Source, Span

_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_BEGINS: Final = re.compile(rb"^[ \t\f]*(?:from|import)\b", re.MULTILINE)


def statements_by_line(source: Source) -> Iterator[ImportStatement]:
    """Import statements at the beginnings of lines, each parsed by itself; what cannot be parsed is left out."""
    for found in _BEGINS.finditer(source.utf8):
        start = found.start() + len(found[0]) - len(found[0].lstrip())
        end = _end_of_statement(source.utf8, start)
        yield from statements_in(source.utf8, Span(start, end), source)


def statements_in(utf8: bytes, span: Span, source: Source | None = None) -> Iterator[ImportStatement]:
    """The import statements in a piece of a text that holds nothing else, with spans in the whole text."""
    piece = utf8[span.start : span.end]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(piece.decode())
    except (SyntaxError, ValueError):
        return
    inner = Source(piece)
    line = (source or Source(utf8[: span.start])).line_of(span.start)
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield _shifted(statement_of(node, inner, frozenset()), span.start, line - 1)


def _end_of_statement(utf8: bytes, start: int) -> int:
    """Where the logical line that begins there ends: lines go on in parentheses and after a backslash."""
    depth, at = 0, start
    while at < len(utf8):
        each = utf8[at : at + 1]
        if each == b"#":
            following = _LINE_END.search(utf8, at)
            at = len(utf8) if following is None else following.start()
            continue
        if each == b"\\":
            following = _LINE_END.match(utf8, at + 1)
            at = at + 2 if following is None else following.end()
            continue
        depth += (each == b"(") - (each == b")")
        if (each in b"\r\n" and depth <= 0) or (each == b";" and depth <= 0):
            return at
        at += 1
    return at


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
