"""History: all closed bars of one symbol, in columns that grow without being copied at every bar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magellan.trading.bar import Bar, Bars, nanoseconds
from magellan.trading.timeframe import Timeframe

_COLUMNS = ("open", "high", "low", "close", "volume")
_SPARE = 512  # rows of room at first


class Taken(Enum):
    """What became of a bar that was told."""

    NEW = "new"  # it is the newest now
    LATE = "late"  # it was missing, and lies before the newest
    AGAIN = "again"  # known, with the same numbers
    CHANGED = "changed"  # known, with other numbers: those told now hold


class History:
    """One symbol's closed bars, oldest first."""

    def __init__(self, bars: Bars) -> None:
        self.symbol = bars.symbol
        self.timeframe = bars.timeframe
        self._n = len(bars)
        room = self._n + _SPARE
        self._at: NDArray[np.int64] = np.zeros(room, dtype=np.int64)
        self._at[: self._n] = bars.opened_at_ns
        self._values: dict[str, NDArray[np.float64]] = {name: np.zeros(room) for name in _COLUMNS}
        for name, column in self._values.items():
            column[: self._n] = getattr(bars, name)
        self._last_close: float | None = None
        self._last_price: Decimal | None = None
        self._seen = self._view()

    @classmethod
    def empty(cls, symbol: str, timeframe: Timeframe) -> History:
        none = np.zeros(0)
        return cls(
            Bars(
                symbol=symbol,
                timeframe=timeframe,
                opened_at_ns=np.zeros(0, dtype=np.int64),
                open=none,
                high=none,
                low=none,
                close=none,
                volume=none,
            )
        )

    def __len__(self) -> int:
        return self._n

    @property
    def bars(self) -> Bars:
        """All bars; shares memory with this object, and keeps its length when more come."""
        return self._seen

    @property
    def newest_ns(self) -> int | None:
        """Start of the newest bar; None before the first."""
        return int(self._at[self._n - 1]) if self._n else None

    @property
    def last_close(self) -> float | None:
        return self._last_close

    @property
    def last_price(self) -> Decimal | None:
        """The newest close, digit for digit. Every check of a limit asks for it, of every position."""
        if self._last_price is None and self._last_close is not None:
            self._last_price = Decimal(repr(self._last_close))
        return self._last_price

    def close_before(self, start_ns: int) -> float | None:
        """Close of the newest bar that began before that instant; None when there is none."""
        row = int(np.searchsorted(self._at[: self._n], start_ns)) - 1
        return float(self._values["close"][row]) if row >= 0 else None

    def row_of(self, start_ns: int) -> int | None:
        """The row of the bar that began at that instant."""
        row = int(np.searchsorted(self._at[: self._n], start_ns))
        return row if row < self._n and int(self._at[row]) == start_ns else None

    def rows_after(self, start_ns: int) -> range:
        """Rows of the bars that began later than that instant."""
        return range(int(np.searchsorted(self._at[: self._n], start_ns, side="right")), self._n)

    def add(self, bar: Bar) -> Taken:
        """Take a closed bar in, wherever it belongs."""
        start_ns = nanoseconds(bar.opened_at)
        newest = self.newest_ns
        if newest is None or start_ns > newest:
            self._make_room()
            self._write(self._n, start_ns, bar)
            self._n += 1
            self._seen = self._view()
            return Taken.NEW
        row = self.row_of(start_ns)
        if row is not None:
            if all(float(self._values[name][row]) == getattr(bar, name) for name in _COLUMNS):
                return Taken.AGAIN
            self._own()
            self._write(row, start_ns, bar)
            self._seen = self._view()
            return Taken.CHANGED
        self._make_room()
        self._own()
        row = int(np.searchsorted(self._at[: self._n], start_ns))
        for column in (self._at, *self._values.values()):
            column[row + 1 : self._n + 1] = column[row : self._n].copy()
        self._n += 1
        self._write(row, start_ns, bar)
        self._seen = self._view()
        return Taken.LATE

    def split(self, share_factor: float, before_ns: int) -> None:
        """Put bars that began before an instant on the basis that holds from it on."""
        self._own()
        rows = int(np.searchsorted(self._at[: self._n], before_ns))
        for name in ("open", "high", "low", "close"):
            self._values[name][:rows] /= share_factor
        self._values["volume"][:rows] *= share_factor
        self._seen = self._view()

    def _write(self, row: int, start_ns: int, bar: Bar) -> None:
        self._at[row] = start_ns
        for name, column in self._values.items():
            column[row] = getattr(bar, name)

    def _make_room(self) -> None:
        if self._n < len(self._at):
            return
        self._at = _longer(self._at)
        self._values = {name: _longer(column) for name, column in self._values.items()}

    def _own(self) -> None:
        """Change nothing that was handed out: rows that are known already move to arrays of their own."""
        self._at = self._at.copy()
        self._values = {name: column.copy() for name, column in self._values.items()}

    def _view(self) -> Bars:
        """All rows, as they are to be seen from now on."""
        n = self._n
        self._last_close = float(self._values["close"][n - 1]) if n else None
        self._last_price = None
        return Bars(
            symbol=self.symbol,
            timeframe=self.timeframe,
            opened_at_ns=self._at[:n],
            open=self._values["open"][:n],
            high=self._values["high"][:n],
            low=self._values["low"][:n],
            close=self._values["close"][:n],
            volume=self._values["volume"][:n],
        )


class BarsOfAll(Mapping[str, Bars]):
    """Every symbol's bars as they stand when they are read; remembers whether any ever were."""

    def __init__(self, histories: Mapping[str, History]) -> None:
        self._histories = histories
        self.were_read = False

    def __getitem__(self, symbol: str) -> Bars:
        self.were_read = True
        return self._histories[symbol].bars

    def __iter__(self) -> Iterator[str]:
        return iter(self._histories)

    def __len__(self) -> int:
        return len(self._histories)


def _longer(column: NDArray[Any]) -> NDArray[Any]:
    longer = np.zeros(2 * len(column), dtype=column.dtype)
    longer[: len(column)] = column
    return longer
