"""Run a session: feed a `Session` from the world, and carry out what it wants done, in its order. Decides nothing.

One loop handles one event after the other. What takes time (an order on its way, a question to the broker) runs
beside it and comes back as an event, so that a slow answer never holds up a bar or a kill switch.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from magellan.engine import commands as c
from magellan.engine import events as e
from magellan.engine.session import Session
from magellan.engine.setup import SessionSetup
from magellan.errors import AskOperator, FixInput, MagellanError, TryAgain
from magellan.ledger.entries import AnswerTo, FailureSeen, NewEntry
from magellan.ports.broker import Broker, Requested
from magellan.ports.heartbeat import HeartbeatSink
from magellan.ports.lease import HostLease
from magellan.ports.ledger import LedgerWriter
from magellan.ports.live_bars import LiveBars
from magellan.ports.notifier import Notifier
from magellan.ports.operator import OperatorRequest, OperatorRequests
from magellan.ports.pace import Pace, Tally
from magellan.trading.answer import Accepted, Refused, StreamDown, StreamUp, Unknown
from magellan.trading.corporate_action import CorporateAction
from magellan.trading.order import OrderEvent
from magellan.usecases.due_times import DueTimes
from magellan.usecases.live_bars import BarsOfSession
from magellan.usecases.named_account import must_open
from magellan.usecases.session_vitals import Vitals

ORDERS_UP_WITHIN: Final = timedelta(seconds=20)
HEARTBEAT_EVERY_S: Final = 1.0
LEASE_LOOKED_AT_EVERY_S: Final = 0.25
_TO_THE_WIRE: Final = (
    3  # turns of the loop in which a request is written: its own, that of its body, and one more
)
_BATCH: Final = 256  # events handled before others get their turn

EventAt = Callable[[datetime], e.Event]  # an event that is told the present when its turn has come


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything around a session. All of it is of one account, and of one mode."""

    broker: Broker
    bars: LiveBars
    writer: LedgerWriter
    pace: Pace
    operator: OperatorRequests
    heartbeat: HeartbeatSink
    notifier: Notifier
    lease: HostLease


async def run_session(
    session: Session,
    setup: SessionSetup,
    world: World,
    *,
    history_from: datetime,
    account_number: str | None,
    actions: tuple[CorporateAction, ...] = (),
) -> c.Stop:
    """Run until the session stops, and say how it ended.

    history_from:   the first bar that features may read.
    account_number: that the broker must name; None for a dry run without an account.
    Raises: what starting needs and does not get (FixInput, TryAgain, AskOperator); AskOperator when the ledger can
    no longer be written. Whatever was intended is in the ledger, and protective orders stay at the broker.
    """
    driver = _Driver(session, setup, world, history_from, account_number, actions)
    try:
        return await driver.run()
    finally:
        await driver.close()


