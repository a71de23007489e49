"""A world for a session: a market, a simulated broker, a wire between them, a ledger, and one clock for all.

Everything is in this process and happens in the order of its instants. One seed decides everything.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np

from magellan.adapters.simulated.bar_tape import BarTape
from magellan.adapters.simulated.broker_core import BrokerCore
from magellan.adapters.simulated.faults import NO_FAULTS, BrokerFaults
from magellan.engine import commands as c
from magellan.engine import events as e
from magellan.engine.session import Session
from magellan.engine.setup import SessionSetup
from magellan.ledger.entries import AnswerTo, NewEntry
from magellan.trading.answer import Unknown
from magellan.trading.bar import Bar, Bars, instant, nanoseconds
from magellan.trading.corporate_action import CorporateAction, Split
from magellan.trading.order import OrderEvent
from magellan.trading.timeframe import SECOND_NS

MS = 1_000_000
NEVER_NS = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class WireFaults:
    """What goes wrong between session and broker, and to the session itself. Rates between 0 and 1."""

    request_lost: float = 0.0  # a submit, replace or cancel never arrives; the answer is Unknown
    answer_lost: float = 0.0  # it arrives, and its answer does not
    answer_late: float = 0.0  # the answer comes seconds later
    question_lost: float = 0.0  # a look-up or a question gets no answer
    event_lost: float = 0.0  # of order events
    event_twice: float = 0.0
    event_late: float = 0.0  # seconds later, so that events overtake each other
    bar_lost: float = 0.0
    bar_twice: float = 0.0
    bar_late: float = 0.0
    bar_forming: float = 0.0  # told half-way through, in the shape of a closed one
    killed: float = 0.0  # between any two commands
    torn: float = 0.0  # in the middle of a record: nothing of it is durable
    stream_lost: float = 0.0  # per bar: the order stream goes down for a while


NO_WIRE_FAULTS = WireFaults()


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFaults:
    """What befalls the host, the exchange or the account on some days. Rates between 0 and 1, per trading day."""

    clock_set: float = 0.0  # the host's clock is set, forward or back, beside the broker's
    stands_still: float = 0.0  # the process gets no turn for a while, and then everything at once
    disk_full: float = 0.0  # nothing can be recorded for a while; the session is started again and again
    halted: float = 0.0  # the exchange halts a symbol, and lets it go on elsewhere
    split: float = 0.0  # over night
    dividend: float = 0.0  # over night
    money_moved: float = 0.0  # a person brings money, or takes some out


NO_DAY_FAULTS = DayFaults()


@dataclass(slots=True)
class World:
    """One session's whole surroundings."""

    make_setup: Callable[[int], SessionSetup]  # of the n-th start
    tape: BarTape
    core: BrokerCore
    future: Mapping[str, Bars]  # bars still to come, by symbol
    past: Mapping[str, Bars]  # warm-up history
    start_ns: int
    chance: random.Random
    wire: WireFaults = NO_WIRE_FAULTS
    actions: tuple[CorporateAction, ...] = ()
    host_ahead_ns: int = 0  # of the host's clock, before the broker's
    host_was_ahead_ns: list[int] = field(default_factory=lambda: [0])  # all that it has been
    disk_full_until_ns: int = 0
    still_until_ns: int = 0  # the process gets no turn until then
    gone_ns: int = 0  # for how long there was no process, all together
    money_moved_usd: Decimal = Decimal(0)
    struck: Counter[str] = field(default_factory=Counter)  # faults, by name
    check: Callable[[World], None] | None = None
    ledger: list[NewEntry] = field(default_factory=list)
    alerts: list[c.Alert] = field(default_factory=list)
    stopped: c.Stop | None = None
    sent: dict[str, int] = field(default_factory=dict)  # submits and replaces per name
    now_ns: int = 0
    starts: int = 0
    kills: int = 0
    session: Session | None = None
    revive: bool = True
    _queue: list[tuple[int, int, str, Any]] = field(default_factory=list)
    _number: int = 0
    _wakes: dict[str, int] = field(default_factory=dict)
    _told: dict[str, list[Bar]] = field(default_factory=dict)  # bars the feed has closed so far
    _told_of: set[tuple[str, datetime]] = field(default_factory=set)  # of those, symbols and starts
    _generation: int = 0
    listened_anew: int = 0
    _stream_up_ns: int = 0
    _gone_since_ns: int | None = None
    _halts: list[tuple[str, int, int]] = field(default_factory=list)  # symbol, from and to, of all
    _ahead_ns: int = 0  # of the session's time, before the broker's
    _now: tuple[int, datetime] = (0, instant(0))  # the newest instant that was asked for, in ns and as a time
    touched_inputs: bool = False

    # --- Running ----------------------------------------------------------------------------------------------

    def run(self, until_ns: int) -> None:
        """Let time pass until an instant."""
        if self.session is None and self.stopped is None and self.starts == 0:
            self.now_ns = self.start_ns
            self.core.advance(self.start_ns)
            self._feed()
            self._start()
        while self._step(until_ns):
            pass
        self.now_ns = max(self.now_ns, until_ns)
        self.core.advance(self.now_ns)

    def _step(self, until_ns: int) -> bool:
        """Let the next thing happen: of those due at one instant the queue's, then the broker's, then a wake.

        False: nothing is left to happen until then.
        """
        queued_ns = self._queue[0][0] if self._queue else NEVER_NS
        broker_ns = self.core.next_due_ns()
        if broker_ns is None:
            broker_ns = NEVER_NS
        woken_ns, name = NEVER_NS, ""
        if self.session is not None and self._wakes:
            due_ns, name = min((ns, name) for name, ns in self._wakes.items())
            woken_ns = max(due_ns - self._ahead_ns, self.still_until_ns, self.now_ns)
        next_ns = min(queued_ns, broker_ns, woken_ns)
        if next_ns > until_ns:
            return False
        self.now_ns = max(self.now_ns, next_ns)
        if queued_ns <= self.now_ns:
            _, _, kind, payload = heapq.heappop(self._queue)
            self._advance()
            self._happen(kind, payload)
        elif broker_ns <= self.now_ns:
            self._advance()
        else:
            del self._wakes[name]
            self.tell(e.Woke(at=self.now, name=name))
        return True

    def _advance(self) -> None:
        """Let the broker come up to the present, and send what happened there."""
        self.core.advance(self.now_ns)
        self._broker_events()

    @property
    def now(self) -> datetime:
        """The present as the session lives it."""
        at_ns = self.now_ns + self._ahead_ns
        if self._now[0] != at_ns:
            self._now = (at_ns, instant(at_ns))
        return self._now[1]

    @property
    def skew_s(self) -> float:
        """The session's clock less the broker's."""
        return self._ahead_ns / SECOND_NS

    def trades(self, symbol: str) -> bool:
        """Whether a symbol trades, by our clock too: what a session takes for night, it leaves for the morning."""
        if symbol in self.core.halted or self.tape.running(symbol, self.now_ns) is None:
            return False
        return not self._ahead_ns or self.tape.running(symbol, self.now_ns + self._ahead_ns) is not None

    def later(self, delay_ns: int, kind: str, payload: Any) -> None:
        self.at(self.now_ns + delay_ns, kind, payload)

    def at(self, at_ns: int, kind: str, payload: Any) -> None:
        self._number += 1
        heapq.heappush(self._queue, (at_ns, self._number, kind, payload))

    def _happen(self, kind: str, payload: Any) -> None:
        if self.now_ns < self.still_until_ns and kind in ("bar", "event"):
            self.at(self.still_until_ns, kind, payload)
        elif kind == "start":
            if self.session is None and self.stopped is None:
                if self.now_ns < self._stream_up_ns:  # a session begins once it listens to its orders
                    self.at(self._stream_up_ns, kind, payload)
                else:
                    self._start()
        elif kind == "do":
            payload()
        elif kind == "bar":
            symbol, bar, forming = payload
            if self._falls_into_a_halt(symbol, bar):
                return
            if not forming:
                told = self._told[symbol]
                if self._is_new(symbol, bar):
                    told.append(bar)
                    told.sort(key=lambda each: each.opened_at)
            self.tell(e.BarClosed(at=self.now, symbol=symbol, bar=bar, source="sim"))
        elif kind == "closed":  # the bar exists from now on for whoever asks the history, told or not
            symbol, bar = payload
            if not self._falls_into_a_halt(symbol, bar) and self._is_new(symbol, bar):
                self._told[symbol].append(bar)
        elif kind == "event":
            generation, event = payload
            if generation == self._generation:
                self.tell(event(at=self.now))

    def _is_new(self, symbol: str, bar: Bar) -> bool:
        """Whether the feed closes a bar for the first time, and that it has from now on."""
        of = symbol, bar.opened_at
        if of in self._told_of:
            return False
        self._told_of.add(of)
        return True

    # --- The session ------------------------------------------------------------------------------------------

    def _start(self) -> None:
        if self._gone_since_ns is not None:
            self.gone_ns += self.now_ns - self._gone_since_ns
            self._gone_since_ns = None
        setup = self.make_setup(self.starts)
        self.starts += 1
        self._generation += 1
        self._wakes = {}
        self._ahead_ns = self.host_ahead_ns
        self.session = Session(setup, list(self.ledger))
        since = self.session.asks_since or self.now - timedelta(days=1)
        history = {symbol: self._history(symbol) for symbol in self.past}
        self.tell(
            e.Started(
                at=self.now,
                facts=self._facts(since),
                history=history,
                source="sim",
                actions=self.actions,
            )
        )
        self.later(1 * MS, "event", (self._generation, e.OrdersUp))

    def _history(self, symbol: str) -> Bars:
        past = self.past[symbol]
        told = self._told.get(symbol, [])
        if not told:
            return past
        at_ns = np.concatenate(
            (past.opened_at_ns, np.array([nanoseconds(bar.opened_at) for bar in told], dtype=np.int64))
        )
        columns = {
            name: np.concatenate((getattr(past, name), np.array([getattr(bar, name) for bar in told])))
            for name in ("open", "high", "low", "close", "volume")
        }
        for action in self.actions:  # who tells the history tells it on the present basis
            if isinstance(action, Split) and action.symbol == symbol and action.effective_at <= self.now:
                before = at_ns < nanoseconds(action.effective_at)
                for name, column in columns.items():
                    column[before] *= action.share_factor if name == "volume" else action.price_factor
        return Bars(symbol=symbol, timeframe=past.timeframe, opened_at_ns=at_ns, **columns)

    def tell(self, event: e.Event) -> None:
        """Hand an event to the session, and carry its commands out."""
        if self.session is None:
            return
        commands = self.session.handle(event)
        for at, command in enumerate(commands):
            if isinstance(command, c.Record) and self._cannot_be_kept():
                # The driver carries out nothing that follows, and ends; whoever watches it starts it again.
                self.kill(up_to_s=8.0 if self.now_ns >= self.disk_full_until_ns else 120.0)
                return
            self._carry_out(command)
            if self.session is None:
                return
            if at + 1 < len(commands) and self._strikes("killed"):
                self.kill()
                return
        if self.check is not None:
            self.check(self)

    def _cannot_be_kept(self) -> bool:
        if self.now_ns < self.disk_full_until_ns:
            self.struck["disk_full"] += 1
            return True
        return self._strikes("torn")

    def kill(self, *, up_to_s: float = 8.0) -> None:
        """The process is gone, and starts again a few seconds later."""
        self.kills += 1
        self.session = None
        self._gone_since_ns = self.now_ns
        self._generation += 1
        self._wakes = {}
        self.later(int(self.chance.uniform(0.5, up_to_s) * SECOND_NS), "start", None)

    def _carry_out(self, command: c.Command) -> None:
        match command:
            case c.Record(entries=entries):
                self.ledger.extend(entries)
            case c.Submit(request=request):
                self.sent[request.client_order_id] = self.sent.get(request.client_order_id, 0) + 1
                self._change(AnswerTo.SUBMIT, request.client_order_id, lambda: self.core.submit(request))
            case c.Replace(broker_order_id=broker_id, change=change):
                self._change(
                    AnswerTo.REPLACE, change.client_order_id, lambda: self.core.replace(broker_id, change)
                )
            case c.Cancel(broker_order_id=broker_id, client_order_id=name):
                self._change(AnswerTo.CANCEL, name, lambda: self.core.cancel(broker_id))
            case c.LookUp(client_order_id=name):
                if self._strikes("question_lost"):
                    self._answer(partial(e.NotTold, why="lost", client_order_id=name), 5 * SECOND_NS)
                else:
                    self._answer(partial(e.LookedUp, client_order_id=name, order=self.core.order(name)))
            case c.AskBroker(since=since):
                if self._strikes("question_lost"):
                    self._answer(partial(e.NotTold, why="lost"), 5 * SECOND_NS)
                else:
                    self._answer(partial(e.BrokerTold, facts=self._facts(since)))
            case c.ListenAnew(why=why):
                self._listen_anew(why)
            case c.WakeAt(at=at, name=name):
                self._wakes[name] = nanoseconds(at)
            case c.Alert():
                self.alerts.append(command)
            case c.Stop():
                self.stopped = command
                self.session = None

    def _change(self, to: AnswerTo, name: str, act: Callable[[], Any]) -> None:
        self.core.advance(self.now_ns)
        lost = partial(e.Answered, to=to, client_order_id=name, answer=Unknown(why="lost"))
        if self._strikes("request_lost"):
            self._touch()
            self._answer(lost, int(self.chance.uniform(1, 10) * SECOND_NS))
            return
        answer = act()
        self._broker_events()
        told = partial(e.Answered, to=to, client_order_id=name, answer=answer)
        if self._strikes("answer_lost"):
            self._touch()
            self._answer(lost, int(self.chance.uniform(1, 10) * SECOND_NS))
        elif self._strikes("answer_late"):
            self._touch()
            self._answer(told, int(self.chance.uniform(0.5, 8) * SECOND_NS))
        else:
            self._answer(told)

    def _answer(self, event: Callable[..., e.Event], delay_ns: int = 2 * MS) -> None:
        """Tell the session later, unless it is killed before. event: makes it, given the instant of its arrival."""
        self.later(delay_ns, "event", (self._generation, event))

    def _facts(self, since: datetime) -> e.BrokerFacts:
        self.core.advance(self.now_ns)
        since_ns = nanoseconds(since)
        now = self.now
        return e.BrokerFacts(
            account=self.core.account(as_of=now),
            positions=self.core.positions_told(),
            orders=self.core.open_orders_and_since(since_ns),
            executions=self.core.executions_since(since_ns),
            clock=e.ClockRead(asked_at=now, broker_at=instant(self.now_ns), told_at=now),
        )

    def _broker_events(self) -> None:
        """Send what happened at the broker over the stream."""
        for _, event in self.core.take_events():
            if self.now_ns < self._stream_up_ns or self._strikes("event_lost"):
                self._touch()
                continue
            delay_ns = 1 * MS
            if self._strikes("event_late"):
                self._touch()
                delay_ns = int(self.chance.uniform(0.1, 6) * SECOND_NS)
            self._tell_later(event, delay_ns)
            if self._strikes("event_twice"):
                self._tell_later(event, delay_ns + int(self.chance.uniform(0, 3) * SECOND_NS))

    def _tell_later(self, event: OrderEvent, delay_ns: int) -> None:
        self.later(delay_ns, "event", (self._generation, partial(e.OrderTold, event=event)))

    # --- What befalls host, exchange and account --------------------------------------------------------------

    def set_host_clock(self, by_ns: int) -> None:
        """Somebody sets the host's clock. A session's time follows it forward, and goes on where it is set back."""
        self.struck["clock_set"] += 1
        self.host_ahead_ns += by_ns
        self.host_was_ahead_ns.append(self.host_ahead_ns)
        self._ahead_ns = max(self._ahead_ns, self.host_ahead_ns)

    def stand_still(self, for_ns: int) -> None:
        self.struck["stands_still"] += 1
        self.still_until_ns = self.now_ns + for_ns

    def fill_disk(self, for_ns: int) -> None:
        self.disk_full_until_ns = self.now_ns + for_ns

    def halt(self, symbol: str, for_ns: int, *, told: bool) -> None:
        """The exchange halts a symbol: nothing trades, and no bar comes. told: the session hears of it."""
        if symbol in self.core.halted:
            return
        self.struck["halted"] += 1
        self.core.advance(self.now_ns)
        self.core.halted.add(symbol)
        self._halts.append((symbol, self.now_ns, self.now_ns + for_ns))

        def go_on() -> None:
            self.core.halted.discard(symbol)
            if told:
                self.tell(e.SymbolHalted(at=self.now, symbol=symbol, halted=False, reason="trading resumes"))

        self.later(for_ns, "do", go_on)
        if told:
            self.tell(e.SymbolHalted(at=self.now, symbol=symbol, halted=True, reason="news pending"))

    def _falls_into_a_halt(self, symbol: str, bar: Bar) -> bool:
        """Whether nothing traded in a bar."""
        start_ns = nanoseconds(bar.opened_at)
        end_ns = start_ns + self.past[symbol].timeframe.span_ns
        return any(each == symbol and since <= start_ns and end_ns <= to for each, since, to in self._halts)

    def split(self, action: Split) -> None:
        """A split takes effect at the broker."""
        self.struck["split"] += 1
        self.core.advance(self.now_ns)
        self.core.split(action.symbol, action.new_shares, action.old_shares)
        self._broker_events()

    def pay(self, amount_usd: Decimal, fault: str) -> None:
        """Money comes into the account, or leaves it."""
        if amount_usd:
            self.struck[fault] += 1
            self.core.holdings.cash += amount_usd
            self.money_moved_usd += amount_usd

    def stream_down(self, for_ns: int) -> None:
        """The order stream is lost for a while."""
        self._touch()
        self.struck["stream_lost"] += 1
        self._stream_up_ns = self.now_ns + for_ns
        self._answer(partial(e.OrdersDown, why="connection reset"))
        generation = self._generation
        self.at(self._stream_up_ns, "event", (generation, e.OrdersUp))

    def _listen_anew(self, why: str) -> None:
        """As the driver does: what happens until it listens again is not told."""
        self.listened_anew += 1
        self._stream_up_ns = max(self._stream_up_ns, self.now_ns + 200 * MS)
        self._answer(partial(e.OrdersDown, why=why))
        self.at(self._stream_up_ns, "event", (self._generation, e.OrdersUp))

    # --- The feed ---------------------------------------------------------------------------------------------

    def _feed(self) -> None:
        """Put every bar to come into the queue."""
        for symbol, bars in self.future.items():
            self._told[symbol] = []
            for row, tape_bar in enumerate(self.tape.bars[symbol][-len(bars) :] if len(bars) else []):
                bar = bars.bar(row)
                end_ns = tape_bar.end_ns
                self.at(end_ns, "closed", (symbol, bar))
                if self._strikes("bar_forming"):
                    middle_ns = (tape_bar.start_ns + end_ns) // 2
                    forming = replace(bar, close=bar.low, high=max(bar.open, bar.low))
                    self.at(middle_ns, "bar", (symbol, forming, True))
                if self._strikes("bar_lost"):
                    self._touch()
                    continue
                delay_ns = 50 * MS
                if self._strikes("bar_late"):
                    self._touch()
                    delay_ns = int(self.chance.uniform(1, 120) * SECOND_NS)
                self.at(end_ns + delay_ns, "bar", (symbol, bar, False))
                if self._strikes("bar_twice"):
                    self.at(end_ns + delay_ns + 700 * MS, "bar", (symbol, bar, False))

    def _strikes(self, fault: str) -> bool:
        rate: float = getattr(self.wire, fault)
        struck = rate > 0 and self.chance.random() < rate
        if struck:
            self.struck[fault] += 1
        return struck

    def _touch(self) -> None:
        self.touched_inputs = True


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def units(value: float | str) -> Decimal:
    return Decimal(str(value))


__all__ = ["NO_DAY_FAULTS", "NO_FAULTS", "NO_WIRE_FAULTS", "BrokerFaults", "DayFaults", "WireFaults", "World"]
