"""Components of trend: drift over a window, means in order, and a vote of longer timeframes."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from magellan.compiled import kernel_part
from magellan.regime import config
from magellan.regime.axes import Axis
from magellan.regime.components.component import BarComponent, Output
from magellan.regime.components.scores import signed_strength

SLOPE = np.dtype(  # what `slope_row` is told
    [
        ("on", np.bool_),
        ("window", np.int64),
        ("some", np.float64),
        ("strong", np.float64),
    ],
    align=True,
)


class Slope(BarComponent):
    """t-statistic of the mean return of a window: the slope of log prices in units of what chance alone would do.

    For a price that goes nowhere it is Student's t, whatever the timeframe, the price or the volatility.
    """

    name: ClassVar[str] = "slope"
    axes: ClassVar[tuple[Axis, ...]] = (Axis.TREND,)
    record: ClassVar[np.dtype[np.void]] = SLOPE

    def __init__(self, values: config.Slope) -> None:
        super().__init__(values, work_columns=1)  # the t-statistic
        self._values = values

    def terms(self, *, on: bool) -> tuple[Any, ...]:
        values = self._values
        return (on, values.window_bars, values.trend_t, values.strong_t)

    def value(self, out: Output, row: int) -> float:
        """The t-statistic."""
        return float(out.work[row, 0])


EMA_ALIGNMENT = np.dtype(  # what `ema_alignment_row` is told
    [
        ("on", np.bool_),
    ],
    align=True,
)


class EmaAlignment(BarComponent):
    """How many neighbours among close and exponential means, fast to slow, stand in rising order less falling."""

    name: ClassVar[str] = "ema_alignment"
    axes: ClassVar[tuple[Axis, ...]] = (Axis.TREND,)
    record: ClassVar[np.dtype[np.void]] = EMA_ALIGNMENT

    def __init__(self, values: config.EmaAlignment) -> None:
        self._spans = np.array(sorted(values.spans), dtype=np.float64)
        super().__init__(values, work_columns=len(self._spans))  # the means

    def nothing_to_read(self, *, is_daily: bool, others: int) -> str | None:
        return None if len(self._spans) else "no spans are named"

    def terms(self, *, on: bool) -> tuple[Any, ...]:
        return (on,)

    def lists(self) -> dict[str, Any]:
        return {"spans": self._spans}

    def value(self, out: Output, row: int) -> float:
        """From -1, all falling, to 1, all rising."""
        return float(out.score[row, 0])


TIMEFRAME_VOTE = np.dtype(  # what `timeframe_vote_row` is told
    [
        ("on", np.bool_),
        ("window", np.int64),
        ("agreeing", np.int64),
        ("consensus", np.float64),
        ("penalty", np.float64),
    ],
    align=True,
)


class TimeframeVote(BarComponent):
    """The slope's sign in longer timeframes. Their bars are made of the last ones, counted back from the newest, so
    that each is complete and none is waited for.
    """

    name: ClassVar[str] = "timeframe_vote"
    axes: ClassVar[tuple[Axis, ...]] = (Axis.TREND,)
    record: ClassVar[np.dtype[np.void]] = TIMEFRAME_VOTE

    def __init__(self, values: config.TimeframeVote) -> None:
        super().__init__(values, work_columns=1)  # weight on the winning side, signed
        self._values = values

    def nothing_to_read(self, *, is_daily: bool, others: int) -> str | None:
        return None if self._values.multiples else "no timeframes are named"

    def terms(self, *, on: bool) -> tuple[Any, ...]:
        values = self._values
        return (
            on,
            values.window_bars,
            values.agreeing_min,
            values.consensus,
            values.divergence_penalty,
        )

    def lists(self) -> dict[str, Any]:
        values = self._values
        return {
            "multiples": np.array(values.multiples, dtype=np.int64),
            "timeframe_weights": np.array(values.weights, dtype=np.float64),
        }

    def value(self, out: Output, row: int) -> float:
        """Share of the weight on the winning side, negative where that is down."""
        return float(out.work[row, 0])


@kernel_part
def drift_t(log_close: Any, row: int, window: int, step: int) -> float:
    """t-statistic of the mean log return of `window` spans of `step` bars that end at a row."""
    mean = (log_close[row] - log_close[row - window * step]) / window
    squares = 0.0
    for k in range(window):
        away = log_close[row - k * step] - log_close[row - (k + 1) * step] - mean
        squares += away * away
    if squares <= 0.0:
        return 0.0
    return float(mean / math.sqrt(squares / (window - 1.0) / window))


@kernel_part
def slope_row(log_close: Any, row: int, offset: int, terms: Any, work: Any, scores: Any, slot: int) -> None:
    """The t-statistic at a row, and its score."""
    if row + offset < terms.window:
        work[row, 0] = math.nan
        scores[row, slot] = math.nan
    else:
        work[row, 0] = drift_t(log_close, row, terms.window, 1)
        scores[row, slot] = signed_strength(work[row, 0], terms.some, terms.strong)


@kernel_part
def ema_alignment_row(
    close: Any, row: int, offset: int, spans: Any, work: Any, scores: Any, slot: int
) -> None:
    """The means at a row, and how far they stand in order. spans: shape (means,), the shortest first."""
    count = len(spans)
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
    scores[row, slot] = order / count if row + offset + 1 >= spans[count - 1] else math.nan


@kernel_part
def timeframe_vote_row(
    log_close: Any, row: int, offset: int, terms: Any, multiples: Any, weights: Any, work: Any, scores: Any, slot: int
) -> None:  # fmt: skip
    """The vote at a row. multiples, weights: of the timeframes, the first in analysed bars."""
    up = 0.0
    down = 0.0
    rising = 0
    falling = 0
    for k in range(len(multiples)):
        if row + offset < terms.window * multiples[k]:
            continue
        t = drift_t(log_close, row, terms.window, multiples[k])
        if t > 0.0:
            up += weights[k]
            rising += 1
        elif t < 0.0:
            down += weights[k]
            falling += 1
    total = up + down
    if rising + falling < terms.agreeing or not total > 0.0:
        work[row, 0] = math.nan
        scores[row, slot] = math.nan
        return
    most = max(up, down) / total
    work[row, 0] = most if up >= down else -most
    voters = rising if up >= down else falling
    share = (most - 0.5) * 2.0
    if voters < terms.agreeing or max(up, down) < terms.consensus:
        share = 0.0
    elif rising > 0 and falling > 0:
        share *= 1.0 - terms.penalty
    scores[row, slot] = share if up >= down else -share
