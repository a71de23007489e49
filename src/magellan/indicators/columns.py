"""Columns: what an indicator accepts as input, and where a column has gaps.

A value that is not finite counts as missing. An indicator is NaN on that row and begins anew behind it, as if
the series began there: a mean needs its n values again, a smoothed average forgets what came before.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from magellan.compiled import kernel_part
from magellan.errors import FixInput
from magellan.trading.bar import Floats

Days = NDArray[np.int32]  # session dates, days since 1970-01-01


def column(name: str, values: Any, like: Floats | None = None) -> Floats:
    """`values` as one contiguous float64 column that nobody can write to; shares memory where it can.

    like: another column of the same call, whose length this one must have.
    Raises FixInput for anything that is not a one-dimensional array of floats or whole numbers.
    """
    given = np.asarray(values)
    if given.ndim != 1 or given.dtype.kind not in "fiu":
        raise FixInput(f"{name} is {given.dtype}{given.shape}, not one column of numbers")
    if like is not None and len(given) != len(like):
        raise FixInput(f"{name} has {len(given)} rows, the other columns {len(like)}")
    # Compiled code is cached per type, and "read-only" is part of the type: make every column so.
    view = np.ascontiguousarray(given, dtype=np.float64).view()
    view.setflags(write=False)
    return view


def day_column(day: Any, like: Floats) -> Days:
    """Session dates as whole days since 1970-01-01. Raises FixInput for another type or length."""
    given = np.asarray(day)
    if given.ndim != 1 or given.dtype.kind not in "iu":
        raise FixInput(f"day is {given.dtype}{given.shape}, not one column of day numbers")
    if len(given) != len(like):
        raise FixInput(f"day has {len(given)} rows, the other columns {len(like)}")
    view = np.ascontiguousarray(given, dtype=np.int32).view()
    view.setflags(write=False)
    return view


def period(n: int, *, at_least: int = 1, name: str = "n") -> int:
    """A number of bars. Raises FixInput when it is no whole number or too small."""
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
        raise FixInput(f"{name} is a whole number of bars, not {n!r}")
    if n < at_least:
        raise FixInput(f"{name} is at least {at_least}, not {n}")
    return int(n)


@kernel_part
def run_start(values: Any, row: int) -> int:
    """The first row from `row` on that holds a value, else the length."""
    while row < len(values) and not np.isfinite(values[row]):
        row += 1
    return row


@kernel_part
def run_end(values: Any, row: int) -> int:
    """The first row from `row` on that is missing, else the length."""
    while row < len(values) and np.isfinite(values[row]):
        row += 1
    return row
