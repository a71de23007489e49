"""Source: the strategy's folder in a stage of the workspace, which says what trades there.

A promotion puts the release's own files there, so that what a trader reads in prod/ is what prod trades.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from magellan.deploy.host import Fleet
from magellan.deploy.source_folders import SourceFolders
from magellan.errors import AskOperator
from magellan.plan.step import Answer, Before, Begun, Blocked, Done, NotDone, Step
from magellan.release.artifact import unpacked
from magellan.release.manifest import STRATEGY


@dataclass(frozen=True, slots=True, kw_only=True)
class PutSource(Step[Fleet]):
    """Let a stage's folder hold what the release was built from."""

    strategy: str
    stage: str
    release_id: str
    files_sha256: str  # of the release's strategy/
    label: str

    @property
    def title(self) -> str:
        return f"{self.stage}/{self.strategy} holds the files of {self.label}"

    @property
    def changes(self) -> frozenset[str]:
        return frozenset({f"source/{self.stage}/{self.strategy}"})

    async def check(self, world: Fleet, before: Before | None) -> Answer:
        found = _sources(world).files_sha256(self.stage, self.strategy)
        if found == self.files_sha256:
            return Done(note="byte for byte")
        if before is None:
            return NotDone(before={"sha256": found})
        if found == before["sha256"]:
            return NotDone(before=before)
        if found is None:
            return Begun(why="the old folder is put aside, and the new one is not there yet")
        return Blocked(why=f"somebody has changed {self.stage}/{self.strategy} meanwhile")

    async def do(self, world: Fleet, before: Before) -> None:
        files = strategy_files(unpacked(world.content[self.release_id], name=self.label).files)
        _sources(world).put(self.stage, self.strategy, files, kept_as=self._kept_as)

    async def undo(self, world: Fleet, before: Before) -> None:
        _sources(world).put_back(self.stage, self.strategy, kept_as=self._kept_as)

    @property
    def _kept_as(self) -> str:
        return f"{self.stage}-{self.strategy}-before-{self.release_id}"


def strategy_files(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Of a release's files those of the strategy's folder, by path in it."""
    return {
        path.removeprefix(f"{STRATEGY}/"): content
        for path, content in files.items()
        if path.startswith(f"{STRATEGY}/")
    }


def files_digest(files: dict[str, bytes]) -> str:
    """Names and contents as one digest."""
    lines = (f"{hashlib.sha256(files[path]).hexdigest()}  {path}\n" for path in sorted(files))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _sources(world: Fleet) -> SourceFolders:
    if world.sources is None:
        raise AskOperator("the workspace's folders are out of reach", next_step="run it in the workspace")
    return world.sources
