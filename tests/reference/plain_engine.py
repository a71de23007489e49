"""The plain engine: what one instant means, written a second time, slowly and obviously.

It exists to be disagreed with. It was written from the numbered specification in docs/assumptions.md ("One bar, step
by step") and not from the compiled replay, and it has one function per step. It looks at every bar of every symbol,
never jumps, keeps plain Python floats and lists, and re-reads every price level on every bar. When the two differ on
any market, one of them is wrong, and the specification says which.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import time
from fractions import Fraction

from magellan.backtest import records as r
from magellan.backtest.records import BLOCKED, REASONS
from magellan.strategy.trade_plan import (
    CashFraction,
    EquityFraction,
    Limit,
    Market,
    Notional,
    Price,
    Reading,
    RiskFraction,
    Stop,
    StopLimit,
    Target,
    TimeInForce,
    TradePlan,
    Units,
)
from magellan.workspace.config import InstrumentTerms
from reference.plain_market import (
    HeldThroughJump,
    PlainFill,
    PlainOutcome,
    Row,
    RunInput,
    SymbolInput,
)

NAN = math.nan
NS_PER_MINUTE = 60_000_000_000
NS_PER_DAY = 1440 * NS_PER_MINUTE
DAYS_PER_YEAR = 365
# A quotient that misses a whole number by less than this is that number: 0.3 / 0.1 are three steps.
ROUNDING = 1e-9
DUST = 1e-9  # fewer units than this are none

BEFORE, OPEN, CLOSE = "before", "open", "close"  # which price of the present bars is known
AT_OPEN, BY_LIMIT, BREAKOUT, AT_CLOSE = "at open", "by limit", "breakout", "at close"


@dataclass(slots=True, kw_only=True)
class Order:
    """An entry order that works."""

    side: int  # +1 buy, -1 sell short
    plan: TradePlan
    signal_row: int
    signal_close: float  # stands for the entry price until there is one; follows splits
    units: float  # still to fill; NaN until it is sized at its first fill
    limit: float = NAN
    stop: float = NAN
    triggered: bool = False
    is_due: bool = False  # its schedule has come
    seen_row: int = -1  # first row at which it could fill
    filled: bool = False  # at least in part


@dataclass(slots=True, kw_only=True)
class Position:
    """Units held in one symbol."""

    side: int
    units: float  # > 0
    entered: float  # units entered in all, > 0; follows splits
    entry_price: float
    met_at: float  # the market's price at the first fill, before costs
    plan: TradePlan
    trade: int
    signal_row: int
    entry_row: int
    entered_at_ns: int
    mode: str  # how it came about on its entry bar
    financed_day: int
    stop_rule: Price | None
    stop: float = NAN
    next_stop_rule: Price | None = None  # takes over at the next bar
    trail: float = NAN
    best: float = NAN
    risk: float = NAN
    leaving: str | None = None  # reason of a market exit that works
    targets_done: set[int] = field(default_factory=set)
    target_left: dict[int, float] = field(default_factory=dict)
    target_row: int = -1  # of the newest target filled


class Refused(Exception):
    """A position would be held into an unexplained jump."""

    def __init__(self, jump: HeldThroughJump) -> None:
        super().__init__(f"{jump.symbol} row {jump.row}")
        self.jump = jump


class Run:
    """Everything that a run knows at one instant."""

    def __init__(self, given: RunInput) -> None:
        self.given = given
        self.config = given.config
        self.cash = given.config.account.cash_usd
        self.moment = BEFORE
        self.row = {one.symbol: -1 for one in given.symbols}  # newest row that has opened
        self.present: list[SymbolInput] = []  # symbols with a bar at this instant, in their order
        self.positions: dict[str, Position] = {}
        self.orders: dict[str, list[Order]] = {one.symbol: [] for one in given.symbols}
        self.closed_row: dict[str, int] = {}  # row of the newest full exit
        self.taken: dict[str, float] = {}  # units our fills took from the present bar's volume
        self.day: int | None = None
        self.day_equity = NAN
        self.day_pnl = 0.0
        self.day_trades = 0
        self.trades = 0
        self.dividends = 0.0
        self.financing = 0.0
        self.fills: list[PlainFill] = []
        self.blocked: dict[str, int] = {}

    def terms(self, one: SymbolInput) -> InstrumentTerms:
        return self.config.instrument(one.symbol)

    def bar(self, one: SymbolInput) -> Row:
        return one.rows[self.row[one.symbol]]

    def block(self, reason: str) -> None:
        self.blocked[reason] = self.blocked.get(reason, 0) + 1

    @property
    def is_margin(self) -> bool:
        return self.config.account.kind == "margin"

    @property
    def fills_at_close(self) -> bool:
        return self.config.execution.fill == "close"


def simulate(given: RunInput) -> PlainOutcome:
    """Run the whole market, instant by instant."""
    run = Run(given)
    refused = None
    try:
        while True:
            ahead = [one for one in given.symbols if run.row[one.symbol] + 1 < len(one.rows)]
            if not ahead:
                break
            now_ns = min(one.rows[run.row[one.symbol] + 1].opened_at_ns for one in ahead)
            run.present = [one for one in ahead if one.rows[run.row[one.symbol] + 1].opened_at_ns == now_ns]
            handle_instant(run)
    except Refused as refusal:
        refused = refusal.jump
    run.moment = CLOSE
    return PlainOutcome(
        fills=tuple(run.fills),
        cash=run.cash,
        equity=equity(run),
        open_units={symbol: held.side * held.units for symbol, held in run.positions.items()},
        blocked=run.blocked,
        dividends=run.dividends,
        financing=run.financing,
        refused=refused,
    )


def handle_instant(run: Run) -> None:
    """All steps of one instant, each for all symbols that have a bar now, before the next."""
    begin_day(run)
    for one in run.present:
        run.row[one.symbol] += 1
        run.taken[one.symbol] = 0.0
    run.moment = OPEN
    for one in run.present:
        step_0_unexplained_jump(run, one)
    for one in run.present:
        step_1_overnight(run, one)
    for one in run.present:
        step_2_exits_at_the_open(run, one)
    for one in run.present:
        step_3_entries_at_the_open(run, one)
    for one in run.present:
        step_4_entries_inside(run, one)
    for one in run.present:
        step_5_exits_inside(run, one)
    run.moment = CLOSE
    for one in run.present:
        step_6_exits_at_the_close(run, one)
    for one in run.present:
        step_7_entries_at_the_close(run, one)


def begin_day(run: Run) -> None:
    """A new session date starts new counts; its equity is marked at the closes before it."""
    first = run.present[0]
    day = first.rows[run.row[first.symbol] + 1].day
    if day != run.day:
        run.moment = CLOSE
        run.day, run.day_equity, run.day_pnl, run.day_trades = day, equity(run), 0.0, 0


# --- The steps ------------------------------------------------------------------------------------------------


def step_0_unexplained_jump(run: Run, one: SymbolInput) -> None:
    """Orders priced before the jump are withdrawn; a position must not be held into it."""
    row = run.row[one.symbol]
    if row not in one.breaks:
        return
    for order in list(run.orders[one.symbol]):
        withdraw(run, one, order, BLOCKED[r.PRICED_BEFORE_JUMP])
    if one.symbol in run.positions and run.config.execution.unexplained_jumps == "refuse":
        raise Refused(HeldThroughJump(symbol=one.symbol, row=row))


def step_1_overnight(run: Run, one: SymbolInput) -> None:
    """What happened since the bar before: borrow fee, corporate actions, prices that follow a column."""
    charge_borrow_fee(run, one)
    for action in one.actions:
        if action.row == run.row[one.symbol]:
            if action.share_factor != 1.0:
                split(run, one, action.share_factor)
            if action.dividend_usd != 0.0:
                pay_dividend(run, one, action.dividend_usd)
    refresh_levels(run, one)


def step_2_exits_at_the_open(run: Run, one: SymbolInput) -> None:
    """A market exit that works; else a stop that the bar opened beyond; else targets that the open meets."""
    held = run.positions.get(one.symbol)
    if held is None:
        return
    bar = run.bar(one)
    execution = run.config.execution
    if held.leaving is not None:
        leave(run, one, bar.open, held.leaving)
        return
    stop, reason = resting_stop(run, one, held)
    if execution.stop_fill == "gap-aware" and at_or_below(held.side, bar.open, stop):
        leave(run, one, bar.open, reason)
        return
    if execution.limit_fill == "gap-aware":
        for k, _ in enumerate(held.plan.targets):
            limit = target_price(run, one, held, k)
            if target_is_open(run, one, held, k) and at_or_above(held.side, bar.open, limit):
                take_profit(run, one, k, bar.open)
                if one.symbol not in run.positions or k not in held.targets_done:
                    return


def step_3_entries_at_the_open(run: Run, one: SymbolInput) -> None:
    """Orders that the opening price fills."""
    bar = run.bar(one)
    row = run.row[one.symbol]
    for order in list(run.orders[one.symbol]):
        if order not in run.orders[one.symbol] or not may_fill_on_this_row(run, one, order):
            continue
        if order.seen_row < 0:
            order.seen_row = row
        side, entry = order.side, order.plan.entry
        if isinstance(entry, Market):
            enter(run, one, order, bar.open, AT_OPEN, slips=True)
        elif isinstance(entry, Limit):
            if at_or_below(side, bar.open, order.limit):
                enter(run, one, order, bar.open, AT_OPEN, slips=False)
        elif isinstance(entry, Stop):
            if order.triggered:
                enter(run, one, order, bar.open, AT_OPEN, slips=True)
            elif at_or_above(side, bar.open, resting_entry(run, one, order)):
                order.triggered = True
                enter(run, one, order, bar.open, AT_OPEN, slips=True)
        elif order.triggered:
            if at_or_below(side, bar.open, order.limit):
                enter(run, one, order, bar.open, AT_OPEN, slips=False)
        elif at_or_above(side, bar.open, resting_entry(run, one, order)):
            order.triggered = True
            if at_or_below(side, bar.open, order.limit):
                enter(run, one, order, bar.open, AT_OPEN, slips=True, worst=order.limit)
            elif entry.time_in_force is not TimeInForce.OPG and comes_back_to(run, side, bar, order.limit):
                enter(run, one, order, order.limit, BY_LIMIT, slips=False)


def step_4_entries_inside(run: Run, one: SymbolInput) -> None:
    """Orders that a price inside the bar fills."""
    bar = run.bar(one)
    for order in list(run.orders[one.symbol]):
        if order not in run.orders[one.symbol] or order.seen_row < 0:
            continue
        side, entry = order.side, order.plan.entry
        if entry.time_in_force in (TimeInForce.OPG, TimeInForce.CLS):
            continue
        top = bar.high if side > 0 else bar.low
        stop = resting_entry(run, one, order)
        if isinstance(entry, Limit):
            if comes_back_to(run, side, bar, order.limit):
                enter(run, one, order, order.limit, BY_LIMIT, slips=False)
        elif isinstance(entry, Stop):
            if not order.triggered and at_or_above(side, top, stop):
                order.triggered = True
                enter(run, one, order, stop, BREAKOUT, slips=True)
        elif isinstance(entry, StopLimit):
            if order.triggered:
                if comes_back_to(run, side, bar, order.limit):
                    enter(run, one, order, order.limit, BY_LIMIT, slips=False)
            elif at_or_above(side, top, stop):
                order.triggered = True
                if at_or_below(side, stop, order.limit):
                    enter(run, one, order, stop, BREAKOUT, slips=True, worst=order.limit)


def step_5_exits_inside(run: Run, one: SymbolInput) -> None:
    """The stop first; only when the bar does not reach it, the targets."""
    held = run.positions.get(one.symbol)
    if held is None or held.leaving is not None:
        return
    bar = run.bar(one)
    side = held.side
    is_entry_bar = held.entry_row == run.row[one.symbol]
    bottom, top = (bar.low, bar.high) if side > 0 else (bar.high, bar.low)
    stop, reason = resting_stop(run, one, held)
    if at_or_below(side, bottom, stop):
        if is_entry_bar:
            # The stop was reached after the entry, so it cannot have sold higher than the market was then.
            stop = worse_of(side, stop, held.met_at)
        leave(run, one, stop, reason)
        return
    for k, _ in enumerate(held.plan.targets):
        if not target_is_open(run, one, held, k):
            continue
        limit = target_price(run, one, held, k)
        # After an entry by limit the high may have come before the entry; the close certainly came after it.
        is_sure = not (is_entry_bar and held.mode == BY_LIMIT) or at_or_above(side, bar.close, limit)
        # A target that the entry's own opening price meets is met by it, as at any other opening.
        is_met_at_open = is_entry_bar and held.mode == AT_OPEN and at_or_above(side, bar.open, limit)
        if is_met_at_open and run.config.execution.limit_fill == "gap-aware":
            take_profit(run, one, k, bar.open)
        elif is_sure and passes(run, side, top, limit):
            take_profit(run, one, k, limit)
        else:
            continue
        if one.symbol not in run.positions or k not in held.targets_done:
            return  # all is sold, or the volume is used up


def step_6_exits_at_the_close(run: Run, one: SymbolInput) -> None:
    """The trailing stop follows; then the first rule that holds ends the position."""
    held = run.positions.get(one.symbol)
    if held is None:
        return
    follow_with_trailing_stop(run, one, held)
    if held.leaving is not None:
        return
    bar, row, plan = run.bar(one), run.row[one.symbol], held.plan
    exit_rows = one.exit_long if held.side > 0 else one.exit_short
    if session_exit_is_due(run, one, plan, row):
        leave(run, one, bar.close, REASONS[r.SESSION_END])
    elif time_is_up(run, one, held):
        leave(run, one, bar.close, REASONS[r.TIME])
    elif row in exit_rows:
        leave_by_rule(run, one, held, REASONS[r.EXIT_RULE])
    elif margin_is_called(run):
        held.leaving = REASONS[r.MARGIN_CALL]
        stop_entering(run, one, held.side)


def step_7_entries_at_the_close(run: Run, one: SymbolInput) -> None:
    """Orders for the session's close; orders whose time is over; then what the strategy declares at this close."""
    for order in list(run.orders[one.symbol]):
        if order in run.orders[one.symbol] and order.plan.entry.time_in_force is TimeInForce.CLS:
            fill_at_session_close(run, one, order)
    expire_orders(run, one)
    if run.orders[one.symbol]:
        return
    if run.row[one.symbol] < run.config.data.warmup_bars:
        return
    for side, rows in ((1, one.enter_long), (-1, one.enter_short)):
        held = run.positions.get(one.symbol)
        is_free = held is None or (held.side != side and held.leaving is not None)
        if run.row[one.symbol] in rows and is_free:
            decide_entry(run, one, side)


