"""What the plain engine is given, and what it answers: rows of bars and fills as plain Python values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from magellan.strategy.trade_plan import TradePlan
from magellan.workspace.config import StrategyConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One bar of one symbol."""

    opened_at_ns: int  # UTC
    open: float
    high: float
    low: float
    close: float
    volume: float
    day: int  # session date, days since 1970-01-01
    minute: int  # minutes after midnight on the exchange's clock at which the bar opens
    minutes_to_close: float = math.nan  # from the bar's opening to its session's close; NaN: unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A split or a dividend, at the first row on the new basis."""

    row: int
    new_shares: int = 1  # for `old_shares`; 1 for 1 in a dividend
    old_shares: int = 1
    dividend_usd: float = 0.0  # per share; 0 for a split

    @property
    def share_factor(self) -> float:
        """Shares after over shares before."""
        return self.new_shares / self.old_shares


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolInput:
    """One symbol: its bars, the rows at which each mask is true, its corporate actions and its plans."""

    symbol: str
    rows: tuple[Row, ...]
    enter_long: frozenset[int] = frozenset()
    enter_short: frozenset[int] = frozenset()
    exit_long: frozenset[int] = frozenset()
    exit_short: frozenset[int] = frozenset()
    breaks: frozenset[int] = frozenset()  # bars that open after a jump that nothing explains
    actions: tuple[Action, ...] = ()
    plan_long: TradePlan
    plan_short: TradePlan


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInput:
    """A whole run."""

    symbols: tuple[SymbolInput, ...]
    span_ns: int
    config: StrategyConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainFill:
    """Units that changed hands. `row` counts from the symbol's own first bar."""

    row: int
    symbol: str
    trade: int
    reason: str
    units: float  # signed: bought > 0
    price: float
    commission: float
    at_close: bool
    cash_after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldThroughJump:
    """The run was refused: a position would have been held into an unexplained jump."""

    symbol: str
    row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainOutcome:
    """What a run did."""

    fills: tuple[PlainFill, ...]
    cash: float
    equity: float  # each symbol marked at the close of its own last bar
    open_units: Mapping[str, float]  # signed; symbols that are flat are left out
    blocked: Mapping[str, int]  # reasons that never occurred are left out
    dividends: float
    financing: float
    refused: HeldThroughJump | None = None
