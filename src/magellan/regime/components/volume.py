"""Components of traded volume: the session's average price with its bands, and where volume was traded."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Final

import numpy as np

from magellan.compiled import kernel_part
from magellan.regime import config
from magellan.regime.axes import Axis
from magellan.regime.components.component import BarComponent, Output
from magellan.regime.components.scores import between_limits, signed_strength

_TYPICAL: Final = 3  # work column of the volume profile


VWAP_BANDS = np.dtype(  # what `vwap_bands_row` is told
    [
        ("on", np.bool_),
        ("some", np.float64),
        ("strong", np.float64),
    ],
    align=True,
)


class VwapBands(BarComponent):
    """Distance of the close from the session's volume-weighted average price, in that session's own deviations."""

    name: ClassVar[str] = "vwap_bands"
    axes: ClassVar[tuple[Axis, ...]] = (Axis.TREND,)
    record: ClassVar[np.dtype[np.void]] = VWAP_BANDS

    def __init__(self, values: config.VwapBands) -> None:
        # Volume, sum and squares of the session so far, its first price, distance.
        super().__init__(values, work_columns=5)
        self._values = values

    def nothing_to_read(self, *, is_daily: bool, others: int) -> str | None:
        return "a daily bar is a whole session" if is_daily else None

    def terms(self, *, on: bool) -> tuple[Any, ...]:
        return (on, self._values.trend_sigma, self._values.strong_sigma)

    def value(self, out: Output, row: int) -> float:
        """Distance, in deviations."""
        return float(out.work[row, 4])


VOLUME_PROFILE = np.dtype(  # what `volume_profile_row` is told
    [
        ("on", np.bool_),
        ("window", np.int64),
        ("area", np.float64),
        ("control", np.float64),
    ],
    align=True,
)


class VolumeProfile(BarComponent):
    """Whether the close lies inside the value area of the last bars, or outside and therefore going somewhere.

    A bar's volume is put on its typical price (h + l + c) / 3; trades inside the bar are not known.
    """

    name: ClassVar[str] = "volume_profile"
    axes: ClassVar[tuple[Axis, ...]] = (Axis.STRUCTURE,)
    record: ClassVar[np.dtype[np.void]] = VOLUME_PROFILE

    def __init__(self, values: config.VolumeProfile) -> None:
        # Lower and upper end of the value area, the price most traded at, the bar's typical price.
        super().__init__(values, work_columns=4)
        self._values = values

    def terms(self, *, on: bool) -> tuple[Any, ...]:
        values = self._values
        return (on, values.window_bars, values.value_area, values.point_of_control_weight)

    def lists(self) -> dict[str, Any]:
        return {"bins": np.zeros(self._values.bins)}

    def value(self, out: Output, row: int) -> float:
        """The price that most was traded at."""
        return float(out.work[row, 2])


@kernel_part
def vwap_bands_row(
    high: Any, low: Any, close: Any, volume: Any, begins: bool, row: int, terms: Any, work: Any, scores: Any, slot: int
) -> None:  # fmt: skip
    """The session's sums at a row, and the close's distance."""
    price = (high[row] + low[row] + close[row]) / 3.0
    if begins:
        for k in range(3):
            work[row, k] = 0.0
        work[row, 3] = price
    else:
        for k in range(4):
            work[row, k] = work[row - 1, k]
    # Logarithms over the session's first price: small numbers, whose squares lose no digits.
    away = math.log(price / work[row, 3])
    work[row, 0] += volume[row]
    work[row, 1] += volume[row] * away
    work[row, 2] += volume[row] * away * away
    work[row, 4] = math.nan
    scores[row, slot] = math.nan
    if work[row, 0] > 0.0:
        mean = work[row, 1] / work[row, 0]
        spread = work[row, 2] / work[row, 0] - mean * mean
        if spread > 1e-12:
            work[row, 4] = (math.log(close[row] / work[row, 3]) - mean) / math.sqrt(spread)
            scores[row, slot] = signed_strength(work[row, 4], terms.some, terms.strong)


@kernel_part
def volume_profile_row(
    high: Any, low: Any, close: Any, volume: Any, row: int, offset: int, terms: Any, bins: Any, work: Any,
    scores: Any, slot: int,
) -> None:  # fmt: skip
    """The value area of the last bars at a row, and where the close stands in it. bins: to count in."""
    window = terms.window
    count = len(bins)
    for k in range(3):
        work[row, k] = math.nan
    work[row, _TYPICAL] = (high[row] + low[row] + close[row]) / 3.0
    scores[row, slot] = math.nan
    if row + offset + 1 < window:
        return
    lowest = math.inf
    highest = -math.inf
    for at in range(row - window + 1, row + 1):
        lowest = min(lowest, work[at, _TYPICAL])
        highest = max(highest, work[at, _TYPICAL])
    width = (highest - lowest) / count
    if not width > 0.0:
        return
    for k in range(count):
        bins[k] = 0.0
    total = 0.0
    for at in range(row - window + 1, row + 1):
        bins[min(int((work[at, _TYPICAL] - lowest) / width), count - 1)] += volume[at]
        total += volume[at]
    if not total > 0.0:
        return
    most = 0
    for k in range(count):
        if bins[k] > bins[most]:
            most = k
    first = most
    last = most
    held = bins[most]
    while held < terms.area * total and (first > 0 or last < count - 1):
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
    scores[row, slot] = between_limits(
        terms.control * from_control + (1.0 - terms.control) * from_middle, 0.5, 1.5
    )
