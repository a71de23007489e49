"""KeepFolderTimes: note when folders were last changed, for the way back.

A folder's time of change moves with every name that comes or goes in it. Undo runs backwards, so a step that stands
first is undone last, and puts the times back when nothing changes them any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from magellan.plan.files.tree import Kind, Tree, folder_of
from magellan.plan.step import Answer, Before, Begun, Done, NotDone, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepFolderTimes(Step[Tree]):
    """Put it before all other steps of a plan on files. Carried out, it changes nothing."""

    folders: tuple[str, ...]  # "." is the tree's root; those that are not there are left out

    @classmethod
    def around(cls, steps: Iterable[Step[Tree]]) -> KeepFolderTimes:
        """For the folders in which these steps change anything."""
        changed = {folder_of(path) for step in steps for path in step.changes}
        return cls(folders=tuple(sorted(changed)))

    @property
    def title(self) -> str:
        return f"note the times of {len(self.folders)} folder{'' if len(self.folders) == 1 else 's'}"

    async def check(self, world: Tree, before: Before | None) -> Answer:
        if before is None:
            return NotDone(before={"mtimes_ns": await self._times(world)})
        now = await self._times(world)
        moved = sum(now.get(folder) != mtime_ns for folder, mtime_ns in before["mtimes_ns"].items())
        if moved:
            return Begun(why=f"the times of {moved} folders are not as before")
        return NotDone(before=before)

    async def verify(self, world: Tree, before: Before) -> Answer:
        return Done()

    async def do(self, world: Tree, before: Before) -> None:
        return None

    async def undo(self, world: Tree, before: Before) -> None:
        for folder, mtime_ns in before["mtimes_ns"].items():
            await world.set_mtime(folder, mtime_ns)
        await world.sync(*before["mtimes_ns"])

    async def _times(self, world: Tree) -> dict[str, int]:
        found = [(folder, await world.look(folder)) for folder in self.folders]
        return {
            folder: each.mtime_ns for folder, each in found if each is not None and each.kind is Kind.FOLDER
        }
