"""From a probability that was computed to a confidence that was measured."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import Final

# Probability, and the share of files with about that probability that were put where their authors had put them.
# Measured by `python -m benchmarks.categories`, over its projects that are not held out.
_MEASURED: Final = ((0.0, 0.0), (0.2, 0.25), (0.5, 0.5), (0.9, 0.8), (1.0, 0.95))


def confidence_of(probability: float) -> float:
    """The share of files that are right at that probability; straight lines between what was measured."""
    at = min(bisect_right([known for known, _ in _MEASURED], probability), len(_MEASURED) - 1)
    (low, low_right), (high, high_right) = list(pairwise(_MEASURED))[at - 1]
    return low_right + (high_right - low_right) * (probability - low) / (high - low)
