"""What a module does when it is only imported, as its source tells."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from magellan.migration.source import Source


class EffectKind(StrEnum):
    """What an import touches besides its own names."""

    NETWORK = "speaks to the network"
    FILES = "reads or writes files"
    PROCESSES = "starts processes or threads"
    PATH = "changes where modules are looked for"
    GLOBAL = "changes settings of other modules"
    EXIT = "ends the process"
    WORK = "does work"  # calls something for what it does, and not for a value


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One statement that an import carries out."""

    line: int
    kind: EffectKind
    what: str  # the call, as dotted name


_KINDS: Final[dict[str, EffectKind]] = {
    # The dotted name of a call, or its first or last part.
    **dict.fromkeys(
        ("requests", "urlopen", "socket", "httpx", "aiohttp", "websocket", "yfinance", "create_connection",
         "boto3.client", "boto3.resource"), EffectKind.NETWORK),
    **dict.fromkeys(
        ("open", "makedirs", "mkdir", "read_csv", "read_parquet", "to_csv", "to_parquet", "unlink", "remove",
         "rmtree", "write_text", "read_text", "read_pickle", "read_json", "FileHandler", "connect", "load_dotenv"),
        EffectKind.FILES),
    **dict.fromkeys(
        ("subprocess", "os.system", "os.popen", "Thread", "Process", "Pool", "ThreadPoolExecutor",
         "ProcessPoolExecutor", "asyncio.run"), EffectKind.PROCESSES),
    **dict.fromkeys(("sys.path.append", "sys.path.insert", "sys.path.extend", "site.addsitedir"), EffectKind.PATH),
    **dict.fromkeys(
        ("basicConfig", "filterwarnings", "simplefilter", "set_option", "seterr", "setlocale", "environ.setdefault",
         "environ.update", "rcParams.update", "seed", "manual_seed", "setrecursionlimit", "chdir"),
        EffectKind.GLOBAL),
    **dict.fromkeys(("sys.exit", "exit", "quit", "os._exit"), EffectKind.EXIT),
}  # fmt: skip
_WITHOUT_CALLS: Final = (ast.Constant, ast.Name, ast.expr_context)
_HARMLESS: Final = frozenset(
    {"TypeVar", "NewType", "namedtuple", "getLogger", "Path", "compile", "super", "dataclass", "register"}
)


def import_effects(tree: ast.Module, source: Source) -> tuple[Effect, ...]:
    """Every statement outside of functions, and outside of `if __name__ == "__main__"`, that has an effect.

    tree: of that source.
    """
    return tuple(_in(tree.body, source))


def _in(body: Sequence[ast.stmt], source: Source) -> Iterator[Effect]:
    for node in body:
        match node:
            case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                yield from _calls(value, source, node.lineno, bare=False)
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    if isinstance(target, ast.Attribute | ast.Subscript):
                        name = _dotted(target.value)
                        if name in ("os.environ", "sys.modules", "sys.path"):
                            yield Effect(line=node.lineno, kind=EffectKind.GLOBAL, what=name)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                continue
            case ast.If() if _is_main(node.test):
                yield from _in(node.orelse, source)
            case ast.If():
                yield from _in([*node.body, *node.orelse], source)
            case ast.Try() | ast.TryStar():
                yield from _in(
                    [*node.body, *(s for h in node.handlers for s in h.body), *node.orelse], source
                )
                yield from _in(node.finalbody, source)
            case ast.For() | ast.While() | ast.With() | ast.AsyncFor() | ast.AsyncWith():
                if isinstance(node, ast.With):
                    for item in node.items:
                        yield from _calls(item.context_expr, source, node.lineno, bare=False)
                yield from _in(node.body, source)
            case ast.ClassDef():
                yield from _in(node.body, source)
            case ast.Expr(value=ast.Call() as call):
                yield from _calls(call, source, node.lineno, bare=True)


def _calls(value: ast.expr, source: Source, line: int, *, bare: bool) -> Iterator[Effect]:
    """Calls of a kind that is known; where there are none, a call that stands by itself: it is there for its effect."""
    span = source.span_of(value)
    if source.utf8.find(b"(", span.start, span.end) < 0:
        return
    names = [_dotted(node.func) for node in _carried_out(value) if isinstance(node, ast.Call)]
    known = [(name, kind) for name in names if (kind := _kind(name)) is not None]
    for name, kind in known:
        yield Effect(line=line, kind=kind, what=name)
    if bare and not known and names[0] and names[0].rpartition(".")[2] not in _HARMLESS:
        yield Effect(line=line, kind=EffectKind.WORK, what=names[0])


def _carried_out(value: ast.expr) -> Iterator[ast.AST]:
    """The nodes of an expression, without what a lambda keeps for later."""
    waiting: deque[ast.AST] = deque([value])
    while waiting:
        node = waiting.popleft()
        yield node
        if not isinstance(node, ast.Lambda):
            # Nothing is called in a number, and tables hold thousands of them.
            waiting.extend(
                [each for each in ast.iter_child_nodes(node) if not isinstance(each, _WITHOUT_CALLS)]
            )


def _kind(name: str) -> EffectKind | None:
    parts = name.split(".")
    for key in (name, ".".join(parts[-2:]), parts[-1], parts[0]):
        if key in _KINDS:
            return _KINDS[key]
    return None


def _dotted(node: ast.expr) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    parts.append(node.id if isinstance(node, ast.Name) else "")
    return ".".join(reversed(parts)).strip(".")


def _is_main(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"
