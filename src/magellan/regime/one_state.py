"""One state: a single state whose level moves fast, compiled: volatility that clusters, without regimes."""

from __future__ import annotations

import math
from typing import Any

from magellan.compiled import kernel
from magellan.regime.hidden_markov import MOMENTS, WICK_M, counted_in, says_of_scale, whole_power


@kernel
def one_state(
    first: int,  # rows before it move the level and count for nothing else
    returns: Any,  # (n,)
    wicks: Any,  # (n,)
    mean: float,
    inverse: float,  # of `emissions`
    height: float,  # likewise
    m: int,
    centre: float,
    by_wick: Any,  # WICKS, shape (1,)
    gain: float,
    pull: float,
    levels: Any,  # (n,), out
    moments: Any,  # (1, MOMENTS), out: those of wicks, as of `backward`
) -> tuple[float, float]:
    """Log-likelihood of the returns, each given the rows before it, as `filter_row` would have it of a single state;
    and the mean score of the scale by returns, which is 0 where the scale fits.
    """
    freedom = 2.0 * m - 1.0
    wick_terms = by_wick[0]
    step = gain / (says_of_scale(freedom) + wick_terms.says)
    heavier = 2.0 * WICK_M / (2.0 * WICK_M - 1.0)
    for at in range(MOMENTS):
        moments[0, at] = 0.0
    level = 0.0
    log_likelihood = 0.0
    product = 1.0
    scores = 0.0
    for row in range(len(returns)):
        levels[row] = level
        z = (returns[row] * math.exp(-level) - mean) * inverse
        near = 1.0 / (1.0 + z * z)
        if row >= first:
            log_likelihood -= level
            product, log_likelihood = counted_in(whole_power(near, m) * height, product, log_likelihood)
        score = (freedom + 1.0) * (1.0 - near) - 1.0
        scores += score
        wick = wicks[row] - level
        if wick_terms.on and not math.isnan(wick):
            far = 1.0 - near
            y = (wick - centre - wick_terms.slope * far) * wick_terms.inverse
            near_wick = 1.0 / (1.0 + y * y)
            weight = heavier * near_wick
            moments[0, 4] += 1.0
            moments[0, 5] += weight
            moments[0, 6] += weight * wick
            moments[0, 7] += weight * far
            moments[0, 8] += weight * wick * wick
            moments[0, 9] += weight * wick * far
            moments[0, 10] += weight * far * far
            score += 2.0 * WICK_M * y * wick_terms.inverse * near_wick
        level = pull * level + step * score
    return log_likelihood + math.log(product), scores / len(returns)
