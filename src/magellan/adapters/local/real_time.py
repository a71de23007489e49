"""Real time, as this machine's clock tells it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Final

from magellan.ports.pace import Tally

_LONGEST_S: Final = 60.0  # a clock that is set forward meanwhile is noticed within a minute


class RealTime:
    """Keeps `ports.pace.Pace`."""

    def __init__(self) -> None:
        self._told_at = datetime.now(UTC)

    def now(self) -> datetime:
        """Never earlier than before, even when the clock is set back."""
        self._told_at = max(self._told_at, datetime.now(UTC))
        return self._told_at

    @property
    def is_over(self) -> bool:
        return False

    async def rest(
        self, arrived: asyncio.Event, until: datetime | None, *, waiting: bool, tally: Tally
    ) -> None:
        rest_s = _LONGEST_S if until is None else (until - self.now()).total_seconds()
        if rest_s <= 0:
            return
        try:
            await asyncio.wait_for(arrived.wait(), min(rest_s, _LONGEST_S))
        except TimeoutError:
            return

    async def close(self) -> None:
        return None
