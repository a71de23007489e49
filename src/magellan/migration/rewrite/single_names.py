"""A module without a package, named by its one word in settings and documents.

Such a word may be any word, so where it stands must say that a module is meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from magellan.migration.rewrite.reference import Edit, Reference, ReferenceKind
from magellan.migration.rewrite.renames import Renames
from magellan.migration.source import Source, Span

_ROLES: Final = rb"(?:mod|class|func|meth|attr|data|exc|obj|const|any|deco)"
_DIRECTIVES: Final = (
    rb"(?:(?:auto|current)?module|(?:auto)?(?:class|function|exception|data|method|attribute))"
)
IN_ROLE: Final = re.compile(
    rb"(?::(?:py:)?" + _ROLES + rb":`(?:[^`<]*<)?[~!]?|\.\.[ \t]+(?:py:)?" + _DIRECTIVES + rb"::[ \t]+)\Z"
)
"""What stands before a name in Sphinx's roles and directives for Python."""
ROLE_REACH: Final = 80  # bytes before a name in which that is looked for

_IN_DOCUMENT: Final = re.compile(
    rb"(?:(?::(?:py:)?mod:`(?:[^`<]*<)?[~!]?)|(?:\.\.[ \t]+(?:py:)?(?:auto|current)?module::[ \t]+)"
    rb"|(?:(?<![:\w]):::[ \t]+))"
    rb"(?P<name>[A-Za-z_]\w*)(?![\w.])"
)
_QUOTED_IMPORT: Final = re.compile(rb"`(?:import|from)[ \t]+(?P<name>[A-Za-z_]\w*)(?![\w.])")
_LISTED: Final = re.compile(rb"[ \t]+~?(?P<name>[A-Za-z_]\w*)[ \t]*\Z")  # below `.. autosummary::`
_SUFFIX: Final = re.compile(rb":(?:py:)?" + _ROLES + rb":`(?:[^`<]*<)?[~!]?\.(?P<name>[A-Za-z_][\w.]*)")
_MYPY: Final = re.compile(rb"\[mypy-(?P<names>[^\]\r\n]+)\]")
_COVERED: Final = re.compile(rb"(?<![\w-])--cov(?:=|[ \t]+)(?P<name>[A-Za-z_]\w*)(?![\w./])")
_APP: Final = re.compile(rb"(?<![\w-])(?:-A|--app)(?:=|[ \t]+)(?P<name>[A-Za-z_]\w*)(?![\w./:])")
_WORD: Final = re.compile(rb"(?:(?<=\[mypy-)|(?<=[, \t]))(?P<name>[A-Za-z_]\w*)(?=\.\*|[, \t]|\Z)")
_IMPORTED: Final = re.compile(rb"(?<![\w.])(?:import|from)[ \t]+(?P<name>[A-Za-z_]\w*)(?![\w.])")
# Keys whose values are modules, in settings of every form, and the rest of such a line.
_MODULES_KEY: Final = re.compile(
    rb"[ \t]*(?:-[ \t]+)?[\"']?(?P<key>[\w.-]*?(?:module|package|plugin|import|source|first[_-]party|qualname"
    rb"|extension|entry|loader|callable)[\w.-]*)[\"']?[ \t]*[=:](?P<rest>.*)",
    re.IGNORECASE,
)
_OTHER_KEY: Final = re.compile(rb"(?:[ \t]*[\"']?[\w.-]+[\"']?[ \t]*[=:]|[ \t]*\[[^\"',]*\][ \t]*$)")
_VALUE: Final = re.compile(
    rb"(?:(?<=[\"'])|(?<![\w./\\$%{}@:\"'-]))(?P<name>[A-Za-z_]\w*)(?=[\"' \t,\]]|\.\*|\Z)"
)
_LINES_BACK: Final = 20  # of a list, above a word, at the head of which its key is looked for


