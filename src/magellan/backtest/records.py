"""Records of the replay: the state of a run as NumPy structured arrays, which compiled code reads and writes.

Everything here is numbers, so that the compiled replay can stop at any bar, hand over to Python, and go on.
Codes are small integers with a name; their words for people are in `REASONS` and `BLOCKED`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

# What the replay answers when it hands control back.
DONE: Final = 0
WAKE: Final = 1
GROW: Final = 2
BREAK: Final = 3

# Where in the handling of one instant the replay stands.
SEEK: Final = 0
WAKING: Final = 1

# Why a fill happened.
ENTRY: Final = 0
EXIT_RULE: Final = 1
STOP: Final = 2
TRAILING: Final = 3
TIME: Final = 4
SESSION_END: Final = 5
MARGIN_CALL: Final = 6
DECISION: Final = 7
CASH_IN_LIEU: Final = 8
DIVIDEND: Final = 9
TARGET: Final = 10  # TARGET + k is target k of the plan, from 0
BORROW_FEE: Final = 20
OWN_REASONS: Final = 100  # from here on, reasons that a strategy's own decisions gave, in order of appearance

REASONS: Final = {
    ENTRY: "entry",
    EXIT_RULE: "exit rule",
    STOP: "stop",
    TRAILING: "trailing stop",
    TIME: "holding time",
    SESSION_END: "session end",
    MARGIN_CALL: "margin call",
    DECISION: "decision",
    CASH_IN_LIEU: "cash in lieu of a fraction",
    DIVIDEND: "dividend",
    BORROW_FEE: "borrow fee",
    **{TARGET + k: f"target {k + 1}" for k in range(6)},
}

# Why an entry that the strategy wanted did not happen.
NO_UNITS: Final = 0
TRADES_TODAY: Final = 1
LOSS_TODAY: Final = 2
OPEN_POSITIONS: Final = 3
NO_RISK: Final = 4
NOT_SHORTABLE: Final = 5
EXPIRED: Final = 6
COOLING_DOWN: Final = 7
PRICED_BEFORE_JUMP: Final = 8

BLOCKED: Final = {
    NO_UNITS: "the money buys less than one unit",
    TRADES_TODAY: "trades per day used up",
    LOSS_TODAY: "loss of the day reached",
    OPEN_POSITIONS: "open positions at their limit",
    NO_RISK: "price not beyond its stop",
    NOT_SHORTABLE: "cannot be borrowed",
    EXPIRED: "entry order expired unfilled",
    COOLING_DOWN: "cooling down after an exit",
    PRICED_BEFORE_JUMP: "order priced before an unexplained jump",
}

# Kinds of entry orders; NONE marks a free slot.
NONE: Final = 0
MARKET: Final = 1
LIMIT: Final = 2
STOP_ENTRY: Final = 3
STOP_LIMIT: Final = 4

DAY: Final = 0
GTC: Final = 1
IOC: Final = 2
FOK: Final = 3
OPG: Final = 4
CLS: Final = 5

# How a position came about on its entry bar, which decides what the rest of that bar may do to it.
AT_OPEN: Final = 0
ON_THE_WAY_DOWN: Final = 1  # a buy limit or short stop reached while the price fell (for a long: from above)
BREAKOUT: Final = 2
AT_CLOSE: Final = 3

SIZE_UNITS: Final = 0
SIZE_NOTIONAL: Final = 1
SIZE_CASH: Final = 2
SIZE_EQUITY: Final = 3
SIZE_RISK: Final = 4

READ_SIGNAL: Final = 0
READ_PRIOR: Final = 1
READ_SAME: Final = 2

TRAIL_NONE: Final = 0
TRAIL_USD: Final = 1
TRAIL_FRACTION: Final = 2
TRAIL_COLUMN: Final = 3

# Slots of a plan's price levels.
LEVEL_STOP: Final = 0
LEVEL_LIMIT: Final = 1
LEVEL_STOP_ENTRY: Final = 2
LEVEL_TARGETS: Final = 3  # then two per target: its price, and where the stop moves afterwards
TARGETS: Final = 6
LEVELS: Final = LEVEL_TARGETS + 2 * TARGETS

ENTRY_SLOTS: Final = 2

level_t: Final = np.dtype(
    [
        ("used", "i8"),
        ("column", "i8"),  # row of the levels matrix; -1: the entry price; -2: the price in `usd`
        ("reading", "i8"),
        ("usd", "f8"),
        ("part_way", "f8"),
        ("plus_fraction", "f8"),
        ("plus_usd", "f8"),
        ("plus_risk", "f8"),
    ]
)

plan_t: Final = np.dtype(
    [
        ("entry_kind", "i8"),
        ("tif", "i8"),
        ("scheduled", "i8"),
        ("size_kind", "i8"),
        ("size_value", "f8"),
        ("size_column", "i8"),  # -1: size_value
        ("notional_max", "f8"),  # inf: none
        ("trail_kind", "i8"),
        ("trail_value", "f8"),
        ("trail_column", "i8"),
        ("hold_ns", "i8"),  # 0: none
        ("hold_bars", "i8"),  # 0: none
        ("session_exit", "i8"),
        ("cooldown_bars", "i8"),
        ("targets", "i8"),
        ("fraction", "f8", (TARGETS,)),
        ("later_bar", "i8", (TARGETS,)),
    ]
)

position_t: Final = np.dtype(
    [
        ("units", "f8"),
        ("entry_price", "f8"),
        ("came_in", "f8"),  # what the market was at when it was entered, before costs
        ("entered", "f8"),  # units entered in all, before exits; > 0
        ("stop", "f8"),  # NaN: none
        ("stop_moves", "i8"),  # slot + 1 of the level that the stop is re-read from on every bar; 0: it stays
        ("next_stop", "i8"),  # slot + 1 of the level that becomes the stop at the next bar; 0: none
        ("trail", "f8"),  # NaN: none
        ("best", "f8"),
        ("risk", "f8"),  # per unit, from entry to first stop; NaN: unknown
        ("exit_units", "f8"),  # waiting to be sold (or bought back) at the market
        ("exit_reason", "i8"),
        ("targets_done", "i8"),  # bit k: target k is filled
        ("target_left", "f8", (TARGETS,)),  # units of each target that volume did not allow yet
        ("entry_row", "i8"),
        ("signal_row", "i8"),
        ("closed_row", "i8"),  # row of the newest full exit; -1: none yet
        ("mode", "i8"),
        ("plan", "i8"),
        ("trade", "i8"),
        ("next", "i8"),  # the next row at which something can happen
        ("mark", "i8"),  # the newest row at or before the present
        ("action", "i8"),  # the next corporate action of this symbol
        ("taken", "f8"),  # units our fills took from the volume of row `taken_row`
        ("taken_row", "i8"),
        ("financed_day", "i8"),
        ("wanted_side", "f8"),  # an entry that a decision in Python asked for: +1, -1; 0 for none
        ("wanted_plan", "i8"),
        ("target_row", "i8"),  # row of the newest target filled; -1: none yet
    ]
)

entry_t: Final = np.dtype(
    [
        ("kind", "i8"),
        ("side", "f8"),
        ("units", "f8"),  # still to fill; NaN: sized when it fills
        ("limit", "f8"),
        ("stop", "f8"),
        ("tif", "i8"),
        ("scheduled", "i8"),
        ("triggered", "i8"),
        ("signal_row", "i8"),
        ("seen_row", "i8"),  # first row at which it could fill; -1: not yet
        ("plan", "i8"),
    ]
)

cost_t: Final = np.dtype(
    [
        ("commission_per_unit", "f8"),
        ("commission_rate", "f8"),
        ("commission_min", "f8"),
        ("half_spread_rate", "f8"),
        ("slippage_rate", "f8"),
        ("impact", "f8"),
        ("volume_share_max", "f8"),  # inf: fills ignore volume
        ("borrow_rate", "f8"),  # per year, of the short's market value
        ("borrow_units_max", "f8"),
        ("quantity_step", "f8"),
        ("point_value", "f8"),
        ("tick_size", "f8"),
        ("shortable", "i8"),
    ]
)

rules_t: Final = np.dtype(
    [
        ("fill_at_close", "i8"),
        ("size_at_fill", "i8"),
        ("stop_fills_at_level", "i8"),
        ("limit_fills_at_level", "i8"),
        ("limit_needs_through", "i8"),
        ("hold_through_breaks", "i8"),
        ("count_trades_at_exit", "i8"),
        ("margin", "i8"),
        ("leverage", "f8"),
        ("maintenance", "f8"),
        ("trades_per_day_max", "i8"),
        ("loss_fraction_max", "f8"),
        ("loss_usd_max", "f8"),
        ("open_positions_max", "i8"),
        ("position_usd_max", "f8"),
        ("span_ns", "i8"),
        ("wake_everywhere", "i8"),
    ]
)

account_t: Final = np.dtype(
    [
        ("cash", "f8"),
        ("day", "i8"),
        ("day_pnl", "f8"),
        ("day_equity", "f8"),
        ("day_trades", "i8"),
        ("open_positions", "i8"),
        ("now_ns", "i8"),  # kept where there are several symbols
        ("bar_closed", "i8"),  # 0: of the bars that open now, only the opening price is known
        ("phase", "i8"),
        ("cursor", "i8"),
        ("woken", "i8"),
        ("trades", "i8"),
        ("fills", "i8"),
        ("decisions", "i8"),
        ("symbol", "i8"),
        ("row", "i8"),
        ("dividends", "f8"),
        ("financing", "f8"),
    ]
)

fill_t: Final = np.dtype(
    [
        ("row", "i8"),
        ("symbol", "i8"),
        ("trade", "i8"),
        ("reason", "i8"),
        ("at_close", "i8"),  # 1: at the bar's close; 0: at its open or inside it
        ("units", "f8"),  # signed: bought > 0; 0 for a dividend or a borrow fee
        ("price", "f8"),
        ("commission", "f8"),
        ("amount", "f8"),  # change of cash, all costs included
        ("slippage", "f8"),  # what spread, slippage and impact cost, >= 0
        ("cash_after", "f8"),
    ]
)

decision_t: Final = np.dtype(
    [
        ("row", "i8"),
        ("symbol", "i8"),
        ("side", "f8"),  # +1 enter long, -1 enter short, 0 leave
        ("units", "f8"),
        ("stop", "f8"),
        ("reason", "i8"),
    ]
)


class MarketArrays(NamedTuple):
    """All symbols' bars in one run of rows; symbol s owns rows offsets[s] to offsets[s + 1]."""

    at_ns: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]
    offsets: NDArray[np.int64]
    day: NDArray[np.int32]  # session date of each row; length 0 where no rule needs it
    session_ends: NDArray[np.uint64]  # whether its session is over with each row, as `MaskWords`; likewise


