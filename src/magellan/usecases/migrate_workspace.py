"""Bring an old workspace into dev/, test/ and prod/: files moved, names rewritten, configs in our terms."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from magellan.errors import FixInput
from magellan.migration.change_set import ChangeSet, Choices, Written, WrittenFor, migration_of
from magellan.migration.content_changes import content_changes
from magellan.migration.encoding import plain_text
from magellan.migration.mapping import MappedMove, MigrationMapping
from magellan.migration.old_workspace.bare_names import BareName, bare_names
from magellan.migration.old_workspace.config_terms import NewConfig, new_config
from magellan.migration.old_workspace.layout import AWS, DEPLOYABLE, DEPLOYED, OldStrategy, old_strategies
from magellan.migration.rewrite.reference import ReferenceKind, RewriteOptions
from magellan.migration.source_tree import SourceTree
from magellan.workspace.new_files import marker_file
from magellan.workspace.workspace import Stage

SOURCE_ROOTS: Final = ("", "src")
_SAYS_PATHS: Final = (
    ".service", ".timer", ".yml", ".yaml", ".sh", ".toml", ".cfg", ".py", "Makefile", "Dockerfile"
)  # fmt: skip
_SPEAKS_OF_PATHS: Final = (*_SAYS_PATHS, ".md", ".rst", ".txt")
_LEFT_ALONE: Final = "archive/"  # what somebody put away keeps its old names


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """What becomes of one strategy."""

    old: OldStrategy
    config: NewConfig | None  # None: it had none


@dataclass(frozen=True, slots=True, kw_only=True)
class StillSaid:
    """A line that names an old folder after all was rewritten."""

    path: str  # where it lies afterwards
    line: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLayout:
    """What bringing the workspace into its new layout would do."""

    strategies: tuple[Strategy, ...]
    changes: ChangeSet
    still: tuple[StillSaid, ...]
    bare: tuple[BareName, ...]  # lines that name a file without its folder, which is called otherwise now

    @property
    def problems(self) -> tuple[str, ...]:
        """For which nothing is done: configs that our schema refuses."""
        return tuple(
            f"{each.old.name}: {problem}"
            for each in self.strategies
            if each.config is not None
            for problem in each.config.problems
        )


def new_layout(tree: SourceTree, stages: Mapping[str, Stage], *, shims_expire_on: date) -> NewLayout:
    """Decide what goes where. Nothing is written.

    stages: what a person decided, by the strategies' new names.
    Raises: FixInput where the tree holds no old workspace, for an unknown name, for a config that is no JSON, and
            where something is in a new folder's place.
    """
    found = old_strategies(tree, stages)
    if not found:
        raise FixInput(
            f"there is no strategy in {DEPLOYABLE}/ or {DEPLOYED}/",
            next_step="name the folder of the old workspace",
        )
    unknown = sorted(set(stages) - {each.name for each in found})
    if unknown:
        raise FixInput(
            f"there is no strategy {unknown[0]}",
            next_step=f"there are {', '.join(each.name for each in found)}",
        )
    strategies = tuple(Strategy(old=each, config=_config(tree, each)) for each in found)
    mapping = MigrationMapping(
        version=1,
        source_roots=SOURCE_ROOTS,
        moves=tuple(
            MappedMove.model_validate({"from": source, "to": target, "shim": False})
            for each in found
            for source, target in sorted(each.moves.items())
        ),
    )
    # Old workspaces write paths of their own into code, units and workflows: all of those are meant.
    choices = Choices(
        rewriting=RewriteOptions(probable=frozenset(ReferenceKind)),
        shims=False,
        shims_expire_on=shims_expire_on,
    )
    changes = migration_of(tree, mapping, choices, name="the new layout").changes
    changes = _with_configs(_with_server_paths(tree, changes, strategies), strategies)
    marker = marker_file()
    if str(marker.path) not in tree.entries:
        changes = replace(changes, written=(*changes.written, _new(str(marker.path), marker.content)))
    needed = content_changes(tree, written=changes.written, moves=changes.moves)
    changes = replace(changes, folders=needed.folders)
    says_paths = dict(_contents_after(tree, changes, _SAYS_PATHS))
    return NewLayout(
        strategies=strategies,
        changes=changes,
        still=tuple(_still(tree, changes)),
        bare=tuple(line for each in found for line in bare_names(each, says_paths)),
    )


def _config(tree: SourceTree, strategy: OldStrategy) -> NewConfig | None:
    if strategy.config is None:
        return None
    text = plain_text(tree.read(strategy.config))
    try:
        document = None if text is None else json.loads(text.utf8)
    except json.JSONDecodeError as error:
        raise FixInput(
            f"{strategy.config} is no JSON: line {error.lineno}: {error.msg}",
            kept="everything",
            next_step="correct the file, then run the same command again",
        ) from error
    if not isinstance(document, dict):
        raise FixInput(
            f"{strategy.config} holds no JSON object",
            kept="everything",
            next_step="correct the file, then run the same command again",
        )
    return new_config(document, strategy.name)


def _with_configs(changes: ChangeSet, strategies: tuple[Strategy, ...]) -> ChangeSet:
    """The same, and a config in our terms for every strategy that had one."""
    added = [
        _new(
            f"{each.old.stage}/{each.old.name}/config.json",
            (json.dumps(each.config.document, indent=2, ensure_ascii=False) + "\n").encode(),
        )
        for each in strategies
        if each.config is not None
    ]
    return replace(changes, written=(*changes.written, *added))


def _new(path: str, content: bytes) -> Written:
    return Written(path=path, before=None, after=content, mode=0o644, why=WrittenFor.CONTENT)


def _with_server_paths(tree: SourceTree, changes: ChangeSet, strategies: tuple[Strategy, ...]) -> ChangeSet:
    """The same, and old paths also rewritten where something stands before them: "/home/bot/magellan/deployed/...".

    Units, workflows and runners say where things lie on a server. The part of such a path that lies in this tree is
    known, and whatever stands before it stays.
    """
    new_place = {
        old: new
        for each in strategies
        for old, new in (
            *each.old.moves.items(),
            *((f"{folder}/{AWS}", f"{each.old.stage}/{each.old.name}") for folder in each.old.folders),
            *((folder, f"{each.old.stage}/{each.old.name}") for folder in each.old.folders),
        )
    }
    longest_first = sorted(new_place, key=lambda path: (-len(path), path))
    pattern = re.compile(
        rb"(?<![\w.-])(?:" + b"|".join(re.escape(path.encode()) for path in longest_first) + rb")(?![\w-])"
    )

    def rewritten(found: re.Match[bytes]) -> bytes:
        old = found[0].decode()
        new = new_place[old].encode()
        # What is kept in docs/old ends with its old path: there it is said already.
        is_said = new.endswith(b"/" + found[0]) and found.string.endswith(new, 0, found.end())
        return found[0] if is_said else new

    target_of = {move.source: move.target for move in changes.moves}
    written = {each.path: each for each in changes.written}
    for path in tree.files:
        final = target_of.get(path, path)
        if not final.endswith(_SAYS_PATHS) or path.startswith(_LEFT_ALONE):
            continue
        known = written.get(final)
        before = known.after if known is not None else tree.read(path)
        after = pattern.sub(rewritten, before)
        if after != before:
            written[final] = (
                replace(known, after=after)
                if known is not None
                else Written(
                    path=final, before=before, after=after, mode=tree.entries[path].mode, why=WrittenFor.NAMES
                )
            )
    return replace(changes, written=tuple(written.values()))


def _still(tree: SourceTree, changes: ChangeSet) -> list[StillSaid]:
    """Lines of units, workflows, scripts and documents that say an old folder's name; a person looks at them."""
    found = []
    for final, content in _contents_after(tree, changes, _SPEAKS_OF_PATHS):
        for number, line in enumerate(content.splitlines(), start=1):
            if f"{DEPLOYABLE}".encode() in line or f"{DEPLOYED}/".encode() in line:
                text = line.strip().decode("utf-8", "replace")[:160]
                found.append(StillSaid(path=final, line=number, text=text))
    return found


def _contents_after(
    tree: SourceTree, changes: ChangeSet, endings: tuple[str, ...]
) -> Iterator[tuple[str, bytes]]:
    """What the tree's files with those endings will say, by the path that they will have."""
    target_of = {move.source: move.target for move in changes.moves}
    after = {each.path: each.after for each in changes.written}
    for path in tree.files:
        final = target_of.get(path, path)
        if final.endswith(endings) and not path.startswith(_LEFT_ALONE):
            written = after.get(final)
            yield final, tree.read(path) if written is None else written
