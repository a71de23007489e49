"""The ways in which a file names a moved module or file. Each kind can be listed, previewed and switched."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from magellan.migration.source import Span


class ReferenceKind(StrEnum):
    """How something is named."""

    IMPORT = "import"  # import statements of every form
    ATTRIBUTE = "attribute"  # a.b.c after `import a.b`
    STRING = "string"  # a string that is a dotted name: import_module, mock.patch, lazy tables, loggers
    ANNOTATION = "annotation"  # an annotation written as a string
    DOCSTRING = "docstring"
    COMMENT = "comment"
    TEXT_IN_STRING = "text in string"  # a dotted name inside a longer string
    CODE_IN_TEXT = "code in text"  # import statements in docstrings, documents and notebooks
    TEXT = "text"  # dotted names in documents, settings, scripts, workflows, units
    COMMAND = "command"  # `-m name`, `name:attribute`, the file that a command runs
    PATH = "path"  # a file's path outside Python code
    PATH_IN_CODE = "path in code"  # open("config/x.json"), sys.path.append("lib")
    FILE_ARITHMETIC = "file arithmetic"  # `__file__` in a file that moves
    ALL = "__all__"  # a submodule's name in its package's __all__
    PICKLE = "pickle"  # a module's name in a pickled file
    LINK = "link"  # a symbolic link's target


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Bytes to put in the place of others. An empty span is an insertion."""

    span: Span
    text: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One place at which something that moves is named."""

    kind: ReferenceKind
    line: int  # from 1, in the file as it was
    old: str
    new: str  # "" where only a person can say
    certain: bool  # False: it probably names it; changed only on request
    edits: tuple[Edit, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RewriteOptions:
    """Which references are changed."""

    off: frozenset[ReferenceKind] = frozenset()  # kinds that are left alone, and listed
    probable: frozenset[ReferenceKind] = field(
        default_factory=frozenset
    )  # kinds of which the probable are changed

    def applies_to(self, reference: Reference) -> bool:
        """Whether the reference is changed."""
        if not reference.edits or reference.kind in self.off:
            return False
        return reference.certain or reference.kind in self.probable


def spliced(utf8: bytes, edits: list[Edit]) -> bytes:
    """The text with the edits made. Of two that overlap, which two ways of finding the same name give, the first."""
    pieces, at = [], 0
    for edit in sorted(edits, key=lambda each: (each.span.start, each.span.end)):
        if edit.span.start < at:
            continue
        pieces += [utf8[at : edit.span.start], edit.text]
        at = edit.span.end
    pieces.append(utf8[at:])
    return b"".join(pieces)
