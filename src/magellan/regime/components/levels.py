"""Components of levels: the previous session's pivots and central range, and prices that were turned at before."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Final

import numpy as np

from magellan.compiled import kernel_part
from magellan.regime import config
from magellan.regime.axes import Axis
from magellan.regime.components.component import BarComponent, Output
from magellan.regime.components.scores import between_limits

# Work columns that both pivots and the central range keep: the session so far, and the one before it.
_HIGH, _LOW, _OPEN, _BEFORE_HIGH, _BEFORE_LOW, _BEFORE_CLOSE, _BEFORE_OPEN, _SESSIONS, _OWN = range(9)
# Work columns of turns: a high and a low that turned, known at this bar; turns at the close; the number of the last
# bar before this one at which a turn was known.
_TOP, _BOTTOM, _TOUCHES, _BEFORE = range(4)
_NO_TURN: Final = -1.0


CENTRAL_PIVOT_RANGE = np.dtype(  # what `central_range_row` is told
    [
        ("on", np.bool_),
        ("narrow", np.float64),
        ("wide", np.float64),
        ("sessions", np.int64),
    ],
    align=True,
)


class CentralPivotRange(BarComponent):
    """Width of the previous session's central pivot range over its own mean: a wide one speaks for a range.

    With P = (H + L + C) / 3 the range lies between (H + L) / 2 and 2P - (H + L) / 2.
    """

    name: ClassVar[str] = "central_pivot_range"
    axes: ClassVar[tuple[Axis, ...]] = (Axis.STRUCTURE,)
    record: ClassVar[np.dtype[np.void]] = CENTRAL_PIVOT_RANGE

    def __init__(self, values: config.CentralPivotRange) -> None:
        super().__init__(values, work_columns=_OWN + 2)  # width, its mean
        self._values = values

    def terms(self, *, on: bool) -> tuple[Any, ...]:
        values = self._values
        return (on, values.narrow_below, values.wide_above, values.window_sessions)

    def value(self, out: Output, row: int) -> float:
        """Width over its mean."""
        return float(out.work[row, _OWN] / out.work[row, _OWN + 1])


PIVOTS = np.dtype(  # what `pivots_row` is told
    [
        ("on", np.bool_),
        ("breakout", np.float64),
    ],
    align=True,
)


class Pivots(BarComponent):
    """Where the close stands among five families of levels made of the previous session.

    Between the first support and the first resistance it is ranging; beyond the last level it breaks.
    """

    name: ClassVar[str] = "pivots"
    axes: ClassVar[tuple[Axis, ...]] = (Axis.TREND, Axis.STRUCTURE)
    record: ClassVar[np.dtype[np.void]] = PIVOTS

    def __init__(self, values: config.Pivots) -> None:
        super().__init__(values, work_columns=_OWN)
        self._breakout = values.breakout
        self._weights = np.array(
            [
                values.classic_weight,
                values.fibonacci_weight,
                values.camarilla_weight,
                values.woodie_weight,
                values.demark_weight,
            ]
        )

    def nothing_to_read(self, *, is_daily: bool, others: int) -> str | None:
        return None if self._weights.sum() > 0.0 else "all families have no weight"

    def terms(self, *, on: bool) -> tuple[Any, ...]:
        return (on, self._breakout)

    def lists(self) -> dict[str, Any]:
        return {"family_weights": self._weights}

    def value(self, out: Output, row: int) -> float:
        """From -1, below all levels, to 1, above them."""
        return float(out.score[row, 0])


SUPPORT_RESISTANCE = np.dtype(  # what `support_resistance_row` is told
    [
        ("on", np.bool_),
        ("window", np.int64),
        ("swing", np.int64),
        ("tolerance", np.float64),
        ("touches", np.int64),
    ],
    align=True,
)


class SupportResistance(BarComponent):
    """Whether the close lies at a price that was turned at before, or has just gone through one.

    A turn is a high (low) above (below) the bars on both sides of it; it is known when those behind it have closed.
    """

    name: ClassVar[str] = "support_resistance"
    axes: ClassVar[tuple[Axis, ...]] = (Axis.STRUCTURE,)
    record: ClassVar[np.dtype[np.void]] = SUPPORT_RESISTANCE

    def __init__(self, values: config.SupportResistance) -> None:
        super().__init__(values, work_columns=4)
        self._values = values

    def terms(self, *, on: bool) -> tuple[Any, ...]:
        values = self._values
        return (on, values.window_bars, values.swing_bars, values.tolerance, values.touches)

    def value(self, out: Output, row: int) -> float:
        """Turns at the price of the close."""
        return float(out.work[row, _TOUCHES])


@kernel_part
def pivot_levels(family: int, open_: float, high: float, low: float, close: float, opens: float) -> Any:
    """Second support, first support, first and second resistance of a family, of the previous session.

    family: 0 classic, 1 Fibonacci, 2 Camarilla, 3 Woodie, 4 DeMark (which has one of each side: the second is as far
            behind the first as the first from the pivot).
    opens:  open of the running session.
    """
    reach = high - low
    if family == 0:
        pivot = (high + low + close) / 3.0
        return pivot - reach, 2.0 * pivot - high, 2.0 * pivot - low, pivot + reach
    if family == 1:
        pivot = (high + low + close) / 3.0
        return pivot - 0.618 * reach, pivot - 0.382 * reach, pivot + 0.382 * reach, pivot + 0.618 * reach
    if family == 2:
        return (
            close - reach * 1.1 / 2.0,
            close - reach * 1.1 / 4.0,
            close + reach * 1.1 / 4.0,
            close + reach * 1.1 / 2.0,
        )
    if family == 3:
        pivot = (high + low + 2.0 * opens) / 4.0
        return pivot - reach, 2.0 * pivot - high, 2.0 * pivot - low, pivot + reach
    total = high + low + close + (low if close < open_ else (high if close > open_ else close))
    pivot = total / 4.0
    support = total / 2.0 - high
    resistance = total / 2.0 - low
    return 2.0 * support - pivot, support, resistance, 2.0 * resistance - pivot


@kernel_part
def keep_session(open_: Any, high: Any, low: Any, close: Any, begins: bool, row: int, work: Any) -> None:
    """The session so far and the one before it, in the first columns of `work`."""
    if row == 0:
        for k in range(_OWN):
            work[row, k] = math.nan
        work[row, _SESSIONS] = 0.0
        work[row, _HIGH] = high[row]
        work[row, _LOW] = low[row]
        work[row, _OPEN] = open_[row]
        return
    for k in range(_OWN):
        work[row, k] = work[row - 1, k]
    if begins:
        work[row, _BEFORE_HIGH] = work[row - 1, _HIGH]
        work[row, _BEFORE_LOW] = work[row - 1, _LOW]
        work[row, _BEFORE_OPEN] = work[row - 1, _OPEN]
        work[row, _BEFORE_CLOSE] = close[row - 1]
        work[row, _SESSIONS] += 1.0
        work[row, _HIGH] = high[row]
        work[row, _LOW] = low[row]
        work[row, _OPEN] = open_[row]
    else:
        work[row, _HIGH] = max(work[row, _HIGH], high[row])
        work[row, _LOW] = min(work[row, _LOW], low[row])


@kernel_part
def central_range_row(
    open_: Any, high: Any, low: Any, close: Any, begins: bool, row: int, terms: Any, work: Any, scores: Any, slot: int
) -> None:  # fmt: skip
    """Width of the range at a row. Its mean takes in each session once."""
    keep_session(open_, high, low, close, begins, row, work)
    scores[row, slot] = math.nan
    if work[row, _SESSIONS] < 1.0:
        work[row, _OWN] = math.nan
        work[row, _OWN + 1] = math.nan
        return
    if work[row, _SESSIONS] == work[row - 1, _SESSIONS]:
        work[row, _OWN] = work[row - 1, _OWN]
        work[row, _OWN + 1] = work[row - 1, _OWN + 1]
    else:
        pivot = (work[row, _BEFORE_HIGH] + work[row, _BEFORE_LOW] + work[row, _BEFORE_CLOSE]) / 3.0
        bottom = (work[row, _BEFORE_HIGH] + work[row, _BEFORE_LOW]) / 2.0
        work[row, _OWN] = 2.0 * abs(pivot - bottom) / pivot
        if work[row, _SESSIONS] == 1.0:
            work[row, _OWN + 1] = work[row, _OWN]
        else:
            work[row, _OWN + 1] = work[row - 1, _OWN + 1] + 2.0 / (terms.sessions + 1.0) * (
                work[row, _OWN] - work[row - 1, _OWN + 1]
            )
    if work[row, _SESSIONS] >= terms.sessions and work[row, _OWN + 1] > 0.0:
        scores[row, slot] = -between_limits(work[row, _OWN] / work[row, _OWN + 1], terms.narrow, terms.wide)


@kernel_part
def pivots_row(
    open_: Any, high: Any, low: Any, close: Any, begins: bool, row: int, terms: Any, weights: Any, work: Any,
    scores: Any, slot: int, breaks: Any, part: int,
) -> None:  # fmt: skip
    """Where the close stands at a row; trend goes into `slot`, structure into the next.

    weights: shape (5,), of the families in the order of `pivot_levels`.
    """
    keep_session(open_, high, low, close, begins, row, work)
    breaks[row, part] = 0.0
    scores[row, slot] = math.nan
    scores[row, slot + 1] = math.nan
    if work[row, _SESSIONS] < 1.0 or not work[row, _BEFORE_HIGH] > work[row, _BEFORE_LOW]:
        return
    price = close[row]
    trend = 0.0
    decided = 0.0
    broken = 0.0
    total = 0.0
    for family in range(len(weights)):
        weight = weights[family]
        if not weight > 0.0:
            continue
        low2, low1, high1, high2 = pivot_levels(
            family, work[row, _BEFORE_OPEN], work[row, _BEFORE_HIGH], work[row, _BEFORE_LOW],
            work[row, _BEFORE_CLOSE], work[row, _OPEN],
        )  # fmt: skip
        total += weight
        middle = 0.5 * (low1 + high1)
        half = max(0.5 * (high1 - low1), 1e-12)
        place = (price - middle) / half  # 1 is the first resistance
        trend += weight * min(1.0, max(-1.0, 0.5 * place))
        decided += weight * between_limits(abs(place), 0.5, 1.5)
        if price > high2 * (1.0 + terms.breakout) or price < low2 * (1.0 - terms.breakout):
            broken += weight
    scores[row, slot] = trend / total
    scores[row, slot + 1] = decided / total
    breaks[row, part] = broken / total


@kernel_part
def support_resistance_row(
    high: Any, low: Any, close: Any, row: int, offset: int, terms: Any, work: Any, scores: Any, slot: int,
    breaks: Any, part: int,
) -> None:  # fmt: skip
    """Turns that became known at a row, and those of the window that the close is at or has gone through."""
    swing = terms.swing
    work[row, _TOP] = math.nan
    work[row, _BOTTOM] = math.nan
    work[row, _TOUCHES] = math.nan
    work[row, _BEFORE] = _NO_TURN
    if row > 0:
        known_before = not (math.isnan(work[row - 1, _TOP]) and math.isnan(work[row - 1, _BOTTOM]))
        work[row, _BEFORE] = row - 1.0 + offset if known_before else work[row - 1, _BEFORE]
    breaks[row, part] = 0.0
    scores[row, slot] = math.nan
    middle = row - swing
    if row + offset >= 2 * swing and middle - swing >= 0:
        top = True
        bottom = True
        for away in range(1, swing + 1):
            if high[middle] <= high[middle - away] or high[middle] < high[middle + away]:
                top = False
            if low[middle] >= low[middle - away] or low[middle] > low[middle + away]:
                bottom = False
        if top:
            work[row, _TOP] = high[middle]
        if bottom:
            work[row, _BOTTOM] = low[middle]
    if row + offset + 1 < terms.window:
        return
    at_close = 0.0
    crossed = 0.0
    first = max(0, row - terms.window + 1)
    at = row
    while at >= first:
        for side in range(2):
            level = work[at, side]
            if math.isnan(level):
                continue
            if abs(level / close[row] - 1.0) <= terms.tolerance:
                at_close += 1.0
            elif (close[row] - level) * (close[row - 1] - level) < 0.0:
                crossed += 1.0
        at = int(work[at, _BEFORE]) - offset
    work[row, _TOUCHES] = at_close
    if crossed >= terms.touches:
        breaks[row, part] = min(1.0, 0.25 * crossed)
        scores[row, slot] = 0.5
    elif at_close >= terms.touches:
        scores[row, slot] = -min(1.0, 0.5 * at_close / terms.touches)
    else:
        scores[row, slot] = 0.0
