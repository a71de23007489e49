"""Trade plan: how a position is entered, sized, protected and left, once a strategy has decided to take it.

Prices in a plan are `Price` values: a column read at a stated bar, or the entry price, moved by a stated amount.
The backtester, the paper exchange and the live runner read the same plan.

A plan is written by hand, so a value that could only be a slip (a bare column where a Price belongs, a size below
zero) is refused where it is written: TypeError or ValueError. A number that is not known (NaN) is no slip: nothing
is entered by it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import time
from enum import StrEnum
from types import NoneType
from typing import Final, get_args

import numpy as np

from magellan.trading.bar import Floats
from magellan.trading.order import TimeInForce as TimeInForce  # part of a plan's vocabulary


class Reading(StrEnum):
    """The bar at which a price column is read."""

    SIGNAL = "signal"  # once, at the bar on which the entry was decided
    PRIOR = "prior"  # again on every bar, as it stood at the close of the bar before
    SAME = "same"  # on the very bar that is being filled: sees the future; only to reproduce old research


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Price:
    """A price level of a plan.

    column:       shape (n,), one value per bar; None means the entry price, or `usd` where that is given.
    usd:          a stated price.
    reading:      the bar at which `column` is read.
    part_way:     1 takes the column as it is; 0.5 lies half-way from the entry price to it.
    plus_fraction, plus_usd, plus_risk: moved in the position's favour by a fraction of the level, by an amount,
                  by multiples of the initial risk (distance from entry to the first stop). Negative: against it.
    """

    column: Floats | None = None
    usd: float | None = None
    reading: Reading = Reading.SIGNAL
    part_way: float = 1.0
    plus_fraction: float = 0.0
    plus_usd: float = 0.0
    plus_risk: float = 0.0

    def __post_init__(self) -> None:
        if self.column is not None:
            _must_be(
                np.ndarray, "a price column", self.column, "fixed(f.low), or at_price(98.5) for one price"
            )
            if self.column.ndim != 1:
                raise ValueError(f"a price column has {self.column.ndim} dimensions, not one value per bar")
        if self.usd is not None:
            _must_be(_NUMBER, "a stated price", self.usd, "at_price(98.5)")

    def plus(self, *, fraction: float = 0.0, usd: float = 0.0, risk: float = 0.0) -> Price:
        """This level, moved further in the position's favour."""
        return replace(
            self,
            plus_fraction=self.plus_fraction + fraction,
            plus_usd=self.plus_usd + usd,
            plus_risk=self.plus_risk + risk,
        )

    def way(self, part: float) -> Price:
        """The level that lies `part` of the way from the entry price to this one."""
        return replace(self, part_way=part)


def fixed(column: Floats) -> Price:
    """The column's value at the bar on which the entry was decided; it does not move afterwards."""
    return Price(column=column)


def moving(column: Floats, reading: Reading = Reading.PRIOR) -> Price:
    """The column as it stood at the close of the bar before, read anew for every bar."""
    return Price(column=column, reading=reading)


def at_price(usd: float) -> Price:
    """A stated price."""
    return Price(usd=usd)


def entry_price() -> Price:
    """The average price at which the position was entered."""
    return Price()


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """Buy or sell at the market: at the next bar's open, or at the close when the run fills at the close.

    at: wait for the first bar that opens at or after this time of day on the exchange's clock.
    """

    at: time | None = None
    time_in_force: TimeInForce = TimeInForce.DAY


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Limit:
    """Enter at this price or better."""

    price: Price
    time_in_force: TimeInForce = TimeInForce.DAY

    def __post_init__(self) -> None:
        _must_be(Price, "a limit order's price", self.price, "at_price(98.5)")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stop:
    """Enter at the market once this price has been reached (a breakout)."""

    price: Price
    time_in_force: TimeInForce = TimeInForce.DAY

    def __post_init__(self) -> None:
        _must_be(Price, "a stop order's price", self.price, "at_price(98.5)")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StopLimit:
    """Enter at `limit` or better once `stop` has been reached."""

    stop: Price
    limit: Price
    time_in_force: TimeInForce = TimeInForce.DAY

    def __post_init__(self) -> None:
        _must_be(Price, "a stop-limit order's stop", self.stop, "at_price(98.5)")
        _must_be(Price, "a stop-limit order's limit", self.limit, "at_price(98.5)")


EntryOrder = Market | Limit | Stop | StopLimit


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """A stated number of shares or contracts."""

    units: float

    def __post_init__(self) -> None:
        _must_be_above_zero("units", self.units)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notional:
    """As many units as a stated amount buys."""

    usd: float

    def __post_init__(self) -> None:
        _must_be_above_zero("usd", self.usd)


@dataclass(frozen=True, slots=True, kw_only=True)
class CashFraction:
    """A fraction of the free cash; 1.0 is all of it, after costs."""

    fraction: float = 1.0

    def __post_init__(self) -> None:
        _must_be_above_zero("fraction", self.fraction)
        if self.fraction > 1:
            raise ValueError(f"cash has no fraction {self.fraction:g}: 1 is all of it")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EquityFraction:
    """A fraction of the account's equity; a column gives one fraction per bar, read at the signal bar."""

    fraction: float | Floats

    def __post_init__(self) -> None:
        if not isinstance(self.fraction, np.ndarray):
            _must_be_above_zero("fraction", self.fraction)


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskFraction:
    """So many units that reaching the first stop loses this fraction of equity; needs a stop in the plan.

    notional_max_usd: cap on units x price; None for no cap.
    """

    fraction: float
    notional_max_usd: float | None = None

    def __post_init__(self) -> None:
        _must_be_above_zero("fraction", self.fraction)
        if self.fraction > 1:
            raise ValueError(f"risking a fraction {self.fraction:g} of equity would lose more than all of it")
        if self.notional_max_usd is not None:
            _must_be_above_zero("notional_max_usd", self.notional_max_usd)


