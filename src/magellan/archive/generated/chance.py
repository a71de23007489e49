"""Random numbers as a function of seed, name and day: whatever else is generated, they are the same."""

from __future__ import annotations

import hashlib

import numpy as np

from magellan.trading.bar import Floats


def uniforms(seed: int, stream: str, first_day: int, last_day: int, per_day: int) -> Floats:
    """`per_day` numbers in [0, 1) for each day; shape (last_day - first_day + 1, per_day).

    first_day, last_day: days since 1970-01-01, both included, >= 0. The numbers of a day do not depend on
    them, so a part of a generated history equals the same part of a longer one.
    """
    assert 0 <= first_day <= last_day, f"days {first_day} to {last_day}"
    named = hashlib.sha256(f"{seed}/{stream}".encode()).digest()
    source = np.random.PCG64(np.random.SeedSequence(int.from_bytes(named[:16], "big")))
    # Every number takes exactly one step of the source, so a day's numbers have a fixed place in its stream.
    source.advance(first_day * per_day)
    return np.random.Generator(source).random((last_day - first_day + 1, per_day))


def normal(first: Floats, second: Floats) -> Floats:
    """Standard normal numbers from two uniform ones (Box and Muller, 1958)."""
    return np.sqrt(-2.0 * np.log1p(-first)) * np.cos(2.0 * np.pi * second)


def student(first: Floats, second: Floats, freedom: float) -> Floats:
    """Student's t with `freedom` > 2 degrees, scaled to variance 1, from two uniform ones (Bailey, 1994)."""
    spread = np.exp(np.log1p(-first) * (-2.0 / freedom)) - 1.0
    return np.sqrt((freedom - 2.0) * spread) * np.cos(2.0 * np.pi * second)


def exponential(first: Floats) -> Floats:
    """Exponential numbers with mean 1 from uniform ones."""
    return -np.log1p(-first)


def furthest(start: Floats, end: Floats, spread: Floats, first: Floats, side: float) -> Floats:
    """The highest (side 1) or lowest (side -1) level of a random walk from start to end.

    spread: standard deviation of the walk's move. first: uniform numbers.
    So it is no accident when a stop is reached: whoever sells where the walk has been gets, on average, what
    the walk is worth. A wick that only decorates a bar would cheat every stop.
    Source: distribution of the maximum of a Brownian bridge, P(max > b) = exp(-2 (b - start)(b - end) / spread^2).
    """
    return 0.5 * (start + end + side * np.sqrt((end - start) ** 2 + 2.0 * spread**2 * exponential(first)))
