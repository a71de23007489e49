"""Market: the bars of every symbol of a run, in one block of columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magellan.errors import FixInput
from magellan.trading.bar import Bars, Floats, Instants
from magellan.trading.timeframe import Timeframe

_COLUMNS = ("opened_at_ns", "open", "high", "low", "close", "volume")


@dataclass(frozen=True, kw_only=True, eq=False)
class Market:
    """Several symbols' bars, symbol after symbol; symbol s owns rows offsets[s] to offsets[s + 1].

    `bars` are views of the block, in the order of `symbols`. Build one with `Market.of`.
    """

    bars: tuple[Bars, ...]
    opened_at_ns: Instants
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, bars: Sequence[Bars]) -> Market:
        """Put symbols side by side. One symbol, or views that already lie behind each other, are not copied.

        Raises FixInput when there is no symbol, one comes twice, timeframes differ, or a symbol has no bars.
        """
        if not bars:
            raise FixInput("a run needs at least one symbol")
        seen: set[str] = set()
        for one in bars:
            if one.symbol in seen:
                raise FixInput(f"{one.symbol} is in the run twice")
            seen.add(one.symbol)
            if one.timeframe != bars[0].timeframe:
                raise FixInput(f"{one.symbol} has {one.timeframe} bars, {bars[0].symbol} {bars[0].timeframe}")
            if len(one) == 0:
                raise FixInput(f"{one.symbol} has no bars in the chosen range")
        offsets = np.concatenate(([0], np.cumsum([len(one) for one in bars]))).astype(np.int64)
        block = {name: _joined([getattr(one, name) for one in bars]) for name in _COLUMNS}
        views = tuple(
            Bars(
                symbol=one.symbol,
                timeframe=one.timeframe,
                **{name: column[offsets[s] : offsets[s + 1]] for name, column in block.items()},
            )
            for s, one in enumerate(bars)
        )
        return cls(bars=views, offsets=offsets, **block)

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(one.symbol for one in self.bars)

    @property
    def timeframe(self) -> Timeframe:
        return self.bars[0].timeframe

    @cached_property
    def spacings(self) -> tuple[tuple[int, int], ...]:
        """Of each symbol what `spacing` says of its bars; read once, however many runs ask."""
        from magellan.backtest.spacing import spacing

        return tuple([spacing(one.opened_at_ns, one.timeframe.span_ns) for one in self.bars])

    def __len__(self) -> int:
        return len(self.opened_at_ns)

    def __iter__(self) -> Iterator[Bars]:
        return iter(self.bars)


def _joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """The parts behind each other in one array; the array itself where they already are."""
    if len(parts) == 1:
        return np.ascontiguousarray(parts[0])
    behind = all(
        ahead.flags.c_contiguous and ahead.ctypes.data + ahead.nbytes == after.ctypes.data
        for ahead, after in pairwise(parts)
    )
    owner = _owner(parts[0])
    if behind and owner is not None and all(_owner(part) is owner for part in parts):
        start = (parts[0].ctypes.data - owner.ctypes.data) // owner.itemsize
        return owner.reshape(-1)[start : start + sum(len(part) for part in parts)]
    return np.concatenate(parts)


def _owner(part: NDArray[Any]) -> NDArray[Any] | None:
    base = part
    while isinstance(base.base, np.ndarray):
        base = base.base
    return base if base.flags.c_contiguous and base.dtype == part.dtype else None
