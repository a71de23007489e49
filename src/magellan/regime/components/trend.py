"""Components of trend: drift over a window, means in order, and a vote of longer timeframes."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from magellan.compiled import kernel, kernel_part
from magellan.regime import config
from magellan.regime.axes import Axis
from magellan.regime.components.component import Market, Output
from magellan.regime.components.scores import signed_strength


class Slope:
    """t-statistic of the mean return of a window: the slope of log prices in units of what chance alone would do.

    For a price that goes nowhere it is Student's t, whatever the timeframe, the price or the volatility.
    """

    name: ClassVar[str] = "slope"
    axes: ClassVar[tuple[Axis, ...]] = (Axis.TREND,)

    def __init__(self, terms: config.Slope) -> None:
        self._terms = terms
        self.weight = terms.weight
        self.work_columns = 1  # the t-statistic

    def absent(self, market: Market) -> str | None:
        return None

    def extend(self, market: Market, start: int, out: Output) -> None:
        terms = self._terms
        _slope(
            market.close,
            start,
            market.offset,
            terms.window_bars,
            terms.trend_t,
            terms.strong_t,
            out.work,
            out.score,
        )

    def value(self, out: Output, row: int) -> float:
        """The t-statistic."""
        return float(out.work[row, 0])


class EmaAlignment:
    """How many neighbours among close and exponential means, fast to slow, stand in rising order less falling."""

    name: ClassVar[str] = "ema_alignment"
    axes: ClassVar[tuple[Axis, ...]] = (Axis.TREND,)

    def __init__(self, terms: config.EmaAlignment) -> None:
        self._spans = np.array(sorted(terms.spans), dtype=np.float64)
        self.weight = terms.weight
        self.work_columns = len(self._spans)  # the means

    def absent(self, market: Market) -> str | None:
        return None if len(self._spans) else "no spans are named"

    def extend(self, market: Market, start: int, out: Output) -> None:
        _ema_alignment(market.close, start, market.offset, self._spans, out.work, out.score)

    def value(self, out: Output, row: int) -> float:
        """From -1, all falling, to 1, all rising."""
        return float(out.score[row, 0])


class TimeframeVote:
    """The slope's sign in longer timeframes. Their bars are made of the last ones, counted back from the newest, so
    that each is complete and none is waited for.
    """

    name: ClassVar[str] = "timeframe_vote"
    axes: ClassVar[tuple[Axis, ...]] = (Axis.TREND,)

    def __init__(self, terms: config.TimeframeVote) -> None:
        self._terms = terms
        self._multiples = np.array(terms.multiples, dtype=np.int64)
        self._weights = np.array(terms.weights, dtype=np.float64)
        self.weight = terms.weight
        self.work_columns = 1  # weight on the winning side, signed

    def absent(self, market: Market) -> str | None:
        return None if len(self._multiples) else "no timeframes are named"

    def extend(self, market: Market, start: int, out: Output) -> None:
        terms = self._terms
        _timeframe_vote(
            market.close, start, market.offset, self._multiples, self._weights, terms.window_bars,
            terms.agreeing_min, terms.consensus, terms.divergence_penalty, out.work, out.score,
        )  # fmt: skip

    def value(self, out: Output, row: int) -> float:
        """Share of the weight on the winning side, negative where that is down."""
        return float(out.work[row, 0])


@kernel_part
def drift_t(close: Any, row: int, window: int, step: int) -> float:
    """t-statistic of the mean log return of `window` spans of `step` bars that end at a row."""
    total = np.log(close[row] / close[row - window * step])
    mean = total / window
    squares = 0.0
    for k in range(window):
        away = np.log(close[row - k * step] / close[row - (k + 1) * step]) - mean
        squares += away * away
    if squares <= 0.0:
        return 0.0
    return float(mean / np.sqrt(squares / (window - 1.0) / window))


@kernel
def _slope(
    close: Any, start: int, offset: int, window: int, some: float, strong: float, work: Any, score: Any
) -> None:
    for row in range(start, len(close)):
        if row + offset < window:
            work[row, 0] = np.nan
            score[row, 0] = np.nan
        else:
            work[row, 0] = drift_t(close, row, window, 1)
            score[row, 0] = signed_strength(work[row, 0], some, strong)


@kernel
def _ema_alignment(close: Any, start: int, offset: int, spans: Any, work: Any, score: Any) -> None:
    count = len(spans)
    for row in range(start, len(close)):
        faster = close[row]
        order = 0.0
        for k in range(count):
            if row == 0:
                work[row, k] = close[row]
            else:
                work[row, k] = work[row - 1, k] + 2.0 / (spans[k] + 1.0) * (close[row] - work[row - 1, k])
            if faster > work[row, k]:
                order += 1.0
            elif faster < work[row, k]:
                order -= 1.0
            faster = work[row, k]
        score[row, 0] = order / count if row + offset + 1 >= spans[count - 1] else np.nan


@kernel
def _timeframe_vote(
    close: Any, start: int, offset: int, multiples: Any, weights: Any, window: int, agreeing: int,
    consensus: float, penalty: float, work: Any, score: Any,
) -> None:  # fmt: skip
    for row in range(start, len(close)):
        up = 0.0
        down = 0.0
        rising = 0
        falling = 0
        for k in range(len(multiples)):
            if row + offset < window * multiples[k]:
                continue
            t = drift_t(close, row, window, multiples[k])
            if t > 0.0:
                up += weights[k]
                rising += 1
            elif t < 0.0:
                down += weights[k]
                falling += 1
        total = up + down
        if rising + falling < agreeing or not total > 0.0:
            work[row, 0] = np.nan
            score[row, 0] = np.nan
            continue
        most = max(up, down) / total
        work[row, 0] = most if up >= down else -most
        voters = rising if up >= down else falling
        share = (most - 0.5) * 2.0
        if voters < agreeing or max(up, down) < consensus:
            share = 0.0
        elif rising > 0 and falling > 0:
            share *= 1.0 - penalty
        score[row, 0] = share if up >= down else -share