class SingleNames:
    """Finds such words."""

    def __init__(self, renames: Renames) -> None:
        self._renames = renames
        self._new = {name.encode(): new.encode() for name, new in renames.modules.items() if "." not in name}

    def in_document(
        self, utf8: bytes, span: Span, source: Source, kind: ReferenceKind
    ) -> Iterator[Reference]:
        """Sphinx's roles and directives: `:mod:`bot``, `.. automodule:: bot`, and `:class:`.regime.Label``."""
        for found in _IN_DOCUMENT.finditer(utf8, span.start, span.end):
            yield from self._named(found, found.start("name"), source, kind, certain=True)
        for found in _QUOTED_IMPORT.finditer(utf8, span.start, span.end):
            yield from self._named(found, found.start("name"), source, kind, certain=False)
        listed = _LISTED.match(utf8, span.start, span.end)
        if listed is not None and utf8.find(b"autosummary::", 0, span.start) >= 0:
            yield from self._named(listed, listed.start("name"), source, kind, certain=False)
        for found in _SUFFIX.finditer(utf8, span.start, span.end):
            yield from self._suffix(found, source, kind)

    def in_settings(self, utf8: bytes, line: Span, source: Source) -> Iterator[Reference]:
        """Sections of mypy and what coverage measures; and, only probably, values of keys that speak of modules."""
        if not self._new:
            return
        section = _MYPY.match(utf8, line.start, line.end)
        if section is not None:
            for found in _WORD.finditer(utf8, section.start("names"), section.end("names")):
                yield from self._named(found, found.start("name"), source, ReferenceKind.TEXT, certain=True)
            return
        for found in _COVERED.finditer(utf8, line.start, line.end):
            yield from self._named(found, found.start("name"), source, ReferenceKind.TEXT, certain=True)
        for pattern in (_IMPORTED, _APP):
            for found in pattern.finditer(utf8, line.start, line.end):
                at = found.start("name")
                yield from self._named(found, at, source, ReferenceKind.TEXT, certain=False)
        values = _values_in(utf8, line)
        if values is not None:
            for found in _VALUE.finditer(utf8, values.start, values.end):
                yield from self._named(found, found.start("name"), source, ReferenceKind.TEXT, certain=False)

    def _named(
        self, found: re.Match[bytes], at: int, source: Source, kind: ReferenceKind, *, certain: bool
    ) -> Iterator[Reference]:
        name = found["name"]
        if name in self._new:
            yield Reference(
                kind=kind,
                line=source.line_of(at),
                old=name.decode(),
                new=self._new[name].decode(),
                certain=certain,
                edits=(Edit(span=Span(at, at + len(name)), text=self._new[name]),),
            )

    def _suffix(self, found: re.Match[bytes], source: Source, kind: ReferenceKind) -> Iterator[Reference]:
        """A name that begins with a dot means whatever ends with it: `.regime.Label` is shop.regime.Label."""
        parts = found["name"].decode().rstrip(".").split(".")
        for count in range(len(parts), 0, -1):
            ending = ".".join(parts[:count])
            meant = {name for name in self._renames.modules if name.endswith(f".{ending}")}
            if not meant:
                continue
            new = ".".join(self._renames.new_name(meant.pop()).split(".")[-count:])
            if meant or new == ending:
                return
            at = found.start("name")
            yield Reference(
                kind=kind,
                line=source.line_of(at),
                old=f".{ending}",
                new=f".{new}",
                certain=False,
                edits=(Edit(span=Span(at, at + len(ending.encode())), text=new.encode()),),
                note="the end of a name: any other that ends so is meant, too",
            )
            return


def _values_in(utf8: bytes, line: Span) -> Span | None:
    """The part of a line that holds values of a key that speaks of modules; None where it holds none."""
    own = _MODULES_KEY.match(utf8, line.start, line.end)
    if own is not None:
        return Span(own.start("rest"), line.end)
    if _OTHER_KEY.match(utf8, line.start, line.end):
        return None
    end = line.start - 1
    for _ in range(_LINES_BACK):
        if end <= 0:
            return None
        begin = utf8.rfind(b"\n", 0, end) + 1
        if (key := _MODULES_KEY.match(utf8, begin, end)) is not None:
            opens = key["rest"].strip()
            return line if opens in (b"", b"[", b"(") or not opens.endswith((b"]", b")")) else None
        if _OTHER_KEY.match(utf8, begin, end):
            return None
        end = begin - 1
    return None
