"""Names that a module needs while it is imported, before anything has bound them.

What is defined further down serves a function when it is called, but no default, decorator, base class or constant.
Put together of two versions, a module can ask for such a name too early, and neither of the two did.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

_THERE: Final = frozenset(
    {*dir(builtins), "__name__", "__file__", "__doc__", "__path__", "__spec__", "__loader__", "__package__"}
    | {"__builtins__", "__annotations__", "__module__", "__qualname__", "__cached__", "__class__"}
)
_COMPREHENSION: Final = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_FUNCTION: Final = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyUse:
    """A name, the line that needs it, and the first one below that binds it; 0: none does."""

    name: str
    line: int
    bound_on: int


def early_uses(text: str) -> tuple[EarlyUse, ...]:
    """Every such name once, in the order of its uses.

    A name that may have been bound, in a branch or by a star import, counts as bound: no use is told that works.
    Annotations count as an import before Python 3.14 evaluates them: few trees run on nothing older.
    Raises: SyntaxError, ValueError (zero bytes) where it cannot be parsed.
    """
    tree = ast.parse(text)
    nodes = list(ast.walk(tree))
    if any(isinstance(each, ast.ImportFrom) and each.names[0].name == "*" for each in nodes):
        return ()
    reading = _Reading(
        reads_annotations=not any(
            isinstance(each, ast.ImportFrom)
            and each.module == "__future__"
            and any(alias.name == "annotations" for alias in each.names)
            for each in nodes
        )
    )
    from_inside = {name for each in nodes if isinstance(each, ast.Global) for name in each.names}
    reading.body(tree.body, set(_THERE) | from_inside)
    return tuple(
        EarlyUse(name=name, line=line, bound_on=reading.bound_on.get(name, 0))
        for name, line in reading.needed_on.items()
    )


@dataclass(kw_only=True)
class _Reading:
    """Statements read in the order in which an import carries them out."""

    reads_annotations: bool
    needed_on: dict[str, int] = field(default_factory=dict)
    bound_on: dict[str, int] = field(default_factory=dict)  # at the module's own level

    def body(self, statements: Iterable[ast.stmt], bound: set[str], *, inner: bool = False) -> None:
        """inner: of a class, whose names are its own."""
        for statement in statements:
            self._statement(statement, bound, inner=inner)

    def _statement(self, node: ast.stmt, bound: set[str], *, inner: bool) -> None:
        if isinstance(node, ast.ClassDef):
            outside = [*node.decorator_list, *node.bases, *(each.value for each in node.keywords)]
            self._needs(outside, bound)
            # Its name is there for what its methods say, and a type parameter for its body.
            self.body(node.body, bound | _parameters(node), inner=True)
            self._binds({node.name: node.lineno}, bound, inner=inner)
            return
        self._needs(self._carried_out(node), bound | _parameters(node))
        for name, line in _bound_by(node).items():
            self._binds({name: line}, bound, inner=inner)
        for block in _blocks(node):
            self.body(block, bound, inner=inner)

    def _carried_out(self, node: ast.stmt) -> Iterator[ast.AST]:
        """Expressions of the statement itself that an import evaluates; not those of blocks in it."""
        if isinstance(node, _FUNCTION):
            arguments = node.args
            yield from (*node.decorator_list, *arguments.defaults)
            yield from (each for each in arguments.kw_defaults if each is not None)
            if self.reads_annotations:
                every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
                extra = (each for each in (arguments.vararg, arguments.kwarg) if each is not None)
                yield from (each.annotation for each in (*every, *extra) if each.annotation is not None)
                yield from () if node.returns is None else (node.returns,)
        elif isinstance(node, ast.AnnAssign):
            yield node.target
            yield from () if node.value is None else (node.value,)
            yield from (node.annotation,) if self.reads_annotations else ()
        elif sys.version_info >= (3, 12) and isinstance(node, ast.TypeAlias):
            return  # evaluated when somebody asks for it
        elif isinstance(node, ast.Try) and node.handlers:
            return  # what is missing may be what it is there for
        else:
            yield from (each for each in ast.iter_child_nodes(node) if not _is_block(each))

    def _needs(self, nodes: Iterable[ast.AST], bound: set[str]) -> None:
        for node in nodes:
            own = {each.id for each in _evaluated(node) if isinstance(each.ctx, ast.Store)}
            for each in _evaluated(node):
                if isinstance(each.ctx, ast.Load) and each.id not in bound | own:
                    self.needed_on.setdefault(each.id, each.lineno)

    def _binds(self, names: dict[str, int], bound: set[str], *, inner: bool) -> None:
        bound.update(names)
        if not inner:
            for name, line in names.items():
                self.bound_on.setdefault(name, line)


def _evaluated(node: ast.AST) -> Iterator[ast.Name]:
    """Names in an expression, but for what a lambda says, and with those that comprehensions bind."""
    if isinstance(node, ast.Name):
        yield node
    if isinstance(node, ast.Lambda):
        for each in (*node.args.defaults, *(value for value in node.args.kw_defaults if value is not None)):
            yield from _evaluated(each)
        return
    for child in ast.iter_child_nodes(node):
        yield from _evaluated(child)


def _is_block(node: ast.AST) -> bool:
    return isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case)


def _blocks(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    """The blocks of a compound statement, in their order; none of a function, which is carried out when called."""
    if isinstance(node, _FUNCTION) or (isinstance(node, ast.Try) and node.handlers):
        return
    for name in ("body", "orelse", "finalbody"):
        yield from [found] if (found := getattr(node, name, [])) else []
    for case in getattr(node, "cases", ()):
        yield case.body


def _bound_by(node: ast.stmt) -> dict[str, int]:
    """Names that the statement binds, anywhere in its blocks; of functions and classes the name alone."""
    if isinstance(node, (*_FUNCTION, ast.ClassDef)):
        return {node.name: node.lineno}
    found: dict[str, int] = {}
    for each in _without_scopes(node):
        names: list[str] = []
        match each:
            case ast.Name(id=name, ctx=ast.Store()):
                names = [name]
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names = [(alias.asname or alias.name).partition(".")[0] for alias in aliases]
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names = [name]
            case (
                ast.ExceptHandler(name=str(name))
                | ast.MatchAs(name=str(name))
                | ast.MatchStar(name=str(name))
            ):
                names = [name]
            case ast.MatchMapping(rest=str(name)):
                names = [name]
        for name in names:
            found.setdefault(name, getattr(each, "lineno", node.lineno))
    return found


def _without_scopes(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    if isinstance(node, (*_FUNCTION, ast.ClassDef, ast.Lambda, *_COMPREHENSION)):
        return
    for child in ast.iter_child_nodes(node):
        yield from _without_scopes(child)


def _parameters(node: ast.stmt) -> set[str]:
    """Type parameters, `def first[T](...)`; Python 3.11 has none."""
    return {each.name for each in getattr(node, "type_params", ())}
