"""Day profile: how much larger returns usually are at this time of day, known before the bar.

A profile made of one or two days is mostly noise and takes real regimes out of the data. So days of a flat profile
are mixed in, as if they had been seen: with few days it is nearly flat, with many it is the market's own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from magellan.compiled import kernel
from magellan.trading.bar import Floats

MINUTES_OF_DAY = 1440


class DayProfile:
    """Sums of absolute returns by minute of day, of the sessions that are over."""

    def __init__(self, flat_sessions: float) -> None:
        """flat_sessions: how many sessions of a flat profile are mixed in."""
        self._flat = flat_sessions
        self._sums = np.zeros((2, MINUTES_OF_DAY))  # absolute returns, and how many
        self._running = np.zeros((2, MINUTES_OF_DAY))  # of the session that is not over
        self._whole = np.zeros(2)  # the same as the first, over all minutes

    def divide(self, returns: Floats, day: Any, minute: Any, start: int, out: Floats) -> None:
        """Write returns over the profile into rows from `start` on. Rows before were handed in before.

        day, minute: of each bar on the exchange's clock, as `SessionColumns` has them.
        """
        _divide(returns, day, minute, start, self._flat, self._sums, self._running, self._whole, out)


@kernel
def _divide(
    returns: Any,
    day: Any,
    minute: Any,
    start: int,
    flat: float,
    sums: Any,
    running: Any,
    whole: Any,
    out: Any,
) -> None:
    for row in range(start, len(returns)):
        if row > 0 and day[row] != day[row - 1]:
            for slot in range(sums.shape[1]):
                if running[1, slot] > 0.0:
                    whole[0] += running[0, slot]
                    whole[1] += running[1, slot]
                    sums[0, slot] += running[0, slot]
                    sums[1, slot] += running[1, slot]
                    running[0, slot] = 0.0
                    running[1, slot] = 0.0
        slot = minute[row]
        factor = 1.0
        if whole[0] > 0.0:
            usual = whole[0] / whole[1]
            weight = sums[1, slot] + flat
            if weight > 0.0:
                factor = max((sums[0, slot] + flat * usual) / weight / usual, 0.05)
        out[row] = returns[row] / factor
        running[0, slot] += abs(returns[row])
        running[1, slot] += 1.0