# --- Sessions --------------------------------------------------------------------------------------------------


def is_first_of_day(one: SymbolInput, row: int) -> bool:
    return row == 0 or one.rows[row - 1].day != one.rows[row].day


def is_last_of_day(run: Run, one: SymbolInput, row: int) -> bool:
    """Whether the session is over with this bar: by the next bar's date, of the newest bar by the calendar."""
    if row + 1 == len(one.rows):
        if run.given.span_ns >= NS_PER_DAY:
            return True
        return one.rows[row].minutes_to_close <= run.given.span_ns / NS_PER_MINUTE  # unknown is NaN, so no
    return one.rows[row + 1].day != one.rows[row].day


def minute_of_day(at: time) -> int:
    return 60 * at.hour + at.minute


def opens_first_at_or_after(one: SymbolInput, row: int, minute: int) -> bool:
    """Whether this is the first bar of its day that opens at or after that minute."""
    return one.rows[row].minute >= minute and (is_first_of_day(one, row) or one.rows[row - 1].minute < minute)


def session_exit_is_due(run: Run, one: SymbolInput, plan: TradePlan, row: int) -> bool:
    rule, bar = plan.session_exit, one.rows[row]
    if rule is None:
        return False
    if rule.at is not None and bar.minute >= minute_of_day(rule.at):
        return True
    if rule.before_close_minutes is not None and bar.minutes_to_close <= rule.before_close_minutes:
        return True
    return is_last_of_day(run, one, row)


