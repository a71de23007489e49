"""Wick density: how the wicks of a bar speak of the state, beside the bar's return."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from magellan.regime.hidden_markov import WICK_M, WICKS, height_at_one
from magellan.trading.bar import Floats

_FREEDOM: Final = 2 * WICK_M - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class WickDensity:
    """The logarithm of a bar's wicks in a state, the level taken out, is

        log(scale of the state) + offset + slope (1 - 1 / (1 + z^2)) + width t

    with t Student's of 7 degrees of freedom, and z the return's distance from the state's mean, over the state's scale
    and the root of the degrees of freedom of returns.
    """

    offset: float
    width: float  # > 0
    slope: float

    def drawn(self, rng: np.random.Generator, scale: Floats, noise: Floats, freedom: int) -> Floats:
        """Logarithms of wicks of bars whose states have such scales, and whose returns' noise is Student's t of that
        freedom; shapes (n,).
        """
        far = noise**2 / (freedom + noise**2)
        centre = np.log(scale) + self.offset + self.slope * far
        return np.asarray(centre + self.width * rng.standard_t(_FREEDOM, len(scale)))


def wick_terms(density: WickDensity | None, scale: Floats) -> tuple[Floats, NDArray[Any]]:
    """Centres of states with such scales, shape (K,), and WICKS, shape (1,); of None those that no wick is looked at
    with.
    """
    terms = np.zeros(1, dtype=WICKS)
    if density is None:
        return np.zeros(len(scale)), terms
    terms[0] = (
        True, density.slope, 1.0 / (density.width * math.sqrt(_FREEDOM)), height_at_one(WICK_M) / density.width,
        (_FREEDOM + 1.0) / (_FREEDOM + 3.0) / density.width**2,
    )  # fmt: skip
    return np.log(scale) + density.offset, terms


def density_of(scale: Floats, centre: Floats, terms: NDArray[Any]) -> WickDensity | None:
    """What `wick_terms` makes these of."""
    if not terms["on"][0]:
        return None
    return WickDensity(
        offset=float((centre - np.log(scale)).mean()),
        width=1.0 / (float(terms["inverse"][0]) * math.sqrt(_FREEDOM)),
        slope=float(terms["slope"][0]),
    )
