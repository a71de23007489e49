"""Components of traded volume: the session's average price with its bands, and where volume was traded."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from magellan.compiled import kernel
from magellan.regime import config
from magellan.regime.axes import Axis
from magellan.regime.components.component import Market, Output
from magellan.regime.components.scores import between_limits, signed_strength


class VwapBands:
    """Distance of the close from the session's volume-weighted average price, in that session's own deviations."""

    name: ClassVar[str] = "vwap_bands"
    axes: ClassVar[tuple[Axis, ...]] = (Axis.TREND,)

    def __init__(self, terms: config.VwapBands) -> None:
        self._terms = terms
        self.weight = terms.weight
        self.work_columns = 5  # volume, sum and squares of the session so far, its first price, distance

    def absent(self, market: Market) -> str | None:
        return "a daily bar is a whole session" if market.is_daily else None

    def extend(self, market: Market, start: int, out: Output) -> None:
        terms = self._terms
        _vwap_bands(
            market.high, market.low, market.close, market.volume, market.day, start, terms.trend_sigma,
            terms.strong_sigma, out.work, out.score,
        )  # fmt: skip

    def value(self, out: Output, row: int) -> float:
        """Distance, in deviations."""
        return float(out.work[row, 4])


class VolumeProfile:
    """Whether the close lies inside the value area of the last bars, or outside and therefore going somewhere.

    A bar's volume is put on its typical price (h + l + c) / 3; trades inside the bar are not known.
    """

    name: ClassVar[str] = "volume_profile"
    axes: ClassVar[tuple[Axis, ...]] = (Axis.STRUCTURE,)

    def __init__(self, terms: config.VolumeProfile) -> None:
        self._terms = terms
        self._bins = np.zeros(terms.bins)
        self.weight = terms.weight
        self.work_columns = 3  # lower and upper end of the value area, the price most traded at

    def absent(self, market: Market) -> str | None:
        return None

    def extend(self, market: Market, start: int, out: Output) -> None:
        terms = self._terms
        _volume_profile(
            market.high, market.low, market.close, market.volume, start, market.offset, terms.window_bars,
            self._bins, terms.value_area, terms.point_of_control_weight, out.work, out.score,
        )  # fmt: skip

    def value(self, out: Output, row: int) -> float:
        """The price that most was traded at."""
        return float(out.work[row, 2])


@kernel
def _vwap_bands(
    high: Any, low: Any, close: Any, volume: Any, day: Any, start: int, some: float, strong: float, work: Any,
    score: Any,
) -> None:  # fmt: skip
    for row in range(start, len(close)):
        price = (high[row] + low[row] + close[row]) / 3.0
        if row == 0 or day[row] != day[row - 1]:
            work[row, :3] = 0.0
            work[row, 3] = price
        else:
            work[row, :4] = work[row - 1, :4]
        # Logarithms over the session's first price: small numbers, whose squares lose no digits.
        away = np.log(price / work[row, 3])
        work[row, 0] += volume[row]
        work[row, 1] += volume[row] * away
        work[row, 2] += volume[row] * away * away
        work[row, 4] = np.nan
        score[row, 0] = np.nan
        if work[row, 0] > 0.0:
            mean = work[row, 1] / work[row, 0]
            spread = work[row, 2] / work[row, 0] - mean * mean
            if spread > 1e-12:
                work[row, 4] = (np.log(close[row] / work[row, 3]) - mean) / np.sqrt(spread)
                score[row, 0] = signed_strength(work[row, 4], some, strong)


@kernel
def _volume_profile(
    high: Any, low: Any, close: Any, volume: Any, start: int, offset: int, window: int, bins: Any, area: float,
    control: float, work: Any, score: Any,
) -> None:  # fmt: skip
    count = len(bins)
    for row in range(start, len(close)):
        work[row, :] = np.nan
        score[row, 0] = np.nan
        if row + offset + 1 < window:
            continue
        lowest = np.inf
        highest = -np.inf
        for at in range(row - window + 1, row + 1):
            price = (high[at] + low[at] + close[at]) / 3.0
            lowest = min(lowest, price)
            highest = max(highest, price)
        width = (highest - lowest) / count
        if not width > 0.0:
            continue
        bins[:] = 0.0
        total = 0.0
        for at in range(row - window + 1, row + 1):
            price = (high[at] + low[at] + close[at]) / 3.0
            bins[min(int((price - lowest) / width), count - 1)] += volume[at]
            total += volume[at]
        if not total > 0.0:
            continue
        most = 0
        for k in range(count):
            if bins[k] > bins[most]:
                most = k
        first = most
        last = most
        held = bins[most]
        while held < area * total and (first > 0 or last < count - 1):
            below = bins[first - 1] if first > 0 else -1.0
            above = bins[last + 1] if last < count - 1 else -1.0
            if above >= below:
                last += 1
                held += above
            else:
                first -= 1
                held += below
        work[row, 0] = lowest + first * width
        work[row, 1] = lowest + (last + 1) * width
        work[row, 2] = lowest + (most + 0.5) * width
        half = max((work[row, 1] - work[row, 0]) / 2.0, width)
        from_control = abs(close[row] - work[row, 2]) / half
        from_middle = abs(close[row] - 0.5 * (work[row, 0] + work[row, 1])) / half
        # 1 is the edge of the value area.
        score[row, 0] = between_limits(control * from_control + (1.0 - control) * from_middle, 0.5, 1.5)