# --- Step 1 in parts ------------------------------------------------------------------------------------------


def charge_borrow_fee(run: Run, one: SymbolInput) -> None:
    held = run.positions.get(one.symbol)
    if held is None:
        return
    bar = run.bar(one)
    days = bar.day - held.financed_day
    held.financed_day = bar.day
    if held.side < 0 and days > 0 and run.config.execution.borrow_rate > 0:
        value = held.units * one.rows[run.row[one.symbol] - 1].close * run.terms(one).point_value
        fee = value * run.config.execution.borrow_rate * days / DAYS_PER_YEAR
        run.financing += fee
        record_money(run, one, held.trade, REASONS[r.BORROW_FEE], -fee)


def split(run: Run, one: SymbolInput, factor: float) -> None:
    """Units times the factor, prices over it; what is below a whole step is paid out at the open."""
    split_position(run, one, factor)
    for order in list(run.orders[one.symbol]):
        order.signal_close /= factor
        order.limit /= factor
        order.stop /= factor
        if not math.isnan(order.units):
            order.units = down_to_step(order.units * factor, run.terms(one).quantity_step)
            if order.units <= 0:
                withdraw(run, one, order, BLOCKED[r.NO_UNITS])


def split_position(run: Run, one: SymbolInput, factor: float) -> None:
    step = run.terms(one).quantity_step
    held = run.positions.get(one.symbol)
    if held is None:
        return
    held.units *= factor
    held.entered *= factor
    for k, left in list(held.target_left.items()):
        held.target_left[k] = down_to_step(left * factor, step)
        if held.target_left[k] <= 0:
            finish_target(held, k)
    for name in ("entry_price", "stop", "trail", "best", "risk"):
        setattr(held, name, getattr(held, name) / factor)
    fraction = held.units - down_to_step(held.units, step)
    if fraction > DUST:
        close_units(run, one, fraction, run.bar(one).open, REASONS[r.CASH_IN_LIEU], commission=0.0)
        if one.symbol not in run.positions:
            stop_entering(run, one, held.side)


