"""How sure a category is: the share of files that were right where the signs were the same.

A logistic regression over four signs, fitted on the projects of `benchmarks/categories` that are not held out, each
project counting about alike whatever its size; every file is judged by a fit that has not seen its project when the
figures beside the benchmark are made.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_CONSTANT: Final = -0.509
_WITH_NEIGHBOURS: Final = 0.232  # per unit of log odds of the category, after neighbours were heard
_ALONE: Final = 0.131  # the same by the file's own words
_ALIKE: Final = 1.2  # for the share of the files most like it that are in the same category
_TIED: Final = -0.058  # for the share of those tied to it by imports; 0.5 where there are none


def confidences(
    with_neighbours: NDArray[np.float64],
    alone: NDArray[np.float64],
    alike: NDArray[np.float64],
    tied: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The confidence of each file's category.

    with_neighbours, alone: probability of that category, shape (files,).
    alike, tied:            shares from 0 to 1, shape (files,).
    """
    odds = (
        _CONSTANT
        + _WITH_NEIGHBOURS * np.clip(_log_odds(with_neighbours), -5, 8)
        + _ALONE * np.clip(_log_odds(alone), -6, 6)
        + _ALIKE * alike
        + _TIED * tied
    )
    found: NDArray[np.float64] = 1 / (1 + np.exp(-odds))
    return found


def _log_odds(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    kept = np.clip(probability, 1e-6, 1 - 1e-6)
    found: NDArray[np.float64] = np.log(kept / (1 - kept))
    return found
