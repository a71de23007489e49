"""Day profile: how much larger returns usually are at this time of day, known before the bar.

A profile made of one or two days is mostly noise and takes real regimes out of the data. So days of a flat profile
are mixed in, as if they had been seen: with few days it is nearly flat, with many it is the market's own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from magellan.compiled import kernel_part

MINUTES_OF_DAY = 1440


class DayProfile:
    """Sums of absolute returns by minute of day, of the sessions that are over."""

    def __init__(self, flat_sessions: float) -> None:
        """flat_sessions: how many sessions of a flat profile are mixed in."""
        self.flat_sessions = flat_sessions
        self.sums = np.zeros((2, MINUTES_OF_DAY))  # absolute returns, and how many
        self.running = np.zeros((2, MINUTES_OF_DAY))  # of the session that is not over
        self.whole = np.zeros(2)  # the same as the first, over all minutes


@kernel_part
def profile_row(
    value: float, begins: bool, slot: int, flat: float, sums: Any, running: Any, whole: Any
) -> float:
    """What the profile, as known before it, divides a return by. Takes the return into the running session.

    begins: whether it is the first of a session.
    slot:   its minute of day.
    """
    if begins:
        for at in range(sums.shape[1]):
            if running[1, at] > 0.0:
                whole[0] += running[0, at]
                whole[1] += running[1, at]
                sums[0, at] += running[0, at]
                sums[1, at] += running[1, at]
                running[0, at] = 0.0
                running[1, at] = 0.0
    factor = 1.0
    if whole[0] > 0.0:
        usual = whole[0] / whole[1]
        weight = sums[1, slot] + flat
        if weight > 0.0:
            factor = max((sums[0, slot] + flat * usual) / weight / usual, 0.05)
    running[0, slot] += abs(value)
    running[1, slot] += 1.0
    return factor
