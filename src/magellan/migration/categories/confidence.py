"""How sure a category is: the share of files that were right where the signs were the same.

A logistic regression over three signs. It was fitted on those projects of `benchmarks/categories` that no rule was
written for, the others counting little: a rule is right on the project that it came from, which says nothing about the
next one. Each project counts alike whatever its size.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_CONSTANT: Final = -0.592
_WITH_NEIGHBOURS: Final = 0.169  # per unit of log odds of the category, after neighbours were heard
_ALIKE: Final = 1.153  # for the share of the files most like it that are in the same category
_AHEAD: Final = 0.115  # per unit by which the file's own words speak more for it than for any other


def confidences(
    with_neighbours: NDArray[np.float64], alike: NDArray[np.float64], ahead: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The confidence of each file's category.

    with_neighbours: probability of that category, shape (files,).
    alike:           shares from 0 to 1, shape (files,).
    ahead:           weights of words, below 0 where they speak more for another category, shape (files,).
    """
    odds = (
        _CONSTANT
        + _WITH_NEIGHBOURS * np.clip(_log_odds(with_neighbours), -5, 8)
        + _ALIKE * alike
        + _AHEAD * np.clip(ahead, -3, 8)
    )
    found: NDArray[np.float64] = 1 / (1 + np.exp(-odds))
    return found


def probabilities(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row's odds, given as logarithms, as probabilities that sum to 1."""
    powers = np.exp(odds - odds.max(axis=1, keepdims=True))
    normal: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return normal


def _log_odds(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    kept = np.clip(probability, 1e-6, 1 - 1e-6)
    found: NDArray[np.float64] = np.log(kept / (1 - kept))
    return found
