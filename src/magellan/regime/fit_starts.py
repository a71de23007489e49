"""Fit starts: ways to cut past returns into states, from which a fit begins."""

from __future__ import annotations

import math

import numpy as np

from magellan.regime.markov_model import STILL
from magellan.regime.state_fit import StateFit
from magellan.trading.bar import Floats


def starts(returns: Floats, states: int, smallest_scale: float) -> list[StateFit]:
    """By volatility, by direction, and by both.

    returns:        shape (n,), all of them past: they are seen from both sides.
    smallest_scale: that a state may have.
    """
    window = np.ones(21) / 21.0
    size = np.log(np.convolve(np.abs(returns), window, "same") + smallest_scale)
    drift = np.convolve(returns, window, "same") / np.exp(size)
    cuts = [_cut(size, states), _cut(drift, states)]
    if states >= 3:
        wild = size > np.quantile(size, 1.0 - 1.0 / states)
        by_both = np.full(len(returns), states - 1)
        by_both[~wild] = _cut(drift[~wild], states - 1)
        cuts.append(by_both)
    if states >= 4:
        quiet = size < np.quantile(size, 1.0 / states)
        between = ~wild & ~quiet
        by_both = np.where(wild, states - 1, states - 2)
        by_both[between] = _cut(drift[between], states - 2)
        cuts.append(by_both)
    return [_start(returns, cut, states, smallest_scale) for cut in cuts]


def _start(returns: Floats, cut: Floats, states: int, smallest_scale: float) -> StateFit:
    parts = [returns[cut == k] for k in range(states)]
    stay = np.full((states, states), 0.05 / (states - 1))
    np.fill_diagonal(stay, 0.95)
    return StateFit(
        mean=np.array([part.mean() if len(part) else 0.0 for part in parts]),
        scale=np.array([max(0.8 * part.std() if len(part) else 0.0, smallest_scale) for part in parts]),
        m=4,
        stay=stay,
        wicks=None,
        level=STILL,
        level_at_start=0.0,
        log_likelihood=-math.inf,
        bars=len(returns),
    )


def _cut(values: Floats, parts: int) -> Floats:
    edges = np.quantile(values, np.arange(1, parts) / parts)
    return np.searchsorted(edges, values).astype(np.float64)
