"""Move: give a file, a link or a whole folder another name. It is one rename, so it happens at once or not at all."""

from __future__ import annotations

from dataclasses import dataclass

from magellan.plan.files.tree import Found, Tree, checked, folder_of, folders_above
from magellan.plan.step import Answer, Before, Blocked, Done, NotDone, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Move(Step[Tree]):
    """Give `source` the name `target`, which nothing has, in a folder that is there."""

    source: str
    target: str

    def __post_init__(self) -> None:
        checked(self.source)
        checked(self.target)

    @property
    def title(self) -> str:
        return f"move {self.source} to {self.target}"

    @property
    def changes(self) -> frozenset[str]:
        return frozenset({self.source, self.target})

    @property
    def needs(self) -> frozenset[str]:
        return folders_above(self.source, self.target)

    async def check(self, world: Tree, before: Before | None) -> Answer:
        source, target = await world.look(self.source), await world.look(self.target)
        if before is not None:
            if source is not None and target is None and source.is_as(before):
                return NotDone(before=before)
            if target is not None and source is None and target.is_as(before):
                return Done()
            return self._blocked(source, target, before)
        if source is None:
            if target is not None:
                return Done(note=f"{self.source} is gone and {self.target} is there")
            return Blocked(why=f"{self.source} is not there")
        if target is not None:
            return Blocked(why=f"{self.target} is there already")
        folder = await world.folder(folder_of(self.target))
        if folder is None:
            return Blocked(why=f"there is no folder {folder_of(self.target)}")
        if folder.device != source.device:
            return Blocked(why=f"{self.target} would lie on another disk than {self.source}")
        return NotDone(before=source.as_json())

    def _blocked(self, source: Found | None, target: Found | None, before: Before) -> Blocked:
        """Why it can go neither way, once it has begun."""
        path = self.source if target is not None and target.is_as(before) else self.target
        why = f"{path} was changed, removed or put there by somebody else meanwhile"
        if source is not None and target is None:
            why = f"{path} is not there, and {self.source} is not what was to be moved"
        return Blocked(why=why, about=folders_above(path) | {path})

    async def do(self, world: Tree, before: Before) -> None:
        await _rename(world, self.source, self.target)

    async def undo(self, world: Tree, before: Before) -> None:
        await _rename(world, self.target, self.source)

    @property
    def settles_with_its_batch(self) -> bool:
        return True

    async def settle(self, world: Tree) -> None:
        # The new name first: a power cut in between leaves two names rather than none.
        await world.sync(folder_of(self.target), folder_of(self.source))


async def _rename(world: Tree, source: str, target: str) -> None:
    # A rename would silently replace what appeared there since the check.
    if await world.look(target) is not None:
        raise FileExistsError(f"{target} has appeared meanwhile")
    await world.rename(source, target)