Size = Units | Notional | CashFraction | EquityFraction | RiskFraction


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trailing:
    """A stop that follows the best price since entry and never loosens. Give exactly one distance.

    usd:      distance in currency.
    fraction: distance as a fraction of the best price.
    column:   distance as `multiple` times this column (an ATR), read at the close of the bar before.
    """

    usd: float | None = None
    fraction: float | None = None
    column: Floats | None = None
    multiple: float = 1.0

    def __post_init__(self) -> None:
        if sum(given is not None for given in (self.usd, self.fraction, self.column)) != 1:
            raise ValueError("a trailing stop has exactly one distance: usd, fraction or column")
        for name in ("usd", "fraction", "multiple"):
            if getattr(self, name) is not None:
                _must_be_above_zero(f"a trailing stop's {name}", getattr(self, name))
        if self.column is not None:
            _must_be(np.ndarray, "a trailing stop's column", self.column, "one value per bar")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Target:
    """Take profit with a limit order.

    fraction:  of the units entered; 1.0 sells all that is left.
    then_stop: where the stop moves once this target has filled.
    later_bar: never on the bar that filled another target: the next portion waits for the next bar.
    """

    price: Price
    fraction: float = 1.0
    then_stop: Price | None = None
    later_bar: bool = False

    def __post_init__(self) -> None:
        _must_be(Price, "a target's price", self.price, "at_price(98.5)")
        _must_be((Price, NoneType), "a target's then_stop", self.then_stop, "entry_price()")
        if not 0 < self.fraction <= 1:
            raise ValueError(f"a target sells a fraction in (0, 1], not {self.fraction}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionExit:
    """Leave by the end of the session, at the close of a bar.

    at:                   the first bar that opens at or after this time of day; None for no such time.
    before_close_minutes: the first bar that opens at or after the session's close less so many minutes, by the
                          exchange calendar (half days close early); None for no such rule.
    The last bar of the session always counts.
    """

    at: time | None = None
    before_close_minutes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TradePlan:
    """Everything about a trade except when to take it.

    stop:         where the position is given up; filled at the stop, or at the open when the bar opens beyond it.
    targets:      in the order in which they are tried on a bar; always after the stop.
    hold_minutes: leave at the close of the first bar that ends at least so long after the entry; None: no limit.
    hold_bars:    leave at the close of the so-manieth bar after the entry's; None: no limit.
    cooldown_bars: bars after an exit during which no entry is decided; 1 excludes the exit's own bar.
    """

    size: Size
    entry: EntryOrder = Market()
    stop: Price | None = None
    trailing: Trailing | None = None
    targets: tuple[Target, ...] = ()
    hold_minutes: int | None = None
    hold_bars: int | None = None
    session_exit: SessionExit | None = None
    cooldown_bars: int = 0

    def __post_init__(self) -> None:
        for name, kinds, example in _PLAN_TAKES:
            value = getattr(self, name)
            if not isinstance(value, kinds):
                _must_be(kinds, f"a plan's {name}", value, example)
        for target in self.targets:
            _must_be(Target, "one of a plan's targets", target, "Target(price=fixed(column))")
        for name, least in (("hold_minutes", 1), ("hold_bars", 1), ("cooldown_bars", 0)):
            count = getattr(self, name)
            if count is not None and count < least:
                raise ValueError(f"a plan's {name} is {count}, below {least}")
        if isinstance(self.size, RiskFraction) and self.stop is None:
            raise ValueError("a size by risk needs a stop: without one the risk per share is unknown")
        if len(self.targets) > MAX_TARGETS:
            raise ValueError(f"a plan has at most {MAX_TARGETS} targets, not {len(self.targets)}")


MAX_TARGETS = 6

# Tuples and not unions: a sweep makes a plan per parameter set, and `isinstance` is four times as fast with them.
_Kinds = type | tuple[type, ...]
_NUMBER: Final = (int, float, np.number)
_COUNT: Final = (int, np.integer)
_PLAN_TAKES: Final[tuple[tuple[str, tuple[type, ...], str], ...]] = (
    ("size", get_args(Size), "EquityFraction(fraction=0.1)"),
    ("entry", get_args(EntryOrder), "Limit(price=fixed(column))"),
    ("stop", (Price, NoneType), "fixed(column) or at_price(98.5)"),
    ("trailing", (Trailing, NoneType), "Trailing(fraction=0.02)"),
    ("targets", (tuple,), "(Target(price=fixed(column)),)"),
    ("hold_minutes", (*_COUNT, NoneType), "30"),
    ("hold_bars", (*_COUNT, NoneType), "5"),
    ("session_exit", (SessionExit, NoneType), "SessionExit(before_close_minutes=5)"),
    ("cooldown_bars", _COUNT, "1"),
)


def _must_be(kinds: _Kinds, what: str, value: object, example: str) -> None:
    if not isinstance(value, kinds):
        raise TypeError(f"{what} is of type {type(value).__name__}; write for example {example}")


def _must_be_above_zero(what: str, value: float) -> None:
    _must_be(_NUMBER, what, value, "0.5")
    if value <= 0:
        raise ValueError(f"{what} is {value:g}, not above zero")
