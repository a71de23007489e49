"""The contract of a strategy: features and a decision, written once for archive, paper and live.

A strategy says *when* in one of three forms. All three run through the same replay and give the same trades:

declared   `enter_long`, `exit_long` (and `..._short`) return one truth value per bar. Fastest: the replay jumps
           from one true bar to the next.
woken      `wake` returns one truth value per bar; on those bars `decide` is called, in plain Python.
plain      only `decide`, called on every bar.

How a position is sized, protected and left is its `plan`. A decision sees closed bars only, and what it sees of a
bar's columns is what a live session would have seen when that bar closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, cast

import numpy as np
from pydantic import BaseModel, ConfigDict

from magellan.strategy.market_view import MarketView
from magellan.strategy.trade_plan import CashFraction, EntryOrder, Size, TradePlan
from magellan.trading.bar import Bar, Floats, Mask


class Parameters(BaseModel):
    """Base of a strategy's parameters: strict types, unknown keys refused, immutable."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class NoParameters(Parameters):
    """For a strategy that has nothing to set."""


class Side(StrEnum):
    """Direction of a position."""

    LONG = "long"
    SHORT = "short"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Our position in the symbol that is being decided on."""

    units: float  # signed: long > 0, short < 0, 0 when flat
    entry_price: float  # average, before costs; NaN when flat
    opened_at: datetime | None  # aware, UTC; None when flat
    bars_held: int  # bars closed since the entry, the entry's own included; 0 when flat
    stop: float  # the stop in force; NaN when there is none

    @property
    def is_flat(self) -> bool:
        return self.units == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What is known when a bar has closed and a decision is due."""

    symbol: str
    at: datetime  # aware, UTC: the close of the bar
    bar: Bar
    row: int  # of the bar in the symbol's columns
    holding: Holding
    cash_usd: float
    equity_usd: float
    entry_pending: bool  # an entry order of ours is working
    _features: Mapping[str, Floats] = field(repr=False)

    def __getitem__(self, feature: str) -> float:
        """The feature's value at this bar; NaN when it is not defined yet."""
        return float(self._features[feature][self.row])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Enter:
    """Take a position. `plan` overrides the strategy's; prices in it are usually `at_price(...)` levels."""

    side: Side = Side.LONG
    plan: TradePlan | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """Leave the position, or a fraction of the units held, at the market."""

    fraction: float = 1.0
    reason: str = "exit"


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveStop:
    """Put the stop of the open position at this price."""

    price: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelEntry:
    """Withdraw the entry orders that have not filled."""


Intent = Enter | Exit | MoveStop | CancelEntry


class Strategy:
    """Base of every strategy. Override `features`, one form of the decision, and `plan`."""

    Parameters: ClassVar[type[Parameters]] = NoParameters
    version: ClassVar[str] = "1.0.0"

    def features(self, bars: MarketView, p: Any) -> Mapping[str, Floats | Mask]:
        """Causal columns computed from bars: a row may use its own bar and earlier ones, never later ones."""
        return {}

    def enter_long(self, f: Features, p: Any) -> Mask | None:
        """Bars at whose close a long position should be taken, if flat; None: never."""
        return None

    def enter_short(self, f: Features, p: Any) -> Mask | None:
        """Bars at whose close a short position should be taken, if flat; None: never."""
        return None

    def exit_long(self, f: Features, p: Any) -> Mask | None:
        """Bars at whose close a long position should be left; None: only by the plan."""
        return None

    def exit_short(self, f: Features, p: Any) -> Mask | None:
        """Bars at whose close a short position should be left; None: only by the plan."""
        return None

    def wake(self, f: Features, p: Any) -> Mask | None:
        """Bars on which `decide` is called; None: on every bar."""
        return None

    def decide(self, now: Moment, p: Any) -> Intent | None:
        """The decision in plain Python, for strategies that declare no entry columns; pure in its arguments."""
        return None

    def plan(self, f: Features, p: Any) -> TradePlan:
        """Size, entry order, stop, targets and time limits of every trade."""
        return TradePlan(size=CashFraction(fraction=1.0))

    def plan_short(self, f: Features, p: Any) -> TradePlan:
        """The plan of short trades, where it is not the same as that of long ones."""
        return self.plan(f, p)

    @classmethod
    def name(cls) -> str:
        """The strategy's name in reports: its class name."""
        return cls.__name__


class Features:
    """The strategy's feature columns and the bars they came from, read as attributes: `f.rsi`, `f.close`."""

    __slots__ = ("_columns", "bars")

    def __init__(self, bars: MarketView, columns: Mapping[str, Floats | Mask]) -> None:
        self.bars = bars
        self._columns = columns

    def __getattr__(self, name: str) -> Floats:
        column: Any = self._columns[name] if name in self._columns else getattr(self.bars, name, None)
        if column is None:
            raise AttributeError(
                f"no feature is called '{name}', and no column of the bars; features() gives "
                f"{', '.join(self._columns) or 'none'}"
            )
        return cast(Floats, column)

    @property
    def columns(self) -> Mapping[str, Floats | Mask]:
        return self._columns


def decides_in_python(strategy: Strategy) -> bool:
    """Whether the strategy overrides `decide`."""
    return type(strategy).decide is not Strategy.decide


def always(f: Features) -> Mask:
    """True on every bar."""
    return np.ones(len(f.bars), dtype=bool)


__all__ = [
    "CancelEntry", "Enter", "EntryOrder", "Exit", "Features", "Holding", "Intent", "Moment", "MoveStop",
    "NoParameters", "Parameters", "Side", "Size", "Strategy", "always", "decides_in_python",
]  # fmt: skip
