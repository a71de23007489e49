"""Drawdown: how far and how long equity stood below its highest value so far."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray

from magellan.backtest.result import EquityCurve
from magellan.trading.bar import Floats, instant
from magellan.trading.session import day_date


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawdown:
    """One stretch below the highest value so far. Instants are UTC, dates are the exchange's."""

    fraction: float  # of the peak, at the trough; in (0, 1], more where a margin account went below zero
    peak_at: datetime
    trough_at: datetime  # of the deepest value
    recovered_at: datetime | None  # first close at or above the peak; None: not before the run's end
    peak_on: date
    trough_on: date
    recovered_on: date | None
    sessions: int  # from the peak's session to that of the recovery, or to the last one
    days: int  # calendar days, likewise


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawdowns:
    """The two that matter, and how common they are."""

    deepest: Drawdown | None  # None: equity never fell below an earlier close
    longest: Drawdown | None  # by time from peak to recovery
    fraction_max: float  # depth of the deepest; 0.0 when there is none
    underwater_fraction: float  # share of closes that lie below an earlier one


def drawdowns(curve: EquityCurve, start_usd: float) -> Drawdowns:
    """The drawdowns of a curve; the starting money counts as a peak before its first value.

    Source: docs/glossary.md, "Drawdown".
    """
    depth = depths(curve.equity_usd, start_usd)
    if len(depth) == 0:
        return Drawdowns(deepest=None, longest=None, fraction_max=0.0, underwater_fraction=0.0)
    below = depth > 0.0
    trough = int(depth.argmax())
    if not below[trough]:
        return Drawdowns(deepest=None, longest=None, fraction_max=0.0, underwater_fraction=0.0)
    # Peaks, with the starting money at index 0 and the run's end as a last one that recovers nothing.
    peaks = np.concatenate(([-1], np.flatnonzero(~below), [len(depth)]))
    spells = np.flatnonzero(np.diff(peaks) > 1)
    first, last = peaks[spells], peaks[spells + 1]
    lengths_ns = (
        curve.closed_at_ns[np.minimum(last, len(depth) - 1)] - curve.closed_at_ns[np.maximum(first, 0)]
    )
    session = np.concatenate(([0], np.cumsum(curve.day[1:] != curve.day[:-1])))
    at_deepest = int(np.searchsorted(first, trough, side="left")) - 1
    at_longest = int(lengths_ns.argmax())
    return Drawdowns(
        deepest=_spell(curve, depth, session, int(first[at_deepest]), int(last[at_deepest])),
        longest=_spell(curve, depth, session, int(first[at_longest]), int(last[at_longest])),
        fraction_max=float(depth[trough]),
        underwater_fraction=float(below.mean()),
    )


def depths(equity: Floats, start_usd: float) -> Floats:
    """Fall from the highest value so far (the starting money included), as a fraction of it.

    equity:  shape (n,), oldest first.
    Returns: shape (n,), each >= 0; 0.25 is 25 % below the highest close so far.
    """
    peak = np.maximum.accumulate(equity)
    np.maximum(peak, start_usd, out=peak)
    np.divide(equity, peak, out=peak)
    return np.subtract(1.0, peak, out=peak)


def _spell(
    curve: EquityCurve, depth: Floats, session: NDArray[np.int64], peak: int, recovered: int
) -> Drawdown:
    """The spell between two peaks, given by index; -1 is the starting money, n the end without recovery."""
    trough = peak + 1 + int(depth[peak + 1 : recovered].argmax())
    is_over = recovered < len(depth)
    end = min(recovered, len(depth) - 1)
    start = max(peak, 0)
    at, on = curve.closed_at_ns, curve.day
    return Drawdown(
        fraction=float(depth[trough]),
        peak_at=instant(int(at[start])),
        trough_at=instant(int(at[trough])),
        recovered_at=instant(int(at[end])) if is_over else None,
        peak_on=day_date(int(on[start])),
        trough_on=day_date(int(on[trough])),
        recovered_on=day_date(int(on[end])) if is_over else None,
        sessions=int(session[end] - session[start]),
        days=int(on[end]) - int(on[start]),
    )