def pay_dividend(run: Run, one: SymbolInput, amount_usd: float) -> None:
    held = run.positions.get(one.symbol)
    if held is not None:
        amount = held.side * held.units * amount_usd * run.terms(one).point_value
        run.dividends += amount
        record_money(run, one, held.trade, REASONS[r.DIVIDEND], amount)


def refresh_levels(run: Run, one: SymbolInput) -> None:
    """Prices that are read anew on every bar."""
    for order in run.orders[one.symbol]:
        price_order(run, one, order, filled_row=run.row[one.symbol], follows_only=True)
    held = run.positions.get(one.symbol)
    if held is not None:
        if held.next_stop_rule is not None:
            held.stop_rule, held.next_stop_rule = held.next_stop_rule, None
            read_stop(run, one, held, filled_row=run.row[one.symbol])
        elif follows_column(held.stop_rule):
            read_stop(run, one, held, filled_row=run.row[one.symbol])


def follows_column(price: Price | None) -> bool:
    return price is not None and price.column is not None and price.reading is not Reading.SIGNAL


# --- Prices of a plan -----------------------------------------------------------------------------------------


def level(
    one: SymbolInput,
    price: Price,
    *,
    side: int,
    entry_price: float,
    risk: float,
    signal_row: int,
    filled_row: int,
    now_row: int,
) -> float:
    """A plan's price as it applies to the bar `filled_row`, on the share basis of `now_row`; NaN: unknown."""
    basis = shares_per_share(one, signal_row, now_row)
    if price.column is not None:
        read_row = {Reading.SIGNAL: signal_row, Reading.PRIOR: filled_row - 1, Reading.SAME: filled_row}[
            price.reading
        ]
        read_row = min(read_row, now_row)  # at a close the bar ahead is not known
        base = float(price.column[read_row]) / shares_per_share(one, read_row, now_row)
    elif price.usd is not None:
        base = price.usd / basis
    else:
        base = entry_price
    base = entry_price + price.part_way * (base - entry_price) if price.part_way != 1.0 else base
    moved = base * (1 + side * price.plus_fraction) + side * price.plus_usd / basis
    return moved + side * price.plus_risk * risk if price.plus_risk != 0.0 else moved


def shares_per_share(one: SymbolInput, since_row: int, now_row: int) -> float:
    """Shares at `now_row` that one share of `since_row` has become."""
    factor = 1.0
    for action in one.actions:
        if since_row < action.row <= now_row:
            factor *= action.share_factor
    return factor


def price_order(
    run: Run, one: SymbolInput, order: Order, *, filled_row: int, follows_only: bool = False
) -> None:
    """Read the order's prices; one that is not known now keeps its last value."""
    entry = order.plan.entry
    wanted: dict[str, Price] = {}
    if isinstance(entry, Limit):
        wanted = {"limit": entry.price}
    elif isinstance(entry, Stop):
        wanted = {"stop": entry.price}
    elif isinstance(entry, StopLimit):
        wanted = {"limit": entry.limit, "stop": entry.stop}
    for name, price in wanted.items():
        if follows_only and not follows_column(price):
            continue
        read = level(
            one,
            price,
            side=order.side,
            entry_price=order.signal_close,
            risk=NAN,
            signal_row=order.signal_row,
            filled_row=filled_row,
            now_row=run.row[one.symbol],
        )
        if not math.isnan(read):
            setattr(order, name, limit_to_tick(run.terms(one), read, order.side) if name == "limit" else read)


def read_stop(run: Run, one: SymbolInput, held: Position, *, filled_row: int) -> None:
    """Read the stop; one that is not known now keeps its last value."""
    if held.stop_rule is None:
        return
    read = level(
        one,
        held.stop_rule,
        side=held.side,
        entry_price=held.entry_price,
        risk=held.risk,
        signal_row=held.signal_row,
        filled_row=filled_row,
        now_row=run.row[one.symbol],
    )
    if not math.isnan(read):
        held.stop = read


def target_price(run: Run, one: SymbolInput, held: Position, k: int) -> float:
    row = run.row[one.symbol]
    read = level(
        one,
        held.plan.targets[k].price,
        side=held.side,
        entry_price=held.entry_price,
        risk=held.risk,
        signal_row=held.signal_row,
        filled_row=row,
        now_row=row,
    )
    return limit_to_tick(run.terms(one), read, -held.side)


def target_is_open(run: Run, one: SymbolInput, held: Position, k: int) -> bool:
    waits = held.plan.targets[k].later_bar and held.target_row == run.row[one.symbol]
    return k not in held.targets_done and not waits


def resting_stop(run: Run, one: SymbolInput, held: Position) -> tuple[float, str]:
    """The stop in force on the tick at which it rests at a broker, with its name."""
    stop, reason = stop_in_force(held)
    return stop_to_tick(run.terms(one), stop, -held.side), reason


def resting_entry(run: Run, one: SymbolInput, order: Order) -> float:
    """The price on the tick at which an order that enters by a stop rests."""
    return stop_to_tick(run.terms(one), order.stop, order.side)


def stop_in_force(held: Position) -> tuple[float, str]:
    """The nearer of the stop and the trailing stop, with its name; NaN when there is neither."""
    if math.isnan(held.trail) or at_or_above(held.side, held.stop, held.trail):
        return held.stop, REASONS[r.STOP]
    return held.trail, REASONS[r.TRAILING]


