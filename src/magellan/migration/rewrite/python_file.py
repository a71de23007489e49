"""A Python file or stub: every reference in it to something that moves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from magellan.migration.encoding import Text
from magellan.migration.file_imports import read_imports
from magellan.migration.import_statement import ImportStatement
from magellan.migration.module_names import is_init
from magellan.migration.rewrite.asked_by_name import asked_by_name
from magellan.migration.rewrite.attribute_edits import FromImports, attribute_references
from magellan.migration.rewrite.bindings import bindings_of
from magellan.migration.rewrite.code_in_text import CodeInText
from magellan.migration.rewrite.code_strings import CodeString, code_strings
from magellan.migration.rewrite.dotted_edits import DottedNames
from magellan.migration.rewrite.import_edits import Importer, import_references, relative_name
from magellan.migration.rewrite.imports_only import ImportsOnly
from magellan.migration.rewrite.interest import Interest
from magellan.migration.rewrite.joined_paths import joined_paths
from magellan.migration.rewrite.module_contents import ModuleContents
from magellan.migration.rewrite.path_edits import Paths
from magellan.migration.rewrite.reference import Edit, Reference, ReferenceKind
from magellan.migration.rewrite.renames import Renames
from magellan.migration.rewrite.single_names import SingleNames
from magellan.migration.source import Source, Span

_RELATIVE_NAME: Final = re.compile(r"\.+[^\W\d]\w*(?:\.\w+)*(?::[\w.]+)?")
_COMMENT: Final = re.compile(rb"#[^\r\n]*")
_FILE: Final = re.compile(rb"(?<![\w.])__file__(?!\w)")


class PythonFiles:
    """Finds references in Python files."""

    def __init__(
        self, renames: Renames, contents: ModuleContents, names: DottedNames, paths: Paths, code: CodeInText
    ) -> None:
        self._renames = renames
        self._contents = contents
        self._names = names
        self._paths = paths
        self._code = code
        self._single = SingleNames(renames)
        self._imports_only = ImportsOnly(renames, contents)

    def references(self, path: str, text: Text, interest: Interest) -> tuple[list[Reference], str]:
        """Every reference in the file; and its syntax error, where it was met: "line 7: invalid syntax".

        interest: where anything that moves could be named.
        """
        importer = Importer.of(path, self._renames)
        source = Source(text.utf8)
        if (statements := self._imports_only.statements(importer, source, interest)) is not None:
            return list(self._in_imports(statements, text, importer)), ""
        imports = read_imports(source)
        found = list(self._in_imports(imports.statements, text, importer))
        rest = interest.outside(statement.span for statement in imports.statements)
        if imports.tree is not None:
            bindings = bindings_of(imports.statements, importer, self._renames, self._contents)
            froms = FromImports(statements=imports.statements, importer=importer)
            found += attribute_references(
                imports.tree, source, bindings, froms, self._renames, self._contents, rest
            )
            if rest:
                found += self._names.behind_top(text.utf8, source)
                strings = list(code_strings(imports.tree, source, rest))
                for string in strings:
                    found += self._in_string(string, text.utf8, source, importer, rest)
                spans = [string.span for string in strings]
                found += joined_paths(imports.tree, source, self._renames, rest)
                found += asked_by_name(imports.tree, source, bindings, self._renames, self._contents, rest)
                found += self._in_comments(text.utf8, source, path, rest.outside(spans))
        if path in self._renames.paths:
            found += _file_arithmetic(text.utf8, source, path, self._renames.paths[path])
        return found, imports.problem

    def _in_imports(
        self, statements: Sequence[ImportStatement], text: Text, importer: Importer
    ) -> Iterator[Reference]:
        return import_references(statements, text.utf8, importer, self._renames, self._contents)

    def _in_string(
        self, string: CodeString, utf8: bytes, source: Source, importer: Importer, interest: Interest
    ) -> Iterator[Reference]:
        value = string.node.value
        plain = value.decode("latin-1") if isinstance(value, bytes) else value
        assert isinstance(plain, str), "only strings were collected"
        line = string.node.lineno
        if string.is_in_all:
            yield from self._in_all(plain, line, importer)
            return
        if isinstance(value, bytes) and _is_data(value):
            yield from self._in_data(value, line)
            return
        if (
            string.is_docstring
            or string.is_in_f_string
            or len(plain) > 400
            or any(each.isspace() for each in plain)
        ):
            kind = ReferenceKind.DOCSTRING if string.is_docstring else ReferenceKind.TEXT_IN_STRING
            kind = ReferenceKind.ANNOTATION if string.is_annotation else kind
            yield from self._code.in_text(utf8, string.span, source, importer, interest)
            for span in interest.lines_in(string.span):
                yield from self._names.in_text(utf8, span, source, kind, certain=not string.is_in_f_string)
                if string.is_in_f_string:
                    yield from self._names.beginnings(utf8, span, source, kind)
                yield from self._names.in_commands(utf8, span, source)
                yield from self._single.in_document(utf8, span, source, kind)
                yield from self._paths.in_text(
                    utf8, span, source, importer.path, ReferenceKind.PATH_IN_CODE, bare=False
                )
            return
        whole = self._names.whole(plain)
        if whole is not None:
            yield _dotted(string, *whole, utf8, source)
            return
        if _RELATIVE_NAME.fullmatch(plain):
            yield from self._relative(string, plain, utf8, importer)
            return
        if is_init(importer.path) and plain.replace(".", "").isidentifier():
            yield from self._own_module(string, plain, utf8, importer)
        kind = ReferenceKind.ANNOTATION if string.is_annotation else ReferenceKind.TEXT_IN_STRING
        yield from self._names.in_text(utf8, string.span, source, kind)
        yield from self._names.beginnings(utf8, string.span, source, ReferenceKind.STRING)
        if plain.startswith("-"):
            yield from self._names.in_commands(utf8, string.span, source)
        yield from self._paths.in_text(
            utf8, string.span, source, importer.path, ReferenceKind.PATH_IN_CODE, bare=False
        )

    def _relative(
        self, string: CodeString, plain: str, utf8: bytes, importer: Importer
    ) -> Iterator[Reference]:
        """`import_module(".sub", __package__)`, `symbol_by_name(".sub:name", package="shop")`."""
        base = string.package or importer.package or ""
        new_base = self._renames.new_name(base) if string.package else importer.new_package
        said = plain.partition(":")[0]
        module = _from_package(said, base)
        if module is None or not self._renames.before.knows(module):
            return
        new = relative_name(self._renames.new_name(module), new_base)
        at = utf8.find(plain.encode(), string.span.start, string.span.end)
        if new is None or new == said or at < 0:
            return
        yield Reference(
            kind=ReferenceKind.STRING,
            line=string.node.lineno,
            old=said,
            new=new,
            certain=string.names_module,
            edits=(Edit(span=Span(at, at + len(said.encode())), text=new.encode()),),
        )

    def _own_module(
        self, string: CodeString, plain: str, utf8: bytes, importer: Importer
    ) -> Iterator[Reference]:
        """In a package, a module of its own without the package's name, as tables of lazy modules say it."""
        module = f"{importer.package}.{plain}"
        new = self._renames.new_name(module)
        if new == module or f"{importer.new_package}.{plain}" == new:
            return
        own = f"{importer.new_package}."
        at = utf8.find(plain.encode(), string.span.start, string.span.end)
        edits: tuple[Edit, ...] = ()
        if at >= 0 and new.startswith(own):
            edits = (Edit(span=Span(at, at + len(plain.encode())), text=new[len(own) :].encode()),)
        yield Reference(
            kind=ReferenceKind.STRING,
            line=string.node.lineno,
            old=module,
            new=new,
            certain=False,
            edits=edits,
            note="a module of the package, perhaps",
        )

    def _in_data(self, value: bytes, line: int) -> Iterator[Reference]:
        """Bytes that are no text are never changed: a pickle tells the length of a name before it."""
        for name, new in self._renames.modules.items():
            if name.encode() in value:
                note = "in bytes that are no text: a pickle, perhaps"
                yield Reference(
                    kind=ReferenceKind.PICKLE, line=line, old=name, new=new, certain=False, note=note
                )

    def _in_all(self, name: str, line: int, importer: Importer) -> Iterator[Reference]:
        if not is_init(importer.path) or not importer.package:
            return
        module = f"{importer.package}.{name}"
        new = self._renames.new_name(module)
        moves_along = new == f"{importer.new_package}.{name}"
        if new != module and not moves_along and self._contents.is_submodule(importer.package, name):
            note = "`import *` imports it by its old place unless the package imports it itself"
            yield Reference(kind=ReferenceKind.ALL, line=line, old=module, new=new, certain=False, note=note)

    def _in_comments(self, utf8: bytes, source: Source, path: str, interest: Interest) -> Iterator[Reference]:
        """Comments: what stands behind a `#` on its line. interest: without what stands in strings."""
        for line in interest.lines_in(Span(0, len(utf8))):
            found = _COMMENT.search(utf8, line.start, line.end)
            if found is None:
                continue
            for span in interest.lines_in(Span(found.start(), line.end)):
                yield from self._names.in_text(utf8, span, source, ReferenceKind.COMMENT)
                yield from self._single.in_document(utf8, span, source, ReferenceKind.COMMENT)
                yield from self._paths.in_text(utf8, span, source, path, ReferenceKind.PATH, bare=True)


