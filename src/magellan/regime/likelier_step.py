"""Likelier step: one step of expectation and maximisation of the hidden Markov filter, compiled.

Source: L. Baum and others, 1970; for Student's t, K. Lange and others, 1989: the farther a row lies from the mean, the
less it counts.
"""

from __future__ import annotations

import math
from typing import Any, Final

from magellan.compiled import kernel
from magellan.regime.hidden_markov import WICK_M, backward, forward, says_of_scale

FEWEST_WICKS: Final = 100.0  # bars, below which nothing is learnt of wicks
SMALLEST_WIDTH: Final = 0.05  # of the logarithms of wicks


@kernel
def likelier(
    m: int,
    height_at_one: float,  # of `emissions`, of a scale of 1
    sticky_bars: float,  # stays counted before any was seen
    smallest_scale: float,
    returns: Any,  # (n,), the level taken out
    wicks: Any,  # (n,), likewise
    mean: Any,  # (K,), in and out
    scale: Any,  # (K,), in and out
    centre: Any,  # (K,), in and out
    by_wick: Any,  # WICKS, shape (1,), in and out
    stay: Any,  # (K, K), in and out
    inverse: Any,  # (K,), to work in, as all arrays below
    height: Any,  # (K,)
    belief: Any,  # (K,)
    level: Any,  # (1,)
    filtered: Any,  # (n, >= K)
    density: Any,  # (n, >= K)
    joint: Any,  # (n,)
    evidence: Any,  # (n,)
    levels: Any,  # (n,)
    moments: Any,  # (K, MOMENTS)
    moves: Any,  # (K, K)
    ahead: Any,  # (K,)
    weighed: Any,  # (K,)
    scores: Any,  # (n,), out: as of `backward`
    reached: Any,  # (1,), out: log-likelihood of the parameters as they came in
) -> None:
    """Move the parameters to likelier ones."""
    states = len(mean)
    freedom = 2.0 * m - 1.0
    level[0] = 0.0
    for k in range(states):
        inverse[k] = 1.0 / (scale[k] * math.sqrt(freedom))
        height[k] = height_at_one / scale[k]
        belief[k] = 1.0 / states
    reached[0] = forward(
        returns, wicks, mean, inverse, height, m, centre, by_wick, stay, 0.0, 1.0, belief, level, filtered, density,
        joint, evidence, levels,
    )  # fmt: skip
    backward(
        returns, wicks, mean, inverse, m, centre, by_wick, stay, filtered, density, joint, moments, moves, scores,
        ahead, weighed,
    )  # fmt: skip
    for k in range(states):
        total = 0.0
        for j in range(states):
            moves[k, j] += 1e-3 + (sticky_bars if j == k else 0.0)
            total += moves[k, j]
        for j in range(states):
            stay[k, j] = moves[k, j] / total
        scale_before = scale[k]
        mean[k] = moments[k, 2] / moments[k, 1]
        spread = moments[k, 3] - 2.0 * mean[k] * moments[k, 2] + mean[k] * mean[k] * moments[k, 1]
        scale[k] = max(math.sqrt(max(spread / moments[k, 0], 0.0)), smallest_scale)
        centre[k] += math.log(scale[k] / scale_before)
    if by_wick[0].on:
        likelier_wicks(moments, says_of_scale(freedom), smallest_scale, scale, centre, by_wick)


@kernel
def likelier_wicks(
    moments: Any, says: float, smallest_scale: float, scale: Any, centre: Any, by_wick: Any
) -> None:
    """Slope, offset and width of wicks by weighted least squares; scales by what returns and wicks say of them.

    moments: of `backward`.
    says:    what a return says of the logarithm of its scale.
    """
    if moments[:, 4].sum() < FEWEST_WICKS:
        return
    above, below = 0.0, 1e-12
    for k in range(len(centre)):
        if moments[k, 5] > 0.0:
            above += moments[k, 9] - moments[k, 6] * moments[k, 7] / moments[k, 5]
            below += moments[k, 10] - moments[k, 7] * moments[k, 7] / moments[k, 5]
    slope = above / below
    offset, weights = 0.0, 0.0
    for k in range(len(centre)):
        offset += moments[k, 6] - slope * moments[k, 7] - moments[k, 5] * math.log(scale[k])
        weights += moments[k, 5]
    offset /= weights
    squares = 0.0
    for k in range(len(centre)):
        if moments[k, 5] > 0.0:
            of_returns = says * moments[k, 0]
            of_wicks = by_wick[0].says * moments[k, 4]
            by_wicks = (moments[k, 6] - slope * moments[k, 7]) / moments[k, 5] - offset
            size = (of_returns * math.log(scale[k]) + of_wicks * by_wicks) / (of_returns + of_wicks)
            scale[k] = max(math.exp(size), smallest_scale)
        centre[k] = offset + math.log(scale[k])
        squares += (
            moments[k, 8]
            - 2.0 * centre[k] * moments[k, 6]
            - 2.0 * slope * moments[k, 9]
            + centre[k] * centre[k] * moments[k, 5]
            + 2.0 * centre[k] * slope * moments[k, 7]
            + slope * slope * moments[k, 10]
        )
    width = max(math.sqrt(max(squares, 0.0) / moments[:, 4].sum()), SMALLEST_WIDTH)
    freedom = 2.0 * WICK_M - 1.0
    before = by_wick[0].inverse
    by_wick[0].slope = slope
    by_wick[0].inverse = 1.0 / (width * math.sqrt(freedom))
    by_wick[0].height *= by_wick[0].inverse / before
    by_wick[0].says = (freedom + 1.0) / (freedom + 3.0) / (width * width)
