"""Where an old workspace keeps its strategies, and where each file of theirs goes.

    deployable_strategies/<name>/aws_deployment/    config.json, a unit, run_strategy.py: it is deployed from here
    deployable_strategies/<name>/                   code, notes, research
    deployed/<name>/                                what was copied to the server: what runs

become

    prod/<name>/    what has a unit, or was deployed: config.json, strategy.py, docs/, deployment/ for what ran it
    dev/<name>/     the rest
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from magellan.migration.source_tree import SourceTree
from magellan.workspace.workspace import Stage

DEPLOYABLE: Final = "deployable_strategies"
DEPLOYED: Final = "deployed"
AWS: Final = "aws_deployment"
OLD_CONFIG: Final = "deployment/old_config.json"
"""Where in a strategy's folder its config stays as it was: its old runner reads it until it is replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OldStrategy:
    """A strategy of an old workspace."""

    name: str  # of its new folder
    stage: Stage
    folders: tuple[str, ...]  # where it lies, the one that runs first
    config: str | None  # path of the config that counts
    moves: Mapping[str, str]  # every file of it, from and to
    doubled: tuple[str, ...]  # files that another of its own files takes the place of; they go below docs/old


def old_strategies(tree: SourceTree, stages: Mapping[str, Stage]) -> tuple[OldStrategy, ...]:
    """Every strategy of an old workspace, by name.

    stages: what a person decided, by name; otherwise what was deployed, or could be, goes to prod, the rest to dev.
    """
    groups: dict[str, list[str]] = {}
    by_unit: dict[str, str] = {}
    for root in (DEPLOYED, DEPLOYABLE):
        for folder in _folders_in(tree, root):
            units = [
                path.rpartition("/")[2] for path in _files_below(tree, folder) if path.endswith(".service")
            ]
            name = next(
                (by_unit[unit] for unit in units if unit in by_unit), _slug(folder.rpartition("/")[2])
            )
            for unit in units:
                by_unit.setdefault(
                    unit, name
                )  # the same unit: the same strategy, whatever its folders are called
            groups.setdefault(name, []).append(folder)
    return tuple(_strategy(tree, name, tuple(folders), stages) for name, folders in sorted(groups.items()))


def _strategy(
    tree: SourceTree, name: str, folders: tuple[str, ...], stages: Mapping[str, Stage]
) -> OldStrategy:
    files = [(folder, path) for folder in folders for path in _files_below(tree, folder)]
    runs = any(path.endswith(".service") or f"/{AWS}/" in path for _, path in files) or any(
        folder.startswith(f"{DEPLOYED}/") for folder in folders
    )
    stage = stages.get(name, Stage.PROD if runs else Stage.DEV)
    home = f"{stage}/{name}"
    main = _strategy_file(name, [path for _, path in files])
    moves: dict[str, str] = {}
    taken: dict[str, str] = {}
    doubled = []
    config = None
    for folder, path in files:
        target = f"{home}/{_place(path.removeprefix(f'{folder}/'), is_main=path == main)}"
        if target == f"{home}/{OLD_CONFIG}" and config is None:
            config = path
        if target in taken:
            doubled.append(path)
            target = f"{home}/docs/old/{path}"
        taken[target] = path
        moves[path] = target
    return OldStrategy(
        name=name, stage=stage, folders=folders, config=config, moves=moves, doubled=tuple(doubled)
    )


def _place(inner: str, *, is_main: bool) -> str:
    """Where a file goes in its strategy's folder. inner: its path in the old folder."""
    inner = inner.removeprefix(f"{AWS}/")
    leaf = inner.rpartition("/")[2]
    if is_main:
        return "strategy.py"
    if inner == "config.json":
        return OLD_CONFIG
    if leaf.endswith((".service", ".timer")):
        return f"deployment/systemd/{leaf}"
    if inner == "run_strategy.py":
        return "deployment/run_strategy.py"
    if "/" not in inner and leaf.endswith((".md", ".txt", ".rst")):
        return f"docs/{leaf}"
    return inner


def _strategy_file(name: str, paths: Sequence[str]) -> str | None:
    """The file that holds the strategy itself, where one alone can be meant."""
    loose = [path for path in paths if path.count("/") == 2 and path.endswith(".py")]
    leaves = {path: path.rpartition("/")[2] for path in loose}
    for fits in (
        [path for path in loose if leaves[path] == "strategy.py"],
        [path for path in loose if leaves[path] == f"{name}_strategy.py"],
        [
            path
            for path in loose
            if leaves[path].endswith("_strategy.py") and leaves[path] != "run_strategy.py"
        ],
    ):
        if len(fits) == 1:
            return fits[0]
    return None


def _folders_in(tree: SourceTree, root: str) -> list[str]:
    return sorted(
        {
            "/".join(path.split("/")[:2])
            for path in tree.files
            if path.startswith(f"{root}/") and path.count("/") > 1
        }
    )


def _files_below(tree: SourceTree, folder: str) -> list[str]:
    return [path for path in tree.files if path.startswith(f"{folder}/")]


def _slug(name: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return slug if slug[:1].isalpha() else f"s_{slug}"
