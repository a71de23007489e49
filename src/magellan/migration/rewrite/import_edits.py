"""Import statements that name a moved module, rewritten: the bytes of the name, and no others where that is enough.

A statement whose names end up in several modules becomes several statements; each name keeps its comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from magellan.migration.import_statement import ImportedName, ImportStatement, absolute_name
from magellan.migration.rewrite.module_contents import ModuleContents
from magellan.migration.rewrite.reference import Edit, Reference, ReferenceKind
from magellan.migration.rewrite.renames import Renames
from magellan.migration.source import Span

_LINE_LENGTH: Final = 88  # of a new statement on one line
_PRAGMA: Final = re.compile(rb"#[ \t]*(?:noqa|type:|pragma|pylint|isort|pyright|mypy|ruff|fmt)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Importer:
    """The file in which a statement stands."""

    path: str
    new_path: str
    package: str | None  # that relative imports are counted from
    new_package: str | None

    @classmethod
    def of(cls, path: str, renames: Renames) -> Importer:
        """The file at that path in the tree as it is."""
        new_path = renames.new_path(path)
        return cls(
            path=path,
            new_path=new_path,
            package=renames.before.package_of(path),
            new_package=renames.after.package_of(new_path),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """How one imported name is to be said."""

    name: ImportedName
    module: str  # what follows `from`
    leaf: str  # what follows `import`


def import_references(
    statements: Iterable[ImportStatement],
    utf8: bytes,
    importer: Importer,
    renames: Renames,
    contents: ModuleContents,
    kind: ReferenceKind = ReferenceKind.IMPORT,
) -> Iterator[Reference]:
    """What has to change in each of the statements."""
    for statement in statements:
        if statement.is_from:
            yield from _from(statement, utf8, importer, renames, contents, kind)
        else:
            yield from _plain(statement, utf8, importer, renames, kind)


def _plain(
    statement: ImportStatement, utf8: bytes, importer: Importer, renames: Renames, kind: ReferenceKind
) -> Iterator[Reference]:
    for each in statement.names:
        new = _new_absolute(each.name, importer, renames)
        if new is None or new == each.name:
            continue
        span, said = each.name_span, new
        if each.bound_as == new:
            span = each.span
        if each.bound_as is None and "." not in each.name:
            parent, _, leaf = new.rpartition(".")
            if len(statement.names) == 1 and parent and leaf == each.name:
                span, said = statement.span, f"from {parent} import {leaf}"
            else:
                said = f"{new} as {each.name}"
        yield Reference(
            kind=kind,
            line=statement.line,
            old=each.name,
            new=new,
            certain=True,
            edits=(Edit(span=span, text=said.encode()),),
        )


def _new_absolute(dotted: str, importer: Importer, renames: Renames) -> str | None:
    """How the file names, afterwards, what it names by an absolute dotted name now; None where it is not the tree's."""
    resolved = renames.before.resolve(dotted, importer.path)
    if resolved is None:
        known = renames.renamed(dotted)  # a module that is not there, in a package that moves
        return None if known is None else known[1] + dotted[len(known[0]) :]
    new = renames.new_name(resolved)
    if renames.after.resolve(dotted, importer.new_path) == new:
        return dotted
    return new


def _from(
    statement: ImportStatement,
    utf8: bytes,
    importer: Importer,
    renames: Renames,
    contents: ModuleContents,
    kind: ReferenceKind,
) -> Iterator[Reference]:
    module = absolute_name(statement, importer.package)
    if module is None:
        return
    if not statement.level:
        module = renames.before.resolve(module, importer.path) or module
    if renames.deepest(module) is None:
        return
    wanted = [_wanted(each, statement, module, importer, renames, contents) for each in statement.names]
    assert statement.module_span is not None, "a from import names a module"
    written = _written(statement)
    if all(each.module == written and each.leaf == each.name.name for each in wanted):
        return
    yield Reference(
        kind=kind,
        line=statement.line,
        old=written,
        new=", ".join(dict.fromkeys(each.module for each in wanted)),
        certain=True,
        edits=tuple(_edits(statement, wanted, utf8)),
    )


def _written(statement: ImportStatement) -> str:
    return "." * (statement.level or 0) + statement.module


def _wanted(
    each: ImportedName,
    statement: ImportStatement,
    module: str,
    importer: Importer,
    renames: Renames,
    contents: ModuleContents,
) -> _Wanted:
    written = _written(statement)
    if each.name != "*" and contents.is_submodule(module, each.name):
        new = renames.new_name(f"{module}.{each.name}")
        parent, _, leaf = new.rpartition(".")
        if not parent:  # it has become a top-level module, which no `from` can name
            return _Wanted(name=each, module="", leaf=new)
    else:
        known = renames.renamed(module)
        parent = module if known is None else known[1] + module[len(known[0]) :]
        leaf = each.name
    return _Wanted(name=each, module=_spelled(parent, statement, written, importer, renames), leaf=leaf)


def _spelled(
    module: str, statement: ImportStatement, written: str, importer: Importer, renames: Renames
) -> str:
    """The module as the statement says it: as now where that still names it, relative where it was relative."""
    if not statement.level:
        after = renames.after.resolve(statement.module, importer.new_path) or statement.module
        return written if after == module else module
    shortest = relative_name(module, importer.new_package)
    still_right = absolute_name(statement, importer.new_package) == module
    # Shortest before, shortest after: so a file that moves there and back says what it said.
    if still_right and (importer.path == importer.new_path or not _was_shortest(statement, importer)):
        return written
    return shortest or module


def _was_shortest(statement: ImportStatement, importer: Importer) -> bool:
    module = absolute_name(statement, importer.package)
    return module is not None and _written(statement) == relative_name(module, importer.package)


