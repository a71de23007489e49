"""Which names a module binds at its top level: what `from package import name` finds before it looks for a file."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final

from magellan.migration.encoding import python_text
from magellan.migration.file_imports import read_imports
from magellan.migration.import_statement import Circumstance, ImportStatement, absolute_name
from magellan.migration.module_names import ModuleNames
from magellan.migration.source import Source

_STAR: Final = re.compile(rb"import[ \t\f\\\r\n]*\*")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Names:
    """What a module binds at its top level."""

    bound: Mapping[str, str]  # name: the dotted name that it was imported by; "" for one of the module's own
    exported: frozenset[str] | None  # its `__all__`, where that can be read
    stars: tuple[str, ...] = ()  # modules that it takes everything from
    loaded: frozenset[str] = frozenset()  # dotted names that its own imports load, or names in them
    optional: frozenset[str] = frozenset()  # own submodules that it imports, or binds something else instead
    answered: frozenset[str] | None = None  # what its `__getattr__` may answer to; None: who knows

    def given_to_star(self, importer: str, own: str) -> Mapping[str, str]:
        """What `from own import *` binds in `importer`, but the importer's submodules under their own names."""
        return {
            name: origin or f"{own}.{name}"
            for name, origin in self.bound.items()
            if origin != f"{importer}.{name}"
            and (not name.startswith("_") if self.exported is None else name in self.exported)
        }


class ModuleContents:
    """Looks into modules of the tree, each once."""

    def __init__(self, names: ModuleNames, read: Callable[[str], bytes]) -> None:
        self._names = names
        self._read = read
        self._bound: dict[str, _Names] = {}
        self._stars: dict[str, bool] = {}

    def is_submodule(self, package: str, name: str) -> bool:
        """Whether `from package import name` gives the module `package.name`, and nothing that the package defines."""
        return self._names.knows(f"{package}.{name}") and name not in self.bound_in(package)

    def module_at(self, package: str, name: str) -> str | None:
        """The module that `from package import name` gives: its submodule, or one of a package that it stars.

        A package's loaded submodules are its attributes, and `from package import *` gives them on.
        """
        if self.is_submodule(package, name):
            return f"{package}.{name}"
        if not self._may_star(package):
            return None
        here = self._names_in(package)
        if name in here.bound or name.startswith("_"):
            return None
        for star in here.stars:
            exported = self._names_in(star).exported
            if (exported is None or name in exported) and self.is_submodule(star, name):
                return f"{star}.{name}"
        return None

    def bound_in(self, dotted: str) -> Set[str]:
        """Names that the module binds to something else than its own submodule of that name."""
        return self._names_in(dotted).bound.keys()

    def is_optional_submodule(self, package: str, name: str) -> bool:
        """Whether the package itself imports its submodule of that name, and binds another thing where it does not.

        For everybody else the name is the package's.
        """
        return self._names.knows(f"{package}.{name}") and name in self._names_in(package).optional

    def loads_when_asked(self, package: str, module: str) -> bool:
        """Whether a `__getattr__` of the package may load that module of its, which it does not import anyway."""
        names = self._names_in(package)
        answers = names.answered is None or module.rpartition(".")[2] in names.answered
        return "__getattr__" in names.bound and module not in names.loaded and answers

    def _may_star(self, dotted: str) -> bool:
        """Whether the module may take everything from another. It is not parsed for that."""
        if dotted in self._bound:
            return bool(self._bound[dotted].stars)
        if dotted not in self._stars:
            path = self._names.file_of(dotted)
            text = b"" if path is None else self._read_or_nothing(path)
            self._stars[dotted] = _STAR.search(text) is not None
        return self._stars[dotted]

    def _read_or_nothing(self, path: str) -> bytes:
        try:
            return self._read(path)
        except OSError:
            return b""

    def _names_in(self, dotted: str) -> _Names:
        if dotted not in self._bound:
            self._bound[dotted] = _Names(bound={}, exported=None)  # a circle of star imports ends here
            path = self._names.file_of(dotted)
            if path is not None:
                self._bound[dotted] = self._look(dotted, path)
        return self._bound[dotted]

    def _look(self, dotted: str, path: str) -> _Names:
        text = python_text(self._read_or_nothing(path))
        if text is None:
            return _Names(bound={}, exported=None)
        found = read_imports(Source(text.utf8))
        body = [] if found.tree is None else found.tree.body
        imported = self._imported_in(dotted, found.statements, self._names.package_of(path))
        own = dict.fromkeys(_bound_by(body), "")
        return _Names(
            bound={**imported, **own},
            exported=_exported_by(body, text.utf8),
            stars=tuple(self._starred(dotted, found.statements)),
            loaded=frozenset(_loaded_by(found.statements, self._names.package_of(path))),
            optional=self._optional(dotted, body, found.statements, self._names.package_of(path)),
            answered=_answered_by(body),
        )

    def _optional(
        self,
        dotted: str,
        body: Sequence[ast.stmt],
        statements: Sequence[ImportStatement],
        package: str | None,
    ) -> frozenset[str]:
        """Names bound where an import failed, and those of which one branch imports another thing."""
        sure = [each for each in statements if not each.under]
        imported, surely = (self._imported_in(dotted, some, package) for some in (statements, sure))
        branches = imported.keys() & (_own_modules(statements, package) - _own_modules(sure, package))
        failed = set(_bound_by(body)) - imported.keys()
        return frozenset(failed | branches).difference(_bound_by(body, in_handlers=False), surely)

    def _starred(self, dotted: str, statements: Sequence[ImportStatement]) -> Iterator[str]:
        package = self._names.package_of(self._names.file_of(dotted) or "")
        for statement in statements:
            if statement.is_from and any(each.name == "*" for each in statement.names):
                module = absolute_name(statement, package)
                if module is not None and module != dotted:
                    yield module

    def _imported_in(
        self, dotted: str, statements: Sequence[ImportStatement], package: str | None
    ) -> Mapping[str, str]:
        """Names that its import statements bind, and what each of them then is."""
        bound: dict[str, str] = {}
        for statement in statements:
            if Circumstance.FUNCTION in statement.under:
                continue
            module = absolute_name(statement, package) if statement.is_from else None
            for each in statement.names:
                name = each.bound_as or each.name.partition(".")[0]
                if name == "*":
                    if module is not None and module != dotted:
                        bound |= self._names_in(module).given_to_star(dotted, module)
                elif statement.is_from and f"{module}.{each.name}" != f"{dotted}.{name}":
                    bound[name] = f"{module}.{each.name}"
        return bound


