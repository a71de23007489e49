"""Every import statement of a Python file, with the bytes at which its names stand, and what they resolve to.

A file with a syntax error is read as far as its imports can be: each statement that begins a line is parsed by itself.
"""

from __future__ import annotations

import ast
import re
import sys
import warnings
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import Final

from magellan.migration.encoding import Text
from magellan.migration.module_names import ModuleNames


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Bytes of a text in UTF-8, from `start` until before `end`."""

    start: int
    end: int


class Circumstance(StrEnum):
    """Under what an import stands."""

    FUNCTION = "in a function"
    CONDITION = "under a condition"  # if, try, match, with
    TYPE_CHECKING = "for type checkers"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedName:
    """One of the names of an import statement."""

    name: str  # "a.b" after `import`, "b" after `from a import`, "*"
    bound_as: str | None  # what follows `as`
    span: Span  # with `as` and what follows it
    name_span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportStatement:
    """`import a.b as c, d`, or `from ..a import b, c`."""

    level: int | None  # dots after `from`; None for a plain import
    module: str  # what is named after the dots; "" where nothing is, and for a plain import
    module_span: Span | None  # dots and name; None for a plain import
    names: tuple[ImportedName, ...]
    span: Span  # of the whole statement
    line: int  # from 1
    under: frozenset[Circumstance]

    @property
    def is_from(self) -> bool:
        """Whether it is `from ... import`."""
        return self.level is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileImports:
    """What a file imports."""

    statements: tuple[ImportStatement, ...]
    tree: ast.Module | None  # None: the file has a syntax error, or is no text
    problem: str = ""  # "line 7: invalid syntax"


def read_imports(text: Text) -> FileImports:
    """All import statements of the text, in order."""
    source = Source(text.utf8)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of invalid escapes and such: the project's business
            tree = ast.parse(text.utf8.decode())
    except SyntaxError as error:
        return FileImports(
            statements=tuple(_by_line(source)), tree=None, problem=f"line {error.lineno or 1}: {error.msg}"
        )
    except (ValueError, RecursionError, MemoryError) as error:  # zero bytes; nested too deep for the parser
        return FileImports(statements=tuple(_by_line(source)), tree=None, problem=f"line 1: {error}")
    return FileImports(statements=tuple(_in_body(tree.body, source, frozenset())), tree=tree)


def read_imports_by_line(text: Text) -> FileImports:
    """Statements that begin a line, each parsed by itself: much faster, and blind to what stands behind other code.

    What looks like a statement in a string of several lines is found, too.
    """
    return FileImports(statements=tuple(_by_line(Source(text.utf8))), tree=None)


class Source:
    """Bytes, and where their lines begin, as Python counts lines."""

    def __init__(self, utf8: bytes) -> None:
        self.utf8 = utf8
        self.line_starts = [0, *accumulate(map(len, utf8.splitlines(keepends=True)))]

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
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_FROM: Final = re.compile(
    rb"from(?P<gap>[\s\\]*)(?P<spec>[.\s\\\w\x80-\xff]+?)(?P<after>[\s\\]*)(?<=[\s\\.])import(?![\w\x80-\xff])"
)
_DOTTED: Final = re.compile(rb"[\w\x80-\xff]+(?:[\s\\]*\.[\s\\]*[\w\x80-\xff]+)*|\*")
_BEGINS: Final = re.compile(rb"^[ \t\f]*(?:from|import)\b", re.MULTILINE)


def _in_body(
    body: Sequence[ast.stmt], source: Source, under: frozenset[Circumstance]
) -> Iterator[ImportStatement]:
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield _statement(node, source, under)
            continue
        if isinstance(node, _HOLDS_NOTHING):
            continue
        inside = under
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inside = under | {Circumstance.FUNCTION}
        elif isinstance(node, ast.If) and _is_type_checking(node.test):
            yield from _in_body(node.body, source, under | {Circumstance.TYPE_CHECKING})
            yield from _in_body(node.orelse, source, under)
            continue
        elif not isinstance(node, ast.ClassDef):
            inside = under | {Circumstance.CONDITION}
        for part in ("body", "handlers", "orelse", "finalbody", "cases"):
            inner = getattr(node, part, None)
            if not isinstance(inner, list):
                continue
            for each in inner:
                nested = each.body if isinstance(each, ast.ExceptHandler | ast.match_case) else [each]
                yield from _in_body(nested, source, inside)


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _statement(
    node: ast.Import | ast.ImportFrom, source: Source, under: frozenset[Circumstance]
) -> ImportStatement:
    span = source.span_of(node)
    module, level, module_span = "", None, None
    if isinstance(node, ast.ImportFrom):
        module, level = node.module or "", node.level
        found = _FROM.match(source.utf8, span.start, span.end)
        assert found is not None, f"no module between from and import on line {node.lineno}"
        module_span = Span(*found.span("spec"))
    names = []
    for alias in node.names:
        alias_span = source.span_of(alias)
        named = _DOTTED.match(source.utf8, alias_span.start, alias_span.end)
        assert named is not None, f"no name where ast saw one on line {alias.lineno}"
        end = named.end() if alias.asname is not None else alias_span.end
        names.append(
            ImportedName(
                name=alias.name,
                bound_as=alias.asname,
                span=alias_span,
                name_span=Span(alias_span.start, min(end, named.end())),
            )
        )
    return ImportStatement(
        level=level,
        module=module,
        module_span=module_span,
        names=tuple(names),
        span=span,
        line=node.lineno,
        under=under,
    )


def _by_line(source: Source) -> Iterator[ImportStatement]:
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
            yield _shifted(_statement(node, inner, frozenset()), span.start, line - 1)


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


class Origin(StrEnum):
    """Where an imported module comes from."""

    TREE = "tree"
    STANDARD_LIBRARY = "standard library"
    INSTALLED = "installed"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A module that an import statement names."""

    name: str  # dotted, absolute; of a file beside a script, the name that the script says
    origin: Origin
    path: str | None  # the file in the tree; None for a namespace package, and what is not in the tree
    line: int


