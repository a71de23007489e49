"""Import statements that name a moved module, rewritten: the bytes of the name, and no others where that is enough.

A statement whose names end up in several modules becomes several statements; each name keeps its comment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from magellan.migration.import_statement import ImportedName, ImportStatement, absolute_name
from magellan.migration.module_names import is_init
from magellan.migration.rewrite.from_lines import FromLines, WantedName, said_as, statement_text
from magellan.migration.rewrite.module_contents import ModuleContents
from magellan.migration.rewrite.reference import Edit, Reference, ReferenceKind
from magellan.migration.rewrite.renames import Renames


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

    def module_named(self, statement: ImportStatement, renames: Renames) -> str | None:
        """The module that a `from` names, as the tree calls it now; None where its dots lead out of all packages."""
        module = absolute_name(statement, self.package)
        if module is None or statement.level:
            return module
        return renames.before.resolve(module, self.path) or module


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
        if renames.nameless:
            yield from _lost(statement, importer, renames, kind)
        if statement.is_from:
            yield from _from(statement, utf8, importer, renames, contents, kind)
        else:
            yield from _plain(statement, utf8, importer, renames, kind)


def _lost(
    statement: ImportStatement, importer: Importer, renames: Renames, kind: ReferenceKind
) -> Iterator[Reference]:
    """Modules that go where no import reaches them."""
    if statement.is_from:
        module = importer.module_named(statement, renames)
        named = [] if module is None else [module, *(f"{module}.{each.name}" for each in statement.names)]
    else:
        named = [renames.before.resolve(each.name, importer.path) or each.name for each in statement.names]
    for name in named:
        if name in renames.nameless:
            yield Reference(
                kind=kind,
                line=statement.line,
                old=name,
                new="",
                certain=False,
                note=f"{renames.nameless[name]} has no name that Python could import",
            )


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
    module = importer.module_named(statement, renames)
    if module is None or renames.deepest(module) is None:
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
) -> WantedName:
    written = _written(statement)
    named = None if each.name == "*" else contents.module_at(module, each.name)
    if is_init(importer.path) and module == importer.package:
        # In the package's own file it is the submodule, whatever the name is bound to where there is none.
        named = f"{module}.{each.name}" if contents.is_optional_submodule(module, each.name) else named
    # A module that a star gives on is asked for where it is given, as long as it stays.
    if named is not None and (named == f"{module}.{each.name}" or renames.new_name(named) != named):
        new = renames.new_name(named)
        parent, _, leaf = new.rpartition(".")
        if not parent:  # it has become a top-level module, which no `from` can name
            return WantedName(name=each, module="", leaf=new)
    else:
        known = renames.renamed(module)
        parent = module if known is None else known[1] + module[len(known[0]) :]
        leaf = each.name
    return WantedName(name=each, module=_spelled(parent, statement, written, importer, renames), leaf=leaf)


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


def _edits(statement: ImportStatement, wanted: Sequence[WantedName], utf8: bytes) -> Iterator[Edit]:
    groups: dict[str, list[WantedName]] = {}
    for each in wanted:
        groups.setdefault(each.module, []).append(each)
    written = _written(statement)
    stays = written if written in groups else next(iter(groups))
    if stays == "":
        yield Edit(
            span=statement.span, text="; ".join(statement_text(*each) for each in groups.items()).encode()
        )
        return
    assert statement.module_span is not None, "a from import names a module"
    if stays != written:
        yield Edit(span=statement.module_span, text=stays.encode())
    for each in groups[stays]:
        if each.leaf != each.name.name:
            yield Edit(span=each.name.span, text=said_as(each).encode())
    leaving = [each for each in wanted if each.module != stays]
    if not leaving:
        return
    lines = FromLines(statement, utf8)
    yield from lines.without([each.name for each in leaving])
    new = [(module, group) for module, group in groups.items() if module != stays]
    yield lines.followed_by(new)
