"""Spacing: how far apart bars lie, in one pass."""

from __future__ import annotations

from typing import Any

from magellan.compiled import kernel


@kernel
def spacing(opened_at_ns: Any, span_ns: int) -> tuple[int, int]:
    """The first row that opens less than a span after the one before (-1: none), and how many open just a span after.

    opened_at_ns: shape (n,).
    """
    spaced = 0
    for row in range(1, len(opened_at_ns)):
        gap = opened_at_ns[row] - opened_at_ns[row - 1]
        if gap < span_ns:
            return row, spaced
        spaced += gap == span_ns
    return -1, spaced
