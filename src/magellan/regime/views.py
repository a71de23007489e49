"""Views: names for combinations of the axes' classes, as tables. A view adds no knowledge; it names what is known.

A table is checked when it is loaded: every combination has exactly one name. A hole would leave a market without a
name, an overlap would name it by the order of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from magellan.errors import FixInput
from magellan.regime.axes import CLASSES, UNKNOWN, Axis
from magellan.regime.config import RegimeConfig, ViewRow, ViewTable

_ALL: Final = "*"
_TOLD: Final = 5  # combinations that an error names


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """A table that names every combination once."""

    name: str
    names: tuple[str, ...]  # in the order of the rows, each once
    _cells: NDArray[np.int64]  # (volatility, trend, structure) -> place in `names`

    def name_of(self, volatility: int, trend: int, structure: int) -> str:
        """The name of classes by their place; "unknown" where one of those it depends on is -1."""
        at = self.places(np.array([volatility]), np.array([trend]), np.array([structure]))[0]
        return UNKNOWN if at < 0 else self.names[at]

    def places(
        self, volatility: NDArray[np.int64], trend: NDArray[np.int64], structure: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Place in `names` of each row of classes, -1 where it is unknown. An axis that makes no difference to the
        name may be unknown.
        """
        labels = (volatility, trend, structure)
        first = self._cells[tuple(np.maximum(label, 0) for label in labels)]
        known = np.ones(len(first), dtype=bool)
        for axis, label in enumerate(labels):
            if self._depends_on(axis):
                known &= label >= 0
        return np.where(known, first, -1)

    def _depends_on(self, axis: int) -> bool:
        rolled = np.moveaxis(self._cells, axis, 0)
        return bool((rolled != rolled[0]).any())


def view_of(config: RegimeConfig) -> View:
    """The view that a config names. Raises FixInput for a name that is none, and for a table with holes or overlaps."""
    for table in config.views:
        if table.name in BUILT_IN:
            raise FixInput(
                f"the view '{table.name}' is built in and cannot be written anew",
                next_step="give your own view another name",
            )
    tables = {**BUILT_IN, **{table.name: table for table in config.views}}
    if config.view not in tables:
        raise FixInput(
            f"there is no view called '{config.view}'",
            next_step=f"choose one of {', '.join(tables)}, or write your own",
        )
    return checked(tables[config.view])


def checked(table: ViewTable) -> View:
    """The table as a view. Raises FixInput naming the combinations without a name, or with two."""
    shape = tuple(len(CLASSES[axis]) for axis in Axis)
    cells = np.full(shape, -1, dtype=np.int64)
    names = tuple(dict.fromkeys(row.name for row in table.rows))
    twice: list[str] = []
    for row in table.rows:
        for at in product(*(_places(table, row, axis) for axis in Axis)):
            if cells[at] >= 0 and names[cells[at]] != row.name:
                twice.append(f"{_words(at)} is {names[cells[at]]} and {row.name}")
            cells[at] = names.index(row.name)
    holes = [_words(tuple(int(place) for place in at)) for at in np.argwhere(cells < 0)]
    if twice or holes:
        parts = []
        if holes:
            parts.append(f"{len(holes)} combinations have no name: {_few(holes)}")
        if twice:
            parts.append(f"{len(twice)} have two: {_few(twice)}")
        raise FixInput(
            f"the view '{table.name}' does not name every market once; {'; '.join(parts)}",
            next_step=f"let each combination belong to one row; '{_ALL}' stands for all classes of an axis",
        )
    return View(name=table.name, names=names, _cells=cells)


def _places(table: ViewTable, row: ViewRow, axis: Axis) -> tuple[int, ...]:
    wanted: tuple[str, ...] = getattr(row, axis.value)
    classes = CLASSES[axis]
    if wanted == (_ALL,):
        return tuple(range(len(classes)))
    for name in wanted:
        if name not in classes:
            raise FixInput(
                f"the view '{table.name}', row '{row.name}': {axis} has no class '{name}'",
                next_step=f"write one of {', '.join(classes)}, or '{_ALL}' for all",
            )
    return tuple(classes.index(name) for name in wanted)


def _words(at: tuple[int, ...]) -> str:
    return "/".join(CLASSES[axis][place] for axis, place in zip(Axis, at, strict=True))


def _few(words: Sequence[str]) -> str:
    more = len(words) - _TOLD
    return ", ".join(words[:_TOLD]) + (f" and {more} more" if more > 0 else "")


def _eighteen() -> ViewTable:
    """Six trends by three volatilities. Neutral and sideways differ by structure: what ranges goes sideways."""
    trends: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
        ("strong_bullish", ("strong_up",), (_ALL,)),
        ("mild_bullish", ("up",), (_ALL,)),
        ("neutral", ("neutral",), ("trending", "breaking")),
        ("sideways", ("neutral",), ("ranging",)),
        ("mild_bearish", ("down",), (_ALL,)),
        ("strong_bearish", ("strong_down",), (_ALL,)),
    )
    return ViewTable(
        name="18",
        rows=tuple(
            ViewRow(
                name=f"{volatility}_volatility_{name}",
                volatility=(volatility,),
                trend=trend,
                structure=structure,
            )
            for volatility in CLASSES[Axis.VOLATILITY]
            for name, trend, structure in trends
        ),
    )


def _twelve() -> ViewTable:
    """Three volatilities by directional or not by trending or not; direction has no sign."""
    return ViewTable(
        name="12",
        rows=tuple(
            ViewRow(
                name=f"{volatility}_{direction}_{structure}", volatility=(volatility,), trend=trends,
                structure=structures,
            )
            for volatility in CLASSES[Axis.VOLATILITY]
            for direction, trends in (
                ("directional", ("strong_down", "down", "up", "strong_up")),
                ("nondirectional", ("neutral",)),
            )
            for structure, structures in (("trending", ("trending", "breaking")), ("ranging", ("ranging",)))
        ),
    )  # fmt: skip


def _eight() -> ViewTable:
    """Eight situations that traders of premium tell apart, from the axes alone."""
    calm, wild = ("low", "medium"), ("high",)
    up, flat, down = ("up", "strong_up"), ("neutral",), ("down", "strong_down")
    return ViewTable(
        name="8",
        rows=(
            ViewRow(name="quiet_range", volatility=calm, trend=flat, structure=("ranging", "trending")),
            ViewRow(name="quiet_advance", volatility=calm, trend=up, structure=("ranging", "trending")),
            ViewRow(name="quiet_decline", volatility=calm, trend=down, structure=("ranging", "trending")),
            ViewRow(name="quiet_break", volatility=calm, structure=("breaking",)),
            ViewRow(name="wild_range", volatility=wild, trend=flat, structure=("ranging", "trending")),
            ViewRow(name="wild_advance", volatility=wild, trend=up, structure=("ranging", "trending")),
            ViewRow(name="wild_decline", volatility=wild, trend=down, structure=("ranging", "trending")),
            ViewRow(name="wild_break", volatility=wild, structure=("breaking",)),
        ),
    )


BUILT_IN: Final[dict[str, ViewTable]] = {table.name: table for table in (_eighteen(), _twelve(), _eight())}
