"""An import statement as a value: what it names, and the bytes at which the names stand."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from magellan.migration.source import Source, Span

_FROM: Final = re.compile(
    rb"from(?P<gap>[\s\\]*)(?P<spec>[.\s\\\w\x80-\xff]+?)(?P<after>[\s\\]*)(?<=[\s\\.])import(?![\w\x80-\xff])"
)
_DOTTED: Final = re.compile(rb"[\w\x80-\xff]+(?:[\s\\]*\.[\s\\]*[\w\x80-\xff]+)*|\*")


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


def statement_of(
    node: ast.Import | ast.ImportFrom, source: Source, under: frozenset[Circumstance]
) -> ImportStatement:
    """The statement at a node of that source's syntax tree."""
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
