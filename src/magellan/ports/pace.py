"""Pace: time as a session lives it. Real time passes by itself; a stepped exchange's passes when its client is done."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(slots=True)
class Tally:
    """What a session's driver has received so far, counted as it arrives."""

    bars: int = 0
    order_events: int = 0


class Pace(Protocol):
    """Kept by `adapters/local/real_time.py` and `adapters/local/exchange_time.py`."""

    def now(self) -> datetime:
        """The present instant; aware, UTC. Never earlier than what it said before."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether time stands still for good, because there is no more of what it was made of."""
        ...

    async def rest(
        self, arrived: asyncio.Event, until: datetime | None, *, waiting: bool, tally: Tally
    ) -> None:
        """Return once something has arrived, or `until` has come; spuriously at any time.

        waiting: an answer is still under way, so that time must not be made to pass.
        tally:   what has been received. Time is not made to pass while something published has not arrived.
        Raises AskOperator when time cannot go on.
        """
        ...

    async def close(self) -> None: ...
