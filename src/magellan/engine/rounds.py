"""Rounds: bars that close at the same instant are decided on together, in the order of the config's symbols.

The backtest's steps 6 and 7 for each: the trade that is open, then the strategy's word, then new entries. A round waits
a moment for symbols whose bar is late; a bar that comes after that is decided on alone, if it is still in time.

Of hundreds of symbols few ask for an order. Those that do come first, so that their orders leave before anything is
written about the others, whose decisions follow in the next turn, whatever event that is. What a bar changed stands in
one record with its decision: a symbol that a kill left without one is decided on again, and nothing was sent for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from magellan.engine import purse
from magellan.engine.commands import Severity
from magellan.engine.deciding import Decider, Outlook, Raised, indicators
from magellan.engine.desk import Desk
from magellan.engine.entries import Blocked, Entries, Wish
from magellan.engine.events import BarClosed, BarCorrected
from magellan.engine.history import BarsOfAll, History, Taken
from magellan.engine.our_order import OurOrder, Role
from magellan.engine.plan_state import PlanState
from magellan.engine.planning import number
from magellan.engine.protection import Protection
from magellan.engine.state import DAY_START, steps
from magellan.engine.trades import advanced, entered_at_close, followed, has_time_exit, time_exit
from magellan.ledger.entries import Decision, FailureSeen, TradeMarked, WorkDone
from magellan.strategy.contract import CancelEntry, Enter, Exit, Holding, Intent, Moment, MoveStop, Side
from magellan.strategy.trade_plan import Market, TradePlan
from magellan.trading.bar import Bar, Bars, instant, nanoseconds
from magellan.trading.order import OrderSide, OrderStatus, OrderType
from magellan.trading.timeframe import SECOND_NS
from magellan.trading.trade_terms import TradeMarks

_REST = "rest of the round"  # when it is due
_NAMED_MAX = 10  # symbols in one sentence
_TOLD_AGAIN_S = 3600.0  # that the strategy's code raises, which it mostly does at every bar from then on
_EARLY_NS = (
    3 * SECOND_NS
)  # a bar that is told so long before its end is waited for; an earlier one is still forming


@dataclass(slots=True, kw_only=True)
class _Now:
    """A strategy's columns as they stand for a symbol, and its plans by side, made when they are first asked for."""

    outlook: Outlook
    plans: dict[int, TradePlan | None] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class _Look:
    """One symbol in a round."""

    symbol: str
    bar: Bar
    outlook: Outlook | None
    of: Bars  # the history that was looked at
    now: _Now | None
    raised: Raised | None = None
    asks: bool = False  # whether its columns want an entry
    wakes: bool = False  # whether `decide` is to be asked
    marks: TradeMarks | None = None
    reason: str | None = None  # of leaving the trade
    keeps: float = 0.0
    stop_moved: bool = False
    wanted: tuple[int, TradePlan | None] | None = None  # side and plan that `decide` asked for

    @property
    def is_urgent(self) -> bool:
        """Whether an order may follow."""
        return self.asks or self.reason is not None or self.wanted is not None or self.stop_moved


@dataclass(slots=True, kw_only=True)
class _Part:
    """Some symbols of a round, in the order of the config."""

    looks: list[_Look]
    start_ns: int
    day_equity: float
    late: str | None
    decided_at: datetime


