"""Rows: columns that grow with the bars, and may forget the oldest of them.

A column's room reaches beyond its rows, so that a bar is taken in without making an array. Compiled code gets the rooms
and is told which rows to write.

Memory that nobody has touched costs nothing, and touching it costs more than a bar is worth. So rooms are made empty,
and blanked a stretch at a time, just ahead of the rows.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

_FIRST_ROOM: Final = 256  # rows
_STRETCH: Final = 512  # rows that are blanked at once
_SPARE: Final = 5  # times the rows that are kept: room beyond it is given back


class Column:
    """Values of shape (rows, width)."""

    __slots__ = ("_blank", "_dtype", "_rows", "_width", "line", "room")

    def __init__(self, rows: Rows, width: int, dtype: DTypeLike) -> None:
        self._rows = rows
        self._width = width
        self._dtype = np.dtype(dtype)
        # Rows that nobody has written: unknown, where the type has a word for it.
        self._blank = np.nan if self._dtype.kind == "f" else 0
        self._take(np.empty((rows.room, width), dtype=self._dtype))

    @property
    def values(self) -> NDArray[Any]:
        """Shape (rows, width). A view, good until rows are added or forgotten."""
        return self.room[: self._rows.kept]

    def move(self, first: int, last: int, room: int) -> None:
        """Into a new room, with these rows alone."""
        kept = self.room[first:last]
        self._take(np.empty((room, self._width), dtype=self._dtype))
        self.room[: len(kept)] = kept

    def drop(self, rows: int, last: int) -> None:
        """Forget the first rows and move those up to the last to the front."""
        self.room[: last - rows] = self.room[rows:last]

    def blank(self, first: int, last: int) -> None:
        """Say of these rows that nobody has written them."""
        self.room[first:last] = self._blank

    def _take(self, room: NDArray[Any]) -> None:
        self.room = room  # shape (more than rows, width)
        self.line: NDArray[Any] = room.reshape(-1)  # of a column of width 1: a value per row


class Rows:
    """Columns of the same bars, which grow together."""

    def __init__(self, room: int = _FIRST_ROOM) -> None:
        """room: rows that there is room for before the columns have to move. What is not touched takes no memory."""
        self._columns: dict[str, Column] = {}
        self.room = room
        self.kept = 0
        self.offset = 0  # rows that were forgotten
        self.moves = 0  # how often the columns got new rooms
        self._blank_to = 0

    def column(self, name: str, width: int = 1, *, dtype: DTypeLike = np.float64) -> Column:
        """A new column, before the first row. Raises AssertionError for a name that is taken."""
        assert name not in self._columns, f"two columns are called {name}"
        self._columns[name] = Column(self, width, dtype)
        return self._columns[name]

    def add(self, rows: int) -> int:
        """Make room for more rows, which the owner of each column fills; returns the first of them."""
        first, last = self.kept, self.kept + rows
        if last > self.room:
            self._move(0, max(last, 2 * self.room))
        if last > self._blank_to:
            begin, self._blank_to = self._blank_to, min(self.room, last + _STRETCH)
            for column in self._columns.values():
                column.blank(begin, self._blank_to)
        self.kept = last
        return first

    def forget(self, rows: int) -> None:
        """Drop the oldest rows."""
        kept = self.kept - rows
        if self.room > _SPARE * kept > _FIRST_ROOM:
            self._move(rows, 2 * kept)
        else:
            for column in self._columns.values():
                column.drop(rows, self.kept)
            self._blank_to = kept
        self.kept = kept
        self.offset += rows

    def _move(self, first: int, room: int) -> None:
        for column in self._columns.values():
            column.move(first, self.kept, room)
        self.room = room
        self._blank_to = self.kept - first
        self.moves += 1
