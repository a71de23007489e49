"""SetMode: the permission bits of a file or folder."""

from __future__ import annotations

from dataclasses import dataclass

from magellan.plan.files.one_path import OnePath
from magellan.plan.files.tree import Kind, Tree
from magellan.plan.step import Answer, Before, Blocked, Done, NotDone


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMode(OnePath):
    """Give the file or folder at `path` these permission bits."""

    mode: int  # 0o755

    @property
    def title(self) -> str:
        return f"set the permission bits of {self.path} to {self.mode:o}"

    async def check(self, world: Tree, before: Before | None) -> Answer:
        found = await world.look(self.path)
        if found is None or found.kind not in (Kind.FILE, Kind.FOLDER):
            return Blocked(why=f"there is no file and no folder {self.path}")
        if found.mode == self.mode:
            return Done()
        if before is None:
            return NotDone(before={"mode": found.mode})
        if found.mode != before["mode"]:
            return Blocked(why=f"the permission bits of {self.path} were changed by somebody else meanwhile")
        return NotDone(before=before)

    async def do(self, world: Tree, before: Before) -> None:
        await world.set_mode(self.path, self.mode)

    async def undo(self, world: Tree, before: Before) -> None:
        await world.set_mode(self.path, before["mode"])

    async def settle(self, world: Tree) -> None:
        await world.sync(self.path)