class Rounds:
    """Takes bars in, and decides."""

    def __init__(self, desk: Desk, decider: Decider, entries: Entries, protection: Protection) -> None:
        self._desk = desk
        self._decider = decider
        self._entries = entries
        self._protection = protection
        self._places = {symbol: place for place, symbol in enumerate(desk.setup.symbols)}  # in the config
        self._waiting: dict[int, set[str]] = {}  # symbols whose bar has come, by the bar's start
        self._newest_round_ns = -1  # start of the newest bars that were decided on
        self._early: dict[str, BarClosed] = {}
        self._source = ""
        self._others = BarsOfAll(desk.histories)
        self._ahead: dict[str, _Look] = {}  # at bars whose round waits for others
        self._current: dict[str, _Now] = {}
        self._calm: set[str] = (
            set()
        )  # of those, the ones that want nothing: the order of another need not wait
        # What is recorded when the orders of a round have left: those that were looked at, out of those that came.
        self._rest: tuple[_Part, set[str], set[str]] | None = None
        self.failures = 0  # of the strategy's code, in this process
        self.refusal: str | None = None  # why nothing is entered, beside halts, breakers and limits

    # --- Bars -------------------------------------------------------------------------------------------------

    def begin(self, source: str) -> None:
        """Look at the history that the session begins with; decide on what closed while nobody was there."""
        desk = self._desk
        self._source = source
        newest = [
            history.newest_ns
            for symbol in desk.setup.symbols
            if (history := desk.histories[symbol]).newest_ns is not None
        ]
        if newest:
            desk.schedule.aligned_to(max(newest))
        self._tell_short_histories()
        for symbol in desk.setup.symbols:
            self._catch_up(symbol)
        starts: dict[int, set[str]] = {}
        for symbol in desk.setup.symbols:
            start_ns = desk.histories[symbol].newest_ns
            if start_ns is not None and desk.state.decided_ns.get(symbol, -1) < start_ns:
                starts.setdefault(start_ns, set()).add(symbol)
        for start_ns in sorted(starts):
            self._decide(start_ns, starts[start_ns])

    def _tell_short_histories(self) -> None:
        """A person is told which symbols have to wait for bars: the session looks idle otherwise, for days maybe."""
        desk = self._desk
        needed = desk.setup.config.data.warmup_bars
        short = [
            f"{symbol} has {count:,}"
            for symbol in desk.setup.symbols
            if (count := len(desk.histories[symbol])) < needed
        ]
        if short:
            named = ", ".join(short[:_NAMED_MAX]) + (
                f" and {more} more" if (more := len(short) - _NAMED_MAX) > 0 else ""
            )
            desk.alert(
                Severity.WARNING,
                f"data.warmup_bars asks for more than {needed:,} bars before an entry; {named}: nothing is "
                "entered there until as many have closed; the feed's history, or data.history_days, is too short",
            )

    def take(self, event: BarClosed | BarCorrected) -> None:
        """Take a bar in, and decide when its round is complete."""
        desk, bar = self._desk, event.bar
        history = desk.histories.get(event.symbol)
        if history is None:
            desk.alert(Severity.WARNING, f"a bar of {event.symbol} came, which is not ours", once_s=3600)
            return
        if not _is_sound(bar):
            desk.alert(Severity.WARNING, f"{event.symbol}: the bar of {bar.opened_at} makes no sense")
            return
        start_ns = nanoseconds(bar.opened_at)
        if len(history) == 0:
            desk.schedule.aligned_to(start_ns)
        ends_ns = desk.schedule.ends_ns(start_ns)
        if ends_ns > desk.now_ns:
            if isinstance(event, BarClosed) and ends_ns - desk.now_ns <= _EARLY_NS:
                self._early[event.symbol] = event
                desk.due(f"early {event.symbol}", ends_ns)
            return
        self._source = event.source
        self._decide_before(start_ns, event.symbol)
        taken = history.add(bar)
        if taken is Taken.CHANGED:
            desk.alert(Severity.INFO, f"{event.symbol}: the bar of {bar.opened_at} was corrected")
        if taken is not Taken.AGAIN:
            self.forget(event.symbol)
        if taken is not Taken.NEW or event.symbol not in self._places:
            return
        if desk.state.decided_ns.get(event.symbol, -1) >= start_ns:
            return
        came = self._waiting.setdefault(start_ns, set())
        came.add(event.symbol)
        if len(came) == len(desk.setup.symbols):
            self._decide(start_ns, self._waiting.pop(start_ns))
        else:
            if len(came) == 1:
                desk.due(f"round {start_ns}", self._waits_until_ns(start_ns, ends_ns))
            self._look_ahead(event.symbol)

    def _waits_until_ns(self, start_ns: int, ends_ns: int) -> int:
        """When a round is decided on though bars are missing. Daily bars are told minutes after their close."""
        now_ns = self._desk.now_ns
        wait_ns = int(self._desk.setup.timings.round_wait_s * SECOND_NS)
        if now_ns < ends_ns + wait_ns:
            return ends_ns + wait_ns
        return now_ns if start_ns <= self._newest_round_ns else now_ns + wait_ns

    def on_clock(self) -> None:
        """Decide on rounds that have waited long enough, and on bars that were told a little early."""
        desk = self._desk
        if not self._early and not self._waiting:
            return
        for symbol in list(self._early):
            if desk.is_due(f"early {symbol}"):
                desk.due(f"early {symbol}", None)
                self.take(self._early.pop(symbol))
        for start_ns in sorted(self._waiting):
            if desk.is_due(f"round {start_ns}"):
                desk.due(f"round {start_ns}", None)
                self._decide(start_ns, self._waiting.pop(start_ns))

    def current_plan(self, symbol: str, side: int) -> tuple[TradePlan, int] | None:
        """The strategy's plan as its columns stand now, and the newest row."""
        now = self._current.get(symbol)
        if now is None:
            return None
        if side not in now.plans:
            plan = self._decider.plan(now.outlook, side)
            if isinstance(plan, Raised):
                self._failed(plan)
            now.plans[side] = plan if isinstance(plan, TradePlan) else None
        plan_now = now.plans[side]
        return None if plan_now is None else (plan_now, now.outlook.row)

    def finish(self) -> None:
        """Record what a round left for later."""
        if self._rest is None:
            return
        (part, came, looked_at), self._rest = self._rest, None
        self._desk.due(_REST, None)
        for look in part.looks:
            # Anything may have been done about the trade since: its marks are followed from where they stand now.
            look.marks, look.reason = None, None
            self._follow(look, part.start_ns)
        self._conclude_with(part, came - looked_at)

    def forget(self, symbol: str) -> None:
        """Bars of a symbol are not what they were: what was looked at ahead of its round holds no more."""
        self._ahead.pop(symbol, None)
        self._calm.discard(symbol)

    # --- A round ----------------------------------------------------------------------------------------------

    def _decide_before(self, start_ns: int, symbol: str) -> None:
        """Decide on the rounds that wait with an older bar of this symbol: its newest bar is what is looked at."""
        older = sorted(each for each, came in self._waiting.items() if each < start_ns and symbol in came)
        for older_ns in older:
            self._decide(older_ns, self._waiting.pop(older_ns))
        if older:
            self.finish()

    def _decide(self, start_ns: int, came: set[str]) -> None:
        for older_ns in sorted(each for each in self._waiting if each < start_ns):
            self._decide(older_ns, self._waiting.pop(older_ns))
        self.finish()
        self._newest_round_ns = max(self._newest_round_ns, start_ns)
        desk = self._desk
        desk.due(f"round {start_ns}", None)
        day_equity = self._day_equity(start_ns)
        active = desk.state.active
        first: list[_Look] = []
        rest: list[_Look] = []
        # Those that want nothing are not even looked at before the orders have left.
        looked_at = (came - self._calm) | {symbol for symbol in active if symbol in came}
        for symbol in sorted(looked_at, key=self._places.__getitem__):
            look = self._look(symbol)
            if symbol in active:
                self._follow(look, start_ns)
            if look.asks or look.wakes or look.reason is not None:
                first.append(look)
            else:
                rest.append(look)
        for look in first:
            if look.wakes:
                self._ask(look)
        rest += [look for look in first if not look.is_urgent]
        first = [look for look in first if look.is_urgent]
        urgent = _Part(
            looks=first,
            start_ns=start_ns,
            day_equity=day_equity,
            late=self._lateness(start_ns),
            decided_at=desk.now,
        )
        self._conclude(urgent)
        others = replace(urgent, looks=rest)
        if first and (rest or len(looked_at) < len(came)):
            self._rest = others, came, looked_at
            desk.due(_REST, desk.now_ns)
        else:
            self._conclude_with(others, came - looked_at)

    def _conclude_with(self, part: _Part, symbols: set[str]) -> None:
        """As `_conclude`, and symbols that were not looked at yet."""
        part.looks += [self._look(symbol) for symbol in sorted(symbols, key=self._places.__getitem__)]
        part.looks.sort(key=lambda look: self._places[look.symbol])
        self._conclude(part)

    def _conclude(self, of: _Part) -> None:
        """Doubt and mark trades, enter, and record the decisions."""
        desk = self._desk
        for look in of.looks:
            if look.symbol in desk.state.active:
                self._doubt(look)
                self._mark(look)
        for look in of.looks:
            self._enter(look, of)
            if look.symbol in desk.state.active:
                self._entries.follow_columns(look.symbol)
                desk.touched.add(look.symbol)

    def _look_ahead(self, symbol: str) -> None:
        """Ask for features while the round still waits, as long as they have never read another symbol's bars."""
        if self._others.were_read:
            return
        look = self._looked(symbol)
        if look.now is not None:
            self._plan_ahead(look.now)
        if not self._others.were_read:
            self._ahead[symbol] = look
            if look.now is not None and not look.asks and not look.wakes:
                self._calm.add(symbol)

    def _plan_ahead(self, now: _Now) -> None:
        """Make the plans that the columns ask for; one that raises is asked for again, and counted, in its round."""
        for side, asks in ((1, now.outlook.enter_long), (-1, now.outlook.enter_short)):
            plan = self._decider.plan(now.outlook, side) if asks else None
            if isinstance(plan, TradePlan):
                now.plans[side] = plan

    def _look(self, symbol: str) -> _Look:
        """What the strategy says of a symbol's newest bar, which is its present from now on."""
        look = self._ahead.get(symbol)
        self.forget(symbol)
        if look is None or look.of is not self._desk.histories[symbol].bars:
            look = self._looked(symbol)
        if look.now is not None:
            self._current[symbol] = look.now
            return look
        assert look.raised is not None, "columns that cannot be had were refused"
        self._failed(look.raised)
        self._current.pop(symbol, None)
        return look

    def _looked(self, symbol: str) -> _Look:
        bars = self._desk.histories[symbol].bars
        warmed_up = len(bars) > self._desk.setup.config.data.warmup_bars
        outlook = self._decider.outlook(bars, self._others, warmed_up=warmed_up)
        bar = bars.bar(len(bars) - 1)
        if isinstance(outlook, Raised):
            return _Look(symbol=symbol, bar=bar, outlook=None, of=bars, now=None, raised=outlook)
        return _Look(
            symbol=symbol,
            bar=bar,
            outlook=outlook,
            of=bars,
            now=_Now(outlook=outlook),
            asks=outlook.enter_long or outlook.enter_short,
            wakes=outlook.wake,
        )

    def _doubt(self, look: _Look) -> None:
        """Ask the broker when a bar went through the price of an order that nobody told to have filled."""
        state = self._desk.state
        for plan in state.under_way(look.symbol):
            for order in state.live(plan):
                if order.asked_at > look.bar.opened_at:
                    continue
                if state.status(order) is not OrderStatus.HELD and _went_through(order, look.bar):
                    self._desk.ask()
                    return

    def _follow(self, look: _Look, start_ns: int) -> None:
        """What the bar does to an open trade: its trailing stop, and whether it is left."""
        desk = self._desk
        plan = desk.state.open_plan(look.symbol)
        if plan is None or plan.marks is None or plan.marks.entry_bar_ns is None:
            return
        if start_ns < plan.marks.entry_bar_ns:
            # Entered while this bar was on its way: columns are read anew all the same.
            look.marks = plan.marks
            return
        if start_ns == plan.marks.entry_bar_ns and entered_at_close(plan, desk.schedule):
            look.marks = replace(plan.marks, bar_ns=start_ns, bars_held=plan.marks.bars_held + 1)
            return
        look.marks = followed(plan, look.bar, desk.schedule, self.current_plan)
        if plan.marks.leaving is not None and plan.marks.keeps_units == 0:
            return
        look.reason = time_exit(plan, start_ns, look.marks.bars_held, desk.schedule)
        outlook = look.outlook
        if look.reason is not None or outlook is None:
            return
        if outlook.exit_long if plan.side > 0 else outlook.exit_short:
            look.reason = "exit rule"

    def _ask(self, look: _Look) -> None:
        """Ask `decide`, and note what it wants."""
        desk, state = self._desk, self._desk.state
        plan = state.open_plan(look.symbol)
        held = float(state.book.quantity(look.symbol))
        early = plan is not None and self._entered_after(plan, look.bar)
        if early:
            plan, held = None, 0.0  # when the bar closed, that entry was still to come
        assert look.outlook is not None, "only what could be looked at is asked"
        marks = None if plan is None else plan.marks
        opened_ns = None if marks is None else marks.entry_bar_ns
        moment = Moment(
            symbol=look.symbol,
            at=instant(nanoseconds(look.bar.opened_at) + desk.schedule.span_ns),
            bar=look.bar,
            row=look.outlook.row,
            holding=Holding(
                units=held,
                entry_price=plan.average_price if plan is not None and held else math.nan,
                opened_at=instant(opened_ns) if opened_ns is not None and held else None,
                bars_held=look.marks.bars_held if look.marks is not None and held else 0,
                stop=number(marks.stop) if marks is not None and held else math.nan,
            ),
            cash_usd=float(purse.cash(desk)),
            equity_usd=purse.equity(desk),
            entry_pending=early or self._entries.waiting(look.symbol),
            _features=look.outlook.features.columns,  # type: ignore[arg-type]
        )
        answer = self._decider.decide(moment)
        if isinstance(answer, Raised):
            self._failed(answer)
        elif answer is not None:
            self._take_up(look, plan, answer)

    @staticmethod
    def _entered_after(plan: PlanState, bar: Bar) -> bool:
        """Whether a trade was entered before anybody heard of a bar that had closed by then."""
        return (
            plan.marks is not None
            and plan.marks.entry_bar_ns is not None
            and plan.marks.entry_bar_ns > nanoseconds(bar.opened_at)
        )

    def _take_up(self, look: _Look, plan: PlanState | None, intent: Intent) -> None:
        desk = self._desk
        match intent:
            case Enter(side=side, plan=own):
                look.wanted = (1 if side is Side.LONG else -1, own)
            case Exit(fraction=fraction, reason=reason):
                self._ask_to_leave(look, plan, fraction, reason)
            case MoveStop(price=price):
                if not math.isfinite(price):
                    self._nonsense(look, f"moved a stop to {price}")
                elif look.marks is not None:
                    look.marks = replace(look.marks, stop=price, stop_slot=None)
                    look.stop_moved = True
            case CancelEntry():
                for each in desk.state.under_way(look.symbol):
                    for order in desk.state.working(each, Role.ENTRY):
                        desk.cancel(order, "the strategy withdrew it")
                self._entries.drop_waiting(look.symbol)
            case _:
                self._nonsense(look, f"returned {type(intent).__name__}, which is not an intent")

    def _ask_to_leave(self, look: _Look, plan: PlanState | None, fraction: float, reason: str) -> None:
        if plan is None or (look.reason is not None and look.keeps == 0):
            return
        if not 0 < fraction <= 1:
            self._nonsense(look, f"asked to leave {fraction} of a position")
            return
        held = abs(float(self._desk.state.book.quantity(look.symbol)))
        if fraction >= 1:
            look.reason, look.keeps = reason, 0.0
            return
        step = self._desk.setup.config.instrument(look.symbol).quantity_step
        leaves = float(steps(fraction * held, step))
        if leaves > 0:
            look.reason, look.keeps = reason, held - leaves

    def _mark(self, look: _Look) -> None:
        """Keep where the trade stands now, with the stop that holds for the bar to come."""
        desk = self._desk
        plan = desk.state.open_plan(look.symbol)
        if plan is None or look.marks is None:
            return
        marks = look.marks
        if look.stop_moved:
            marks = replace(
                marks,
                targets_done=advanced(
                    plan,
                    marks,
                    desk.setup.config.instrument(look.symbol).quantity_step,
                    look.bar,
                    self.current_plan,
                ).targets_done,
            )
        else:
            step = desk.setup.config.instrument(look.symbol).quantity_step
            marks = advanced(plan, marks, step, look.bar, self.current_plan)
        if look.reason is not None:
            marks = replace(marks, leaving=look.reason, keeps_units=look.keeps)
        desk.note(TradeMarked(plan_id=plan.plan_id, marks=marks))

    # --- Entries ----------------------------------------------------------------------------------------------

    def _enter(self, look: _Look, of: _Part) -> None:
        desk, state, start_ns = self._desk, self._desk.state, of.start_ns
        held = state.book.quantity(look.symbol)
        plan = state.open_plan(look.symbol)
        leaving_all = (
            plan is not None
            and plan.marks is not None
            and plan.marks.leaving is not None
            and plan.marks.keeps_units == 0
        )
        wishes: list[tuple[int, TradePlan | None]] = []
        pending = self._entries.waiting(look.symbol)
        if look.wanted is not None:
            own = look.wanted[1] or self._own_plan(look.symbol, look.wanted[0])
            market = own is not None and isinstance(own.entry, Market)
            if not (pending and market):
                wishes.append(look.wanted)
        elif look.outlook is not None and not pending:
            if look.outlook.enter_long:
                wishes.append((1, None))
            if look.outlook.enter_short:
                wishes.append((-1, None))
        action, reasoning = ("hold", "") if held else ("nothing", "")
        decision_id = f"{look.symbol}-{instant(start_ns).isoformat()}"
        if look.reason is not None:
            action, reasoning = "exit", look.reason
        for side, own in wishes:
            free = held == 0 or ((held > 0) != (side > 0) and leaving_all)
            if not free:
                continue
            action = "enter_long" if side > 0 else "enter_short"
            refused = of.late if of.late is not None else self.entries_refused
            if refused is None:
                blocked = self._follow_wish(look, side, own, start_ns, decision_id, of.day_equity)
            else:
                blocked = Blocked(reason=refused)
            if blocked is not None:
                reasoning = blocked.reason
        if desk.setup.keeps_every_decision or action not in ("hold", "nothing"):
            seen = {} if look.outlook is None else indicators(look.outlook)
            self._note(look, of, decision_id, action, reasoning, seen)
        else:
            state.decided_ns[look.symbol] = start_ns

    def _follow_wish(
        self,
        look: _Look,
        side: int,
        own: TradePlan | None,
        start_ns: int,
        decision_id: str,
        day_equity: float,
    ) -> Blocked | None:
        plan = own or self._own_plan(look.symbol, side)
        if plan is None or look.outlook is None:
            return Blocked(reason="the strategy's plan cannot be had")
        return self._entries.follow(
            Wish(
                symbol=look.symbol,
                side=side,
                plan=plan,
                row=look.outlook.row,
                bar_ns=start_ns,
                decision_id=decision_id,
                reasoning="long" if side > 0 else "short",
                indicators=tuple(look.outlook.features.columns),
            ),
            day_equity=day_equity,
        )

    @property
    def entries_refused(self) -> str | None:
        """What keeps every entry back, whatever it is; None: nothing that a round knows of."""
        desk = self._desk
        if self.refusal is not None:
            return self.refusal
        if desk.ending is not None:
            return "the session is about to end"
        if self.failures >= desk.setup.failures_max:
            return f"the strategy's code failed {self.failures} times"
        if desk.setup.sends and desk.setup.capabilities.order_stream and not desk.orders_up:
            return "the broker's order stream is down"
        return None

    def _note(
        self,
        look: _Look,
        of: _Part,
        decision_id: str,
        action: str,
        reasoning: str,
        seen: dict[str, float | None],
    ) -> None:
        desk = self._desk
        desk.note(
            Decision(
                decision_id=decision_id,
                strategy=desk.setup.began.strategy,
                symbol=look.symbol,
                bar_opened_at=look.bar.opened_at,
                bar_closed_at=instant(desk.schedule.ends_ns(of.start_ns)),
                bar_received_at=of.decided_at,
                bar_source=self._source,
                action=action,
                price=Decimal(repr(look.bar.close)),
                reasoning=reasoning,
                indicators=seen,
            )
        )

    def _lateness(self, start_ns: int) -> str | None:
        """Why an entry on this bar would come too late; None when it is in time."""
        desk = self._desk
        goes_on = desk.schedule.trading_goes_on_ns(desk.schedule.ends_ns(start_ns))
        if goes_on is None:
            return "the calendar ends here"
        late_s = (desk.now_ns - goes_on) / SECOND_NS
        if late_s <= desk.setup.timings.decide_within_s:
            return None
        return f"the bar's close was decided on {late_s:.0f} s after trading went on"

    def _own_plan(self, symbol: str, side: int) -> TradePlan | None:
        found = self.current_plan(symbol, side)
        return None if found is None else found[0]

    def _day_equity(self, start_ns: int) -> float:
        """Our equity before the first bar of this bar's day; computed once a day, and kept."""
        desk = self._desk
        on = desk.exchange_day(start_ns)
        known = desk.state.day_equity.get(on)
        if known is None:
            known = purse.equity(desk, before_ns=start_ns)
            desk.note(WorkDone(name=DAY_START, session_on=on, detail=repr(known)))
        return known

    # --- Clocks -----------------------------------------------------------------------------------------------

    def leave_on_time(self, symbol: str) -> None:
        """Leave a trade whose time ends with the running bar, shortly before that closes."""
        desk = self._desk
        name = f"close {symbol}"
        desk.due(name, None)
        plan = desk.state.open_plan(symbol)
        if plan is None or plan.marks is None or not has_time_exit(plan):
            return
        if plan.marks.leaving is not None and plan.marks.keeps_units == 0:
            return
        schedule, lead_ns = desk.schedule, int(desk.setup.timings.close_lead_s * SECOND_NS)
        session = schedule.session_at(desk.now_ns)
        if session is None:
            entered = schedule.session_of_bar(plan.marks.entry_bar_ns or 0)
            if plan.terms.exits_with_session and entered is not None and entered.closes_ns <= desk.now_ns:
                self._protection.leave(plan, "session end")
                return
            after = schedule.next_session(desk.now_ns)
            desk.due(name, None if after is None else after.opens_ns)
            return
        start_ns = schedule.bar_at(desk.now_ns)
        if (
            plan.terms.exits_with_session
            and plan.marks.entry_bar_ns is not None
            and schedule.day_of_bar(plan.marks.entry_bar_ns) < schedule.day_of_bar(start_ns)
        ):
            self._protection.leave(plan, "session end")  # its session ended while nobody was there
            return
        leaves_ns = schedule.ends_ns(start_ns) - lead_ns
        closed = plan.marks.bar_ns >= start_ns
        if desk.now_ns >= leaves_ns:
            # In the last moments of a bar that has closed, by a clock that was set back since, nothing is left to do.
            reason = None if closed else time_exit(plan, start_ns, plan.marks.bars_held + 1, schedule)
            if reason is not None:
                self._protection.leave(plan, reason)
                return
            leaves_ns = schedule.ends_ns(start_ns + schedule.span_ns) - lead_ns
        desk.due(name, leaves_ns)

    # --- Details ----------------------------------------------------------------------------------------------

    def _catch_up(self, symbol: str) -> None:
        """Let an open trade follow bars that closed while nobody was there, all but the newest."""
        desk = self._desk
        history: History = desk.histories[symbol]
        plan = desk.state.open_plan(symbol)
        if len(history) == 0:
            return
        self._look(symbol)
        if plan is None or plan.marks is None:
            return
        for row in list(history.rows_after(plan.marks.bar_ns))[:-1]:
            bar = history.bars.bar(row)
            if plan.marks.entry_bar_ns is not None and nanoseconds(bar.opened_at) >= plan.marks.entry_bar_ns:
                desk.note(
                    TradeMarked(
                        plan_id=plan.plan_id,
                        marks=followed(plan, bar, desk.schedule, self.current_plan),
                    )
                )

    def _nonsense(self, look: _Look, answer: str) -> None:
        """decide raised nothing, and what it answered cannot be done."""
        self._failed(Raised(where=f"{look.symbol}: decide", error=answer), did="")

    def _failed(self, raised: Raised, *, did: str = "raised ") -> None:
        desk = self._desk
        self.failures += 1
        desk.note(FailureSeen(where=raised.where, error=raised.error))
        stopped = self.failures >= desk.setup.failures_max
        desk.alert(
            Severity.CRITICAL if stopped else Severity.WARNING,
            f"{raised.where} {did}{raised.error}" + ("; nothing is entered any more" if stopped else ""),
            once_s=_TOLD_AGAIN_S,
            about=f"{raised.where}, {stopped}",
        )


def _went_through(order: OurOrder, bar: Bar) -> bool:
    """Whether an order that worked all through a bar must have filled, as far as a bar can tell."""
    buys = order.side is OrderSide.BUY
    if order.type is OrderType.MARKET:
        return True
    if order.type is OrderType.LIMIT:
        return order.limit is not None and (bar.low < order.limit if buys else bar.high > order.limit)
    return order.stop is not None and (bar.high > order.stop if buys else bar.low < order.stop)


def _is_sound(bar: Bar) -> bool:
    prices = (bar.open, bar.high, bar.low, bar.close)
    return (
        all(math.isfinite(price) and price > 0 for price in prices)
        and bar.low <= min(bar.open, bar.close)
        and bar.high >= max(bar.open, bar.close)
        and bar.volume >= 0
    )
