"""Rows: columns that grow with the bars, and may forget the oldest of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Column:
    """Values of shape (rows, width). `values` is a view that is replaced when rows are added."""

    __slots__ = ("_dtype", "_room", "_width", "values")

    def __init__(self, width: int, dtype: DTypeLike) -> None:
        self._width = width
        self._dtype = np.dtype(dtype)
        self._room: NDArray[Any] = self._empty(256)
        self.values: NDArray[Any] = self._room[:0]

    def resize(self, rows: int) -> None:
        if rows > len(self._room):
            room = self._empty(max(rows, 2 * len(self._room)))
            room[: len(self.values)] = self.values
            self._room = room
        self.values = self._room[:rows]

    def forget(self, rows: int) -> None:
        kept = self.values[rows:]
        room = self._empty(max(256, 2 * len(kept)))
        room[: len(kept)] = kept
        self._room = room
        self.values = room[: len(kept)]

    def _empty(self, rows: int) -> NDArray[Any]:
        """Rows that nobody has written: unknown, where the type has a word for it."""
        unknown = np.nan if self._dtype.kind == "f" else 0
        return np.full((rows, self._width), unknown, dtype=self._dtype)


class Rows:
    """Columns of the same bars, which grow together."""

    def __init__(self) -> None:
        self._columns: dict[str, Column] = {}
        self.kept = 0
        self.offset = 0  # rows that were forgotten

    def column(self, name: str, width: int = 1, *, dtype: DTypeLike = np.float64) -> Column:
        """A new column, before the first row. Raises AssertionError for a name that is taken."""
        assert name not in self._columns, f"two columns are called {name}"
        self._columns[name] = Column(width, dtype)
        return self._columns[name]

    def add(self, rows: int) -> int:
        """Make room for more rows, which the owner of each column fills; returns the first of them."""
        first = self.kept
        self.kept += rows
        for column in self._columns.values():
            column.resize(self.kept)
        return first

    def forget(self, rows: int) -> None:
        """Drop the oldest rows."""
        for column in self._columns.values():
            column.forget(rows)
        self.kept -= rows
        self.offset += rows
