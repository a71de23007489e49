"""Wilder's RSI by pandas, for the peers that leave indicators to their users."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def rsi(close: NDArray[np.float64], period: int) -> NDArray[np.float64]:
    """Shape (n,); NaN before bar `period`. Begins with the plain mean of the first `period` changes."""
    change = np.diff(close, prepend=np.nan)
    means = []
    for part in (np.maximum(change, 0.0), np.maximum(-change, 0.0)):
        seeded = part.copy()
        seeded[:period] = np.nan
        seeded[period] = part[1 : period + 1].mean()
        means.append(pd.Series(seeded).ewm(alpha=1.0 / period, adjust=False).mean().to_numpy())
    gain, loss = means
    result: NDArray[np.float64] = 100.0 * gain / (gain + loss)
    return result
