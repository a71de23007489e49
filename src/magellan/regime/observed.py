"""Observed: what the Markov filter sees of bars, in columns of one length.

The wicks of a bar are what its true range holds beyond its return: how far it went above the higher and below the lower
of its close and the close before. They say how wild the bar was where its return may not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from magellan.compiled import kernel, kernel_part
from magellan.regime.day_profile import DayProfile, profile_row
from magellan.trading.bar import Bars, Floats
from magellan.trading.session import SessionColumns

_SEEN_SHARE_MIN: Final = 0.5  # of the bars


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """Returns and wicks of the same bars, oldest first."""

    returns: Floats  # (n,), log returns over the day profile
    wicks: Floats  # (n,), logarithm of the wicks as a log return, over the day profile; NaN: the bar has none

    def __len__(self) -> int:
        return len(self.returns)

    def rows(self, which: slice) -> Observed:
        """Some of them, as a view."""
        return Observed(self.returns[which], self.wicks[which])

    def copy(self) -> Observed:
        return Observed(self.returns.copy(), self.wicks.copy())

    def followed_by(self, later: Observed) -> Observed:
        return Observed(
            np.concatenate([self.returns, later.returns]), np.concatenate([self.wicks, later.wicks])
        )


NOTHING_OBSERVED = Observed(np.empty(0), np.empty(0))


def have_wicks(observed: Observed) -> bool:
    """Whether enough of the bars have them, for a fit to look at."""
    return bool(np.isfinite(observed.wicks).sum() >= _SEEN_SHARE_MIN * len(observed))


def observed_of(bars: Bars, session: SessionColumns, profile: DayProfile) -> Observed:
    """What the filter sees of these bars, which the profile takes in; none of them was handed in before."""
    n = len(bars)
    seen = Observed(np.empty(n), np.empty(n))
    _observe(
        bars.open[0], bars.high, bars.low, bars.close, session.first, session.minute, profile.flat_sessions,
        profile.sums, profile.running, profile.whole, np.empty(n), seen.returns, seen.wicks,
    )  # fmt: skip
    return seen


@kernel_part
def observe_row(
    row: int,
    before: float,  # the close before
    high: Any,
    low: Any,
    close: Any,
    begins: bool,
    slot: int,  # minute of day
    flat: float,
    sums: Any,
    running: Any,
    whole: Any,
    returns: Any,  # (n,), out: log returns
    deflated: Any,  # (n,), out: the same over the day profile
    wicks: Any,  # (n,), out: as `Observed` has them
) -> None:
    """Observe a row."""
    value = math.log(close[row] / before)
    usual = profile_row(value, begins, slot, flat, sums, running, whole)
    upper, lower = max(close[row], before), min(close[row], before)
    wick = math.log(max(high[row], upper) / upper * (lower / min(low[row], lower))) / usual
    returns[row] = value
    deflated[row] = value / usual
    wicks[row] = math.log(wick) if 0.0 < wick < math.inf else math.nan  # a price of 0 is infinitely far


@kernel
def _observe(
    first: float, high: Any, low: Any, close: Any, begins: Any, minute: Any, flat: float, sums: Any, running: Any,
    whole: Any, returns: Any, deflated: Any, wicks: Any,
) -> None:  # fmt: skip
    for row in range(len(close)):
        before = close[row - 1] if row > 0 else first
        slot = minute[row]
        observe_row(
            row, before, high, low, close, begins[row], slot, flat, sums, running, whole, returns, deflated, wicks
        )  # fmt: skip
