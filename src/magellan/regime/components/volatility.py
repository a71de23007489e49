"""Components of volatility: how wide bars are against their own past, and how wide Bollinger's bands are."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Final

import numpy as np

from magellan.compiled import kernel_part
from magellan.regime import config
from magellan.regime.axes import Axis
from magellan.regime.components.component import BarComponent, Output
from magellan.regime.components.scores import between_limits

_LEAST_PAST: Final = 20  # values that a percentile is taken in, where the window is longer
_NEVER: Final = 1e9  # bars since it was narrow


ATR_PERCENTILE = np.dtype(  # what `atr_percentile_row` is told
    [
        ("on", np.bool_),
        ("bars", np.int64),
        ("window", np.int64),
        ("low", np.float64),
        ("high", np.float64),
    ],
    align=True,
)


class AtrPercentile(BarComponent):
    """Where the average true range, as a fraction of price, stands among its own last values."""

    name: ClassVar[str] = "atr_percentile"
    axes: ClassVar[tuple[Axis, ...]] = (Axis.VOLATILITY,)
    record: ClassVar[np.dtype[np.void]] = ATR_PERCENTILE

    def __init__(self, values: config.AtrPercentile) -> None:
        super().__init__(values, work_columns=3)  # average true range, the same over price, percentile
        self._values = values

    def terms(self, *, on: bool) -> tuple[Any, ...]:
        values = self._values
        return (on, values.atr_bars, values.window_bars, values.low_percentile, values.high_percentile)

    def value(self, out: Output, row: int) -> float:
        """The percentile, from 0 to 1."""
        return float(out.work[row, 2])


SQUEEZE = np.dtype(  # what `squeeze_row` is told
    [
        ("on", np.bool_),
        ("bars", np.int64),
        ("squeezed", np.float64),
        ("expanded", np.float64),
    ],
    align=True,
)


class Squeeze(BarComponent):
    """Width of Bollinger's bands over its own mean: narrow is quiet and undecided, a sudden widening is a break.

    Bands of any number of deviations have the same ratio.
    """

    name: ClassVar[str] = "squeeze"
    axes: ClassVar[tuple[Axis, ...]] = (Axis.VOLATILITY, Axis.STRUCTURE)
    record: ClassVar[np.dtype[np.void]] = SQUEEZE

    def __init__(self, values: config.Squeeze) -> None:
        super().__init__(values, work_columns=3)  # width, its mean, bars since it was narrow
        self._values = values

    def terms(self, *, on: bool) -> tuple[Any, ...]:
        values = self._values
        return (on, values.bars, values.squeezed_below, values.expansion_above)

    def value(self, out: Output, row: int) -> float:
        """Width of the bands over its mean."""
        return float(out.work[row, 0] / out.work[row, 1])


@kernel_part
def atr_percentile_row(
    high: Any, low: Any, close: Any, row: int, offset: int, terms: Any, work: Any, scores: Any, slot: int
) -> None:
    """The average true range at a row, and its place."""
    reach = high[row] - low[row]
    if row > 0:
        reach = max(reach, abs(high[row] - close[row - 1]), abs(low[row] - close[row - 1]))
        work[row, 0] = work[row - 1, 0] + (reach - work[row - 1, 0]) / terms.bars
    else:
        work[row, 0] = reach
    now = work[row, 0] / close[row]
    work[row, 1] = now
    seen = row + offset + 1 - terms.bars
    if seen < min(terms.window, _LEAST_PAST):
        scores[row, slot] = math.nan
        work[row, 2] = math.nan
        return
    of = min(terms.window, seen)
    halves = 0
    for at in range(row - of + 1, row):
        halves += (work[at, 1] < now) + (work[at, 1] <= now)
    work[row, 2] = (0.5 * halves + 0.5) / of
    scores[row, slot] = between_limits(work[row, 2], terms.low, terms.high)


@kernel_part
def squeeze_row(
    close: Any, row: int, offset: int, terms: Any, work: Any, scores: Any, slot: int, breaks: Any, part: int
) -> None:
    """The bands' width at a row; volatility goes into `slot`, structure into the next."""
    n = terms.bars
    breaks[row, part] = 0.0
    if row + offset + 1 < n:
        work[row, 0] = math.nan
        work[row, 1] = math.nan
        work[row, 2] = _NEVER
        scores[row, slot] = math.nan
        scores[row, slot + 1] = math.nan
        return
    mean = 0.0
    for at in range(row - n + 1, row + 1):
        mean += close[at]
    mean /= n
    squares = 0.0
    for at in range(row - n + 1, row + 1):
        squares += (close[at] - mean) * (close[at] - mean)
    work[row, 0] = 4.0 * math.sqrt(squares / n) / mean
    if row + offset + 1 == n:
        work[row, 1] = work[row, 0]
    else:
        work[row, 1] = work[row - 1, 1] + 2.0 / (5.0 * n + 1.0) * (work[row, 0] - work[row - 1, 1])
    if not work[row, 1] > 0.0:
        work[row, 2] = _NEVER
        scores[row, slot] = math.nan
        scores[row, slot + 1] = math.nan
        return
    ratio = work[row, 0] / work[row, 1]
    narrow = ratio < terms.squeezed
    work[row, 2] = 0.0 if narrow else work[max(row - 1, 0), 2] + 1.0
    scores[row, slot] = between_limits(ratio, terms.squeezed, terms.expanded)
    scores[row, slot + 1] = scores[row, slot]
    if ratio > terms.expanded and work[row, 2] <= n:
        breaks[row, part] = 1.0 - work[row, 2] / (n + 1.0)
