"""Scores: measured numbers on the scale of an axis. At a limit, the classes on both sides are equally likely."""

from __future__ import annotations

from magellan.compiled import kernel_part


@kernel_part
def between_limits(value: float, low: float, high: float) -> float:
    """-0.5 at the lower limit, 0.5 at the upper one, straight through both, from -1 to 1."""
    return min(1.0, max(-1.0, (value - low) / (high - low) - 0.5))


@kernel_part
def signed_strength(value: float, some: float, strong: float) -> float:
    """Of an axis with five classes: 0.25 where something begins, 0.75 where it is strong; the sign of the value."""
    size = abs(value)
    if size < some:
        score = 0.25 * size / some
    else:
        score = min(1.0, 0.25 + 0.5 * (size - some) / (strong - some))
    return score if value >= 0.0 else -score
