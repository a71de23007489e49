"""Modules that code asks their package for by a word: `getattr(shop, "regime")`, `patch.object(shop, "regime")`.

They are only listed: both the package and the word may be others afterwards.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from magellan.migration.child_nodes import child_nodes
from magellan.migration.rewrite.bindings import Binding
from magellan.migration.rewrite.interest import Interest
from magellan.migration.rewrite.module_contents import ModuleContents
from magellan.migration.rewrite.reference import Reference, ReferenceKind
from magellan.migration.rewrite.renames import Renames
from magellan.migration.source import Source, is_on_any

_MAY_ASK: Final = re.compile(rb"(?:attr|object)\(")


def asked_by_name(
    tree: ast.Module,
    source: Source,
    bindings: Mapping[str, Sequence[Binding]],
    renames: Renames,
    contents: ModuleContents,
    interest: Interest,
) -> Iterator[Reference]:
    """Calls of `getattr` and its kin that ask a package of the tree for a module in it that moves."""
    if not (interest.begins_string_behind(b",") and _MAY_ASK.search(source.utf8)):
        return  # without a look at every node, which takes longer
    lines = interest.line_numbers(source)
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.stmt | ast.expr) and not is_on_any(node, lines):
            continue
        waiting.extend(child_nodes(node))
        match node:
            case ast.Call(
                func=ast.Name(id=asks) | ast.Attribute(attr=asks),
                args=[package, ast.Constant(value=str() as word), *_],
            ) if asks.endswith(("attr", "object")) and word.isidentifier():
                pass
            case _:
                continue
        for module in _modules(package, bindings, contents):
            asked = contents.module_at(module, word)
            if asked is not None and renames.new_name(asked) != asked:
                yield Reference(
                    kind=ReferenceKind.STRING,
                    line=node.lineno,
                    old=asked,
                    new=renames.new_name(asked),
                    certain=False,
                    note="its package is asked for it by its name",
                )


def _modules(
    node: ast.expr, bindings: Mapping[str, Sequence[Binding]], contents: ModuleContents
) -> Iterator[str]:
    """The modules that `shop` or `shop.api` may stand for."""
    match node:
        case ast.Name(id=name):
            yield from dict.fromkeys(each.module for each in bindings.get(name, ()))
        case ast.Attribute(value=value, attr=name):
            for module in _modules(value, bindings, contents):
                inner = contents.module_at(module, name)
                if inner is not None:
                    yield inner
        case _:
            pass