def absolute_name(statement: ImportStatement, package: str | None) -> str | None:
    """The module that a `from` names, as an absolute dotted name.

    package: of the importing file; None where it has none.
    Returns: None where the dots lead out of all packages.
    """
    if not statement.level:
        return statement.module
    parts = package.split(".") if package else []
    if len(parts) < statement.level:
        return None
    base = parts[: len(parts) - statement.level + 1]
    return ".".join([*base, *([statement.module] if statement.module else [])])


def targets_of(
    statement: ImportStatement, path: str, names: ModuleNames, is_installed: Callable[[str], bool]
) -> tuple[Target, ...]:
    """Every module that the statement names: the one after `from`, and each imported name that is a module itself.

    path:         of the importing file.
    is_installed: whether a top-level name can be imported from what is installed.
    """
    if not statement.is_from:
        return tuple(
            target_of(each.name, path, names, is_installed, statement.line) for each in statement.names
        )
    module = absolute_name(statement, names.package_of(path))
    if module is None:
        dots = "." * (statement.level or 0)
        named = f"{dots}{statement.module}"
        return (Target(name=named, origin=Origin.MISSING, path=None, line=statement.line),)
    found = [target_of(module, path, names, is_installed, statement.line)]
    for each in statement.names:
        inner = names.resolve(f"{module}.{each.name}", path)
        if inner is not None:
            found.append(
                Target(name=inner, origin=Origin.TREE, path=names.file_of(inner), line=statement.line)
            )
    return tuple(found)


def target_of(
    dotted: str, path: str, names: ModuleNames, is_installed: Callable[[str], bool], line: int
) -> Target:
    """What an absolute dotted name resolves to, in that file."""
    inner = names.resolve(dotted, path)
    if inner is not None:
        return Target(name=inner, origin=Origin.TREE, path=names.file_of(inner), line=line)
    top = dotted.partition(".")[0]
    if names.resolve(top, path) is not None:
        origin = Origin.MISSING
    elif top in sys.stdlib_module_names:
        origin = Origin.STANDARD_LIBRARY
    else:
        origin = Origin.INSTALLED if is_installed(top) else Origin.MISSING
    return Target(name=dotted, origin=origin, path=None, line=line)
