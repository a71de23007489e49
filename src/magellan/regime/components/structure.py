"""Components of structure: Wilder's directional index, and correlation with other symbols."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from magellan.compiled import kernel
from magellan.regime import config
from magellan.regime.axes import Axis
from magellan.regime.components.component import Market, Output
from magellan.regime.components.scores import between_limits


class AdxStrength:
    """Average directional index: how decided the market is, and by its two parts in which direction.

    Smoothed with weight 1/n from the first bar on. Source: J. W. Wilder, New Concepts in Technical Trading, 1978.
    """

    name: ClassVar[str] = "adx"
    axes: ClassVar[tuple[Axis, ...]] = (Axis.TREND, Axis.STRUCTURE)

    def __init__(self, terms: config.AdxStrength) -> None:
        self._terms = terms
        self.weight = terms.weight
        self.work_columns = 4  # upward and downward movement, true range, index

    def absent(self, market: Market) -> str | None:
        return None

    def extend(self, market: Market, start: int, out: Output) -> None:
        terms = self._terms
        _adx(
            market.high, market.low, market.close, start, market.offset, terms.bars, terms.ranging_below,
            terms.trending_above, out.work, out.score,
        )  # fmt: skip

    def value(self, out: Output, row: int) -> float:
        """The index, from 0 to 100."""
        return float(out.work[row, 3])


class Correlation:
    """Mean correlation of returns with the other symbols of the analysis.

    Markets that fall move together: a high correlation speaks for high volatility.
    Source: F. Longin and B. Solnik, Extreme Correlation of International Equity Markets, 2001.
    """

    name: ClassVar[str] = "correlation"
    axes: ClassVar[tuple[Axis, ...]] = (Axis.VOLATILITY,)

    def __init__(self, terms: config.Correlation) -> None:
        self._terms = terms
        self.weight = terms.weight
        self.work_columns = 1  # the mean correlation

    def absent(self, market: Market) -> str | None:
        return None if market.others.shape[1] else "there are no other symbols in this analysis"

    def extend(self, market: Market, start: int, out: Output) -> None:
        terms = self._terms
        _correlation(
            market.returns,
            market.others,
            start,
            market.offset,
            terms.window_bars,
            terms.high,
            out.work,
            out.score,
        )

    def value(self, out: Output, row: int) -> float:
        """The mean correlation, from -1 to 1."""
        return float(out.work[row, 0])


@kernel
def _adx(
    high: Any, low: Any, close: Any, start: int, offset: int, n: int, ranging: float, trending: float, work: Any,
    score: Any,
) -> None:  # fmt: skip
    for row in range(start, len(close)):
        if row == 0:
            work[row, :] = 0.0
            score[row, :] = np.nan
            continue
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
            score[row, :] = np.nan
            continue
        decided = between_limits(work[row, 3], ranging, trending)
        score[row, 0] = np.sign(share) * 0.5 * (1.0 + decided)
        score[row, 1] = decided


@kernel
def _correlation(
    returns: Any, others: Any, start: int, offset: int, window: int, high: float, work: Any, score: Any
) -> None:
    for row in range(start, len(returns)):
        total = 0.0
        known = 0
        if row + offset + 1 >= window:
            for other in range(others.shape[1]):
                ours = 0.0
                theirs = 0.0
                for at in range(row - window + 1, row + 1):
                    ours += returns[at]
                    theirs += others[at, other]
                ours /= window
                theirs /= window
                both = 0.0
                first = 0.0
                second = 0.0
                for at in range(row - window + 1, row + 1):
                    a = returns[at] - ours
                    b = others[at, other] - theirs
                    both += a * b
                    first += a * a
                    second += b * b
                if first > 0.0 and second > 0.0:
                    total += both / np.sqrt(first * second)
                    known += 1
        if known == 0:
            work[row, 0] = np.nan
            score[row, 0] = np.nan
        else:
            work[row, 0] = total / known
            score[row, 0] = between_limits(work[row, 0], 0.0, high)
