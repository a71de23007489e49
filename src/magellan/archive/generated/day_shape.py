"""The shape of a day: how a session's variance and volume spread over its minutes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from magellan.trading.bar import Floats


def session_shapes(minutes: NDArray[np.int64], longest: int) -> tuple[Floats, Floats]:
    """Shapes (d, longest), 0 after the close: each minute's spread and volume as shares of the session's.

    The spread is the standard deviation of the minute's move. Both are high after the open, low at noon and
    higher again into the close.
    """
    swing, busy = np.zeros((len(minutes), longest)), np.zeros((len(minutes), longest))
    for length in sorted(set(minutes.tolist())):  # np.unique would load numpy.ma
        x = (np.arange(length) + 0.5) / length
        variance = 0.55 + 3.2 * np.exp(-x / 0.06) + 0.6 * np.exp(-(1 - x) / 0.06)
        volume = 0.55 + 2.0 * np.exp(-x / 0.05) + 0.7 * np.exp(-(1 - x) / 0.08)
        volume += 2.5 * np.exp(-(1 - x) / 0.006)  # the closing auction
        swing[minutes == length, :length] = np.sqrt(variance / variance.sum())
        busy[minutes == length, :length] = volume / volume.sum()
    return swing, busy