class _Driver:
    def __init__(
        self,
        session: Session,
        setup: SessionSetup,
        world: World,
        history_from: datetime,
        account_number: str | None,
        actions: tuple[CorporateAction, ...],
    ) -> None:
        self._session = session
        self._setup = setup
        self._world = world
        self._account_number = account_number
        self._actions = actions
        self._inbox: asyncio.Queue[tuple[EventAt, Callable[[], None] | None]] = asyncio.Queue()
        self._arrived = asyncio.Event()
        self._timers = DueTimes()
        self._own: dict[str, Callable[[], None]] = {}  # timers of the driver itself
        self._unwritten: list[NewEntry] = []  # what happened in this turn, and nothing was done about yet
        self._tasks: set[asyncio.Task[None]] = set()
        self._under_way = 0  # answers that are awaited
        self._began = False  # something was asked for, and may not be on the wire yet
        self._tally = Tally()
        self._vitals = Vitals(timeframe=setup.timeframe)
        self._orders_listening = asyncio.Event()
        self._handled_at: datetime | None = None
        self._stopped: c.Stop | None = None
        self._asked_to_end = False  # because time is over
        self._lapsed = ""  # why the lease does not hold, as the session was told
        self._broken: MagellanError | None = None
        self._records = True  # False: the ledger could not be written
        self._opened = ""  # the account, as the broker named it when the session began
        self._bars = BarsOfSession(
            source=world.bars,
            pace=world.pace,
            calendar=setup.calendar,
            terms=setup.config.data,
            symbols=tuple(dict.fromkeys((*setup.symbols, *setup.config.data.reference_symbols))),
            history_from=history_from,
            put=self._put,
            at=self._at,
            begin=lambda work: self._begin(work, "bars"),
            arrived=self._arrived.set,
            gives_way=lambda: self._began,
            tally=self._tally,
        )

    async def run(self) -> c.Stop:
        self._order_stream = self._begun(self._listen_to_orders(), "order stream")
        self._begin(self._bars.listen(), "bars")
        self._begin(self._listen_to_operator(), "operator")
        await self._start()
        # What has been loaded by now stays until the end: the collector, which stops everything, need not look at it.
        gc.collect()
        gc.freeze()
        gc.collect()  # or it waits until a quarter as much has been made as there was
        self._begin(self._keep_beating(), "heartbeat")
        self._begin(self._watch_lease(), "lease")
        while self._stopped is None:
            await self._turn()
        self._must_be_whole()
        self._beat()
        return self._stopped

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._world.bars.close()
        await self._world.broker.close()
        await self._world.pace.close()

    # -- the loop ------------------------------------------------------------------------------------------

    async def _turn(self) -> None:
        """Rest until something is due, then handle what there is."""
        if self._inbox.empty():
            was_over = self._world.pace.is_over
            self._arrived.clear()
            await self._world.pace.rest(
                self._arrived,
                self._timers.next_at(),
                waiting=self._under_way > 0 or self._bars.asking,
                tally=self._tally,
            )
            if was_over:
                self._time_is_over()
        try:
            await self._handle_what_there_is()
        finally:
            self._write()
        self._must_be_whole()
        await asyncio.sleep(0)

    def _must_be_whole(self) -> None:
        """Raise what broke the session. It is recorded first, last of all: `status` says so why a session is gone."""
        broken = self._broken
        if broken is None:
            return
        failure = FailureSeen(where=FailureSeen.SESSION, error=broken.message)
        if self._records:
            self._unwritten.append(NewEntry(at=self._now(), session=self._setup.session_id, payload=failure))
            self._write()
        raise broken

    async def _handle_what_there_is(self) -> None:
        now = self._now()
        while (name := self._timers.due(now)) is not None:
            own = self._own.pop(name, None)
            if own is not None:
                own()
            else:
                self._handle(e.Woke(at=now, name=name))
                await self._let_begin()
        for _ in range(_BATCH):
            if self._inbox.empty() or self._stopped is not None:
                break
            event_at, then = self._inbox.get_nowait()
            self._handle(event_at(self._now()))
            if then is not None:
                self._write()
                if self._broken is None:
                    then()
            await self._let_begin()

    async def _let_begin(self) -> None:
        """Let what an event asked for get onto the wire before anything else is looked at."""
        if self._began:
            for _ in range(_TO_THE_WIRE):
                await asyncio.sleep(0)
            self._began = False

    def _time_is_over(self) -> None:
        """End in order once nothing is under way; what then still waits for time would wait for ever."""
        due_at = self._timers.next_at()
        if not self._inbox.empty() or self._under_way or self._bars.asking:
            return
        if due_at is not None and due_at <= self._now():
            return
        if self._asked_to_end:
            self._stopped = c.Stop(
                reason="there are no more bars, and something is still under way", flat=False, in_order=False
            )
            return
        self._asked_to_end = True
        self._put(_no_more_bars)

    def _handle(self, event: e.Event) -> None:
        """Let the session say what is to be done, and do it; what it records is on the disk before anything is done.

        What only records waits for the events behind it, until the end of the turn: one sync for all of them. A kill
        before that is one before they had come, and whoever told them tells them again.
        """
        self._vitals.note(event)
        for command in self._session.handle(event):
            if not isinstance(command, c.Record | c.WakeAt):
                self._write()
            if self._stopped is not None:
                return
            self._carry_out(command)

    def _carry_out(self, command: c.Command) -> None:
        broker = self._world.broker
        match command:
            case c.Record(entries=entries):
                self._unwritten += entries
            case c.Submit(request=request):
                self._ask(self._answered(AnswerTo.SUBMIT, request.client_order_id, broker.submit(request)))
            case c.Replace(broker_order_id=number, change=change):
                self._ask(
                    self._answered(AnswerTo.REPLACE, change.client_order_id, broker.replace(number, change))
                )
            case c.Cancel(broker_order_id=number, client_order_id=name):
                self._ask(self._answered(AnswerTo.CANCEL, name, broker.cancel(number)))
            case c.LookUp(client_order_id=name):
                self._ask(self._looked_up(name))
            case c.AskBroker(since=since):
                self._ask(self._broker_told(since))
            case c.ListenAnew(why=why):
                self._vitals.orders_up = False
                self._put(partial(_orders_down, why))
                self._order_stream = self._begun(self._listen_anew(self._order_stream), "order stream")
            case c.WakeAt(at=at, name=name):
                self._timers.set(name, at)
            case c.Alert(severity=severity, text=text):
                self._world.notifier.tell(severity.value, text, self._now())
            case c.Stop():
                self._stopped = command

    def _write(self) -> None:
        """Record what has happened and is not on the disk yet."""
        if not self._unwritten:
            return
        entries, self._unwritten = self._unwritten, []
        try:
            self._world.writer.append(entries)
        except MagellanError as error:
            # Nothing that follows is carried out: what the ledger does not hold has not happened.
            self._world.notifier.tell(
                "critical", f"the ledger cannot be written: {error.message}", self._now()
            )
            self._stopped = c.Stop(reason=error.message, flat=False, in_order=False)
            self._broken = error
            self._records = False
            return

    # -- starting ------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        """Gather what the session must know before its first decision, and tell it."""
        broker = self._world.broker
        told = (await broker.account()).account_id
        if self._account_number is not None:
            must_open(told, self._account_number)
        self._opened = told
        deadline = self._now() + ORDERS_UP_WITHIN
        while not self._orders_listening.is_set():
            self._arrived.clear()
            await self._world.pace.rest(self._arrived, deadline, waiting=True, tally=self._tally)
            if self._now() >= deadline:
                raise TryAgain(
                    f"{broker.capabilities.name}'s order stream does not answer; an order would be sent blind",
                    kept="nothing was sent",
                    next_step="check the network and the keys, then start again",
                )
        since = self._session.asks_since or self._now() - timedelta(days=1)
        facts = await self._facts(since)
        assets = await broker.assets(self._setup.symbols)
        history = await self._bars.history()
        self._lapsed = self._world.lease.lapsed()
        now = self._now()
        if (
            kept_out := self._session.entries_refused
        ):  # by what an earlier session, or a person, left in the ledger
            self._world.notifier.tell(
                "warning",
                f"nothing is entered ({kept_out}), and exits go on; `magellan status` says why, and "
                "`magellan resume` lets entries in again",
                now,
            )
        self._handle(
            e.Started(
                at=now,
                facts=facts,
                history=history,
                source=self._world.bars.source,
                orders_up=self._vitals.orders_up,
                assets=assets,
                actions=self._actions,
                lease_lapsed=self._lapsed,
            )
        )
        self._write()
        self._bars.started()

    async def _facts(self, since: datetime) -> e.BrokerFacts:
        """Account, positions, orders, executions, in this order: what happens in between shows in the later ones.

        The clock is read each time: one that is set, or runs off, during a session is as wrong as one that was before.
        """
        broker = self._world.broker
        account = await broker.account()
        if account.account_id != self._opened:
            raise self._is_another(account.account_id)
        positions = await broker.positions()
        lately, still_open = await asyncio.gather(broker.orders_since(since), broker.open_orders())
        orders = {order.broker_order_id: order for order in (*lately, *still_open)}
        executions = await broker.executions_since(since)
        asked_at = self._now()
        clock = await broker.clock()
        told_at = self._now()
        self._vitals.answered(told_at)
        self._vitals.account = account
        return e.BrokerFacts(
            account=account,
            positions=positions,
            orders=tuple(orders.values()),
            executions=executions,
            clock=e.ClockRead(
                asked_at=asked_at,
                broker_at=clock.at,
                told_at=told_at,
                is_open=clock.is_open,
                changes_at=clock.changes_at,
            ),
        )

    def _is_another(self, told: str) -> AskOperator:
        """The broker answers for another account than it did: whatever we sent now would trade that one."""
        self._broken = error = AskOperator(
            f"the broker answers for the account {told} now, and this session trades {self._opened}",
            kept="nothing was sent since that was seen; what we hold rests where it was",
            next_step="find out which account the keys and the address open now, then start the session again",
        )
        self._stopped = c.Stop(reason=error.message, flat=False, in_order=False)
        self._world.notifier.tell("critical", f"the session ends: {error.message}", self._now())
        return error

    # -- what runs beside ----------------------------------------------------------------------------------

    def _ask(self, question: Coroutine[object, object, None]) -> None:
        """Begin something whose answer comes back as an event."""
        self._under_way += 1
        self._began = True

        async def asked() -> None:
            try:
                await question
            finally:
                self._under_way -= 1
                self._arrived.set()

        self._begin(asked(), "question")

    def _begin(self, work: Coroutine[object, object, None], name: str) -> None:
        self._begun(work, name)

    def _begun(self, work: Coroutine[object, object, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, FixInput | AskOperator):
            self._broken = error
        else:
            where, what = task.get_name(), f"{type(error).__name__}: {error}"
            self._put(lambda at: e.Failed(at=at, where=where, error=what))
        self._arrived.set()

    async def _answered(
        self, to: AnswerTo, name: str, asked: Awaitable[Accepted | Refused | Requested | Unknown]
    ) -> None:
        answer = await asked
        self._vitals.answered(self._now(), failed=isinstance(answer, Unknown))
        self._put(lambda at: e.Answered(at=at, to=to, client_order_id=name, answer=answer))

    async def _looked_up(self, name: str) -> None:
        try:
            order = await self._world.broker.order(name)
        except MagellanError as error:
            why = error.message
            self._vitals.answered(self._now(), failed=True)
            self._put(lambda at: e.NotTold(at=at, why=why, client_order_id=name))
            return
        self._vitals.answered(self._now())
        self._put(lambda at: e.LookedUp(at=at, client_order_id=name, order=order))

    async def _broker_told(self, since: datetime) -> None:
        try:
            facts = await self._facts(since)
        except MagellanError as error:
            if error is self._broken:
                raise
            why = f"{error.message} ({error.next_step})" if error.next_step else error.message
            self._vitals.answered(self._now(), failed=True)
            self._put(lambda at: e.NotTold(at=at, why=why))
            return
        self._put(lambda at: e.BrokerTold(at=at, facts=facts))

    async def _listen_to_orders(self) -> None:
        async for told in self._world.broker.events():
            match told:
                case OrderEvent():
                    self._tally.order_events += 1
                    self._vitals.order_event_at = self._now()
                    self._put(partial(_order_told, told))
                case StreamUp():
                    self._vitals.orders_up = True
                    self._orders_listening.set()
                    self._put(lambda at: e.OrdersUp(at=at))
                case StreamDown(why=why):
                    self._vitals.orders_up = False
                    self._put(partial(_orders_down, why))

    async def _listen_anew(self, before: asyncio.Task[None]) -> None:
        before.cancel()
        await asyncio.wait((before,))
        await self._listen_to_orders()

    async def _listen_to_operator(self) -> None:
        async for request in self._world.operator.requests():
            self._put(partial(_operator, request), partial(self._world.operator.acknowledge, request))

    # -- small things --------------------------------------------------------------------------------------

    def _put(self, event: EventAt, then: Callable[[], None] | None = None) -> None:
        """Let an event be handled in its turn, with the present of that moment; once that is on the disk, do `then`."""
        self._inbox.put_nowait((event, then))
        self._arrived.set()

    def _at(self, name: str, at: datetime, then: Callable[[], None]) -> None:
        """Do something of the driver's own at an instant."""
        self._own[name] = then
        self._timers.set(name, at)
        self._arrived.set()

    def _now(self) -> datetime:
        """The present, and never earlier than the event before: clocks are set back."""
        now = self._world.pace.now()
        if self._handled_at is not None and now < self._handled_at:
            now = self._handled_at
        self._handled_at = now
        return now

    async def _keep_beating(self) -> None:
        """In real time, whatever the session's own clock does: a loop that hangs beats no more."""
        while True:
            self._beat()
            await asyncio.sleep(HEARTBEAT_EVERY_S)

    async def _watch_lease(self) -> None:
        """In real time too: whoever renews it lives by that."""
        while True:
            lapsed = self._world.lease.lapsed()
            if lapsed != self._lapsed:
                self._lapsed = lapsed
                self._put(partial(_lease_told, lapsed))
            await asyncio.sleep(LEASE_LOOKED_AT_EVERY_S)

    def _beat(self) -> None:
        self._world.heartbeat.beat(
            self._vitals.beat(
                self._setup,
                at=self._now(),
                reconciled_at=self._session.reconciled_at,
                backlog=self._inbox.qsize(),
                answers_awaited=self._under_way,
                lease_lapsed=self._lapsed,
                entries_refused=self._session.entries_refused or "",
            )
        )


def _operator(request: OperatorRequest, at: datetime) -> e.Operator:
    return e.Operator(
        at=at,
        asks=e.OperatorAsks(request.asks),
        person=request.person,
        reason=request.reason,
        source=request.source,
    )


def _no_more_bars(at: datetime) -> e.Operator:
    return e.Operator(
        at=at, asks=e.OperatorAsks.STOP, person="", reason="there are no more bars", source="exchange"
    )


def _order_told(told: OrderEvent, at: datetime) -> e.OrderTold:
    return e.OrderTold(at=at, event=told)


def _orders_down(why: str, at: datetime) -> e.OrdersDown:
    return e.OrdersDown(at=at, why=why)


def _lease_told(lapsed: str, at: datetime) -> e.LeaseTold:
    return e.LeaseTold(at=at, lapsed=lapsed)
