"""Strings in Python code in which something that moves could be named, and what each of them is there for."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from magellan.migration.child_nodes import fields_with_nodes
from magellan.migration.rewrite.interest import Interest
from magellan.migration.source import Source, Span, is_on_any

# Functions whose first string names a module, or something in one, even where it has a single part.
NAMES_A_MODULE: Final = frozenset(
    {"__import__", "delattr", "find_loader", "find_spec", "get_data", "get_loader", "import_from_string"}
    | {"import_module", "import_object", "import_string", "importorskip", "load_module", "locate", "patch"}
    | {"resolve_name", "run_module", "setattr"}
)
# How those functions call that string where it is given by a keyword.
_KEYWORDS: Final = frozenset(
    {"dotted_path", "fullname", "import_name", "mod_name", "modname", "module_or_name", "name", "target"}
)
_ATTRIBUTE_BY_NAME: Final = frozenset({"delattr", "setattr"})  # their `name` is that of an attribute


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeString:
    """A string in the code, as it stands there with its quotes."""

    node: ast.Constant
    span: Span
    is_docstring: bool = False
    is_annotation: bool = False
    is_in_f_string: bool = False
    names_module: bool = False  # a function or a table takes it for a module's name, or it follows "-m"
    gives_top: bool = False  # of `__import__`, which imports the whole name and gives its first part
    is_alone: bool = False  # it is the only thing that the call says
    is_in_all: bool = False
    is_app: bool = False  # in a list of Django's applications, or the `name` of one
    package: str = ""  # that the call counts a relative name from, where it says so


@dataclass(frozen=True, slots=True, kw_only=True)
class _Around:
    """What a node stands in."""

    annotation: bool = False
    all_names: bool = False
    apps: bool = False
    names_module: bool = False
    gives_top: bool = False
    is_alone: bool = False
    package: str = ""

    @property
    def inherited(self) -> _Around:
        """What holds for all that is further in, and not for the one string alone."""
        return _Around(annotation=self.annotation, all_names=self.all_names, apps=self.apps)


_NOTHING: Final = _Around()
_PLACED: Final = (ast.expr, ast.stmt)
_WITHOUT_STRINGS: Final = (ast.Name, ast.expr_context, ast.operator, ast.Pass, ast.Import, ast.ImportFrom)


def code_strings(tree: ast.Module, source: Source, interest: Interest) -> Iterator[CodeString]:
    """Strings on lines on which any of the words of interest stands."""
    lines = interest.line_numbers(source)
    waiting: list[tuple[ast.AST, _Around]] = [(tree, _NOTHING)]
    while waiting:
        node, around = waiting.pop()
        if isinstance(node, _PLACED) and not is_on_any(node, lines):
            continue
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str | bytes):
                yield CodeString(
                    node=node,
                    span=source.span_of(node),
                    is_annotation=around.annotation,
                    names_module=around.names_module,
                    gives_top=around.gives_top,
                    is_alone=around.is_alone,
                    is_in_all=around.all_names,
                    is_app=around.apps,
                    package=around.package,
                )
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            if isinstance(node.value.value, str):
                yield CodeString(node=node.value, span=source.span_of(node.value), is_docstring=True)
        elif isinstance(node, ast.JoinedStr):
            # Before Python 3.12 its parts have no places of their own: the whole is looked through.
            plain = ast.Constant(value=" ", lineno=node.lineno)
            yield CodeString(node=plain, span=source.span_of(node), is_in_f_string=True)
        elif not isinstance(node, _WITHOUT_STRINGS):
            waiting.extend(_inside(node, around))


def _inside(node: ast.AST, around: _Around) -> Iterator[tuple[ast.AST, _Around]]:
    inherited = around.inherited if around.names_module or around.package else around
    for name in fields_with_nodes[type(node)]:
        value = getattr(node, name, None)
        inner = inherited
        if name in ("annotation", "returns"):
            inner = replace(inherited.inherited, annotation=True)
        elif name == "value" and isinstance(node, ast.Assign | ast.AugAssign) and _is_all(node):
            inner = replace(inherited, all_names=True)
        elif name == "value" and isinstance(node, ast.Assign | ast.AugAssign) and _lists_apps(node):
            inner = replace(inherited, apps=True)
        elif (name == "slice" and isinstance(node, ast.Subscript) and _is_loaded_modules(node.value)) or (
            name == "left" and isinstance(node, ast.Compare) and _is_loaded_modules(node.comparators[0])
        ):
            inner = replace(inherited, names_module=True)
        if isinstance(value, ast.AST):
            yield value, inner
        elif isinstance(value, list):
            if name == "args" and isinstance(node, ast.Call):
                yield from _arguments(node, inner)
            elif name == "keywords" and isinstance(node, ast.Call):
                yield from _keywords(node, inner)
            elif name == "body" and isinstance(node, ast.ClassDef) and _is_app(node):
                yield from ((each, replace(inner, apps=_assigns(each, "name"))) for each in value)
            else:
                yield from _commands(value, inner)


def _arguments(call: ast.Call, around: _Around) -> Iterator[tuple[ast.AST, _Around]]:
    """The first one may name a module, and may be counted from a package that another one names."""
    if len(call.args) > 1 and _is_loaded_modules(call.args[0]):  # setitem(sys.modules, "bot", fake)
        names = call.args[1]
        keys = names.keys if isinstance(names, ast.Dict) else [names]
        yield from ((key, replace(around, names_module=True)) for key in keys if key is not None)
        yield from _commands([*(names.values if isinstance(names, ast.Dict) else []), *call.args[2:]], around)
        return
    callee, package = _callee(call.func), _package_said_by(call)
    takes_module = callee in NAMES_A_MODULE or (
        isinstance(call.func, ast.Attribute) and _is_loaded_modules(call.func.value)
    )
    if not call.args or not (package or takes_module):
        yield from _commands(call.args, around)
        return
    yield call.args[0], _taken_for_module(call, callee, package, around)
    yield from _commands(call.args[1:], around)


def _keywords(call: ast.Call, around: _Around) -> Iterator[tuple[ast.AST, _Around]]:
    """The same, where the call says it by a keyword: `import_module(name="bot")`."""
    callee = _callee(call.func)
    named = _named_by_keyword(call)
    for each in call.keywords:
        if each is named:
            yield each.value, _taken_for_module(call, callee, _package_said_by(call), around)
        else:
            yield each, around


def _named_by_keyword(call: ast.Call) -> ast.keyword | None:
    callee = _callee(call.func)
    if call.args or callee not in NAMES_A_MODULE:
        return None
    known = {"target"} if callee in _ATTRIBUTE_BY_NAME else _KEYWORDS
    return next((each for each in call.keywords if each.arg in known), None)


def _taken_for_module(call: ast.Call, callee: str, package: str, around: _Around) -> _Around:
    return replace(
        around,
        names_module=True,
        gives_top=callee == "__import__" and not _says_fromlist(call),
        is_alone=len(call.args) + len(call.keywords) == 1,
        package=package,
    )


def _commands(nodes: Sequence[object], around: _Around) -> Iterator[tuple[ast.AST, _Around]]:
    """What follows "-m" in a command names a module."""
    follows = False
    for node in nodes:
        if not isinstance(node, ast.AST):
            continue
        yield node, replace(around, names_module=True) if follows else around
        follows = isinstance(node, ast.Constant) and node.value == "-m"


def _is_loaded_modules(node: ast.AST) -> bool:
    """`sys.modules`; and its name, as `patch.dict` takes it."""
    match node:
        case ast.Attribute(value=ast.Name(id="sys"), attr="modules") | ast.Constant(value="sys.modules"):
            return True
        case _:
            return False


def _says_fromlist(call: ast.Call) -> bool:
    return len(call.args) > 3 or any(each.arg in ("fromlist", None) for each in call.keywords)


def _package_said_by(call: ast.Call) -> str:
    """`import_module(".regime", "shop")`, `symbol_by_name(".regime:label", package="shop")`."""
    named = _named_by_keyword(call)
    relative = call.args[0] if call.args else named and named.value
    if not (isinstance(relative, ast.Constant) and isinstance(relative.value, str)):
        return ""
    if not relative.value.startswith("."):
        return ""
    said = [each.value for each in call.keywords if each.arg == "package"] or call.args[1:2]
    package = said[0] if said else None
    return package.value if isinstance(package, ast.Constant) and isinstance(package.value, str) else ""


def _is_all(node: ast.Assign | ast.AugAssign) -> bool:
    return "__all__" in _names_assigned(node)


def _lists_apps(node: ast.Assign | ast.AugAssign) -> bool:
    """`INSTALLED_APPS` of Django's settings, and the lists that it is made of: `LOCAL_APPS`."""
    return any(name.endswith("_APPS") for name in _names_assigned(node))


def _is_app(node: ast.ClassDef) -> bool:
    return any(_callee(base) == "AppConfig" for base in node.bases)


def _assigns(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Assign) and name in _names_assigned(node)


def _names_assigned(node: ast.Assign | ast.AugAssign) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [each.id for each in targets if isinstance(each, ast.Name)]


def _callee(function: ast.expr) -> str:
    """The last name of what is called; of `patch.object` and `patch.dict`, `patch`."""
    if isinstance(function, ast.Attribute):
        inner = _callee(function.value) if isinstance(function.value, ast.Attribute | ast.Name) else ""
        return "patch" if inner == "patch" else function.attr
    return function.id if isinstance(function, ast.Name) else ""
