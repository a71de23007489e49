"""Batches: neighbouring items that one worker takes in one go."""

from __future__ import annotations

from typing import Final

BATCHES_PER_WORKER: Final = 8  # so that a slow batch at the end keeps nobody waiting for long
BATCH_MAX: Final = 64


def batches(items: int, workers: int) -> list[range]:
    """Every item in exactly one batch, in order. Neighbours of a grid share indicators, so they stay together."""
    size = max(1, min(BATCH_MAX, -(-items // (workers * BATCHES_PER_WORKER))))
    return [range(start, min(start + size, items)) for start in range(0, items, size)]
