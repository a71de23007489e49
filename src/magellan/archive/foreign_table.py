"""Foreign tables: what a file that we did not write holds, before anyone has said what it means."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from numpy.typing import NDArray

from magellan.trading.bar import Mask


class Kind(StrEnum):
    """What the values of a column are, as far as the file itself says."""

    NUMBER = "numbers"  # int64 or float64
    TEXT = "text"  # object array of str
    WALL = "times without a zone"  # int64 ns after 1970-01-01 on some wall clock
    INSTANT = "times with a zone"  # int64 ns after 1970-01-01 UTC
    DATE = "dates"  # int64 ns of midnight after 1970-01-01
    OTHER = "something else"  # lists, booleans, ...: no bar needs them


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ForeignColumn:
    """One column; shapes (n,). Where `missing` is set, the value is a placeholder."""

    name: str
    kind: Kind
    values: NDArray[Any]
    missing: Mask


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ForeignTable:
    """A file's columns, in stored order."""

    file_name: str  # without folders
    columns: tuple[ForeignColumn, ...]
    rows: int
    first_line: int  # the number that a person would give the first row: 2 below a CSV's header, 1 in Parquet
    is_text: bool  # whether it was written as text, so that nothing in it has a type of its own

    def place(self, row: int) -> str:
        """Where a row stands in the file, for messages."""
        return f"{self.file_name}, {'line' if self.is_text else 'row'} {row + self.first_line}"
