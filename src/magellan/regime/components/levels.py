"""Components of levels: the previous session's pivots and central range, and prices that were turned at before."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from magellan.compiled import kernel, kernel_part
from magellan.regime import config
from magellan.regime.axes import Axis
from magellan.regime.components.component import Market, Output
from magellan.regime.components.scores import between_limits

# Work columns that both pivots and the central range keep: the session so far, and the one before it.
_HIGH, _LOW, _OPEN, _BEFORE_HIGH, _BEFORE_LOW, _BEFORE_CLOSE, _BEFORE_OPEN, _SESSIONS, _OWN = (
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
)


class CentralPivotRange:
    """Width of the previous session's central pivot range over its own mean: a wide one speaks for a range.

    With P = (H + L + C) / 3 the range lies between (H + L) / 2 and 2P - (H + L) / 2.
    """

    name: ClassVar[str] = "central_pivot_range"
    axes: ClassVar[tuple[Axis, ...]] = (Axis.STRUCTURE,)

    def __init__(self, terms: config.CentralPivotRange) -> None:
        self._terms = terms
        self.weight = terms.weight
        self.work_columns = _OWN + 2  # width, its mean

    def absent(self, market: Market) -> str | None:
        return None

    def extend(self, market: Market, start: int, out: Output) -> None:
        terms = self._terms
        _central_range(
            market.open, market.high, market.low, market.close, market.day, start, terms.narrow_below,
            terms.wide_above, terms.window_sessions, out.work, out.score,
        )  # fmt: skip

    def value(self, out: Output, row: int) -> float:
        """Width over its mean."""
        return float(out.work[row, _OWN] / out.work[row, _OWN + 1])


class Pivots:
    """Where the close stands among five families of levels made of the previous session.

    Between the first support and the first resistance it is ranging; beyond the last level it breaks.
    """

    name: ClassVar[str] = "pivots"
    axes: ClassVar[tuple[Axis, ...]] = (Axis.TREND, Axis.STRUCTURE)

    def __init__(self, terms: config.Pivots) -> None:
        self._breakout = terms.breakout
        self._weights = np.array(
            [
                terms.classic_weight,
                terms.fibonacci_weight,
                terms.camarilla_weight,
                terms.woodie_weight,
                terms.demark_weight,
            ]
        )
        self.weight = terms.weight
        self.work_columns = _OWN

    def absent(self, market: Market) -> str | None:
        return None if self._weights.sum() > 0.0 else "all families have no weight"

    def extend(self, market: Market, start: int, out: Output) -> None:
        _pivots(
            market.open, market.high, market.low, market.close, market.day, start, self._weights, self._breakout,
            out.work, out.score, out.breaking,
        )  # fmt: skip

    def value(self, out: Output, row: int) -> float:
        """From -1, below all levels, to 1, above them."""
        return float(out.score[row, 0])


class SupportResistance:
    """Whether the close lies at a price that was turned at before, or has just gone through one.

    A turn is a high (low) above (below) the bars on both sides of it; it is known when those behind it have closed.
    """

    name: ClassVar[str] = "support_resistance"
    axes: ClassVar[tuple[Axis, ...]] = (Axis.STRUCTURE,)

    def __init__(self, terms: config.SupportResistance) -> None:
        self._terms = terms
        self.weight = terms.weight
        self.work_columns = 3  # a high and a low that turned, known at this bar; turns at the close

    def absent(self, market: Market) -> str | None:
        return None

    def extend(self, market: Market, start: int, out: Output) -> None:
        terms = self._terms
        _support_resistance(
            market.high, market.low, market.close, start, market.offset, terms.window_bars, terms.swing_bars,
            terms.tolerance, terms.touches, out.work, out.score, out.breaking,
        )  # fmt: skip

    def value(self, out: Output, row: int) -> float:
        """Turns at the price of the close."""
        return float(out.work[row, 2])


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
def keep_session(open_: Any, high: Any, low: Any, close: Any, day: Any, row: int, work: Any) -> None:
    """The session so far and the one before it, in the first columns of `work`."""
    if row == 0:
        for k in range(_OWN):
            work[row, k] = np.nan
        work[row, _SESSIONS] = 0.0
        work[row, _HIGH] = high[row]
        work[row, _LOW] = low[row]
        work[row, _OPEN] = open_[row]
        return
    for k in range(_OWN):
        work[row, k] = work[row - 1, k]
    if day[row] != day[row - 1]:
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


@kernel
def _central_range(
    open_: Any, high: Any, low: Any, close: Any, day: Any, start: int, narrow: float, wide: float, sessions: int,
    work: Any, score: Any,
) -> None:  # fmt: skip
    for row in range(start, len(close)):
        keep_session(open_, high, low, close, day, row, work)
        score[row, 0] = np.nan
        if work[row, _SESSIONS] < 1.0:
            work[row, _OWN] = np.nan
            work[row, _OWN + 1] = np.nan
            continue
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
                work[row, _OWN + 1] = work[row - 1, _OWN + 1] + 2.0 / (sessions + 1.0) * (
                    work[row, _OWN] - work[row - 1, _OWN + 1]
                )
        if work[row, _SESSIONS] >= sessions and work[row, _OWN + 1] > 0.0:
            score[row, 0] = -between_limits(work[row, _OWN] / work[row, _OWN + 1], narrow, wide)


@kernel
def _pivots(
    open_: Any, high: Any, low: Any, close: Any, day: Any, start: int, weights: Any, breakout: float, work: Any,
    score: Any, breaking: Any,
) -> None:  # fmt: skip
    for row in range(start, len(close)):
        keep_session(open_, high, low, close, day, row, work)
        breaking[row] = 0.0
        score[row, :] = np.nan
        if work[row, _SESSIONS] < 1.0 or not work[row, _BEFORE_HIGH] > work[row, _BEFORE_LOW]:
            continue
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
            price = close[row]
            middle = 0.5 * (low1 + high1)
            half = max(0.5 * (high1 - low1), 1e-12)
            place = (price - middle) / half  # 1 is the first resistance
            trend += weight * min(1.0, max(-1.0, 0.5 * place))
            decided += weight * between_limits(abs(place), 0.5, 1.5)
            if price > high2 * (1.0 + breakout) or price < low2 * (1.0 - breakout):
                broken += weight
        score[row, 0] = trend / total
        score[row, 1] = decided / total
        breaking[row] = broken / total


@kernel
def _support_resistance(
    high: Any, low: Any, close: Any, start: int, offset: int, window: int, swing: int, tolerance: float,
    touches: int, work: Any, score: Any, breaking: Any,
) -> None:  # fmt: skip
    for row in range(start, len(close)):
        work[row, :] = np.nan
        breaking[row] = 0.0
        score[row, 0] = np.nan
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
                work[row, 0] = high[middle]
            if bottom:
                work[row, 1] = low[middle]
        if row + offset + 1 < window:
            continue
        at_close = 0.0
        crossed = 0.0
        for at in range(row - window + 1, row + 1):
            for side in range(2):
                level = work[at, side]
                if np.isnan(level):
                    continue
                if abs(level / close[row] - 1.0) <= tolerance:
                    at_close += 1.0
                elif (close[row] - level) * (close[row - 1] - level) < 0.0:
                    crossed += 1.0
        work[row, 2] = at_close
        if crossed >= touches:
            breaking[row] = min(1.0, 0.25 * crossed)
            score[row, 0] = 0.5
        elif at_close >= touches:
            score[row, 0] = -min(1.0, 0.5 * at_close / touches)
        else:
            score[row, 0] = 0.0
