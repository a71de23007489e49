"""Component: the contract that all parts of the rule score keep, those that read bars and those that read options.

A component gives a score in [-1, 1] per bar for each of its axes, NaN where it knows nothing: volatility from low to
high, trend from strong down to strong up, structure from ranging to trending. To structure it may add how much of it is
a break, in [0, 1].

Everything is computed row by row into columns that the next row reads. So a whole history in one call and one bar at a
time are the same code, and give the same values. What a component of bars does with a row is a compiled function beside
it, which `step.py` calls; components of options read chains with NumPy.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from magellan.regime.axes import Axis
from magellan.regime.config import Component
from magellan.regime.option_chain import ChainColumns
from magellan.trading.bar import Floats


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
    weight: float

    def value(self, out: Output, row: int) -> float:
        """The number that the score of a row was made of, for whoever asks for reasons."""
        ...


class BarComponent(ABC):
    """A part that reads bars, and that compiled code computes."""

    name: ClassVar[str]
    axes: ClassVar[tuple[Axis, ...]]
    record: ClassVar[np.dtype[np.void]]  # of what its compiled function is told; the first field is `on`

    def __init__(self, values: Component, *, work_columns: int) -> None:
        self.weight = values.weight
        self.work_columns = work_columns

    def nothing_to_read(self, *, is_daily: bool, others: int) -> str | None:
        """Why it has nothing to work on in a market; None where it has.

        is_daily: a bar is a session.
        others:   how many other symbols the analysis has.
        """
        return None

    @abstractmethod
    def terms(self, *, on: bool) -> tuple[Any, ...]:
        """The values of its record."""

    def lists(self) -> dict[str, NDArray[Any]]:
        """Lists that its compiled function is told, and arrays to work in: contiguous, by names of their own."""
        return {}

    @abstractmethod
    def value(self, out: Output, row: int) -> float:
        """As `RuleComponent.value`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChainMarket:
    """What components of options read."""

    close: Floats  # (n,), of all kept rows
    offset: int  # bars that came before the first kept one
    chain: ChainColumns  # as known at the bars that are taken in now, those alone


class ChainComponent(RuleComponent, Protocol):
    """A part that reads option chains."""

    def absent(self, chain: ChainColumns | None) -> str | None:
        """Why it has nothing to work on; None where it has."""
        ...

    def extend(self, market: ChainMarket, start: int, out: Output) -> None:
        """Write rows from `start` on; those before were written before."""
        ...
