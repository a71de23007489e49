"""Steps on git: its index follows the moves, so that history does, and a commit where one is asked for.

The index is a copy that is changed and put in place whole; a commit is made of it and then pointed at. So a kill
leaves the old or the new, and undo brings the index back byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from magellan.plan.files.tree import UNFINISHED, Tree
from magellan.plan.step import Answer, Before, Begun, Blocked, Done, NotDone, Step

GIT_LOCK = ".lock"
"""What git adds to the name of an index while it writes it anew."""

TRAILER = "Magellan-Migration"
"""The line of a commit's message that says which step of which migration made it."""


class Checkout(Tree, Protocol):
    """A tree of files under git. Kept by `adapters/local/git_checkout.py`.

    Copies of the index lie at paths in the tree. All methods raise AskOperator with what git said.
    """

    async def index_digest(self, copy: str = "") -> str:
        """A digest of what is staged (names, contents, bits): of the index, or of a copy of it."""
        ...

    async def copy_index(self, to: str) -> None:
        """Copy the index to a path, whole or not at all."""
        ...

    async def stage(self, paths: Sequence[str], *, copy: str) -> None:
        """Stage those paths as they are in the tree, also as gone, in a new copy of the index; whole or not at all."""
        ...

    async def install_index(self, copy: str) -> None:
        """Put a copy in the index's place."""
        ...

    async def head(self) -> str:
        """The commit that is checked out; "" before the first one."""
        ...

    async def branch(self) -> str:
        """The full name of the branch; "" where none is checked out."""
        ...

    async def trailer(self, commit: str, name: str) -> str:
        """What the commit's message says after `name: ` on a line of its own; "" where it does not."""
        ...

    async def parents(self, commit: str) -> tuple[str, ...]:
        """The commits that it follows."""
        ...

    async def commit(self, message: str, *, parent: str) -> None:
        """Commit the index on top of `parent`, and let the branch that is checked out point at it."""
        ...

    async def point_head(self, commit: str, *, was: str) -> None:
        """Let the branch that is checked out point at a commit, if it points at `was`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StageChanges(Step[Checkout]):
    """Stage paths, with the index as it was kept for the way back."""

    paths: tuple[str, ...]
    kept: str  # a path in the tree: copies of the index lie there, with ".before" and ".after" added

    @property
    def title(self) -> str:
        return f"stage {len(self.paths)} paths in git's index"

    @property
    def changes(self) -> frozenset[str]:
        return frozenset({"git's index"})

    async def check(self, world: Checkout, before: Before | None) -> Answer:
        now = await world.index_digest()
        if before is None:
            return NotDone(before={"index": now})
        if await world.look(self._after) is not None and now == await world.index_digest(self._after):
            return Done()
        if now != before["index"]:
            return Blocked(why="somebody else has staged or unstaged something meanwhile")
        for copy in (*self._pieces, self._before):
            if await world.look(copy) is not None:
                return Begun(why=f"{copy} is there, and the index is as before")
        return NotDone(before=before)

    async def do(self, world: Checkout, before: Before) -> None:
        if await world.look(self._before) is None:
            await world.copy_index(self._before)
        await world.stage(self.paths, copy=self._after)
        await world.install_index(self._after)

    async def undo(self, world: Checkout, before: Before) -> None:
        if await world.look(self._before) is not None:
            await world.install_index(self._before)
        # The copy of the old index last: it is what the way back needs.
        for copy in (*self._pieces, self._before):
            if await world.look(copy) is not None:
                await world.remove(copy)

    @property
    def _before(self) -> str:
        return f"{self.kept}.before"

    @property
    def _after(self) -> str:
        return f"{self.kept}.after"

    @property
    def _pieces(self) -> tuple[str, ...]:
        """What staging leaves, whole or stopped in the middle: by a kill, or by a disk that is full."""
        unfinished = f"{self._after}{UNFINISHED}"
        return (f"{unfinished}{GIT_LOCK}", unfinished, f"{self._before}{UNFINISHED}", self._after)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitIndex(Step[Checkout]):
    """Commit what is staged. Hooks are not run: a commit of the middle of a migration would not pass them."""

    message: str  # its first line
    mark: str  # unique: by it the commit is known again

    @property
    def title(self) -> str:
        return f"commit: {self.message}"

    @property
    def changes(self) -> frozenset[str]:
        return frozenset({"git's branch"})

    async def check(self, world: Checkout, before: Before | None) -> Answer:
        head, branch = await world.head(), await world.branch()
        if before is None:
            return NotDone(before={"head": head, "branch": branch})
        if branch != before["branch"]:
            return Blocked(why=f"{branch or 'no branch'} is checked out now, and not {before['branch']}")
        if head == before["head"]:
            return NotDone(before=before)
        ours = await world.trailer(head, TRAILER) == self.mark
        if ours and await world.parents(head) == ((before["head"],) if before["head"] else ()):
            return Done(note=f"commit {head}")
        return Blocked(why=f"there are other commits on {branch or 'HEAD'} since")

    async def do(self, world: Checkout, before: Before) -> None:
        await world.commit(f"{self.message}\n\n{TRAILER}: {self.mark}\n", parent=before["head"])

    async def undo(self, world: Checkout, before: Before) -> None:
        await world.point_head(before["head"], was=await world.head())
