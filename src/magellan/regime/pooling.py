"""Pooling: one probability per class of an axis, from the rule score, which counts once, and the filter by its weight.

A filter of one state has no states to speak of; of volatility it knows the level, and of the rest it says nothing. Of
breaks no filter knows anything: what it says of structure is about the rest.
"""

from __future__ import annotations

import math
from typing import Any

from magellan.compiled import kernel_part


@kernel_part
def pool_row(
    rule: Any,  # (n, classes): of the rule score
    states: Any,  # (n, states): of the filter
    meaning: Any,  # (states, classes)
    weight: float,  # of the filter; 0 where the fit says nothing on the axis
    terms: Any,  # FIT
    levels: Any,  # (n,)
    row: int,
    place: int,  # of the axis
    pooled: Any,  # (n, classes), out
    filter_share: Any,  # (n, axes), out
) -> None:
    """Pool a row; NaN where neither knows anything."""
    classes = pooled.shape[1]
    known = not math.isnan(rule[row, 0])
    share = 0.0
    if weight > 0.0:
        share = weight / (1.0 + weight) if known else 1.0
    for k in range(classes):
        pooled[row, k] = (1.0 - share) * rule[row, k] if known else (0.0 if share > 0.0 else math.nan)
    if share > 0.0 and terms.by_level and place == 0:
        score = -0.5 * levels[row] / terms.below if levels[row] < 0.0 else 0.5 * levels[row] / terms.above
        score = min(1.0, max(-1.0, score))
        pooled[row, 0] += share * max(0.0, -score)
        pooled[row, 1] += share * (1.0 - abs(score))
        pooled[row, 2] += share * max(0.0, score)
    elif share > 0.0:
        rest = 1.0 - rule[row, 2] if place == 2 and known else 1.0
        if place == 2 and known:
            pooled[row, 2] = rule[row, 2]
        for k in range(classes):
            for state in range(len(meaning)):
                pooled[row, k] += rest * share * states[row, state] * meaning[state, k]
    filter_share[row, place] = share
