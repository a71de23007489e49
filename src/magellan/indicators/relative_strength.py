"""Relative strength index: how much of the recent movement was upwards, from 0 to 100."""

from __future__ import annotations

from math import isfinite, nan
from typing import Any, Literal

import numpy as np

from magellan.compiled import kernel
from magellan.errors import FixInput
from magellan.indicators.columns import column, period, run_end, run_start
from magellan.trading.bar import Floats

RsiSmoothing = Literal["span", "wilder", "wilder-sma-seed"]


def rsi(close: Floats, n: int, smoothing: RsiSmoothing) -> Floats:
    """Relative strength index: 100 x gain / (gain + loss), from smoothed means of the rises and the falls.

    close:     shape (n_bars,), oldest first.
    n:         number of bars; what it means depends on the smoothing.
    smoothing: how the means follow the newest change. It matters: span with n = 28 is about as quick as
               Wilder's with n = 14.5.
               "span"             weight 2/(n+1) for the newest change; both means are 0 on the first bar
               "wilder"           weight 1/n; both means are 0 on the first bar
               "wilder-sma-seed"  weight 1/n; the first means are the simple means of the first n changes
    Returns:   shape (n_bars,): 100 where nothing fell, 0 where nothing rose. NaN on the first bar
               ("wilder-sma-seed": on the first n bars), and as long as the close has not moved at all.
    Missing:   NaN where the close is not finite; begins anew behind it.
    Source:    J. W. Wilder, New Concepts in Technical Trading Systems, 1978: "wilder-sma-seed". The other two
               begin without a seed, as an exponential mean without bias adjustment does.
    """
    closes = column("close", close)
    share, seed = _weights(period(n), smoothing)
    out = np.empty(len(closes))
    _rsi(closes, share, seed, out)
    return out


class StreamingRsi:
    """`rsi`, one bar at a time."""

    def __init__(self, n: int, smoothing: RsiSmoothing) -> None:
        self._share, self._seed = _weights(period(n), smoothing)
        self._keep = 1.0 - self._share
        self._begin()

    def _begin(self) -> None:
        self._before = nan
        self._gain = 0.0
        self._loss = 0.0
        self._changes = 0

    def update(self, close: float) -> float:
        """The RSI of the bar that closed there."""
        if not isfinite(close):
            self._begin()
            return nan
        change = close - self._before
        self._before = close
        if not isfinite(change):  # the first bar
            return nan
        self._changes += 1
        rise = max(change, 0.0)
        if self._changes <= self._seed:
            self._gain += rise
            self._loss += rise - change
            if self._changes < self._seed:
                return nan
            self._gain /= self._seed
            self._loss /= self._seed
        else:
            self._gain = self._keep * self._gain + self._share * rise
            self._loss = self._keep * self._loss + self._share * (rise - change)
        moved = self._gain + self._loss
        return 100.0 * (self._gain / moved) if moved > 0.0 else nan


def _weights(n: int, smoothing: str) -> tuple[float, int]:
    """Weight of the newest change, and how many changes seed the first means."""
    if smoothing == "span":
        return 2.0 / (n + 1.0), 0
    if smoothing == "wilder":
        return 1.0 / n, 0
    if smoothing == "wilder-sma-seed":
        return 1.0 / n, n
    raise FixInput(f"RSI smoothing is 'span', 'wilder' or 'wilder-sma-seed', not {smoothing!r}")


@kernel
def _rsi(close: Any, share: float, seed: int, out: Any) -> None:
    keep = 1.0 - share
    start = run_start(close, 0)
    out[:start] = np.nan
    while start < len(close):
        end = run_end(close, start)
        out[start] = np.nan
        gain = 0.0
        loss = 0.0
        row = start + 1
        if seed > 0:
            while row < min(end, start + 1 + seed):
                change = close[row] - close[row - 1]
                rise = max(change, 0.0)
                gain += rise
                loss += rise - change
                out[row] = np.nan
                row += 1
            gain /= seed
            loss /= seed
            if row == start + 1 + seed:
                out[row - 1] = 100.0 * (gain / (gain + loss))  # NaN where nothing has moved
        # One multiplication and one addition lie between two means: the shortest chain there is.
        while row < end:
            change = close[row] - close[row - 1]
            rise = max(change, 0.0)
            gain = keep * gain + share * rise
            loss = keep * loss + share * (rise - change)
            out[row] = 100.0 * (gain / (gain + loss))
            row += 1
        start = run_start(close, end)
        out[end:start] = np.nan