def _own_modules(statements: Sequence[ImportStatement], package: str | None) -> set[str]:
    """Names that a package takes from itself under their own name: its submodules, in its own file."""
    return {
        each.name
        for statement in statements
        if statement.is_from and absolute_name(statement, package) == package
        for each in statement.names
        if each.bound_as in (None, each.name)
    }


def _loaded_by(statements: Sequence[ImportStatement], package: str | None) -> Iterator[str]:
    for statement in statements:
        if Circumstance.FUNCTION in statement.under:
            continue
        module = absolute_name(statement, package) if statement.is_from else None
        for each in statement.names:
            yield each.name if module is None else f"{module}.{each.name}"
        if module is not None:
            yield module


def _bound_by(body: Sequence[ast.stmt], *, in_handlers: bool = True) -> Iterator[str]:
    """in_handlers: also where an exception is caught."""
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Assign():
                for target in node.targets:
                    yield from _names_in(target)
            case ast.AnnAssign():
                if node.value is not None:
                    yield from _names_in(node.target)
            case ast.If() | ast.Try() | ast.With() | ast.For() | ast.While():
                if isinstance(node, ast.Try):
                    for handler in node.handlers if in_handlers else ():
                        yield from _bound_by(handler.body)
                    yield from _bound_by(node.finalbody, in_handlers=in_handlers)
                yield from _bound_by(node.body, in_handlers=in_handlers)
                yield from _bound_by(getattr(node, "orelse", []), in_handlers=in_handlers)
            case _:
                pass


def _answered_by(body: Sequence[ast.stmt]) -> frozenset[str] | None:
    """The words with which a `__getattr__` compares the name that it is asked for; None where it does more with it."""
    asking = [node for node in body if isinstance(node, ast.FunctionDef) and node.name == "__getattr__"]
    if len(asking) != 1:
        return None
    arguments = [*asking[0].args.posonlyargs, *asking[0].args.args]
    words: set[str] = set()
    harmless: list[ast.expr] = []
    for node in ast.walk(asking[0]):
        match node:
            case ast.Compare(
                left=asked, ops=[ast.Eq() | ast.NotEq()], comparators=[ast.Constant(value=str(word))]
            ):
                words.add(word)
                harmless.append(asked)
            case ast.Call(func=ast.Name(id="AttributeError") | ast.Attribute(attr="warn")):
                harmless += [each for each in ast.walk(node) if isinstance(each, ast.Name)]
            case _:
                pass
    names = [each for each in ast.walk(asking[0]) if isinstance(each, ast.Name)]
    uses = [each for each in names if any(each.id == argument.arg for argument in arguments)]
    return frozenset(words) if all(any(use is each for each in harmless) for use in uses) else None


def _exported_by(body: Sequence[ast.stmt], utf8: bytes) -> frozenset[str] | None:
    """The names in `__all__`; None where there is none, or it is more than one list of words said once."""
    if utf8.count(b"__all__") != 1:
        return None
    for node in body:
        match node:
            case ast.Assign(
                targets=[ast.Name(id="__all__")], value=ast.List(elts=said) | ast.Tuple(elts=said)
            ):
                words = [each.value for each in said if isinstance(each, ast.Constant)]
                names = frozenset(word for word in words if isinstance(word, str))
                return names if len(words) == len(said) else None
            case _:
                pass
    return None


def _names_in(target: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, ast.Tuple | ast.List):
        for each in target.elts:
            yield from _names_in(each)
    elif isinstance(target, ast.Starred):
        yield from _names_in(target.value)
