"""Components of structure: Wilder's directional index, and correlation with other symbols."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from magellan.compiled import kernel_part
from magellan.regime import config
from magellan.regime.axes import Axis
from magellan.regime.components.component import BarComponent, Output
from magellan.regime.components.scores import between_limits

ADX = np.dtype(  # what `adx_row` is told
    [
        ("on", np.bool_),
        ("bars", np.int64),
        ("ranging", np.float64),
        ("trending", np.float64),
    ],
    align=True,
)


class AdxStrength(BarComponent):
    """Average directional index: how decided the market is, and by its two parts in which direction.

    Smoothed with weight 1/n from the first bar on. Source: J. W. Wilder, New Concepts in Technical Trading, 1978.
    """

    name: ClassVar[str] = "adx"
    axes: ClassVar[tuple[Axis, ...]] = (Axis.TREND, Axis.STRUCTURE)
    record: ClassVar[np.dtype[np.void]] = ADX

    def __init__(self, values: config.AdxStrength) -> None:
        super().__init__(values, work_columns=4)  # upward and downward movement, true range, index
        self._values = values

    def terms(self, *, on: bool) -> tuple[Any, ...]:
        values = self._values
        return (on, values.bars, values.ranging_below, values.trending_above)

    def value(self, out: Output, row: int) -> float:
        """The index, from 0 to 100."""
        return float(out.work[row, 3])


CORRELATION = np.dtype(  # what `correlation_row` is told
    [
        ("on", np.bool_),
        ("window", np.int64),
        ("high", np.float64),
    ],
    align=True,
)


class Correlation(BarComponent):
    """Mean correlation of returns with the other symbols of the analysis.

    Markets that fall move together: a high correlation speaks for high volatility.
    Source: F. Longin and B. Solnik, Extreme Correlation of International Equity Markets, 2001.
    """

    name: ClassVar[str] = "correlation"
    axes: ClassVar[tuple[Axis, ...]] = (Axis.VOLATILITY,)
    record: ClassVar[np.dtype[np.void]] = CORRELATION

    def __init__(self, values: config.Correlation) -> None:
        super().__init__(values, work_columns=1)  # the mean correlation
        self._values = values

    def nothing_to_read(self, *, is_daily: bool, others: int) -> str | None:
        return None if others else "there are no other symbols in this analysis"

    def terms(self, *, on: bool) -> tuple[Any, ...]:
        return (on, self._values.window_bars, self._values.high)

    def value(self, out: Output, row: int) -> float:
        """The mean correlation, from -1 to 1."""
        return float(out.work[row, 0])


@kernel_part
def adx_row(
    high: Any, low: Any, close: Any, row: int, offset: int, terms: Any, work: Any, scores: Any, slot: int
) -> None:
    """Movements and index at a row; trend goes into `slot`, structure into the next."""
    n = terms.bars
    if row == 0:
        for k in range(4):
            work[row, k] = 0.0
        scores[row, slot] = math.nan
        scores[row, slot + 1] = math.nan
        return
    rise = high[row] - high[row - 1]
    fall = low[row - 1] - low[row]
    up = rise if rise > fall and rise > 0.0 else 0.0
    down = fall if fall > rise and fall > 0.0 else 0.0
    reach = max(high[row] - low[row], abs(high[row] - close[row - 1]), abs(low[row] - close[row - 1]))
    work[row, 0] = work[row - 1, 0] + (up - work[row - 1, 0]) / n
    work[row, 1] = work[row - 1, 1] + (down - work[row - 1, 1]) / n
    work[row, 2] = work[row - 1, 2] + (reach - work[row - 1, 2]) / n
    both = work[row, 0] + work[row, 1]
    share = (work[row, 0] - work[row, 1]) / both if both > 0.0 else 0.0
    work[row, 3] = work[row - 1, 3] + (100.0 * abs(share) - work[row - 1, 3]) / n
    if row + offset < 2 * n:
        scores[row, slot] = math.nan
        scores[row, slot + 1] = math.nan
        return
    decided = between_limits(work[row, 3], terms.ranging, terms.trending)
    side = 1.0 if share > 0.0 else (-1.0 if share < 0.0 else 0.0)
    scores[row, slot] = side * 0.5 * (1.0 + decided)
    scores[row, slot + 1] = decided


@kernel_part
def correlation_row(
    returns: Any, others: Any, row: int, offset: int, terms: Any, work: Any, scores: Any, slot: int
) -> None:
    """The mean correlation at a row. Others that stand still, or are missing most of the time, count for nothing."""
    window = terms.window
    total = 0.0
    known = 0
    if row + offset + 1 >= window:
        for other in range(others.shape[1]):
            ours = 0.0
            theirs = 0.0
            both_known = 0
            for at in range(row - window + 1, row + 1):
                if not math.isnan(others[at, other]):
                    ours += returns[at]
                    theirs += others[at, other]
                    both_known += 1
            if 2 * both_known < window:
                continue
            ours /= both_known
            theirs /= both_known
            both = 0.0
            first = 0.0
            second = 0.0
            for at in range(row - window + 1, row + 1):
                if not math.isnan(others[at, other]):
                    a = returns[at] - ours
                    b = others[at, other] - theirs
                    both += a * b
                    first += a * a
                    second += b * b
            if first > 0.0 and second > 0.0:
                total += both / math.sqrt(first * second)
                known += 1
    if known == 0:
        work[row, 0] = math.nan
        scores[row, slot] = math.nan
    else:
        work[row, 0] = total / known
        scores[row, slot] = between_limits(work[row, 0], 0.0, terms.high)
