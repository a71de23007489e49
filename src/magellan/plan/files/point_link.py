"""PointLink: a symbolic link that points somewhere else from one instant to the next."""

from __future__ import annotations

from dataclasses import dataclass

from magellan.errors import FixInput
from magellan.plan.files.one_path import OnePath
from magellan.plan.files.tree import UNFINISHED, Kind, Tree, folder_of
from magellan.plan.step import Answer, Before, Begun, Blocked, Done, NotDone, storable


@dataclass(frozen=True, slots=True, kw_only=True)
class PointLink(OnePath):
    """Let the link at `path` say `target`; it is made where there is none. Who follows it meets the old or the new."""

    target: str  # as the link will say it: relative to the link's own folder, or absolute

    def __post_init__(self) -> None:
        OnePath.__post_init__(self)  # `super()` finds no class where slots made another one of it
        if not self.target or storable(self.target) != self.target:
            raise FixInput(f"a link cannot point at {self.target!r}: give it text")

    @property
    def title(self) -> str:
        return f"point {self.path} at {self.target}"

    async def check(self, world: Tree, before: Before | None) -> Answer:
        found = await world.look(self.path)
        if found is not None and found.kind is not Kind.LINK:
            return Blocked(why=f"{self.path} is a {found.kind} and not a link")
        says = None if found is None else await world.link_target(self.path)
        if says == self.target:
            return Done()
        if before is None:
            if await world.folder(folder_of(self.path)) is None:
                return Blocked(why=f"there is no folder {folder_of(self.path)}")
            if await world.look(self._unfinished) is not None:
                return Blocked(why=f"{self._unfinished}, under which the link is prepared, is there already")
            if says is not None and storable(says) != says:
                return Blocked(
                    why=f"{self.path} points at a name that is no UTF-8 text, which a journal cannot hold"
                )
            return NotDone(before={"said": says, "mtime_ns": None if found is None else found.mtime_ns})
        if says != before["said"]:
            return Blocked(why=f"{self.path} was pointed at {says} by somebody else meanwhile")
        if await world.look(self._unfinished) is not None:
            return Begun(why=f"{self._unfinished} is there, and {self.path} is as before")
        return NotDone(before=before)

    async def do(self, world: Tree, before: Before) -> None:
        await self._remove_unfinished(world)
        await world.make_link(self._unfinished, self.target)
        await world.rename(self._unfinished, self.path)

    async def undo(self, world: Tree, before: Before) -> None:
        await self._remove_unfinished(world)
        found = await world.look(self.path)
        if found is not None and await world.link_target(self.path) == self.target:
            if before["said"] is None:
                await world.remove(self.path)
            else:
                await world.make_link(self._unfinished, before["said"])
                await world.set_mtime(self._unfinished, before["mtime_ns"])
                await world.rename(self._unfinished, self.path)

    async def _remove_unfinished(self, world: Tree) -> None:
        if await world.look(self._unfinished) is not None:
            await world.remove(self._unfinished)

    @property
    def _unfinished(self) -> str:
        return self.path + UNFINISHED
