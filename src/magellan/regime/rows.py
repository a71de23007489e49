"""Rows: columns that grow with the bars, and may forget the oldest of them."""

from __future__ import annotations

import numpy as np

from magellan.trading.bar import Floats


class Column:
    """Values of shape (rows, width). `values` is a view that is replaced when rows are added."""

    __slots__ = ("_room", "values")

    def __init__(self, width: int) -> None:
        self._room = np.full((256, width), np.nan)
        self.values: Floats = self._room[:0]

    def resize(self, rows: int) -> None:
        if rows > len(self._room):
            room = np.full((max(rows, 2 * len(self._room)), self._room.shape[1]), np.nan)
            room[: len(self.values)] = self.values
            self._room = room
        self.values = self._room[:rows]

    def forget(self, rows: int) -> None:
        kept = self.values[rows:].copy()
        self._room = np.full((max(256, 2 * len(kept)), self._room.shape[1]), np.nan)
        self._room[: len(kept)] = kept
        self.values = self._room[: len(kept)]


class Rows:
    """Columns of the same bars, which grow together."""

    def __init__(self) -> None:
        self._columns: dict[str, Column] = {}
        self.kept = 0
        self.offset = 0  # rows that were forgotten

    def column(self, name: str, width: int = 1) -> Column:
        """A new column. Raises AssertionError for a name that is taken."""
        assert name not in self._columns, f"two columns are called {name}"
        self._columns[name] = Column(width)
        return self._columns[name]

    def add(self, rows: int) -> int:
        """Make room for more rows, NaN where nothing was in that room; returns the first of them."""
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
