"""What import statements lead to: a file of the tree, the standard library, what is installed, or nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from magellan.migration.import_statement import ImportStatement, absolute_name
from magellan.migration.module_names import ModuleNames


class Origin(StrEnum):
    """Where an imported module comes from."""

    TREE = "tree"
    STANDARD_LIBRARY = "standard library"
    INSTALLED = "installed"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A module that an import statement names."""

    name: str  # dotted, absolute; of a file beside a script, the name that the script says
    origin: Origin
    path: str | None  # the file in the tree; None for a namespace package, and what is not in the tree
    line: int


def targets_of(
    statement: ImportStatement, path: str, names: ModuleNames, is_installed: Callable[[str], bool]
) -> tuple[Target, ...]:
    """Every module that the statement names: the one after `from`, and each imported name that is a module itself.

    path:         of the importing file.
    is_installed: whether a top-level name can be imported from what is installed.
    """
    if not statement.is_from:
        return tuple(
            target_of(each.name, path, names, is_installed, statement.line) for each in statement.names
        )
    module = absolute_name(statement, names.package_of(path))
    if module is None:
        dots = "." * (statement.level or 0)
        named = f"{dots}{statement.module}"
        return (Target(name=named, origin=Origin.MISSING, path=None, line=statement.line),)
    found = [target_of(module, path, names, is_installed, statement.line)]
    for each in statement.names:
        inner = names.resolve(f"{module}.{each.name}", path)
        if inner is not None:
            found.append(
                Target(name=inner, origin=Origin.TREE, path=names.file_of(inner), line=statement.line)
            )
    return tuple(found)


def target_of(
    dotted: str, path: str, names: ModuleNames, is_installed: Callable[[str], bool], line: int
) -> Target:
    """What an absolute dotted name resolves to, in that file."""
    inner = names.resolve(dotted, path)
    if inner is not None:
        return Target(name=inner, origin=Origin.TREE, path=names.file_of(inner), line=line)
    top = dotted.partition(".")[0]
    if names.resolve(top, path) is not None:
        origin = Origin.MISSING
    elif top in sys.stdlib_module_names:
        origin = Origin.STANDARD_LIBRARY
    else:
        origin = Origin.INSTALLED if is_installed(top) else Origin.MISSING
    return Target(name=dotted, origin=origin, path=None, line=line)
