"""MakeFolder: an empty folder, and its removal while it is still empty."""

from __future__ import annotations

from dataclasses import dataclass

from magellan.plan.files.tree import Kind, Tree, checked, folder_of, folders_above
from magellan.plan.step import Answer, Before, Begun, Blocked, Done, NotDone, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeFolder(Step[Tree]):
    """A folder in one that is there. Undone, it must be empty: what somebody else put into it is never removed."""

    path: str
    mode: int = 0o755  # permission bits, if it is made

    def __post_init__(self) -> None:
        checked(self.path)

    @property
    def title(self) -> str:
        return f"make the folder {self.path}"

    @property
    def changes(self) -> frozenset[str]:
        return frozenset({self.path})

    @property
    def needs(self) -> frozenset[str]:
        return folders_above(self.path)

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
        await world.remove_folder(self.path)

    @property
    def settles_with_its_batch(self) -> bool:
        return True

    async def settle(self, world: Tree) -> None:
        await world.sync(folder_of(self.path))
