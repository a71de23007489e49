"""Rows: columns that grow with the bars, and may forget the oldest of them.

A column's room reaches beyond its rows, so that a bar is taken in without making an array. Compiled code gets the rooms
and is told which rows to write.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

_FIRST_ROOM: Final = 256  # rows


class Column:
    """Values of shape (rows, width)."""

    __slots__ = ("_dtype", "_rows", "_width", "room")

    def __init__(self, rows: Rows, width: int, dtype: DTypeLike) -> None:
        self._rows = rows
        self._width = width
        self._dtype = np.dtype(dtype)
        self.room: NDArray[Any] = self._empty(rows.room)  # shape (more than rows, width)

    @property
    def values(self) -> NDArray[Any]:
        """Shape (rows, width). A view, good until rows are added or forgotten."""
        return self.room[: self._rows.kept]

    @property
    def line(self) -> NDArray[Any]:
        """Shape (more than rows,): the room of a column of width 1."""
        return self.room[:, 0]

    def move(self, first: int, last: int, room: int) -> None:
        """Into a new room, with these rows alone."""
        kept = self.room[first:last]
        self.room = self._empty(room)
        self.room[: len(kept)] = kept

    def _empty(self, rows: int) -> NDArray[Any]:
        """Rows that nobody has written: unknown, where the type has a word for it."""
        unknown = np.nan if self._dtype.kind == "f" else 0
        return np.full((rows, self._width), unknown, dtype=self._dtype)


class Rows:
    """Columns of the same bars, which grow together."""

    def __init__(self) -> None:
        self._columns: dict[str, Column] = {}
        self.room = _FIRST_ROOM
        self.kept = 0
        self.offset = 0  # rows that were forgotten
        self.moves = 0  # how often the columns got new rooms

    def column(self, name: str, width: int = 1, *, dtype: DTypeLike = np.float64) -> Column:
        """A new column, before the first row. Raises AssertionError for a name that is taken."""
        assert name not in self._columns, f"two columns are called {name}"
        self._columns[name] = Column(self, width, dtype)
        return self._columns[name]

    def add(self, rows: int) -> int:
        """Make room for more rows, which the owner of each column fills; returns the first of them."""
        first = self.kept
        if first + rows > self.room:
            self._move(0, first, max(first + rows, 2 * self.room))
        self.kept += rows
        return first

    def forget(self, rows: int) -> None:
        """Drop the oldest rows."""
        kept = self.kept - rows
        self._move(rows, self.kept, max(_FIRST_ROOM, 2 * kept))
        self.kept = kept
        self.offset += rows

    def _move(self, first: int, last: int, room: int) -> None:
        for column in self._columns.values():
            column.move(first, last, room)
        self.room = room
        self.moves += 1