def trailing_distance(run: Run, one: SymbolInput, held: Position, best: float, read_row: int) -> float:
    trailing = held.plan.trailing
    assert trailing is not None, "asked only where the plan trails"
    row = run.row[one.symbol]
    if trailing.usd is not None:
        return trailing.usd / shares_per_share(one, held.signal_row, row)
    if trailing.fraction is not None:
        return trailing.fraction * best
    assert trailing.column is not None, "one of the three is given"
    return trailing.multiple * float(trailing.column[read_row]) / shares_per_share(one, read_row, row)


# --- Comparing prices as one side sees them --------------------------------------------------------------------


def at_or_above(side: int, price: float, mark: float) -> bool:
    """Long: price >= mark. Short: price <= mark. False when either is unknown."""
    return price >= mark if side > 0 else price <= mark


def at_or_below(side: int, price: float, mark: float) -> bool:
    """Long: price <= mark. Short: price >= mark. False when either is unknown."""
    return price <= mark if side > 0 else price >= mark


def worse_of(side: int, price: float, other: float) -> float:
    """For whoever leaves a position of that side."""
    return min(price, other) if side > 0 else max(price, other)


def passes(run: Run, side: int, reach: float, limit: float) -> bool:
    """Whether a price fills a resting limit on the favourable side of a position."""
    if run.config.execution.limit_needs == "through":
        return reach > limit if side > 0 else reach < limit
    return at_or_above(side, reach, limit)


def comes_back_to(run: Run, side: int, bar: Row, limit: float) -> bool:
    """Whether the bar, having opened on the far side of a resting entry limit, fills it later."""
    if at_or_below(side, bar.open, limit):
        return False
    return passes(run, -side, bar.low if side > 0 else bar.high, limit)


# --- Units, prices and money of a fill ------------------------------------------------------------------------


def down_to_step(units: float, step: float) -> float:
    if step == 0:
        return units
    return math.floor(units / step + ROUNDING) * step


def limit_to_tick(terms: InstrumentTerms, price: float, buys: int) -> float:
    """A limit that the exchange accepts, never worse than the one that was meant."""
    return price if math.isnan(price) else against_us_to_tick(terms, price, -buys)


def stop_to_tick(terms: InstrumentTerms, price: float, buys: int) -> float:
    """A stop that the exchange accepts, reached by the very trades that reach the one that was meant."""
    return price if math.isnan(price) else against_us_to_tick(terms, price, buys)


def against_us_to_tick(terms: InstrumentTerms, price: float, buys: int) -> float:
    if terms.tick_size == 0:
        return price
    ticks = price / terms.tick_size
    whole = math.ceil(ticks - 1e-6) if buys > 0 else math.floor(ticks + 1e-6)
    return float(whole * Fraction(repr(terms.tick_size)))  # exact, then the float next to it


def slipped(run: Run, one: SymbolInput, price: float, buys: int, units: float) -> float:
    """What a market order pays: half the spread, slippage, and impact by the share of the volume that we took."""
    terms, execution = run.terms(one), run.config.execution
    slippage = execution.slippage_bps if terms.slippage_bps is None else terms.slippage_bps
    spread = execution.half_spread_bps if terms.half_spread_bps is None else terms.half_spread_bps
    volume = run.bar(one).volume
    share = min(1.0, (run.taken[one.symbol] + units) / volume) if volume > 0 else 1.0
    worse = (slippage + spread) / 10_000 + execution.impact * share**2
    return against_us_to_tick(terms, price * (1 + buys * worse), buys)


def commission_of(run: Run, one: SymbolInput, units: float, price: float) -> float:
    per_unit, rate, least = commission_terms(run, one)
    return max(least, units * per_unit + units * price * run.terms(one).point_value * rate)


def commission_terms(run: Run, one: SymbolInput) -> tuple[float, float, float]:
    terms, execution = run.terms(one), run.config.execution
    bps = execution.commission_bps if terms.commission_bps is None else terms.commission_bps
    per_unit = (
        execution.commission_per_unit_usd
        if terms.commission_per_unit_usd is None
        else terms.commission_per_unit_usd
    )
    least = execution.commission_min_usd if terms.commission_min_usd is None else terms.commission_min_usd
    return per_unit, bps / 10_000, least


def bought_with(run: Run, one: SymbolInput, money: float, price: float) -> float:
    """The units that this money pays for at this price, commission included; not rounded."""
    if price <= 0:
        return 0.0
    per_unit, rate, least = commission_terms(run, one)
    value = price * run.terms(one).point_value
    return max(0.0, min(money / (value * (1 + rate) + per_unit), (money - least) / value))


def most_affordable(run: Run, one: SymbolInput, order: Order, price: float) -> float:
    """The most units that may be added at that price: by the money, and by the limits on the position."""
    money = run.config.account.leverage * equity(run) - gross_exposure(run) if run.is_margin else run.cash
    units = min(bought_with(run, one, money, price), most_units(run, one, order, price))
    return down_to_step(units, run.terms(one).quantity_step)


def volume_left(run: Run, one: SymbolInput) -> float:
    share = run.config.execution.volume_share_max
    if share is None:
        return math.inf
    whole = down_to_step(share * run.bar(one).volume, run.terms(one).quantity_step)
    return max(0.0, whole - run.taken[one.symbol])


def equity(run: Run) -> float:
    return run.cash + sum(value for _, value in market_values(run))


def gross_exposure(run: Run) -> float:
    return sum(abs(value) for _, value in market_values(run))


def market_values(run: Run) -> Iterable[tuple[str, float]]:
    """Signed value of each position at the newest price known: the present bars' open or close, else the last close."""
    present = {one.symbol for one in run.present}
    for one in run.given.symbols:
        held = run.positions.get(one.symbol)
        if held is None:
            continue
        bar = run.bar(one)
        price = bar.open if run.moment == OPEN and one.symbol in present else bar.close
        yield one.symbol, held.side * held.units * price * run.terms(one).point_value


