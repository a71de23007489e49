"""Files in which only whole lines of import statements name anything that moves.

Most files that name a moved module at all only import it. They need not be parsed as a whole, which takes longer than
all the rest together; so this is looked at first, and where it is not sure, it is not so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from magellan.migration.import_lines import import_lines, statements_in
from magellan.migration.import_statement import ImportStatement
from magellan.migration.module_names import is_init
from magellan.migration.rewrite.attribute_edits import roots_of
from magellan.migration.rewrite.bindings import bindings_of
from magellan.migration.rewrite.bystanders import Bystanders
from magellan.migration.rewrite.import_edits import Importer
from magellan.migration.rewrite.interest import Interest
from magellan.migration.rewrite.module_contents import ModuleContents
from magellan.migration.rewrite.renames import Renames
from magellan.migration.source import Source, Span

_BEHIND_CODE: Final = re.compile(rb"[;:][ \t]*(?:from|import)\b")
# Of a package: its modules may be named by one word there.
_NAMES_OWN_MODULES: Final = (b"__all__", b"__getattr__", b"sys.modules[__name__]")
_OLD_LINE_END: Final = re.compile(rb"\r(?!\n)")


class ImportsOnly:
    """Finds such files."""

    def __init__(self, renames: Renames, contents: ModuleContents) -> None:
        self._renames = renames
        self._contents = contents
        self._bystanders = Bystanders(renames)

    def statements(
        self, importer: Importer, source: Source, interest: Interest
    ) -> tuple[ImportStatement, ...] | None:
        """The import statements that may name something that moves; None where other code may, too.

        interest: the words that could be such a name.
        """
        utf8 = source.utf8
        if importer.path in self._renames.paths or _has_hidden_import(utf8):
            return None
        lines = list(import_lines(utf8))
        if any(
            utf8.startswith(b"import", line.start) and b"." in utf8[line.start : line.end] for line in lines
        ):
            return None  # `import a.b` binds a, which may be used anywhere
        # Beside a package whose `__init__` moves, `from . import x` names it without a word.
        named = (
            lines
            if self._renames.folders_of_moved_inits
            else [each for each in lines if interest.is_in(each)]
        )
        statements = _parsed(named, source)
        if _is_in_a_string(statements, utf8, interest):
            return None
        rest = interest.outside(statement.span for statement in statements)
        if rest:
            if is_init(importer.path) and any(each in utf8 for each in _NAMES_OWN_MODULES):
                return None
            bindings = bindings_of(_parsed(lines, source), importer, self._renames, self._contents)
            if not self._bystanders.are_all(utf8, rest, roots_of(bindings, self._renames)):
                return None
        return statements


def _parsed(lines: Sequence[Span], source: Source) -> tuple[ImportStatement, ...]:
    return tuple(each for line in lines for each in statements_in(source.utf8, line, source))


def _has_hidden_import(utf8: bytes) -> bool:
    """Whether an import may stand behind other code on its line, or after an end of line of old systems."""
    if b"\r" in utf8 and _OLD_LINE_END.search(utf8):
        return True
    at = utf8.find(b"import")
    while at >= 0:
        begin = utf8.rfind(b"\n", 0, at) + 1
        while utf8[max(0, begin - 3) : begin].rstrip(b"\r\n").endswith(b"\\"):
            begin = utf8.rfind(b"\n", 0, begin - 1) + 1
        if _BEHIND_CODE.search(utf8, begin, at + len(b"import")):
            return True
        at = utf8.find(b"import", at + 1)
    return False


def _is_in_a_string(statements: Sequence[ImportStatement], utf8: bytes, interest: Interest) -> bool:
    """Whether one of the statements may stand in a string of several lines: an odd number of quotes is before it."""
    for quotes in (b'"""', b"'''"):
        count = at = 0
        for statement in statements:
            count += utf8.count(quotes, at, statement.span.start)
            at = statement.span.start
            if count % 2 and interest.is_in(statement.span):
                return True
    return False
