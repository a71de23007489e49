"""Where work is carried out: on this machine's cores, or on a cluster's. The work is the same, and so is its answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

Given = TypeVar("Given")
Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Work(Generic[Given, Item, Answer]):
    """What to do with each item.

    begin: makes the function that items are handed to, from `given`; called once per worker. It is a function of a
           module, so that a worker in another process finds it by its name.
    given: everything that it needs, as a value that can be pickled; so can `describe`.
    describe: names an item to people.

    The function is pure: an item's answer depends on `given` and the item alone, not on the worker, the items before
    it or their order. It may keep what it computed for one item for the next, so one worker calls it for one item at
    a time.
    """

    begin: Callable[[Given], Callable[[Item], Answer]]
    given: Given
    describe: Callable[[Item], str]


class Executor(Protocol):
    """Carries out work. Kept by adapters/local and adapters/dask_cluster.py; held to by tests/contracts."""

    @property
    def place(self) -> str:
        """Where work is carried out, for people: `2 threads on this machine`."""
        ...

    def map(
        self,
        work: Work[Given, Item, Answer],
        items: Sequence[Item],
        *,
        on_done: Callable[[int, Answer], None] | None = None,
    ) -> list[Answer]:
        """The answers, in the order of the items. Neighbouring items go to one worker where possible.

        on_done: told each item's number and answer as it arrives, in the calling thread, in any order. What it
                 raises, and Ctrl-C, stops the work: no further item begins, answers that are there already are told
                 first, and the exception passes through.
        Raises:  what `begin` or its function raised, with a note that names the item; everything stops then, too.
                 TryAgain when a worker was lost.
        """
        ...


def answers(
    work: Work[Given, Item, Answer], function: Callable[[Item], Answer], items: Sequence[Item]
) -> list[Answer]:
    """What the work's function says of each item. Raises what it raises, with the item's name on it."""
    found = []
    for item in items:
        try:
            found.append(function(item))
        except BaseException as error:
            noted(error, work.describe(item))
            raise
    return found


def noted(error: BaseException, described: str) -> None:
    """Put the item's name on an error that its work raised; it survives the way between processes."""
    error.add_note(f"while working on {described}")