def record(
    run: Run,
    one: SymbolInput,
    *,
    trade: int,
    reason: str,
    units: float,
    price: float,
    commission: float,
) -> None:
    run.cash -= units * price * run.terms(one).point_value + commission
    run.day_pnl -= commission
    run.fills.append(
        PlainFill(
            row=run.row[one.symbol],
            symbol=one.symbol,
            trade=trade,
            reason=reason,
            units=units,
            price=price,
            commission=commission,
            at_close=run.moment == CLOSE,
            cash_after=run.cash,
        )
    )


def record_money(run: Run, one: SymbolInput, trade: int, reason: str, amount: float) -> None:
    """Money that a position brought or cost without units changing hands."""
    run.cash += amount
    run.fills.append(
        PlainFill(
            row=run.row[one.symbol],
            symbol=one.symbol,
            trade=trade,
            reason=reason,
            units=0.0,
            price=0.0,
            commission=0.0,
            at_close=False,
            cash_after=run.cash,
        )
    )


# --- Entering -------------------------------------------------------------------------------------------------


def decide_entry(run: Run, one: SymbolInput, side: int) -> None:
    """The checks in their order; then an order, which fills at once where the run fills at the close."""
    plan = one.plan_long if side > 0 else one.plan_short
    row, bar = run.row[one.symbol], run.bar(one)
    reason = refusal(run, one, side, plan)
    if reason is not None:
        run.block(reason)
        return
    order = Order(side=side, plan=plan, signal_row=row, signal_close=bar.close, units=NAN)
    price_order(run, one, order, filled_row=row + 1)
    if has_unknown_price(order):
        run.block(BLOCKED[r.NO_RISK])
        return
    price = expected_price(order)
    if plan.stop is not None:
        stop = first_stop(run, one, plan, side, price, row, filled_row=row + 1)
        if not side * (price - stop) > 0:
            run.block(BLOCKED[r.NO_RISK])
            return
    entry = plan.entry
    is_market = isinstance(entry, Market)
    fills_now = (
        run.fills_at_close
        and isinstance(entry, Market)
        and entry.at is None
        and entry.time_in_force not in (TimeInForce.OPG, TimeInForce.CLS)
    )
    # An order that rests states its units; one that takes the next price may leave them open until then.
    if not fills_now and not (is_market and run.config.execution.size_at == "fill"):
        sized = size(run, one, order, price, filled_row=row + 1)
        if isinstance(sized, str):
            run.block(sized)
            return
        if one.symbol not in run.positions:
            sized = min(sized, most_affordable(run, one, order, price))
        if sized < DUST:
            run.block(BLOCKED[r.NO_UNITS])
            return
        order.units = sized
    run.orders[one.symbol].append(order)
    if fills_now and one.symbol not in run.positions:
        order.seen_row = row
        enter(run, one, order, bar.close, AT_CLOSE, slips=True)
        expire_orders(run, one)


def expected_price(order: Order) -> float:
    """The price at which the order is meant to fill: its own, or the close where it has none."""
    if isinstance(order.plan.entry, Market):
        return order.signal_close
    return order.stop if isinstance(order.plan.entry, Stop) else order.limit


def refusal(run: Run, one: SymbolInput, side: int, plan: TradePlan) -> str | None:
    limits, row = run.config.limits, run.row[one.symbol]
    others_pending = {name for name, orders in run.orders.items() if orders and name != one.symbol}
    if one.symbol in run.closed_row and row - run.closed_row[one.symbol] < plan.cooldown_bars:
        return BLOCKED[r.COOLING_DOWN]
    if limits.trades_per_day_max is not None:
        pending = {name for name in others_pending if name not in run.positions}
        if run.day_trades + len(pending) >= limits.trades_per_day_max:
            return BLOCKED[r.TRADES_TODAY]
    loss = max(0.0, -run.day_pnl)
    if limits.loss_per_day_usd_max is not None and loss >= limits.loss_per_day_usd_max:
        return BLOCKED[r.LOSS_TODAY]
    if (
        limits.loss_per_day_fraction_max is not None
        and loss > 0
        and loss >= limits.loss_per_day_fraction_max * run.day_equity
    ):
        return BLOCKED[r.LOSS_TODAY]
    if limits.open_positions_max is not None:
        others = others_pending | {name for name in run.positions if name != one.symbol}
        if len(others) >= limits.open_positions_max:
            return BLOCKED[r.OPEN_POSITIONS]
    if side < 0 and not can_be_borrowed(run, one):
        return BLOCKED[r.NOT_SHORTABLE]
    return None


def can_be_borrowed(run: Run, one: SymbolInput) -> bool:
    most = run.config.execution.borrow_units_max
    step = run.terms(one).quantity_step
    return run.is_margin and run.terms(one).shortable and (most is None or most >= step)


def has_unknown_price(order: Order) -> bool:
    entry = order.plan.entry
    if isinstance(entry, Limit):
        return math.isnan(order.limit)
    if isinstance(entry, Stop):
        return math.isnan(order.stop)
    return isinstance(entry, StopLimit) and (math.isnan(order.limit) or math.isnan(order.stop))


def first_stop(
    run: Run,
    one: SymbolInput,
    plan: TradePlan,
    side: int,
    price: float,
    signal_row: int,
    *,
    filled_row: int,
) -> float:
    """Where the plan's stop lies for a position entered at that price."""
    assert plan.stop is not None, "asked only where the plan has a stop"
    return level(
        one,
        plan.stop,
        side=side,
        entry_price=price,
        risk=NAN,
        signal_row=signal_row,
        filled_row=filled_row,
        now_row=run.row[one.symbol],
    )