class MaskWords(NamedTuple):
    """Truth values, a bit per row, 64 rows to a word; a mask of length 0 is nowhere true."""

    enter_long: NDArray[np.uint64]
    enter_short: NDArray[np.uint64]
    exit_long: NDArray[np.uint64]
    exit_short: NDArray[np.uint64]
    session_exit: NDArray[np.uint64]
    scheduled: NDArray[np.uint64]
    wake: NDArray[np.uint64]
    breaks: NDArray[np.uint64]


class ActionArrays(NamedTuple):
    """Corporate actions in force during a run; symbol s owns entries offsets[s] to offsets[s + 1]."""

    row: NDArray[np.int64]  # the first row on the new basis
    share_factor: NDArray[np.float64]  # 1 for a dividend
    dividend: NDArray[np.float64]  # per share; 0 for a split
    offsets: NDArray[np.int64]


class RunState(NamedTuple):
    """What a run remembers between two bars."""

    account: NDArray[np.void]  # account_t, shape (1,)
    positions: NDArray[np.void]  # position_t, shape (symbols,)
    entries: NDArray[np.void]  # entry_t, shape (symbols, ENTRY_SLOTS)
    fills: NDArray[np.void]  # fill_t, room for more than are used
    decisions: NDArray[np.void]  # decision_t, likewise
    blocked: NDArray[np.int64]  # count per reason of BLOCKED


class RunRules(NamedTuple):
    """What does not change during a run, except that woken strategies may add plans."""

    rules: NDArray[np.void]  # rules_t, shape (1,)
    costs: NDArray[np.void]  # cost_t, shape (symbols,)
    plans: NDArray[np.void]  # plan_t
    levels: NDArray[np.void]  # level_t, shape (plans, LEVELS)
    plan_of: NDArray[np.int64]  # shape (symbols, 2): the plan for longs and for shorts
    columns: NDArray[np.float64]  # shape (columns, rows): what levels, sizes and trailing stops read
