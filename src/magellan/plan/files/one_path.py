"""What steps that change one path have in common."""

from __future__ import annotations

from dataclasses import dataclass

from magellan.plan.files.tree import Tree, checked, folder_of, folders_above
from magellan.plan.step import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class OnePath(Step[Tree]):
    """A step that changes what is at `path`, and is on the disk once its folder is."""

    path: str

    def __post_init__(self) -> None:
        checked(self.path)

    @property
    def changes(self) -> frozenset[str]:
        return frozenset({self.path})

    @property
    def needs(self) -> frozenset[str]:
        return folders_above(self.path)

    @property
    def settles_with_its_batch(self) -> bool:
        return True

    async def settle(self, world: Tree) -> None:
        await world.sync(folder_of(self.path))
