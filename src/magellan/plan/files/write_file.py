"""WriteFile: put a file with that content in its place, at once, and keep the one that was there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from magellan.plan.files.tree import UNFINISHED, Found, Kind, Tree, checked, folder_of, folders_above
from magellan.plan.step import Answer, Before, Begun, Blocked, Done, NotDone, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteFile(Step[Tree]):
    """A file with that content. Whoever opens it meets the old one or the new one, and nothing in between."""

    path: str
    content: bytes
    mode: int = 0o644  # permission bits
    # Where the file that is replaced is kept, on the same disk, in a folder that is there. "": only a new file is made.
    backup: str = ""

    def __post_init__(self) -> None:
        checked(self.path)
        if self.backup:
            checked(self.backup)

    @property
    def title(self) -> str:
        return f"write {self.path} ({len(self.content):,} bytes)"

    @property
    def changes(self) -> frozenset[str]:
        return frozenset({self.path, *([self.backup] if self.backup else [])})

    @property
    def needs(self) -> frozenset[str]:
        return folders_above(self.path, *([self.backup] if self.backup else []))

    async def check(self, world: Tree, before: Before | None) -> Answer:
        found = await world.look(self.path)
        if before is not None:
            return await self._check_again(world, found, before)
        content = b""
        if found is not None:
            if found.kind is not Kind.FILE:
                return Blocked(why=f"{self.path} is a {found.kind} and not a file")
            content = await world.read(self.path)
            if content == self.content and found.mode == self.mode:
                return Done()
        if await world.look(self._unfinished) is not None:
            return Blocked(why=f"{self._unfinished}, under which the file is prepared, is there already")
        if found is None:
            if await world.folder(folder_of(self.path)) is None:
                return Blocked(why=f"there is no folder {folder_of(self.path)}")
            return NotDone(before={"kind": None})
        if not self.backup:
            return Blocked(why=f"{self.path} is there already, with other content or permission bits")
        if await world.look(self.backup) is not None:
            return Blocked(why=f"{self.backup}, where the old file is to be kept, is there already")
        folder = await world.folder(folder_of(self.backup))
        if folder is None:
            return Blocked(why=f"there is no folder {folder_of(self.backup)} to keep the old file in")
        if folder.device != found.device:
            return Blocked(why=f"{self.backup} would lie on another disk than {self.path}")
        return NotDone(before={**found.as_json(), "sha256": hashlib.sha256(content).hexdigest()})

    async def _check_again(self, world: Tree, found: Found | None, before: Before) -> Answer:
        content = await world.read(self.path) if found is not None and found.kind is Kind.FILE else None
        # The same bytes with another time of change are ours, or were ours already.
        if found is not None and content == self.content and found.mode == self.mode:
            return Done()
        if not _is_as(before, found, content):
            return Blocked(why=f"{self.path} was changed by somebody else meanwhile")
        # Where nothing was there, the backup is not ours: nothing was to be kept.
        for prepared in (self._unfinished, *([] if before["kind"] is None else [self.backup])):
            if await world.look(prepared) is not None:
                return Begun(why=f"{prepared} is there, and {self.path} is as before")
        return NotDone(before=before)

    async def do(self, world: Tree, before: Before) -> None:
        if before["kind"] is not None and await world.look(self.backup) is None:
            await world.link(self.path, self.backup)
            # The old file has its second name for good before it loses the first.
            await world.sync(folder_of(self.backup))
        await world.write(self._unfinished, self.content, self.mode)
        await world.rename(self._unfinished, self.path)

    async def undo(self, world: Tree, before: Before) -> None:
        if await world.look(self._unfinished) is not None:
            await world.remove(self._unfinished)
        found = await world.look(self.path)
        if before["kind"] is None:
            if found is not None:
                await world.remove(self.path)
        elif found is not None and _is_as(before, found, await world.read(self.path)):
            # The file and its backup are two names of one file, which a rename would leave alone.
            await world.remove(self.backup)
        else:
            await world.rename(self.backup, self.path)

    @property
    def settles_with_its_batch(self) -> bool:
        return True

    async def settle(self, world: Tree) -> None:
        await world.sync(folder_of(self.path), *([folder_of(self.backup)] if self.backup else []))

    @property
    def _unfinished(self) -> str:
        return self.path + UNFINISHED


def _is_as(before: Before, found: Found | None, content: bytes | None) -> bool:
    """Whether the file is as before. Its content counts: two writes within one tick of the clock bear the same time."""
    if found is None or content is None or before["kind"] is None:
        return found is None and before["kind"] is None
    return found.is_as(before) and hashlib.sha256(content).hexdigest() == before["sha256"]
