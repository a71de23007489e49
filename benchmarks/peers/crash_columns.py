"""W2's condition as NumPy columns, for the peers that take signals as arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.reference import CRASH_FRACTION, VOLUME_MULTIPLE, VOLUME_WINDOW
from benchmarks.workloads import SESSION_MINUTES, CrashBars


def wanted(bars: CrashBars) -> NDArray[np.bool_]:
    """Shape (symbols, minutes): bars that reclaim the session low after a crash, on heavy volume."""
    symbols, minutes = bars.close.shape
    by_session = (symbols, minutes // SESSION_MINUTES, SESSION_MINUTES)
    close, low = bars.close.reshape(by_session), bars.low.reshape(by_session)
    former_low = np.full(by_session, np.nan)
    former_low[:, :, 1:] = np.minimum.accumulate(low, axis=2)[:, :, :-1]
    previous_close = np.full(by_session[:2], np.nan)
    previous_close[:, 1:] = close[:, :-1, -1]
    total = np.cumsum(bars.volume, axis=1)
    window = np.full(bars.volume.shape, np.nan)
    window[:, VOLUME_WINDOW - 1] = total[:, VOLUME_WINDOW - 1]
    window[:, VOLUME_WINDOW:] = total[:, VOLUME_WINDOW:] - total[:, :-VOLUME_WINDOW]
    heavy = bars.volume >= VOLUME_MULTIPLE * (window / VOLUME_WINDOW)
    reclaims = (low < former_low) & (close > former_low)
    crashed = close / previous_close[:, :, None] - 1.0 <= CRASH_FRACTION
    return (reclaims & crashed).reshape(symbols, minutes) & heavy
