"""Files that are not Python: settings, scripts, workflows, units, documents, notebooks, data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from enum import Enum, auto
from typing import Final

from magellan.migration.encoding import Text
from magellan.migration.rewrite.code_in_text import CodeInText
from magellan.migration.rewrite.dotted_edits import DottedNames
from magellan.migration.rewrite.import_edits import Importer
from magellan.migration.rewrite.interest import Interest
from magellan.migration.rewrite.path_edits import Paths
from magellan.migration.rewrite.reference import Reference, ReferenceKind
from magellan.migration.rewrite.renames import Renames
from magellan.migration.rewrite.single_names import SingleNames
from magellan.migration.source import Source, Span


class TextKind(Enum):
    """What a text is for, as far as it matters to names in it."""

    SETTINGS = auto()  # settings and scripts: what they name is used
    DOCUMENT = auto()
    HISTORY = auto()  # change logs tell of names as they were
    COMPILED = auto()  # C: a dotted name in a string is looked up, elsewhere it may be a member of a struct
    OTHER = auto()


_SETTINGS: Final = frozenset(
    {
        "bash",
        "bat",
        "cfg",
        "conf",
        "container",
        "cron",
        "csh",
        "env",
        "fish",
        "ini",
        "ipynb",
        "json",
        "just",
        "mk",
    }
    | {"path", "ps1", "service", "sh", "socket", "target", "timer", "tf", "toml", "xml", "yaml", "yml", "zsh"}
)
_COMPILED: Final = frozenset({"c", "cc", "cpp", "cxx", "h", "hh", "hpp"})
_DOCUMENTS: Final = frozenset({"adoc", "htm", "html", "ipynb", "md", "mdx", "rst", "tex", "txt"})
_SETTING_NAMES: Final = frozenset(
    {
        "codeowners",
        "containerfile",
        "dockerfile",
        "jenkinsfile",
        "justfile",
        "makefile",
        "manifest.in",
        "procfile",
    }
    | {"vagrantfile", ".coveragerc", ".dockerignore", ".flake8", ".gitattributes", ".gitignore", ".pylintrc"}
)
_HISTORIES: Final = (
    "changelog",
    "changes",
    "history",
    "news",
    "release-notes",
    "release_notes",
    "releasenotes",
)


def text_kind(path: str) -> TextKind:
    """What the file at that path is for, by its name."""
    name = path.rpartition("/")[2].casefold()
    ending = name.rpartition(".")[2]
    if name.startswith(_HISTORIES) and ending in _DOCUMENTS | {name}:
        return TextKind.HISTORY
    if any(
        name == each or name.startswith(f"{each}.") or name.endswith(f".{each}") for each in _SETTING_NAMES
    ):
        return TextKind.SETTINGS
    if ending in _SETTINGS:
        return TextKind.SETTINGS
    if ending in _COMPILED:
        return TextKind.COMPILED
    return TextKind.DOCUMENT if ending in _DOCUMENTS else TextKind.OTHER


class TextFiles:
    """Finds references in files that are not Python."""

    def __init__(self, renames: Renames, names: DottedNames, paths: Paths, code: CodeInText) -> None:
        self._renames = renames
        self._names = names
        self._paths = paths
        self._code = code
        self._single = SingleNames(renames)

    def references(self, path: str, text: Text, interest: Interest) -> list[Reference]:
        """Every reference in the file. Of histories and of files of no known kind they are only probable."""
        kind = text_kind(path)
        found = self._found(path, text, kind, interest)
        if kind is TextKind.COMPILED:
            return [
                each if _is_in_c_string(each, text.utf8) else replace(each, certain=False) for each in found
            ]
        certain = kind in (TextKind.SETTINGS, TextKind.DOCUMENT)
        return [each if certain else replace(each, certain=False) for each in found]

    def _found(self, path: str, text: Text, kind: TextKind, interest: Interest) -> Iterator[Reference]:
        utf8, source, everything = text.utf8, Source(text.utf8), Span(0, len(text.utf8))
        if kind is not TextKind.SETTINGS or path.endswith(".ipynb"):
            importer = Importer.of(path, self._renames)
            yield from self._code.in_text(utf8, everything, source, importer, interest)
        for line in interest.lines_in(everything):
            yield from self._names.in_text(utf8, line, source, ReferenceKind.TEXT)
            yield from self._names.in_commands(utf8, line, source)
            if kind is not TextKind.DOCUMENT:
                yield from self._names.beginnings(utf8, line, source, ReferenceKind.TEXT)
            if kind is TextKind.SETTINGS and not path.endswith(".ipynb"):
                yield from self._single.in_settings(utf8, line, source)
            else:
                yield from self._single.in_document(utf8, line, source, ReferenceKind.TEXT)
            if path not in self._renames.paths:
                yield from self._paths.in_text(utf8, line, source, path, ReferenceKind.PATH, bare=True)
        if path in self._renames.paths:  # what it says of its own surroundings changes too
            yield from self._paths.in_text(utf8, everything, source, path, ReferenceKind.PATH, bare=True)


def _is_in_c_string(reference: Reference, utf8: bytes) -> bool:
    """Whether it is a dotted name in a string of C's: `PyImport_ImportModule("shop.regime")`."""
    if reference.kind is not ReferenceKind.TEXT or not reference.edits or "." not in reference.old:
        return False
    at = reference.edits[0].span.start
    before = utf8[utf8.rfind(b"\n", 0, at) + 1 : at]
    return (before.count(b'"') - before.count(b'\\"')) % 2 == 1
