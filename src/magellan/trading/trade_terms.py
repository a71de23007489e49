"""Trade terms: how one trade is protected and left, as numbers that a ledger can keep.

A `TradePlan` (magellan.strategy) speaks of columns, which end with the process. When a trade is decided, what the plan
reads at the signal is read, and what remains to be read anew on every bar is named by its place in the plan. So a
trade can be carried on after a restart, with other history in memory, exactly as it was meant.
"""

from __future__ import annotations

from dataclasses import dataclass

from magellan.trading.order import OrderType, TimeInForce


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelTerms:
    """One price level of a trade.

    base:      the level before it is moved, on the share basis of the signal; None: the entry price, or not known.
    from_entry: the base is the average entry price.
    follows:   the base is read anew from the plan's column on every bar, as it stood at the close before.
    """

    base: float | None
    from_entry: bool = False
    follows: bool = False
    part_way: float = 1.0
    plus_fraction: float = 0.0
    plus_usd: float = 0.0
    plus_risk: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetTerms:
    """One target: its level, the fraction of the units entered that it sells, and where the stop goes then."""

    level: LevelTerms
    fraction: float
    then_stop: LevelTerms | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailTerms:
    """How far a trailing stop lies behind the best price."""

    usd: float | None = None
    fraction: float | None = None
    multiple: float | None = None  # of the plan's column, read at each close
    at_signal: float | None = None  # the column's value at the signal


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryTerms:
    """The entry order."""

    type: OrderType
    time_in_force: TimeInForce
    limit: LevelTerms | None = None
    stop: LevelTerms | None = None
    at_minute: int | None = (
        None  # of the day, on the exchange's clock: it waits for that; None: it does not wait
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeTerms:
    """Everything about a trade that holds until it is over."""

    entry: EntryTerms
    stop: LevelTerms | None
    trail: TrailTerms | None
    targets: tuple[TargetTerms, ...]
    hold_minutes: int | None
    hold_bars: int | None
    cooldown_bars: int
    exits_with_session: bool
    exit_at_minute: int | None = None  # of the day, on the exchange's clock
    exit_minutes_before_close: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeMarks:
    """Where a trade stood when a bar had closed. Prices are on the share basis of that bar; None: not known.

    stop_slot: the level that the stop is read from again on every bar: 0 the plan's stop, k the `then_stop` of target
               k (from 1); None: it stays where it is.
    """

    bar_ns: int  # start of the newest bar that these marks have seen
    stop: float | None = None
    stop_slot: int | None = None
    trail: float | None = None
    best: float | None = None
    risk: float | None = None
    bars_held: int = 0  # bars closed since the entry, the entry's own included
    entry_bar_ns: int | None = None
    targets_done: tuple[int, ...] = ()
    leaving: str | None = None  # reason of a market exit that is under way
    keeps_units: float = 0.0  # what that exit leaves
    factor: float = 1.0  # shares that one share of the signal has become by splits
