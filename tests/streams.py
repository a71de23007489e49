"""Reading what a broker or a feed tells, for the tests of each of them."""

from collections.abc import AsyncIterator, Callable
from typing import Any


async def until(told: AsyncIterator[Any], is_last: Callable[[Any], bool]) -> list[Any]:
    """Everything that is told, up to the first that is the last."""
    found = []
    async for each in told:
        found.append(each)
        if is_last(each):
            return found
    raise AssertionError(f"the stream ended after {found}")