def size(run: Run, one: SymbolInput, order: Order, price: float, *, filled_row: int) -> float | str:
    """Units to enter at that price, or why there are none."""
    plan, terms = order.plan, run.terms(one)
    wanted, value = plan.size, price * terms.point_value
    if isinstance(wanted, RiskFraction):
        stop = first_stop(run, one, plan, order.side, price, order.signal_row, filled_row=filled_row)
        risk = order.side * (price - stop)
        if not risk > 0:
            return BLOCKED[r.NO_RISK]
    if price <= 0:
        return BLOCKED[r.NO_UNITS]
    if isinstance(wanted, Units):
        units = wanted.units
    elif isinstance(wanted, Notional):
        units = wanted.usd / value
    elif isinstance(wanted, CashFraction):
        units = bought_with(run, one, run.cash * wanted.fraction, price)
    elif isinstance(wanted, EquityFraction):
        fraction = wanted.fraction
        share = fraction if isinstance(fraction, float) else float(fraction[order.signal_row])
        units = equity(run) * share / value
    else:
        assert isinstance(wanted, RiskFraction), "the last kind"
        units = equity(run) * wanted.fraction / (risk * terms.point_value)
        if wanted.notional_max_usd is not None:
            units = min(units, wanted.notional_max_usd / value)
    if not units > 0:  # also where the size is not known
        return BLOCKED[r.NO_UNITS]
    if run.config.limits.position_usd_max is not None:
        units = min(units, run.config.limits.position_usd_max / value)
    units = down_to_step(units, terms.quantity_step)
    return units if units > 0 else BLOCKED[r.NO_UNITS]


def most_units(run: Run, one: SymbolInput, order: Order, price: float) -> float:
    """What limits on one position and on borrowing leave."""
    held = run.positions.get(one.symbol)
    have = 0.0 if held is None or held.side != order.side else held.units
    most = math.inf
    if run.config.limits.position_usd_max is not None and price > 0:
        most = run.config.limits.position_usd_max / (price * run.terms(one).point_value)
    if order.side < 0 and run.config.execution.borrow_units_max is not None:
        most = min(most, run.config.execution.borrow_units_max)
    return max(0.0, down_to_step(most - have, run.terms(one).quantity_step)) if most < math.inf else most


def may_fill_on_this_row(run: Run, one: SymbolInput, order: Order) -> bool:
    """Whether the order has begun to work by this row's opening."""
    entry, row = order.plan.entry, run.row[one.symbol]
    held = run.positions.get(one.symbol)
    if isinstance(entry, Market) and (
        entry.at is None or opens_first_at_or_after(one, row, minute_of_day(entry.at))
    ):
        order.is_due = True
    if entry.time_in_force is TimeInForce.CLS or (held is not None and held.side != order.side):
        return False
    if order.seen_row >= 0:
        return True
    if entry.time_in_force is TimeInForce.OPG:
        return is_first_of_day(one, row)
    return order.is_due or not isinstance(entry, Market)


def fill_at_session_close(run: Run, one: SymbolInput, order: Order) -> None:
    bar, row = run.bar(one), run.row[one.symbol]
    held = run.positions.get(one.symbol)
    if (
        not is_last_of_day(run, one, row)
        or order.signal_row == row
        or (held is not None and held.side != order.side)
    ):
        return
    order.seen_row = row
    entry = order.plan.entry
    if isinstance(entry, Market):
        enter(run, one, order, bar.close, AT_CLOSE, slips=True)
    elif isinstance(entry, Limit):
        if at_or_below(order.side, bar.close, order.limit):
            enter(run, one, order, bar.close, AT_CLOSE, slips=False)
    elif at_or_above(order.side, bar.close, resting_entry(run, one, order)):
        if isinstance(entry, Stop):
            enter(run, one, order, bar.close, AT_CLOSE, slips=True)
        elif at_or_below(order.side, bar.close, order.limit):
            enter(run, one, order, bar.close, AT_CLOSE, slips=True, worst=order.limit)


def enter(
    run: Run,
    one: SymbolInput,
    order: Order,
    raw_price: float,
    mode: str,
    *,
    slips: bool,
    worst: float = NAN,
) -> None:
    """Fill the order as far as money and volume allow. `worst`: a limit that slippage does not pass."""
    held = run.positions.get(one.symbol)
    if held is not None and held.side != order.side:
        return  # the opposite position has not left yet
    allowed = volume_left(run, one)
    side, row = order.side, run.row[one.symbol]

    def price_for(units: float) -> float:
        price = slipped(run, one, raw_price, side, units) if slips else raw_price
        return price if math.isnan(worst) else worse_of(side, price, worst)

    if math.isnan(order.units):
        sized = size(run, one, order, price_for(0.0), filled_row=row + 1 if mode == AT_CLOSE else row)
        if isinstance(sized, str):
            withdraw(run, one, order, sized)
            return
        order.units = sized
    price = price_for(min(order.units, allowed))
    order.units = min(order.units, most_affordable(run, one, order, price))
    if order.units < DUST:
        withdraw(run, one, order, BLOCKED[r.NO_UNITS])
        return
    if order.plan.entry.time_in_force is TimeInForce.FOK and order.units > allowed:
        withdraw(run, one, order, BLOCKED[r.EXPIRED])
        return
    units = min(order.units, allowed)
    if units <= 0:
        return
    price = price_for(units)
    take_position(run, one, order, units, price, mode, met_at=raw_price)
    order.units -= units
    order.filled = True
    run.orders[one.symbol] = [order] if order.units >= DUST else []


