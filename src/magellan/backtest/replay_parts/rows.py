"""Rows: the next bar on which something holds, and the one that stands at an instant."""

from __future__ import annotations

from typing import Any

import numpy as np

from magellan.backtest.run_memory import i8, u8, zeros_below
from magellan.compiled import kernel_part


@kernel_part
def next_true(mask: int, row: int, end: int) -> int:
    """The first row in [row, end) at which the mask holds, else `end`."""
    if mask == 0 or row >= end:
        return end
    at = row >> 3
    word = u8(mask, at) >> np.uint64((row & 7) << 3)
    while word == np.uint64(0):
        at += 1
        row = at << 3
        if row >= end:
            return end
        word = u8(mask, at)
    return min(row + (zeros_below(word) >> 3), end)


@kernel_part
def is_true(mask: int, row: int) -> bool:
    """Whether the mask holds at that row."""
    if mask == 0:
        return False
    return (u8(mask, row >> 3) >> np.uint64((row & 7) << 3)) & np.uint64(255) != np.uint64(0)


@kernel_part
def row_at(x: Any, first: int, end: int, instant_ns: int) -> int:
    """The first row in [first, end) that opens at or after the instant, else `end`; fast when it is near."""
    step = 1
    low = first
    while low + step < end and i8(x.times, low + step) < instant_ns:
        low += step
        step <<= 1
    high = min(end, low + step + 1)
    while low < high:
        middle = (low + high) >> 1
        if i8(x.times, middle) < instant_ns:
            low = middle + 1
        else:
            high = middle
    return low
