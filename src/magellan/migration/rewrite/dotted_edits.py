"""Dotted names in any text: strings, docstrings, comments, settings, documents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from magellan.migration.rewrite.interest import JOINED_RUN
from magellan.migration.rewrite.module_contents import ModuleContents
from magellan.migration.rewrite.reference import Edit, Reference, ReferenceKind, spliced
from magellan.migration.rewrite.renames import Renames
from magellan.migration.rewrite.single_names import IN_ROLE, ROLE_REACH
from magellan.migration.source import Source, Span

# Not within a path, a host's name or a longer name. After a backslash, the letter of an escape is no letter.
_BEGIN: Final = rb"(?:(?<=\\[nrtfv])|(?<=\[mypy-)|(?<![\w./\\\x80-\xff-]))"
# In a regular expression the dot is escaped, and in a plain string its backslash is, too.
_DOT: Final = re.compile(rb"\\{0,2}\.")
_PART: Final = rb"[A-Za-z_\x80-\xff][\w\x80-\xff]*"
_DOTTED: Final = re.compile(
    _BEGIN + rb"(?P<name>" + _PART + rb"(?:" + _DOT.pattern + _PART + rb")+)(?![\w\x80-\xff])(?P<slash>/?)"
)
# As a command says it, and as a list of words does: `-m bot`, `["-m", "bot"]`, `[-m, bot]`; and `-mbot`, `-Imbot`.
_RUN: Final = re.compile(
    rb"(?<![\w-])-(?:m(?:[ \t]+|[\"'][ \t]*,[ \t]*[\"']|,[ \t]*)|(?P<joined>"
    + JOINED_RUN
    + rb"))(?P<name>[A-Za-z_][\w.]*)"
)
_PYTHON: Final = re.compile(rb"python|sys\.executable|\$\(?\{?PY", re.IGNORECASE)
# The beginning of what stands in a package: `startswith("bot.")`, "bot.*", f"bot.{name}".
_BEGINNING: Final = re.compile(rb"(?<=[\"'])(?P<name>[A-Za-z_]\w*)\.(?=[\"'{*])")
_WITH_ATTRIBUTE: Final = re.compile(
    _BEGIN + rb"(?P<name>[A-Za-z_]\w*(?:\.\w+)*):(?P<attribute>[A-Za-z_]\w*)(?![\w/.-]*/)"
)
_BY_TOP: Final = re.compile(
    rb"__import__\([ \t]*(?P<quote>\\?[\"'])(?P<name>[A-Za-z_][\w.]*)(?P=quote)[ \t]*\)\.(?P<chain>[\w.]+)"
)
_FILE_ENDINGS: Final = frozenset(
    {
        "bat",
        "cfg",
        "com",
        "conf",
        "csv",
        "db",
        "env",
        "gif",
        "gz",
        "html",
        "ini",
        "ipynb",
        "jpg",
        "js",
        "json",
    }
    | {"lock", "log", "md", "net", "org", "parquet", "pdf", "pickle", "pkl", "png", "py", "pyc", "pyi", "rst"}
    | {"service", "sh", "sql", "sqlite", "svg", "toml", "txt", "xml", "yaml", "yml", "zip"}
)
"""What follows the dot of a file's name more often than that of a module's."""


class DottedNames:
    """Finds dotted names of moved modules."""

    def __init__(self, renames: Renames, contents: ModuleContents) -> None:
        self._renames = renames
        self._contents = contents
        self._tops = {top.encode() for top in renames.tops}

    def whole(self, value: str) -> tuple[str, str, bool] | None:
        """A string that is a dotted name, or one with attributes, or `module:attribute`.

        Returns: the old module, the new one, and whether it is certain; None where it names nothing that moves.
        """
        dotted, colon, attribute = value.partition(":")
        if not dotted or (colon and not attribute.replace(".", "").isidentifier()):
            return None
        if not all(part.isidentifier() for part in dotted.split(".")):
            return None
        named = self._renames.renamed(dotted)
        if named is None:
            return None
        old, new = named
        rest = dotted[len(old) + 1 :].split(".")[0] if dotted != old else ""
        if rest in _FILE_ENDINGS and not self._defines(old, rest):
            return None
        following = rest or attribute.partition(".")[0]
        if "." in old:
            return old, new, True
        return old, new, bool(following) and self._defines(old, following)

    def renamed(self, text: str) -> str:
        """The text with every dotted name as it is afterwards: a test's id, a message."""
        utf8 = text.encode()
        found = self.in_text(utf8, Span(0, len(utf8)), Source(utf8), ReferenceKind.TEXT)
        edits = [edit for reference in found if reference.certain for edit in reference.edits]
        return spliced(utf8, edits).decode()

    def in_text(
        self, utf8: bytes, span: Span, source: Source, kind: ReferenceKind, *, certain: bool = True
    ) -> Iterator[Reference]:
        """Dotted names of two parts and more in that part of a text. certain: unless something speaks against it."""
        for found in _DOTTED.finditer(utf8, span.start, span.end):
            parts = _DOT.split(found["name"])
            if parts[0] not in self._tops:
                continue
            dotted = b".".join(parts).decode()
            named = self._renames.renamed(dotted)
            if named is None:
                continue
            old, new = named
            rest = dotted[len(old) + 1 :].split(".")[0] if dotted != old else ""
            if rest in _FILE_ENDINGS and not self._defines(old, rest):
                continue
            # A module without a package may be any word: "data.close" is seldom the file data.py. And code that
            # uses it keeps its name, since `import data` becomes `from shop import data`.
            if "." in old or self._defines(old, rest):
                dots = [*_DOT.finditer(found["name"])]
                depth = old.count(".")
                length = dots[depth].start() if depth < len(dots) else len(found["name"])
                said = new.encode().replace(b".", dots[0][0])
                yield Reference(
                    kind=kind,
                    line=source.line_of(found.start()),
                    old=old,
                    new=new,
                    certain=certain
                    and not found["slash"]  # shop.bear/bull names two modules, shop.org/bear is a page
                    and ("." in old or _is_in_role(utf8, found.start())),
                    edits=(Edit(span=Span(found.start(), found.start() + length), text=said),),
                )

    def behind_top(self, utf8: bytes, source: Source) -> Iterator[Reference]:
        """`.regime` behind `__import__("shop.regime")`, in code and in strings of code: the call gives `shop`."""
        for found in _BY_TOP.finditer(utf8):
            named = self._renames.renamed(found["name"].decode())
            if named is None:
                continue
            (top, _, said), (new_top, _, new) = (name.partition(".") for name in named)
            chain = f"{found['chain'].decode()}."
            if said and chain.startswith(f"{said}."):
                same = top == new_top and new
                span = Span(found.start("chain"), found.start("chain") + len(said.encode()))
                yield Reference(
                    kind=ReferenceKind.ATTRIBUTE,
                    line=source.line_of(span.start),
                    old=said,
                    new=new,
                    certain=bool(same),
                    edits=(Edit(span=span, text=new.encode()),) if same else (),
                    note="" if same else f"the call gives {new_top} then",
                )

    def in_commands(self, utf8: bytes, span: Span, source: Source) -> Iterator[Reference]:
        """`python -m name`, and `name:attribute` as servers and entry points are named."""
        for found in _RUN.finditer(utf8, span.start, span.end):
            named = self._renames.renamed(found["name"].decode())
            if named is not None and named[0] == found["name"].decode():
                certain = not found["joined"] or _is_of_python(utf8, found.start())
                yield self._reference(
                    found.start("name"), *named, source, ReferenceKind.COMMAND, certain=certain
                )
        for found in _WITH_ATTRIBUTE.finditer(utf8, span.start, span.end):
            if found["name"].partition(b".")[0] not in self._tops:
                continue
            dotted = found["name"].decode()
            named = self._renames.renamed(dotted)
            if named is not None and named[0] == dotted:
                certain = self._defines(dotted, found["attribute"].decode())
                yield self._reference(
                    found.start("name"), *named, source, ReferenceKind.COMMAND, certain=certain
                )

    def beginnings(self, utf8: bytes, span: Span, source: Source, kind: ReferenceKind) -> Iterator[Reference]:
        """A module without a package, as what names begin with: `name.startswith("bot.")`. It may be any word."""
        for found in _BEGINNING.finditer(utf8, span.start, span.end):
            name = found["name"].decode()
            new = self._renames.new_name(name)
            if new != name:
                yield self._reference(found.start("name"), name, new, source, kind, certain=False)

    def _defines(self, module: str, name: str) -> bool:
        return name in self._contents.bound_in(module) or self._renames.before.knows(f"{module}.{name}")

    def _reference(
        self, start: int, old: str, new: str, source: Source, kind: ReferenceKind, *, certain: bool
    ) -> Reference:
        return Reference(
            kind=kind,
            line=source.line_of(start),
            old=old,
            new=new,
            certain=certain,
            edits=(Edit(span=Span(start, start + len(old.encode())), text=new.encode()),),
        )


def _is_of_python(utf8: bytes, start: int) -> bool:
    """Whether the line speaks of Python before that place: other programs have an option `-m` as well."""
    return _PYTHON.search(utf8, utf8.rfind(b"\n", 0, start) + 1, start) is not None


def _is_in_role(utf8: bytes, start: int) -> bool:
    return IN_ROLE.search(utf8, max(0, start - ROLE_REACH), start) is not None