def _dotted(string: CodeString, old: str, new: str, certain: bool, utf8: bytes, source: Source) -> Reference:
    """A string that is the name of a module, or of something in one."""
    at = utf8.find(old.encode(), string.span.start, string.span.end)
    edits: tuple[Edit, ...] = ()
    if at >= 0:
        edits = (Edit(span=Span(at, at + len(old.encode())), text=new.encode()),)
    # Django names an application's tables by the last part of its module's name.
    is_app = string.is_app and old.rpartition(".")[2] == new.rpartition(".")[2]
    certain, note = certain or string.names_module or is_app, ""
    if string.gives_top and old.partition(".")[0] != new.partition(".")[0]:
        if string.is_alone and "." not in old:
            end = Span(string.span.end, string.span.end)
            # A name that every module has: so nothing further is imported for it.
            edits += (Edit(span=end, text=b', fromlist=["__name__"]'),)
        else:
            certain, note = False, "`__import__` gives the first part of the name, which is another one then"
    return Reference(
        kind=ReferenceKind.ANNOTATION if string.is_annotation else ReferenceKind.STRING,
        line=source.line_of(max(at, string.span.start)),
        old=old,
        new=new,
        certain=certain,
        edits=edits,
        note=note,
    )


def _is_data(value: bytes) -> bool:
    """Whether there are bytes in it that no text has."""
    return any(each < 9 or 13 < each < 32 or each > 126 for each in value)


def _from_package(relative: str, package: str) -> str | None:
    """The module that a relative name means there; None where the dots lead out of all packages."""
    name = relative.lstrip(".")
    level = len(relative) - len(name)
    parts = package.split(".")
    if not package or level > len(parts):
        return None
    return ".".join([*parts[: len(parts) - level + 1], name])


def _file_arithmetic(utf8: bytes, source: Source, old: str, new: str) -> Iterator[Reference]:
    if old.rpartition("/")[0] == new.rpartition("/")[0]:
        return
    for found in _FILE.finditer(utf8):
        yield Reference(
            kind=ReferenceKind.FILE_ARITHMETIC,
            line=source.line_of(found.start()),
            old=old,
            new="",
            certain=False,
            note=f"the file lies in {new.rpartition('/')[0] or 'the root'} now: a path counted from it changes",
        )