def take_position(
    run: Run, one: SymbolInput, order: Order, units: float, price: float, mode: str, *, met_at: float
) -> None:
    row, bar, side = run.row[one.symbol], run.bar(one), order.side
    held = run.positions.get(one.symbol)
    commission = commission_of(run, one, units, price)
    filled_row = row + 1 if mode == AT_CLOSE else row
    if held is None:
        held = Position(
            side=side,
            units=units,
            entered=units,
            entry_price=price,
            met_at=met_at,
            plan=order.plan,
            trade=run.trades,
            signal_row=order.signal_row,
            entry_row=row,
            entered_at_ns=bar.opened_at_ns + (run.given.span_ns if mode == AT_CLOSE else 0),
            mode=mode,
            financed_day=bar.day,
            stop_rule=order.plan.stop,
            best=price,
        )
        run.trades += 1
        if run.config.limits.trades_counted_at == "entry":
            run.day_trades += 1
        run.positions[one.symbol] = held
        if order.plan.trailing is not None:
            held.trail = price - side * trailing_distance(run, one, held, price, order.signal_row)
    else:
        held.entry_price = (held.entry_price * held.units + price * units) / (held.units + units)
        held.units += units
        held.entered += units
    if held.units == held.entered == units:  # the first fill sets the protection
        read_stop(run, one, held, filled_row=filled_row)
        held.risk = abs(held.entry_price - stop_in_force(held)[0])
    record(
        run,
        one,
        trade=held.trade,
        reason=REASONS[r.ENTRY],
        units=side * units,
        price=price,
        commission=commission,
    )
    run.taken[one.symbol] += units


def withdraw(run: Run, one: SymbolInput, order: Order, reason: str) -> None:
    """Take the order away; counted when nothing of it was filled."""
    run.orders[one.symbol] = [other for other in run.orders[one.symbol] if other is not order]
    if not order.filled:
        run.block(reason)


def expire_orders(run: Run, one: SymbolInput) -> None:
    """Withdraw the orders whose time in force ends with this bar."""
    for order in list(run.orders[one.symbol]):
        tif = order.plan.entry.time_in_force
        if order.seen_row < 0 or tif is TimeInForce.GTC:
            continue
        if tif is not TimeInForce.DAY or is_last_of_day(run, one, run.row[one.symbol]):
            withdraw(run, one, order, BLOCKED[r.EXPIRED])


# --- Leaving --------------------------------------------------------------------------------------------------


def leave(run: Run, one: SymbolInput, raw_price: float, reason: str) -> None:
    """Sell (or buy back) everything at the market; what volume does not allow goes on at the next opens."""
    held = run.positions[one.symbol]
    units = min(held.units, volume_left(run, one))
    if units > 0:
        price = slipped(run, one, raw_price, -held.side, units)
        close_units(run, one, units, price, reason, commission=commission_of(run, one, units, price))
        run.taken[one.symbol] += units
    stop_entering(run, one, held.side)
    if one.symbol in run.positions:
        held.leaving = reason


def leave_by_rule(run: Run, one: SymbolInput, held: Position, reason: str) -> None:
    """At this close where the run fills at the close, else at the next open."""
    if run.fills_at_close:
        leave(run, one, run.bar(one).close, reason)
    else:
        held.leaving = reason
        stop_entering(run, one, held.side)


def take_profit(run: Run, one: SymbolInput, k: int, price: float) -> None:
    """Fill target k at a limit price, as far as volume allows."""
    held = run.positions[one.symbol]
    target: Target = held.plan.targets[k]
    step = run.terms(one).quantity_step
    wanted = held.target_left.get(
        k, held.units if target.fraction == 1.0 else down_to_step(target.fraction * held.entered, step)
    )
    wanted = min(wanted, held.units)
    units = min(wanted, volume_left(run, one))
    if units > 0:
        close_units(
            run, one, units, price, REASONS[r.TARGET + k], commission=commission_of(run, one, units, price)
        )
        run.taken[one.symbol] += units
        stop_entering(run, one, held.side)
    if units < wanted:
        if units > 0:
            held.target_left[k] = wanted - units
        return
    held.target_row = run.row[one.symbol]
    finish_target(held, k)


def finish_target(held: Position, k: int) -> None:
    """Target k has sold its share; its stop takes over at the next bar."""
    held.target_left.pop(k, None)
    held.targets_done.add(k)
    then_stop = held.plan.targets[k].then_stop
    if then_stop is not None:
        held.next_stop_rule = then_stop


def close_units(
    run: Run, one: SymbolInput, units: float, price: float, reason: str, *, commission: float
) -> None:
    held = run.positions[one.symbol]
    run.day_pnl += held.side * (price - held.entry_price) * units * run.terms(one).point_value
    record(
        run,
        one,
        trade=held.trade,
        reason=reason,
        units=-held.side * units,
        price=price,
        commission=commission,
    )
    held.units -= units
    if held.units < DUST:
        ended_by_plan = reason == REASONS[r.CASH_IN_LIEU] or reason.startswith("target")
        if run.config.limits.trades_counted_at == "exit" and not ended_by_plan:
            run.day_trades += 1
        del run.positions[one.symbol]
        run.closed_row[one.symbol] = run.row[one.symbol]


def stop_entering(run: Run, one: SymbolInput, side: int) -> None:
    """A trade that leaves does not go on entering."""
    run.orders[one.symbol] = [order for order in run.orders[one.symbol] if order.side != side]


def follow_with_trailing_stop(run: Run, one: SymbolInput, held: Position) -> None:
    if held.plan.trailing is None:
        return
    bar, row, side = run.bar(one), run.row[one.symbol], held.side
    reach = bar.high if side > 0 else bar.low
    if held.entry_row == row and held.mode != AT_OPEN:
        reach = bar.close
    held.best = max(held.best, reach) if side > 0 else min(held.best, reach)
    followed = held.best - side * trailing_distance(run, one, held, held.best, row)
    if math.isnan(held.trail) or at_or_above(side, followed, held.trail):
        held.trail = followed


def time_is_up(run: Run, one: SymbolInput, held: Position) -> bool:
    row, plan = run.row[one.symbol], held.plan
    ended_ns = run.bar(one).opened_at_ns + run.given.span_ns
    if plan.hold_minutes is not None and ended_ns - held.entered_at_ns >= plan.hold_minutes * NS_PER_MINUTE:
        return True
    return plan.hold_bars is not None and row - held.entry_row >= plan.hold_bars


def margin_is_called(run: Run) -> bool:
    gross = gross_exposure(run)
    return run.is_margin and gross > 0 and equity(run) < run.config.account.maintenance_fraction * gross