def relative_name(module: str, package: str | None) -> str | None:
    """A module as a relative import in a package says it; None where no dots lead there."""
    here, there = (package or "").split("."), module.split(".")
    if not package or here[0] != there[0]:
        return None
    shared = 0
    while shared < min(len(here), len(there)) and here[shared] == there[shared]:
        shared += 1
    return "." * (len(here) - shared + 1) + ".".join(there[shared:])


def _edits(statement: ImportStatement, wanted: Sequence[_Wanted], utf8: bytes) -> Iterator[Edit]:
    groups: dict[str, list[_Wanted]] = {}
    for each in wanted:
        groups.setdefault(each.module, []).append(each)
    written = _written(statement)
    stays = written if written in groups else next(iter(groups))
    if stays == "":
        yield Edit(span=statement.span, text="; ".join(_statement(*each) for each in groups.items()).encode())
        return
    assert statement.module_span is not None, "a from import names a module"
    if stays != written:
        yield Edit(span=statement.module_span, text=stays.encode())
    for each in groups[stays]:
        if each.leaf != each.name.name:
            yield Edit(span=each.name.span, text=_said(each).encode())
    leaving = [each for each in wanted if each.module != stays]
    if not leaving:
        return
    lines = _Lines(statement, utf8)
    yield from lines.without([each.name for each in leaving])
    new = [(module, group) for module, group in groups.items() if module != stays]
    yield lines.followed_by(new)


def _said(wanted: _Wanted) -> str:
    bound = wanted.name.bound_as or wanted.name.name
    return wanted.leaf if wanted.leaf == bound else f"{wanted.leaf} as {bound}"


def _statement(module: str, group: Sequence[_Wanted]) -> str:
    names = ", ".join(_said(each) for each in group)
    return f"from {module} import {names}" if module else f"import {names}"


class _Lines:
    """The physical lines of a from import: names leave them with their commas and comments, statements follow them."""

    def __init__(self, statement: ImportStatement, utf8: bytes) -> None:
        self._statement = statement
        self._utf8 = utf8
        self._start = (
            max(utf8.rfind(b"\n", 0, statement.span.start), utf8.rfind(b"\r", 0, statement.span.start)) + 1
        )
        self._newline = b"\r\n" if b"\r\n" in utf8 else b"\n" if b"\n" in utf8 or b"\r" not in utf8 else b"\r"

    def without(self, names: Sequence[ImportedName]) -> Iterator[Edit]:
        """Take names out; at least one stays."""
        leaving = {each.span for each in names}
        all_names = self._statement.names
        for at, each in enumerate(all_names):
            if each.span not in leaving:
                continue
            if (whole := self._own_lines(each)) is not None:
                yield Edit(span=whole, text=b"")
            elif all(other.span in leaving for other in all_names[at:]):
                # Nothing stays behind it: the comma before it goes, and one after it stays.
                before = next(other for other in reversed(all_names[:at]) if other.span not in leaving)
                first = all_names[all_names.index(before) + 1]
                if first.span == each.span:
                    yield Edit(span=Span(before.span.end, all_names[-1].span.end), text=b"")
                return
            else:
                yield Edit(span=Span(each.span.start, all_names[at + 1].span.start), text=b"")

    def followed_by(self, groups: Sequence[tuple[str, Sequence[_Wanted]]]) -> Edit:
        """Statements after this one: on lines of their own where this one has its own."""
        end = self._statement.span.end
        rest = re.compile(rb"[^\r\n]*").match(self._utf8, end)
        assert rest is not None, "any text matches"
        comment = rest[0].strip()
        indent = self._utf8[self._start : self._statement.span.start]
        if indent.strip() or (comment and not comment.startswith(b"#")):
            said = "; ".join(_statement(*each) for each in groups)
            return Edit(span=Span(end, end), text=f"; {said}".encode())
        pragma = b"  " + comment if _PRAGMA.match(comment) else b""
        lines = [self._newline + indent + self._as_lines(*group, indent) + pragma for group in groups]
        return Edit(span=Span(rest.end(), rest.end()), text=b"".join(lines))

    def _as_lines(self, module: str, group: Sequence[_Wanted], indent: bytes) -> bytes:
        said = _statement(module, group).encode()
        comments = [self._comment_of(each.name) for each in group]
        if len(group) == 1 and comments[0]:
            return said + b"  " + comments[0]
        if not any(comments) and (len(indent) + len(said) <= _LINE_LENGTH or not module):
            return said
        lines = [f"from {module} import (".encode()]
        for each, comment in zip(group, comments, strict=True):
            lines.append(
                indent + b"    " + _said(each).encode() + b"," + (b"  " + comment if comment else b"")
            )
        return self._newline.join([*lines, indent + b")"])

    def _comment_of(self, name: ImportedName) -> bytes:
        """The comment behind a name that has its line to itself."""
        found = re.compile(rb"[ \t]*,?[ \t]*(#[^\r\n]*)").match(self._utf8, name.span.end)
        return found[1].rstrip() if found is not None and self._own_lines(name) is not None else b""

    def _own_lines(self, name: ImportedName) -> Span | None:
        """The whole line, with its end, of a name that stands alone on it."""
        start = (
            max(self._utf8.rfind(b"\n", 0, name.span.start), self._utf8.rfind(b"\r", 0, name.span.start)) + 1
        )
        if self._utf8[start : name.span.start].strip():
            return None
        found = re.compile(rb"[ \t]*,?[ \t]*(?:#[^\r\n]*)?(?:\r\n|\r|\n)").match(self._utf8, name.span.end)
        return None if found is None else Span(start, found.end())
