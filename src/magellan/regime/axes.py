"""Axes: the three questions a regime answers, and the classes of each."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import numpy as np

from magellan.trading.bar import Floats

UNKNOWN: Final = "unknown"


class Axis(StrEnum):
    """A question about a market whose answer is a probability for each of its classes."""

    VOLATILITY = "volatility"
    TREND = "trend"
    STRUCTURE = "structure"


CLASSES: Final[dict[Axis, tuple[str, ...]]] = {
    Axis.VOLATILITY: ("low", "medium", "high"),
    Axis.TREND: ("strong_down", "down", "neutral", "up", "strong_up"),
    Axis.STRUCTURE: ("trending", "ranging", "breaking"),
}


def class_probabilities(axis: Axis, score: Floats, breaking: Floats | None = None) -> Floats:
    """What a score says about each class: all on the nearest class, shared between the two it lies between.

    score:    shape (n,), in [-1, 1]. Volatility: from low to high; trend: from strong down to strong up; structure:
              from ranging to trending. NaN where nothing is known.
    breaking: of structure only: how much of it is a break, shape (n,), in [0, 1].
    Returns:  shape (n, classes); rows sum to 1, or are NaN.
    """
    score = np.clip(score, -1.0, 1.0)
    if axis is Axis.STRUCTURE:
        broken = np.zeros_like(score) if breaking is None else breaking
        trending = (1.0 + score) / 2.0
        return np.column_stack((trending * (1.0 - broken), (1.0 - trending) * (1.0 - broken), broken))
    anchors = np.linspace(-1.0, 1.0, len(CLASSES[axis]))
    width = anchors[1] - anchors[0]
    shares: Floats = np.maximum(0.0, 1.0 - np.abs(score[:, None] - anchors) / width)
    return shares
