"""Import statements in docstrings, documents and notebooks, as `>>> import a` or in a block of code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from magellan.migration.import_lines import statements_in
from magellan.migration.rewrite.import_edits import Importer, import_references
from magellan.migration.rewrite.interest import Interest
from magellan.migration.rewrite.module_contents import ModuleContents
from magellan.migration.rewrite.reference import Reference, ReferenceKind
from magellan.migration.rewrite.renames import Renames
from magellan.migration.source import Source, Span

_BEFORE: Final = re.compile(rb"[ \t>*|]*(?:>>>[ \t]|\.\.\.[ \t]|In \[\d+\]:[ \t])?[ \t]*")
_STATEMENT: Final = re.compile(
    rb"from[ \t]+[\w.]+[ \t]+import[ \t]+(?:\([^)\"]*\)|[\w*][\w, \t*]*)|import[ \t]+[\w.][\w., \t]*"
)


class CodeInText:
    """Finds import statements in text."""

    def __init__(self, renames: Renames, contents: ModuleContents) -> None:
        self._renames = renames
        self._contents = contents

    def in_text(
        self, utf8: bytes, span: Span, source: Source, importer: Importer, interest: Interest
    ) -> Iterator[Reference]:
        """Statements that begin a line, a quoted line of a notebook, or follow a prompt."""
        at = utf8.find(b"import", span.start, span.end)
        while at >= 0:
            found = self._statement_around(utf8, at, span)
            at = utf8.find(b"import", at + 6, span.end)
            if found is None or not interest.is_in(found):
                continue
            statements = statements_in(utf8, found, source)
            yield from import_references(
                statements, utf8, importer, self._renames, self._contents, ReferenceKind.CODE_IN_TEXT
            )

    def _statement_around(self, utf8: bytes, at: int, span: Span) -> Span | None:
        """The statement whose word `import` stands there, if its line, or a quoted string, begins with it."""
        line = max(utf8.rfind(b"\n", span.start, at), utf8.rfind(b"\r", span.start, at)) + 1
        for start in (max(line, span.start), utf8.rfind(b'"', max(line, span.start), at) + 1):
            before = _BEFORE.match(utf8, start)
            assert before is not None, "it matches nothing, too"
            found = _STATEMENT.match(utf8, before.end(), span.end)
            if found is not None and found.start() <= at < found.end():
                return Span(found.start(), found.start() + len(found[0].rstrip()))
        return None
