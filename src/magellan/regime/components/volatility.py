"""Components of volatility: how wide bars are against their own past, and how wide Bollinger's bands are."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from magellan.compiled import kernel
from magellan.regime import config
from magellan.regime.axes import Axis
from magellan.regime.components.component import Market, Output
from magellan.regime.components.scores import between_limits


class AtrPercentile:
    """Where the average true range, as a fraction of price, stands among its own last values."""

    name: ClassVar[str] = "atr_percentile"
    axes: ClassVar[tuple[Axis, ...]] = (Axis.VOLATILITY,)

    def __init__(self, terms: config.AtrPercentile) -> None:
        self._terms = terms
        self.weight = terms.weight
        self.work_columns = 3  # average true range, the same over price, percentile

    def absent(self, market: Market) -> str | None:
        return None

    def extend(self, market: Market, start: int, out: Output) -> None:
        terms = self._terms
        _atr_percentile(
            market.high, market.low, market.close, start, market.offset, terms.atr_bars, terms.window_bars,
            terms.low_percentile, terms.high_percentile, out.work, out.score,
        )  # fmt: skip

    def value(self, out: Output, row: int) -> float:
        """The percentile, from 0 to 1."""
        return float(out.work[row, 2])


class Squeeze:
    """Width of Bollinger's bands over its own mean: narrow is quiet and undecided, a sudden widening is a break."""

    name: ClassVar[str] = "squeeze"
    axes: ClassVar[tuple[Axis, ...]] = (Axis.VOLATILITY, Axis.STRUCTURE)

    def __init__(self, terms: config.Squeeze) -> None:
        self._terms = terms
        self.weight = terms.weight
        self.work_columns = 3  # width, its mean, bars since it was narrow

    def absent(self, market: Market) -> str | None:
        return None

    def extend(self, market: Market, start: int, out: Output) -> None:
        terms = self._terms
        _squeeze(
            market.close, start, market.offset, terms.bars, terms.band_width, terms.squeezed_below,
            terms.expansion_above, out.work, out.score, out.breaking,
        )  # fmt: skip

    def value(self, out: Output, row: int) -> float:
        """Width of the bands over its mean."""
        return float(out.work[row, 0] / out.work[row, 1])


@kernel
def _atr_percentile(
    high: Any, low: Any, close: Any, start: int, offset: int, n: int, window: int, below: float, above: float,
    work: Any, score: Any,
) -> None:  # fmt: skip
    for row in range(start, len(close)):
        reach = high[row] - low[row]
        if row > 0:
            reach = max(reach, abs(high[row] - close[row - 1]), abs(low[row] - close[row - 1]))
            work[row, 0] = work[row - 1, 0] + (reach - work[row - 1, 0]) / n
        else:
            work[row, 0] = reach
        work[row, 1] = work[row, 0] / close[row]
        score[row, 0] = np.nan
        work[row, 2] = np.nan
        seen = row + offset + 1 - n
        if seen >= min(window, 20):
            of = min(window, seen)
            smaller = 0.0
            for at in range(row - of + 1, row):
                if work[at, 1] < work[row, 1]:
                    smaller += 1.0
                elif work[at, 1] == work[row, 1]:
                    smaller += 0.5
            work[row, 2] = (smaller + 0.5) / of
            score[row, 0] = between_limits(work[row, 2], below, above)


@kernel
def _squeeze(
    close: Any, start: int, offset: int, n: int, width: float, squeezed: float, expanded: float, work: Any,
    score: Any, breaking: Any,
) -> None:  # fmt: skip
    for row in range(start, len(close)):
        breaking[row] = 0.0
        if row + offset + 1 < n:
            work[row, 0] = np.nan
            work[row, 1] = np.nan
            work[row, 2] = 1e9
            score[row, 0] = np.nan
            score[row, 1] = np.nan
            continue
        mean = 0.0
        for at in range(row - n + 1, row + 1):
            mean += close[at]
        mean /= n
        squares = 0.0
        for at in range(row - n + 1, row + 1):
            squares += (close[at] - mean) * (close[at] - mean)
        work[row, 0] = 2.0 * width * np.sqrt(squares / n) / mean
        if row + offset + 1 == n:
            work[row, 1] = work[row, 0]
        else:
            work[row, 1] = work[row - 1, 1] + 2.0 / (5.0 * n + 1.0) * (work[row, 0] - work[row - 1, 1])
        if not work[row, 1] > 0.0:
            work[row, 2] = 1e9
            score[row, 0] = np.nan
            score[row, 1] = np.nan
            continue
        ratio = work[row, 0] / work[row, 1]
        narrow = ratio < squeezed
        work[row, 2] = 0.0 if narrow else work[max(row - 1, 0), 2] + 1.0
        score[row, 0] = between_limits(ratio, squeezed, expanded)
        score[row, 1] = score[row, 0]
        if ratio > expanded and work[row, 2] <= n:
            breaking[row] = 1.0 - work[row, 2] / (n + 1.0)
