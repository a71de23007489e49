"""Likelier step: one step of expectation and maximisation of the hidden Markov filter, compiled.

Source: L. Baum and others, 1970; for Student's t, K. Lange and others, 1989: the farther a row lies from the mean, the
less it counts.
"""

from __future__ import annotations

import math
from typing import Any

from magellan.compiled import kernel
from magellan.regime.hidden_markov import backward, forward


@kernel
def likelier(
    m: int,
    height_at_one: float,  # of `emissions`, of a scale of 1
    sticky_bars: float,  # stays counted before any was seen
    smallest_scale: float,
    returns: Any,  # (n,), the level taken out
    mean: Any,  # (K,), in and out
    scale: Any,  # (K,), in and out
    stay: Any,  # (K, K), in and out
    inverse: Any,  # (K,), to work in, as all arrays below
    height: Any,  # (K,)
    belief: Any,  # (K,)
    level: Any,  # (1,)
    filtered: Any,  # (n, >= K)
    density: Any,  # (n, >= K)
    evidence: Any,  # (n,)
    levels: Any,  # (n,)
    moments: Any,  # (K, 4)
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
        returns, mean, inverse, height, m, stay, 0.0, 1.0, belief, level, filtered, density, evidence, levels
    )
    backward(
        returns, mean, inverse, m, stay, filtered, density, evidence, moments, moves, scores, ahead, weighed
    )
    for k in range(states):
        total = 0.0
        for j in range(states):
            moves[k, j] += 1e-3 + (sticky_bars if j == k else 0.0)
            total += moves[k, j]
        for j in range(states):
            stay[k, j] = moves[k, j] / total
        mean[k] = moments[k, 2] / moments[k, 1]
        spread = moments[k, 3] - 2.0 * mean[k] * moments[k, 2] + mean[k] * mean[k] * moments[k, 1]
        scale[k] = max(math.sqrt(max(spread / moments[k, 0], 0.0)), smallest_scale)
