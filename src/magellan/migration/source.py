"""Python source as bytes: where its lines begin, and which bytes a node of its syntax tree stands at."""

from __future__ import annotations

import ast
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from typing import Final, NamedTuple

_DECORATED: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Span(NamedTuple):
    """Bytes of a text in UTF-8, from `start` until before `end`."""

    start: int
    end: int


class Source:
    """Bytes, and where their lines begin, as Python counts lines."""

    def __init__(self, utf8: bytes) -> None:
        self.utf8 = utf8

    @cached_property
    def line_starts(self) -> Sequence[int]:
        """The byte at which each line begins, and the text's end."""
        return [0, *accumulate(map(len, self.utf8.splitlines(keepends=True)))]

    def at(self, line: int, column: int) -> int:
        """The byte at a line from 1 and a column in bytes from 0, as `ast` counts."""
        return self.line_starts[line - 1] + column

    def line_of(self, offset: int) -> int:
        """The line, from 1, on which a byte stands."""
        return bisect_right(self.line_starts, offset)

    def span_of(self, node: ast.stmt | ast.expr | ast.alias) -> Span:
        """The bytes of a node."""
        assert node.end_lineno is not None and node.end_col_offset is not None, "ast gives every node an end"
        return Span(self.at(node.lineno, node.col_offset), self.at(node.end_lineno, node.end_col_offset))


def is_on_any(node: ast.stmt | ast.expr, lines: Sequence[int]) -> bool:
    """Whether any of the lines, sorted, is one of the node's, its decorators included."""
    first = node.lineno
    if isinstance(node, _DECORATED) and node.decorator_list:
        first = node.decorator_list[0].lineno
    at = bisect_left(lines, first)
    return at < len(lines) and lines[at] <= (node.end_lineno or first)
