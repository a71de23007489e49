"""Calibration: whether what is called 80 % likely happens in 80 of 100 bars."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from magellan.trading.bar import Floats

_BINS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Bars whose most probable state had a probability in one range."""

    claimed: float  # mean probability
    happened: float  # share of bars in which it was the true state
    bars: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Of the most probable state's probability."""

    expected_error: float  # mean of |claimed - happened| by bars
    brier: float  # mean squared error over all states; 0 is perfect (G. Brier, 1950)
    reliability: tuple[Bin, ...]


def calibration(probabilities: Floats, truth: NDArray[np.int64]) -> Calibration:
    """probabilities: shape (n, states), rows sum to 1; truth: shape (n,)."""
    n = len(truth)
    claimed = probabilities.max(axis=1)
    happened = probabilities.argmax(axis=1) == truth
    at = np.minimum((claimed * _BINS).astype(np.int64), _BINS - 1)
    bins = tuple(
        Bin(
            claimed=float(claimed[at == each].mean()),
            happened=float(happened[at == each].mean()),
            bars=int((at == each).sum()),
        )
        for each in range(_BINS)
        if (at == each).any()
    )
    exact = np.zeros_like(probabilities)
    exact[np.arange(n), truth] = 1.0
    return Calibration(
        expected_error=sum(each.bars * abs(each.claimed - each.happened) for each in bins) / n,
        brier=float(((probabilities - exact) ** 2).sum(axis=1).mean()),
        reliability=bins,
    )
