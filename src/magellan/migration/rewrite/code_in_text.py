"""Import statements in docstrings, documents and notebooks, as `>>> import a` or in a block of code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from magellan.migration.imports import Source, Span, statements_in
from magellan.migration.rewrite.import_edits import Importer, import_references
from magellan.migration.rewrite.module_contents import ModuleContents
from magellan.migration.rewrite.reference import Reference, ReferenceKind
from magellan.migration.rewrite.renames import Renames

_STATEMENT: Final = re.compile(
    rb"(?:^|(?<=\"))[ \t>*|]*(?:>>>[ \t]|\.\.\.[ \t]|In \[\d+\]:[ \t])?[ \t]*"
    rb"(?P<code>from[ \t]+[\w.]+[ \t]+import[ \t]+(?:\([^)\"]*\)|[\w*][\w, \t*]*)|import[ \t]+[\w.][\w., \t]*)",
    re.MULTILINE,
)


class CodeInText:
    """Finds import statements in text."""

    def __init__(self, renames: Renames, contents: ModuleContents) -> None:
        self._renames = renames
        self._contents = contents

    def in_text(self, utf8: bytes, span: Span, source: Source, importer: Importer) -> Iterator[Reference]:
        """Statements that begin a line, a quoted line of a notebook, or follow a prompt."""
        for found in _STATEMENT.finditer(utf8, span.start, span.end):
            start, end = found.span("code")
            code = utf8[start:end].rstrip()
            statements = statements_in(utf8, Span(start, start + len(code)), source)
            yield from import_references(
                statements, utf8, importer, self._renames, self._contents, ReferenceKind.CODE_IN_TEXT
            )
