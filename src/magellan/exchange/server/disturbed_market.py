"""A market that can be disturbed: halts that somebody orders and ends, and quotes that are wrong on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from magellan.exchange.market.halt import Halt
from magellan.exchange.market.market import Market
from magellan.exchange.market.quote import Quote

Distortion = Callable[[str, int, Quote | None], Quote | None]  # symbol, now, the right quote -> the shown one


class DisturbedMarket(Market):
    """A market as it is, until somebody disturbs it."""

    _ordered_halts: tuple[Halt, ...] = ()
    distortion: Distortion | None = None

    def quote(self, symbol: str, now_ns: int) -> Quote | None:
        """The newest quote, or what a fault shows in its place."""
        right = super().quote(symbol, now_ns)
        return right if self.distortion is None else self.distortion(symbol, now_ns, right)

    def quotes(self, symbol: str, start_ns: int, end_ns: int, descending: bool = False) -> Iterator[Quote]:
        """The quotes of a stretch of time, each as it is shown."""
        for right in super().quotes(symbol, start_ns, end_ns, descending):
            shown = right if self.distortion is None else self.distortion(symbol, right.at_ns, right)
            if shown is not None:
                yield shown

    def halted(self, symbol: str, now_ns: int) -> Halt | None:
        """The halt that a symbol is under now."""
        for halt in self._ordered_halts:
            if halt.symbol == symbol and halt.covers(now_ns):
                return halt
        return super().halted(symbol, now_ns)

    def order_halt(self, halt: Halt) -> None:
        """Halt a symbol until somebody resumes it."""
        self._ordered_halts = (*self._ordered_halts, halt)

    def resume(self, symbol: str, now_ns: int) -> bool:
        """End every ordered halt of a symbol; returns whether there was one."""
        ended = [each for each in self._ordered_halts if each.symbol == symbol and each.covers(now_ns)]
        self._ordered_halts = tuple(
            replace(each, until_ns=now_ns) if each in ended else each for each in self._ordered_halts
        )
        return bool(ended)
