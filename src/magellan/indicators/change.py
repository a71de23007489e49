"""Change: how far a value has moved, by itself and against its usual spread."""

from __future__ import annotations

from math import isfinite, nan

import numpy as np

from magellan.indicators.columns import column, period
from magellan.indicators.rolling import StreamingPrior, StreamingStd, prior, rolling_std
from magellan.indicators.smoothing import StreamingSma, sma
from magellan.trading.bar import Floats


def roc(values: Floats, n: int) -> Floats:
    """Rate of change over n bars, as a fraction: value / value n bars ago - 1; 0.05 is 5 % up.

    Returns: shape of `values`; NaN on the first n bars, where the earlier value is 0, and where either value
             is not finite.
    """
    given = column("values", values)
    before = prior(given, period(n))
    out: Floats = np.full(len(given), np.nan)
    np.divide(given, before, out=out, where=(before != 0.0) & np.isfinite(before) & np.isfinite(given))
    out -= 1.0
    return out


def zscore(values: Floats, n: int) -> Floats:
    """Distance from the mean of the last n values, in their sample standard deviations (n - 1).

    Returns: shape of `values`; NaN on the first n - 1 bars, where the n values are all equal, and while one
             of them is not finite.
    """
    given = column("values", values)
    spread = rolling_std(given, n, ddof=1)
    out: Floats = np.full(len(given), np.nan)
    return np.divide(given - sma(given, n), spread, out=out, where=spread > 0.0)


class StreamingRoc:
    """`roc`, one value at a time."""

    def __init__(self, n: int) -> None:
        self._prior = StreamingPrior(n)

    def update(self, value: float) -> float:
        """The rate of change after this value."""
        before = self._prior.update(value)
        if not isfinite(value) or not isfinite(before) or before == 0.0:
            return nan
        return value / before - 1.0


class StreamingZscore:
    """`zscore`, one value at a time."""

    def __init__(self, n: int) -> None:
        self._mean = StreamingSma(n)
        self._std = StreamingStd(n, ddof=1)

    def update(self, value: float) -> float:
        """The z-score of this value among the last n."""
        mean, spread = self._mean.update(value), self._std.update(value)
        return (value - mean) / spread if spread > 0.0 else nan
