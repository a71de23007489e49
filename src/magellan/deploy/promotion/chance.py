"""Chance: exact probabilities of the binomial distribution, in plain Python.

Terms go through logarithms of the gamma function, which keeps some 12 digits for the few hundred trades that a soak
has. tests/deploy/promotion holds them to SciPy's.
"""

from __future__ import annotations

import math
from functools import lru_cache


def mass(k: int, n: int, p: float) -> float:
    """Probability of exactly k successes in n tries, each with probability p."""
    if not 0 <= k <= n:
        return 0.0
    if p in (0.0, 1.0):
        return 1.0 if k == n * p else 0.0
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(ways + k * math.log(p) + (n - k) * math.log1p(-p))


def between(low: int, high: int, n: int, p: float) -> float:
    """Probability of at least `low` and at most `high` successes."""
    return min(1.0, math.fsum(mass(k, n, p) for k in range(max(0, low), min(n, high) + 1)))


@lru_cache(maxsize=4096)
def band(n: int, p: float, level: float) -> tuple[int, int]:
    """The fewest and the most successes that lie inside: no more than (1 - level) / 2 of probability on either side."""
    tail = (1.0 - level) / 2.0
    low, below = 0, mass(0, n, p)
    while below <= tail and low < n:
        low += 1
        below += mass(low, n, p)
    high, above = n, mass(n, n, p)
    while above <= tail and high > low:
        high -= 1
        above += mass(high, n, p)
    return low, high


def passes_without_edge(n: int, predicted: float, break_even: float, level: float) -> float:
    """Probability that a strategy which only breaks even lies in the band of one that wins as predicted."""
    low, high = band(n, predicted, level)
    return between(low, high, n, break_even)


@lru_cache(maxsize=64)
def trades_needed(
    predicted: float, break_even: float, level: float, chance: float, *, most: int = 600
) -> int | None:
    """The fewest trades from which on `passes_without_edge` stays at or below `chance`; None: more than `most`."""
    if not break_even < predicted:
        return None
    found = None
    # It saw-tooths, since wins are whole numbers: the last number that is above decides.
    for n in range(1, most + 1):
        if passes_without_edge(n, predicted, break_even, level) > chance:
            found = None
        elif found is None:
            found = n
        elif n >= 2 * found + 20:
            return found
    return found
