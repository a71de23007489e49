"""Bootstrap: how far a measured number could lie from the true one, by drawing the history again and again.

The stationary bootstrap draws blocks of random length with random beginnings, wrapped around the end, so that
what hangs together in time stays together. Source: Politis and Romano, "The Stationary Bootstrap", Journal of
the American Statistical Association 89 (1994). It supposes that the future is drawn from the same
mixture of days as the past; docs/guides/reports.md says where that misleads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from magellan.trading.bar import Floats

RESAMPLES: Final = 1000
LEVEL: Final = 0.95
_RESAMPLES_MIN: Final = 200
_DRAWS_MAX: Final = 5_000_000  # some 50 ms; longer histories get fewer resamples
_DRAWS_AT_ONCE: Final = 250_000  # what fits in a processor's cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Where the true value lies with a stated confidence: the middle share of its resampled values."""

    low: float
    high: float | None  # None: without bound (a profit factor, where resamples without a loss occur)
    level: float  # 0.95: 2.5 % of resamples lie below `low`, and 2.5 % above `high`
    resamples: int
    block: float  # mean length of the blocks drawn, in sessions or trades


def resamples_for(n: int, wanted: int = RESAMPLES) -> int:
    """How many resamples of n values we take: as many as wanted, fewer of very long histories."""
    return max(min(wanted, _RESAMPLES_MIN), min(wanted, _DRAWS_MAX // max(n, 1)))


def resampled_rows(n: int, block: float, resamples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Rows of a history of n values, drawn again; arrays of shape (some, n), `resamples` rows in all.

    block: mean length of the blocks, >= 1; 1 draws every value on its own.
    seed:  the same seed draws the same rows.
    """
    assert n > 0 and block >= 1.0, f"{n} values in blocks of {block}"
    chance = np.random.Generator(np.random.PCG64(seed))
    at_once = max(1, _DRAWS_AT_ONCE // n)
    for first in range(0, resamples, at_once):
        count = min(at_once, resamples - first)
        begins = chance.random((count, n)) < 1.0 / block
        begins[:, 0] = True
        at = np.flatnonzero(begins)
        rows = np.repeat(chance.integers(0, n, len(at)) - at, np.diff(at, append=count * n))
        rows += np.arange(count * n)
        rows %= n
        yield rows.reshape(count, n)


def interval(values: Floats, *, level: float, block: float) -> Interval:
    """The middle `level` of resampled values; shape (resamples,). Infinite values count, NaN do not.

    This is the percentile interval of Efron and Tibshirani, "An Introduction to the Bootstrap" (1993).
    """
    found = np.sort(values[~np.isnan(values)])
    assert len(found) > 0, "no resample could be measured"
    # By order statistics and not interpolated, which would make NaN between a number and infinity.
    low = found[math.floor((1.0 - level) / 2.0 * (len(found) - 1))]
    high = found[math.ceil((1.0 + level) / 2.0 * (len(found) - 1))]
    return Interval(
        low=float(low),
        high=float(high) if math.isfinite(high) else None,
        level=level,
        resamples=len(values),
        block=block,
    )


def resampled(
    n: int,
    block: float,
    resamples: int,
    seed: int,
    measures: Mapping[str, Callable[[NDArray[np.int64]], Floats]],
) -> dict[str, Floats]:
    """Several measures of the same resamples; each takes rows of shape (k, n) and gives shape (k,)."""
    parts: dict[str, list[Floats]] = {name: [] for name in measures}
    for rows in resampled_rows(n, block, resamples, seed):
        for name, measure in measures.items():
            parts[name].append(measure(rows))
    return {name: np.concatenate(found) for name, found in parts.items()}


def block_length(values: Floats) -> float:
    """The mean block length that suits how long values remember, for the stationary bootstrap; >= 1.

    Source: Politis and White, "Automatic Block-Length Selection for the Dependent Bootstrap", Econometric
    Reviews 23 (2004), with the correction of Patton, Politis and White, Econometric Reviews 28 (2009):
    (2 g^2 / d)^(1/3) x n^(1/3), g = sum of w(k / m) |k| c(k), d = 2 (sum of w(k / m) c(k))^2 over all lags k,
    c the autocovariance, w their flat-top window, m twice the lag beyond which autocorrelation is not
    distinguishable from zero.
    """
    n = len(values)
    if n < 8:
        return 1.0
    centred = values - values.mean()
    # Sums and no `np.dot`, whose last digit depends on the processor that it finds.
    variance = float(np.sum(centred**2)) / n
    if variance == 0.0:
        return 1.0
    insignificant = max(5, math.ceil(math.sqrt(math.log10(n))))  # so many lags in a row
    lag_max = min(math.ceil(math.sqrt(n)) + insignificant, n - 1)
    covariance = np.array([float(np.sum(centred[k:] * centred[: n - k])) / n for k in range(lag_max + 1)])
    small = np.abs(covariance / variance) < 2.0 * math.sqrt(math.log10(n) / n)
    memory = lag_max
    for lag in range(lag_max - insignificant + 1):
        if small[lag + 1 : lag + 1 + insignificant].all():
            memory = lag
            break
    lags = np.arange(1, min(2 * max(memory, 1), lag_max) + 1)
    window = np.minimum(1.0, 2.0 * (1.0 - lags / lags[-1]))
    g = 2.0 * float((window * lags * covariance[lags]).sum())
    spectrum = variance + 2.0 * float((window * covariance[lags]).sum())
    longest = math.ceil(min(3.0 * math.sqrt(n), n / 3.0))
    if spectrum <= 0.0:
        # The window can estimate a negative variance where values swing back and forth; then only the
        # rate at which blocks have to grow is known.
        return float(min(n ** (1 / 3), longest))
    return float(min(max(abs(g / spectrum) ** (2 / 3) * n ** (1 / 3), 1.0), longest))
