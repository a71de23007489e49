"""Tests that check nothing: they import a module or call a function, and pass whatever it does (incident 15)."""

from __future__ import annotations

import ast
from collections.abc import Iterator

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def unchecked_tests(name: str, source: str) -> tuple[str, ...]:
    """Tests of a file in which nothing could fail but the code itself, as "test_rules.py: test_it_imports".

    A check is an assertion (of anything but what is true anyway), an expected error (`pytest.raises`), a call of
    something named `assert...` or `fail`, or of a function of the same file that holds a check.
    Raises: SyntaxError for a file that is no Python.
    """
    tree = ast.parse(source, filename=name)
    functions = {each.name: each for each in ast.walk(tree) if isinstance(each, _Function)}
    checking: set[str] = set()
    while True:  # until no function is found to check by calling another
        found = {each.name for each in functions.values() if _checks(each, checking)}
        if found == checking:
            break
        checking = found
    return tuple(f"{name}: {test.name}" for test in _tests(tree) if not _checks(test, checking))


def _tests(tree: ast.Module) -> Iterator[_Function]:
    """What pytest collects: test functions, and test methods of test classes."""
    for node in tree.body:
        if isinstance(node, _Function) and node.name.startswith("test"):
            yield node
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, _Function) and inner.name.startswith("test"):
                    yield inner


def _checks(function: _Function, checking: set[str]) -> bool:
    return any(_is_check(node, checking) for node in ast.walk(function))


def _is_check(node: ast.AST, checking: set[str]) -> bool:
    if isinstance(node, ast.Assert):
        # `assert True` can never fail; `assert False` marks a place that must not be reached.
        return not (isinstance(node.test, ast.Constant) and node.test.value)
    if not isinstance(node, ast.Call):
        return False
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return called.startswith("assert") or called in {"raises", "warns", "fail"} or called in checking
