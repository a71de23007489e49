"""Flatten a well-organised project into one folder, so that nothing but its code tells where a file belongs.

Every module that is not an `__init__` gets a name of its own: its old one, and with a number where that is taken.
Imports of the project's own modules, relative and absolute, name the flat modules; what an `__init__` passes on is
imported from where it is defined. Dotted names of the project in strings and comments are shortened in the same way,
since they would give the folder away. No `__init__` is kept.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Flat:
    """A file of the flattened project."""

    path: str  # in the one folder
    was: str  # in the project
    text: str


def flatten(sources: Mapping[str, str], *, source_roots: tuple[str, ...] = ("src", "")) -> list[Flat]:
    """The project in one folder.

    sources: text by path, of all Python files that count.
    """
    module_of = {path: _module(path, source_roots) for path in sources}
    packages = {module for path, module in module_of.items() if path.endswith("__init__.py")}
    names: dict[str, str] = {}
    taken: set[str] = set()
    for path in sorted(sources, key=lambda path: (path.count("/"), path)):
        stem = path.rpartition("/")[2].removesuffix(".py")
        if stem == "__init__":
            continue
        name, number = stem, 1
        while name.lower() in taken:
            number += 1
            name = f"{stem}_{number}"
        taken.add(name.lower())
        names[module_of[path]] = name
    passed_on = _passed_on(sources, module_of, packages, names)
    roots = {module.partition(".")[0] for module in packages} or {"\0"}
    dotted = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(roots)))})(?:\.\w+)+")

    def short(found: re.Match[str]) -> str:
        parts = found[0].split(".")
        for size in range(len(parts), 0, -1):
            flat = names.get(".".join(parts[:size]))
            if flat is not None:
                return ".".join([flat, *parts[size:]])
        return parts[-1]

    return [
        Flat(
            path=f"{names[module_of[path]]}.py",
            was=path,
            text=dotted.sub(short, _rewritten(text, module_of[path], path, names, packages, passed_on)),
        )
        for path, text in sorted(sources.items())
        if module_of[path] in names and not path.endswith("__init__.py")
    ]


def _module(path: str, source_roots: tuple[str, ...]) -> str:
    for root in source_roots:
        if root and path.startswith(f"{root}/"):
            path = path.removeprefix(f"{root}/")
            break
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _passed_on(
    sources: Mapping[str, str], module_of: Mapping[str, str], packages: set[str], names: Mapping[str, str]
) -> dict[tuple[str, str], str]:
    """(package, name) -> the module that defines it."""
    direct: dict[tuple[str, str], tuple[str, str]] = {}
    for path, text in sources.items():
        if not path.endswith("__init__.py"):
            continue
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError):
            continue
        package = module_of[path]
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                origin = _absolute(node, package, is_package=True)
                for alias in node.names:
                    direct[package, alias.asname or alias.name] = (origin, alias.name)
    found = {}
    for start in direct:
        at, steps = start, 0
        while at in direct and steps < 10:
            origin, name = direct[at]
            at, steps = (origin, name), steps + 1
        for module in (f"{at[0]}.{at[1]}", at[0]):
            if module in names:
                found[start] = module
                break
    return found


def _absolute(node: ast.ImportFrom, module: str, *, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    up = node.level - (1 if is_package else 0)
    base = parts[: len(parts) - up] if up else parts
    return ".".join([*base, *([node.module] if node.module else [])])


def _rewritten(
    text: str,
    module: str,
    path: str,
    names: Mapping[str, str],
    packages: set[str],
    passed_on: Mapping[tuple[str, str], str],
) -> str:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return text
    lines = text.splitlines(keepends=True)
    edits: list[tuple[int, int, str]] = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or node.end_lineno is None:
            continue
        origin = _absolute(node, module, is_package=False)
        told = []
        for alias in node.names:
            as_name = f" as {alias.asname}" if alias.asname else ""
            sub = f"{origin}.{alias.name}"
            if sub in names:
                told.append(f"import {names[sub]}{as_name}")
            elif origin in names:
                told.append(f"from {names[origin]} import {alias.name}{as_name}")
            elif (origin, alias.name) in passed_on:
                told.append(f"from {names[passed_on[origin, alias.name]]} import {alias.name}{as_name}")
            elif origin in packages:
                told.append(f"import {alias.name}{as_name}" if alias.name != "*" else "pass")
        if told:
            edits.append((node.lineno, node.end_lineno, "; ".join(told)))
    for first, last, statement in sorted(edits, reverse=True):
        indent = re.match(r"[ \t]*", lines[first - 1])
        lines[first - 1 : last] = [f"{indent[0] if indent else ''}{statement}\n"]
    return "".join(lines)
