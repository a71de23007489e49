"""MakeFolder: an empty folder, and its removal once nobody's work is in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from magellan.plan.files.one_path import OnePath
from magellan.plan.files.tree import Kind, Tree, folder_of
from magellan.plan.step import Answer, Before, Begun, Blocked, Done, NotDone, NotOurs

COMPILED: Final = "__pycache__"
"""The folder in which Python keeps what it has compiled of the modules beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeFolder(OnePath):
    """A folder in one that is there.

    Undone, it must be empty: what somebody else put into it is never removed. What Python has compiled there goes with
    it: Python makes that anew wherever the modules lie.
    """

    mode: int = 0o755  # permission bits, if it is made

    @property
    def title(self) -> str:
        return f"make the folder {self.path}"

    async def check(self, world: Tree, before: Before | None) -> Answer:
        found = await world.look(self.path)
        if found is None:
            if await world.folder(folder_of(self.path)) is None:
                return Blocked(why=f"there is no folder {folder_of(self.path)}")
            return NotDone()
        if found.kind is not Kind.FOLDER:
            return Blocked(why=f"{self.path} is a {found.kind} and not a folder")
        if before is not None and found.mode != self.mode:
            return Begun(why=f"{self.path} is there, without its permission bits")
        return Done()

    async def do(self, world: Tree, before: Before) -> None:
        if await world.look(self.path) is None:
            await world.make_folder(self.path)
        await world.set_mode(self.path, self.mode)

    async def undo(self, world: Tree, before: Before) -> None:
        compiled = f"{self.path}/{COMPILED}"
        found = await world.look(compiled)
        has_compiled = found is not None and found.kind is Kind.FOLDER
        left = set(await world.names(self.path)) - ({COMPILED} if has_compiled else set())
        if left:
            raise NotOurs(f"{self.path} holds {', '.join(sorted(left))}, which somebody else put there")
        if has_compiled:
            for name in await world.names(compiled):
                await world.remove(f"{compiled}/{name}")
            await world.remove_folder(compiled)
        await world.remove_folder(self.path)
