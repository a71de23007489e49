"""Features: the words by which a file tells what it is about, each with where it was said.

A feature is a place and a word: "name:feed" (the file's name), "head:feed" (the last word of it), "def:order" (a class
or function that it defines), "base:strategy" (a class that one of its own extends), "doc:candle" (docstrings),
"word:price" (any identifier), "import:numpy" (what it takes from outside the tree) and "form:main" (its form).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from magellan.migration.child_nodes import fields_with_nodes

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_STOP: Final = frozenset(
    """
    a an and are as at be by can do for from get has have if in init into is it its main module new no not of on one or
    our py self set so that the their then there these this to true false none type typing use used value values was we
    when which will with you your cls args kwargs str int float bool list dict tuple object optional any union return
    returns param raises class def name names
    """.split()  # noqa: SIM905  (a list of quoted words is harder to read)
)
_NAMELESS: Final = (ast.Constant, ast.expr_context, ast.operator, ast.unaryop, ast.boolop)
_FIRST_SENTENCES: Final = 600  # characters of a docstring


def words(text: str) -> list[str]:
    """The words of an identifier or a sentence, in lower case and in the singular: "getOpenOrders" is open, order."""
    found = []
    for each in _WORD.findall(text):
        word = each.lower()
        if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
            word = f"{word[:-3]}y" if word.endswith("ies") and len(word) > 4 else word[:-1]
        if len(word) > 1 and word not in _STOP:
            found.append(word)
    return found


def features(path: str, text: str, tree: ast.Module | None) -> frozenset[str]:
    """What a Python file says about itself; all but its imports, which must be resolved first.

    path: of the file, with "/" between its parts; only the last part counts.
    tree: None where it has a syntax error: then all its words count as identifiers.
    """
    stem = path.rpartition("/")[2].rpartition(".")[0]
    named = words(stem)
    found = {f"name:{word}" for word in named}
    found |= {f"head:{word}" for word in named[-1:]}
    if tree is None:
        found |= {f"word:{word}" for each in re.findall(r"[A-Za-z_]\w+", text) for word in words(each)}
        return frozenset(found)
    _of_tree(tree, found)
    return frozenset(found)


def _of_tree(tree: ast.Module, found: set[str]) -> None:
    identifiers: set[str] = set()
    functions = classes = 0
    for node in _that_name(tree):
        kind = type(node)
        if kind is ast.Name:
            identifiers.add(node.id)
        elif kind is ast.Attribute:
            identifiers.add(node.attr)
        elif kind is ast.arg or kind is ast.keyword:
            identifiers.add(node.arg or "")
        elif kind is ast.alias:
            identifiers.add(node.name.rpartition(".")[2])
        elif kind is ast.ClassDef:
            classes += 1
            found.update(f"def:{word}" for word in words(node.name))
            for base in node.bases:
                last = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
                found.update(f"base:{word}" for word in words(last))
        elif kind is ast.FunctionDef or kind is ast.AsyncFunctionDef:
            functions += 1
            found.update(f"def:{word}" for word in words(node.name))
            if node.name.startswith("test"):
                found.add("form:tests")
        if kind is ast.Module or kind is ast.ClassDef or kind is ast.FunctionDef:
            doc = ast.get_docstring(node, clean=False)
            if doc:
                found.update(f"doc:{word}" for word in words(doc[:_FIRST_SENTENCES]))
    found.update(f"word:{word}" for each in identifiers for word in _words_of_identifier(each))
    if is_script(tree):
        found.add("form:main")
    if not functions and not classes:
        found.add("form:statements")
    elif classes and not functions:
        found.add("form:values")
    elif not classes:
        found.add("form:functions")


@lru_cache(maxsize=50_000)
def _words_of_identifier(name: str) -> tuple[str, ...]:
    """The same names stand in many files of a tree."""
    return tuple(words(name))


def _that_name(tree: ast.Module) -> Iterator[Any]:
    """Every node but those that name nothing, in no order: `ast.walk` took half of a scan."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for field in fields_with_nodes[type(node)]:
            value = getattr(node, field, None)
            if type(value) is list:
                waiting.extend([each for each in value if isinstance(each, ast.AST)])
            elif isinstance(value, ast.AST) and not isinstance(value, _NAMELESS):
                waiting.append(value)


def is_script(tree: ast.Module) -> bool:
    """Whether it has an `if __name__ == "__main__":`."""
    return any(
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Compare)
        and isinstance(node.test.left, ast.Name)
        and node.test.left.id == "__name__"
        for node in tree.body
    )
