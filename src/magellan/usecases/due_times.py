"""Instants at which a session has something to do, each under a name."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count


@dataclass(slots=True)
class DueTimes:
    """Asking for a name again moves it. Equal instants come in the order in which they were asked for."""

    _heap: list[tuple[datetime, int, str]] = field(default_factory=list)
    _newest: dict[str, int] = field(default_factory=dict)
    _number: count[int] = field(default_factory=count)

    def set(self, name: str, at: datetime) -> None:
        number = next(self._number)
        self._newest[name] = number
        heapq.heappush(self._heap, (at, number, name))

    def next_at(self) -> datetime | None:
        while self._heap and self._newest.get(self._heap[0][2]) != self._heap[0][1]:
            heapq.heappop(self._heap)  # moved since
        return self._heap[0][0] if self._heap else None

    def due(self, now: datetime) -> str | None:
        """The name of one that is due, which is then forgotten."""
        at = self.next_at()
        if at is None or at > now:
            return None
        _, _, name = heapq.heappop(self._heap)
        del self._newest[name]
        return name
