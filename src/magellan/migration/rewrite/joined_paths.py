"""Paths that code puts together of words: `os.path.join(HERE, "config", "x.json")`, `Path("config") / "x.json"`.

Where such a path is counted from is seldom seen, so they are only probable.
"""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Iterator, Sequence
from typing import Final

from magellan.migration.child_nodes import child_nodes
from magellan.migration.rewrite.interest import Interest
from magellan.migration.rewrite.reference import Edit, Reference, ReferenceKind
from magellan.migration.rewrite.renames import Renames
from magellan.migration.source import Source, Span, is_on_any

_JOINS: Final = frozenset({"join", "joinpath", "Path", "PurePath", "PosixPath", "PurePosixPath"})


def joined_paths(
    tree: ast.Module, source: Source, renames: Renames, interest: Interest
) -> Iterator[Reference]:
    """Words that follow each other in such a path, and together are the path of something that moves."""
    if not interest.begins_string_behind(b"(,/"):
        return  # without a look at every node, which takes longer
    lines = interest.line_numbers(source)
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.stmt | ast.expr) and not is_on_any(node, lines):
            continue
        parts = _parts_of(node)
        if parts:
            for words in _runs(parts):
                yield from _reference(words, source, renames)
            waiting.extend(each for each in parts if not isinstance(each, ast.Constant))
        else:
            waiting.extend(child_nodes(node))


def _parts_of(node: ast.AST) -> list[ast.expr]:
    """What is joined there, in order; nothing where nothing is."""
    match node:
        case ast.BinOp(op=ast.Div(), left=left, right=right):
            return [*(_parts_of(left) or [left]), right]
        case ast.Call(func=ast.Attribute(value=value, attr="joinpath"), args=[_, *_] as said):
            return [*(_parts_of(value) or [value]), *said]
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name), args=[_, *_] as said) if (
            name in _JOINS
        ):
            return list(said)
        case _:
            return []


def _runs(parts: Sequence[ast.expr]) -> Iterator[list[ast.Constant]]:
    run: list[ast.Constant] = []
    for each in parts:
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            run.append(each)
            continue
        yield run
        run = []
    yield run


def _reference(words: Sequence[ast.Constant], source: Source, renames: Renames) -> Iterator[Reference]:
    """The longest end of the words, and of what stands before them, that is the path of something that moves."""
    for first in range(len(words) - 1):
        said = [str(each.value) for each in words[first:]]
        if not all(each and posixpath.normpath(each) == each and not each.startswith("/") for each in said):
            continue
        moved = _moved("/".join(said), renames)
        if moved is None:
            continue
        old, new = moved
        yield Reference(
            kind=ReferenceKind.PATH_IN_CODE,
            line=words[first].lineno,
            old=old,
            new=new,
            certain=False,
            edits=_edits(words[first:], said, new, source) if old == "/".join(said) else (),
            note="put together of several words",
        )
        return


def _moved(path: str, renames: Renames) -> tuple[str, str] | None:
    """The longest beginning of a path that moves, and where it goes."""
    whole = path
    while "/" in path:
        new = renames.paths.get(path) or renames.folders.get(path)
        if new is not None:
            return whole, new + whole[len(path) :]
        path = path.rpartition("/")[0]
    return None


def _edits(words: Sequence[ast.Constant], said: Sequence[str], new: str, source: Source) -> tuple[Edit, ...]:
    """The words that are other ones then; several folders may stand in one word."""
    if any("/" in each for each in said):
        return ()
    now = new.split("/")
    same = 0
    while same < min(len(said), len(now)) - 1 and said[same] == now[same]:
        same += 1
    last = 0
    while last < min(len(said), len(now)) - same - 1 and said[-1 - last] == now[-1 - last]:
        last += 1
    changed = words[same : len(words) - last]
    other = now[same : len(now) - last]
    if len(other) < len(changed):
        return ()
    texts = [*other[: len(changed) - 1], "/".join(other[len(changed) - 1 :])]
    edits = []
    for word, old, text in zip(changed, said[same:], texts, strict=False):
        span = source.span_of(word)
        at = source.utf8.find(old.encode(), span.start, span.end)
        if at < 0:
            return ()
        edits.append(Edit(span=Span(at, at + len(old.encode())), text=text.encode()))
    return tuple(edits)
