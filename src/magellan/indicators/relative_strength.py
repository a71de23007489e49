"""Relative strength index: how much of the recent movement was upwards, from 0 to 100."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numba import njit

from magellan.errors import FixInput
from magellan.indicators.columns import column, period, run_end, run_start
from magellan.trading.bar import Floats

RsiSmoothing = Literal["span", "wilder", "wilder-sma-seed"]


def rsi(close: Floats, n: int, smoothing: RsiSmoothing) -> Floats:
    """Relative strength index: 100 x gain / (gain + loss), with smoothed means of the rises and the falls.

    close:     shape (n_bars,), oldest first.
    n:         number of bars; what it means depends on the smoothing.
    smoothing: how the means follow the newest change. The choice matters: span with n = 28 is about as quick as
               Wilder's with n = 14.5.
               "span"             weight 2/(n+1) for the newest change; both means start at 0 on the first bar
               "wilder"           weight 1/n, started likewise
               "wilder-sma-seed"  weight 1/n; the first means are the simple means of the first n changes
    Returns:   shape (n_bars,), in [0, 100]: 100 where nothing fell, 0 where nothing rose. NaN on the first bar
               ("wilder-sma-seed": on the first n bars), and while the close has not moved at all.
    Missing:   NaN where the close is not finite; begins anew behind it.
    Source:    J. W. Wilder, New Concepts in Technical Trading Systems, 1978 ("wilder-sma-seed"). The other two start
               without a seed, as an exponential mean without bias adjustment does.
    """
    closes = column("close", close)
    share, seed = _weights(period(n), smoothing)
    out = np.empty(len(closes))
    _rsi(closes, share, seed, out)
    return out


def _weights(n: int, smoothing: str) -> tuple[float, int]:
    """Weight of the newest change, and how many changes seed the first means."""
    if smoothing == "span":
        return 2.0 / (n + 1.0), 0
    if smoothing == "wilder":
        return 1.0 / n, 0
    if smoothing == "wilder-sma-seed":
        return 1.0 / n, n
    raise FixInput(f"RSI smoothing is 'span', 'wilder' or 'wilder-sma-seed', not {smoothing!r}")


@njit(cache=True, nogil=True, error_model="numpy")
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
            seeded = min(end, start + 1 + seed)
            while row < seeded:
                change = close[row] - close[row - 1]
                rise = max(change, 0.0)
                gain += rise
                loss += rise - change
                out[row] = np.nan
                row += 1
            gain /= seed
            loss /= seed
            if row == start + 1 + seed:
                out[row - 1] = 100.0 * gain / (gain + loss)
        # One multiplication and one addition per bar stand between two means: the shortest chain there is.
        while row < end:
            change = close[row] - close[row - 1]
            rise = max(change, 0.0)
            gain = keep * gain + share * rise
            loss = keep * loss + share * (rise - change)
            out[row] = 100.0 * gain / (gain + loss)
            row += 1
        start = run_start(close, end)
        out[end:start] = np.nan
