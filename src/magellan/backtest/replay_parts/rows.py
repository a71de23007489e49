"""Rows: the next bar on which something holds, and the one that stands at an instant."""

from __future__ import annotations

from typing import Any

import numpy as np

from magellan.backtest import records as r
from magellan.backtest.run_memory import account_of, ask_for, i8, position_of, rules_of, u8, zeros_below
from magellan.compiled import kernel_part

IN_CACHE = 200_000  # so few bars are at hand; of more, those that will be needed are asked for beforehand


@kernel_part
def next_true(mask: int, row: int, end: int) -> int:
    """The first row in [row, end) at which the mask holds, else `end`."""
    if mask == 0 or row >= end:
        return end
    at = row >> 6
    word = u8(mask, at) >> np.uint64(row & 63)
    while word == np.uint64(0):
        at += 1
        row = at << 6
        if row >= end:
            return end
        word = u8(mask, at)
    return min(row + zeros_below(word), end)


@kernel_part
def is_true(mask: int, row: int) -> bool:
    """Whether the mask holds at that row."""
    if mask == 0:
        return False
    return (u8(mask, row >> 6) >> np.uint64(row & 63)) & np.uint64(1) != np.uint64(0)


@kernel_part
def has_bar_now(x: Any, s: int) -> bool:
    """Whether the symbol's next row is a bar of the instant at which the run stands.

    A run of one symbol stands wherever that symbol's next row does. Its times are not read: in a large market they
    would have to be fetched for every event.
    """
    row = position_of(x, s).next
    return row < i8(x.offsets, s + 1) and (x.symbols == 1 or i8(x.times, row) == account_of(x, 0).now_ns)


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


@kernel_part
def opened_ns(x: Any, p: Any) -> int:
    """When the position was opened: at the opening of its entry bar, or at that bar's close."""
    opened = i8(x.times, p.entry_row)
    return opened + rules_of(x, 0).span_ns if p.mode == r.AT_CLOSE else opened


@kernel_part
def ask_for_bar(x: Any, row: int, end: int) -> None:
    """Ask memory for a bar that will be needed: fetching it takes longer than working on it."""
    if row < end:
        if x.symbols > 1:
            ask_for(x.times, row)
        ask_for(x.open, row)
        ask_for(x.close, row)
