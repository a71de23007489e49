"""Every import statement of a Python file, in order.

A file with a syntax error is read as far as its imports can be: each statement that begins a line is parsed by itself.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from magellan.migration.import_lines import statements_by_line
from magellan.migration.import_statement import Circumstance, ImportStatement, statement_of
from magellan.migration.source import Source, is_on_any

_WORD: Final = re.compile(rb"import")
_HOLDS_NOTHING: Final = (
    ast.Expr,
    ast.Assign,
    ast.Return,
    ast.AnnAssign,
    ast.AugAssign,
    ast.Raise,
    ast.Assert,
    ast.Pass,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileImports:
    """What a file imports."""

    statements: tuple[ImportStatement, ...]
    tree: ast.Module | None  # None: the file has a syntax error, or is no text
    problem: str = ""  # "line 7: invalid syntax"


def read_imports(source: Source) -> FileImports:
    """All import statements of a Python file, in order."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of invalid escapes and such: the project's business
            tree = ast.parse(source.utf8.decode())
    except SyntaxError as error:
        return FileImports(
            statements=tuple(statements_by_line(source)),
            tree=None,
            problem=f"line {error.lineno or 1}: {error.msg}",
        )
    except (ValueError, RecursionError, MemoryError) as error:  # zero bytes; nested too deep for the parser
        return FileImports(
            statements=tuple(statements_by_line(source)), tree=None, problem=f"line 1: {error}"
        )
    lines = [source.line_of(found.start()) for found in _WORD.finditer(source.utf8)]
    return FileImports(statements=tuple(_in_body(tree.body, source, lines, frozenset())), tree=tree)


def _in_body(
    body: Sequence[ast.stmt], source: Source, lines: Sequence[int], under: frozenset[Circumstance]
) -> Iterator[ImportStatement]:
    """lines: on which the word stands, sorted; what spans none of them is not looked into."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield statement_of(node, source, under)
            continue
        if isinstance(node, _HOLDS_NOTHING) or not is_on_any(node, lines):
            continue
        inside = under
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inside = under | {Circumstance.FUNCTION}
        elif isinstance(node, ast.If) and _is_type_checking(node.test):
            yield from _in_body(node.body, source, lines, under | {Circumstance.TYPE_CHECKING})
            yield from _in_body(node.orelse, source, lines, under)
            continue
        elif not isinstance(node, ast.ClassDef):
            inside = under | {Circumstance.CONDITION}
        for part in ("body", "handlers", "orelse", "finalbody", "cases"):
            inner = getattr(node, part, None)
            if not isinstance(inner, list):
                continue
            for each in inner:
                nested = each.body if isinstance(each, ast.ExceptHandler | ast.match_case) else [each]
                yield from _in_body(nested, source, lines, inside)


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )
