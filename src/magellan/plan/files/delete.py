"""Delete: take a file, a link or a whole folder away, and keep it where its way back begins."""

from __future__ import annotations

from dataclasses import dataclass

from magellan.plan.files.move import Move
from magellan.plan.files.tree import Tree, checked, folders_above
from magellan.plan.step import Answer, Before, Done, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete(Step[Tree]):
    """Move `path` to `backup`, on the same disk. So nothing is copied, and what comes back is the very same file."""

    path: str
    backup: str  # nothing may be there yet; its folder must be

    def __post_init__(self) -> None:
        checked(self.path)
        checked(self.backup)

    @property
    def title(self) -> str:
        return f"delete {self.path}"

    @property
    def changes(self) -> frozenset[str]:
        return frozenset({self.path, self.backup})

    @property
    def needs(self) -> frozenset[str]:
        return folders_above(self.path, self.backup)

    async def check(self, world: Tree, before: Before | None) -> Answer:
        if before is None and await world.look(self.path) is None:
            return Done(note=f"{self.path} was not there")
        return await self._move.check(world, before)

    async def do(self, world: Tree, before: Before) -> None:
        await self._move.do(world, before)

    async def undo(self, world: Tree, before: Before) -> None:
        await self._move.undo(world, before)

    @property
    def settles_with_its_batch(self) -> bool:
        return True

    async def settle(self, world: Tree) -> None:
        await self._move.settle(world)

    @property
    def _move(self) -> Move:
        return Move(source=self.path, target=self.backup)
