"""Instrument: what is traded, in which steps, and what one point is worth."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """The terms under which a symbol trades.

    quantity_step: smallest change of a position, in units; 1 for whole shares, 100 for lots of a hundred,
                   0.0001 for fractions, 0 for any fraction.
    point_value:   currency earned by one unit when the price moves by 1; 1 for shares, 50 for an E-mini.
    tick_size:     smallest change of a price; 0 where prices are not rounded.
    shortable:     whether it can be borrowed at all.
    """

    symbol: str
    quantity_step: float = 1.0
    point_value: float = 1.0
    tick_size: float = 0.0
    shortable: bool = True
    negative_prices: bool = False

    def __post_init__(self) -> None:
        if self.quantity_step < 0 or self.tick_size < 0:
            raise ValueError(f"{self.symbol}: steps and ticks are >= 0")
        if self.point_value <= 0:
            raise ValueError(f"{self.symbol}: point value {self.point_value} is not above zero")
