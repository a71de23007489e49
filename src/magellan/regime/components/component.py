"""Component: the contract that all parts of the rule score keep, those that read bars and those that read options.

A component gives a score in [-1, 1] per bar for each of its axes, NaN where it knows nothing: volatility from low to
high, trend from strong down to strong up, structure from ranging to trending. To structure it may add how much of it is
a break, in [0, 1].

Everything is computed row by row into columns that the next row reads. So a whole history in one call and one bar at a
time are the same code, and give the same values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from magellan.regime.axes import Axis
from magellan.regime.option_chain import ChainColumns
from magellan.trading.bar import Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Market:
    """What components read: the kept rows of one symbol's bars, shape (n,), and what belongs to them."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    returns: Floats  # log(close / close before); of the first bar log(close / open)
    day: NDArray[np.int32]  # session date of each bar
    offset: int  # bars that came before the first kept one
    is_daily: bool  # a bar is a session
    others: Floats  # (n, other symbols): returns of the other symbols over the same bars
    chain: (
        ChainColumns | None
    )  # as known at the bars that are taken in now, those alone; None where there is none


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Output:
    """Where a component writes, of all kept rows."""

    work: Floats  # (n, work columns): its own, kept from row to row
    score: Floats  # (n, axes)
    breaking: Floats  # (n,): share of a break; 0 where a component writes nothing


class RuleComponent(Protocol):
    """One part of the rule score."""

    name: ClassVar[str]  # as in the config
    axes: ClassVar[tuple[Axis, ...]]
    work_columns: int

    @property
    def weight(self) -> float: ...

    def absent(self, market: Market) -> str | None:
        """Why it has nothing to work on in this market; None where it has."""
        ...

    def extend(self, market: Market, start: int, out: Output) -> None:
        """Write rows from `start` on; those before were written before."""
        ...

    def value(self, out: Output, row: int) -> float:
        """The number that the score of a row was made of, for whoever asks for reasons."""
        ...
