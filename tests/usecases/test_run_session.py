"""What the driver of a session writes before it does anything, and what it does when it can no longer write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from engine.scripted import setup_for
from engine.test_session import CALENDAR, CONFIG, flat_bars, world
from magellan.adapters.memory_ledger import MemoryLedger
from magellan.adapters.simulated.broker import SimulatedBroker
from magellan.engine import commands as c
from magellan.engine import events as e
from magellan.engine.session import Session
from magellan.engine.setup import Differing
from magellan.errors import AskOperator
from magellan.ledger.entries import (
    AlertRaised,
    BreakerTripped,
    FailureSeen,
    Halted,
    LedgerEntry,
    NewEntry,
    Payload,
)
from magellan.ports.heartbeat import Heartbeat
from magellan.ports.ledger import Head, LedgerWriter
from magellan.ports.live_bars import FeedDown, FeedUp, LiveBar, TradingStatus
from magellan.ports.operator import OperatorRequest
from magellan.ports.pace import Tally
from magellan.trading.account import AccountSnapshot
from magellan.trading.answer import StreamDown, StreamUp
from magellan.trading.bar import Bars, instant
from magellan.trading.order import OrderEvent, OrderRequest
from magellan.trading.timeframe import HOUR_NS, Timeframe
from magellan.usecases.run_session import World, run_session

NOW = instant(int(CALENDAR.opens_at_ns[0]) + HOUR_NS)
FLATTEN = OperatorRequest(request_id="r1", asks="flatten", person="Ada", reason="a drill", source="command")


class StandingTime:
    """Keeps `Pace`: nothing is due, everything arrives."""

    is_over = False

    def now(self) -> datetime:
        return NOW

    async def rest(
        self, arrived: asyncio.Event, until: datetime | None, *, waiting: bool, tally: Tally
    ) -> None:
        await arrived.wait()

    async def close(self) -> None:
        return None


@dataclass
class NoBars:
    """Keeps `LiveBars`: a history, and no bar after it."""

    source: str = "sim"

    async def history(
        self, symbols: Sequence[str], timeframe: Timeframe, start_at: datetime, end_at: datetime
    ) -> Mapping[str, Bars]:
        return {symbol: flat_bars() for symbol in symbols}

    async def stream(
        self, symbols: Sequence[str]
    ) -> AsyncIterator[LiveBar | FeedUp | FeedDown | TradingStatus]:
        yield FeedUp(at=NOW)
        await asyncio.Event().wait()

    async def close(self) -> None:
        return None


@dataclass
class Asked:
    """Keeps `OperatorRequests`: a person asks for one thing."""

    async def requests(self) -> AsyncIterator[OperatorRequest]:
        yield FLATTEN
        await asyncio.Event().wait()

    def acknowledge(self, request: OperatorRequest) -> None:
        return None


@dataclass
class FillingDisk:
    """Keeps `LedgerWriter` over another: after so many records there is no room."""

    writer: LedgerWriter
    room: int
    kept: list[str] = field(default_factory=list)

    @property
    def account(self) -> str:
        return self.writer.account

    @property
    def head(self) -> Head:
        return self.writer.head

    def append(self, entries: Sequence[NewEntry]) -> tuple[LedgerEntry, ...]:
        if self.room == 0:
            raise AskOperator("the disk is full", kept="what was written before", next_step="free some space")
        self.room -= 1
        self.kept += [each.kind for each in entries]
        return self.writer.append(entries)


class NoLease:
    """Keeps `HostLease`: nobody asks for one here."""

    def lapsed(self) -> str:
        return ""


class Quiet:
    """Keeps `HeartbeatSink` and `Notifier`."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.beats: list[Heartbeat] = []

    def beat(self, beat: Heartbeat) -> None:
        self.beats.append(beat)

    def tell(self, severity: str, text: str, at: datetime) -> None:
        self.told.append(text)


class Listening(SimulatedBroker):
    """Remembers what was sent."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self.sent: list[OrderRequest] = []

    async def submit(self, request: OrderRequest) -> object:  # type: ignore[override]
        self.sent.append(request)
        return await super().submit(request)


def run(room: int) -> tuple[Listening, FillingDisk, Quiet]:
    """A session that takes over ten units, and is asked to flatten, on a disk with room for so many records."""
    core = world().core
    core.advance(int(NOW.timestamp() * 10**9))
    core.trade_by_hand("A", Decimal(10))
    core.take_events()
    broker, quiet = Listening(core, lambda: NOW), Quiet()
    told = world()
    strategy = told.make_setup(0).strategy
    setup = replace(setup_for(strategy, CONFIG, CALENDAR), differing=Differing.ADOPT)
    with MemoryLedger(lambda: NOW).writer("SIM") as writer:
        disk = FillingDisk(writer, room)
        around = World(
            broker=broker, bars=NoBars(), writer=disk, pace=StandingTime(), operator=Asked(),
            heartbeat=quiet, notifier=quiet, lease=NoLease(),
        )  # fmt: skip
        with pytest.raises(AskOperator, match="the disk is full"):
            asyncio.run(
                run_session(
                    Session(setup, []),
                    setup,
                    around,
                    history_from=NOW - timedelta(days=1),
                    account_number=None,
                )
            )
    return broker, disk, quiet


# No room from the start; none for the order that the flatten means; none for the broker's answer to it.
@pytest.mark.parametrize(("room", "sent"), [(0, 0), (1, 0), (2, 1)])
def test_nothing_is_sent_that_the_ledger_could_not_keep(room: int, sent: int) -> None:
    broker, disk, quiet = run(room)
    assert len(broker.sent) == disk.kept.count("order_intended") == sent
    assert any("the ledger cannot be written: the disk is full" in text for text in quiet.told)


class LapsesSoon:
    """Keeps `HostLease`: it holds when the session begins, and at no later look."""

    def __init__(self) -> None:
        self.looks = 0

    def lapsed(self) -> str:
        self.looks += 1
        return "" if self.looks == 1 else "desk has not renewed it for 10 s"


@dataclass
class StopsOnceTold:
    """Keeps `OperatorRequests`: somebody ends the session when an alert says so."""

    heard: Quiet
    words: str

    async def requests(self) -> AsyncIterator[OperatorRequest]:
        while not any(self.words in text for text in self.heard.told):
            await asyncio.sleep(0.01)
        yield replace(FLATTEN, asks="stop", reason="it was told")
        await asyncio.Event().wait()

    def acknowledge(self, request: OperatorRequest) -> None:
        return None


def test_a_lease_that_lapses_while_a_session_runs_is_told_to_a_person_and_beaten() -> None:
    core = world().core
    core.advance(int(NOW.timestamp() * 10**9))
    quiet = Quiet()
    setup = replace(setup_for(world().make_setup(0).strategy, CONFIG, CALENDAR), differing=Differing.ADOPT)
    with MemoryLedger(lambda: NOW).writer("SIM") as writer:
        around = World(
            broker=SimulatedBroker(core, lambda: NOW), bars=NoBars(), writer=writer, pace=StandingTime(),
            operator=StopsOnceTold(quiet, "the host's lease has lapsed"), heartbeat=quiet, notifier=quiet,
            lease=LapsesSoon(),
        )  # fmt: skip
        run = run_session(
            Session(setup, []), setup, around, history_from=NOW - timedelta(days=1), account_number=None
        )
        stopped = asyncio.run(asyncio.wait_for(run, 30))
    assert stopped.in_order
    assert quiet.beats[-1].lease_lapsed == "desk has not renewed it for 10 s"
    assert quiet.beats[-1].entries_refused == "the host's lease has lapsed: desk has not renewed it for 10 s"


@pytest.mark.parametrize(
    ("left", "why"),
    [
        (BreakerTripped(breaker="losing trades", reason="6 in a row"), "tripped: losing trades"),
        (Halted(source="http", person="Ada", reason="the feed"), "halted"),
    ],
)
def test_a_session_that_begins_while_nothing_may_be_entered_says_so(left: Payload, why: str) -> None:
    core = world().core
    core.advance(int(NOW.timestamp() * 10**9))
    quiet = Quiet()
    setup = setup_for(world().make_setup(0).strategy, CONFIG, CALENDAR)
    words = f"nothing is entered ({why}), and exits go on; `magellan status` says why"
    with MemoryLedger(lambda: NOW).writer("SIM") as writer:
        around = World(
            broker=SimulatedBroker(core, lambda: NOW), bars=NoBars(), writer=writer, pace=StandingTime(),
            operator=StopsOnceTold(quiet, words), heartbeat=quiet, notifier=quiet, lease=NoLease(),
        )  # fmt: skip
        session = Session(setup, [NewEntry(at=NOW, session="before", payload=left)])
        run = run_session(session, setup, around, history_from=NOW - timedelta(days=1), account_number=None)
        asyncio.run(asyncio.wait_for(run, 30))
    assert [text for text in quiet.told if "nothing is entered" in text] == [
        f"{words}, and `magellan resume` lets entries in again"
    ]


class BecomesAnother(Listening):
    """It answers for another account as soon as its order stream was lost and has come back."""

    answers = 0

    async def events(self) -> AsyncIterator[OrderEvent | StreamUp | StreamDown]:
        yield StreamUp(at=NOW)
        while self.answers < 2:  # the session asks at its start, twice
            await asyncio.sleep(0.01)
        yield StreamDown(at=NOW, why="it was closed")
        yield StreamUp(at=NOW)
        await asyncio.Event().wait()

    async def account(self) -> AccountSnapshot:
        told = await super().account()
        self.answers += 1
        return told if self.answers <= 2 else replace(told, account_id="PA-OTHER")


def test_a_broker_that_answers_for_another_account_ends_the_session_and_is_sent_nothing_more() -> None:
    core = world().core
    core.advance(int(NOW.timestamp() * 10**9))
    core.trade_by_hand("A", Decimal(10))
    core.take_events()
    broker, quiet = BecomesAnother(core, lambda: NOW), Quiet()
    setup = replace(setup_for(world().make_setup(0).strategy, CONFIG, CALENDAR), differing=Differing.ADOPT)
    ledger = MemoryLedger(lambda: NOW)
    with ledger.writer("SIM") as writer:
        around = World(
            broker=broker, bars=NoBars(), writer=writer, pace=StandingTime(),
            operator=StopsOnceTold(quiet, "nothing of the kind"), heartbeat=quiet, notifier=quiet, lease=NoLease(),
        )  # fmt: skip
        run = run_session(
            Session(setup, []), setup, around, history_from=NOW - timedelta(days=1), account_number=None
        )
        with pytest.raises(
            AskOperator, match="for the account PA-OTHER now, and this session trades"
        ) as raised:
            asyncio.run(asyncio.wait_for(run, 30))
    assert any("the session ends: the broker answers for the account PA-OTHER" in text for text in quiet.told)
    assert broker.sent == []
    *_, last = ledger.entries("SIM")
    assert last.payload == FailureSeen(where=FailureSeen.SESSION, error=raised.value.message)


class Scripted(Session):
    """Records what the order stream is lost for, and tells a person of the last; ends when asked to stop."""

    def handle(self, event: e.Event) -> list[c.Command]:
        match event:
            case e.OrdersDown(why="lost" as why):
                return [told_of(why), c.Alert(severity=c.Severity.WARNING, text=why)]
            case e.OrdersDown(why=why):
                return [told_of(why)]
            case e.Operator(asks="stop"):
                return [c.Stop(reason="asked to", flat=True, in_order=True)]
            case e.Operator(asks=asks):
                return [told_of(asks)]
        return super().handle(event)


def told_of(text: str) -> c.Record:
    return c.Record(entries=(NewEntry(at=NOW, session="s", payload=AlertRaised(severity="info", text=text)),))


@dataclass
class Happenings:
    """Keeps `LedgerWriter`, `Notifier` and `OperatorRequests`: what was done, in its order."""

    writer: LedgerWriter
    done: list[tuple[str, ...]] = field(default_factory=list)

    @property
    def account(self) -> str:
        return self.writer.account

    @property
    def head(self) -> Head:
        return self.writer.head

    def append(self, entries: Sequence[NewEntry]) -> tuple[LedgerEntry, ...]:
        if all(isinstance(each.payload, AlertRaised) for each in entries):
            self.done.append(("written", *(each.payload.text for each in entries)))
        return self.writer.append(entries)

    def tell(self, severity: str, text: str, at: datetime) -> None:
        self.done.append(("told", text))

    async def requests(self) -> AsyncIterator[OperatorRequest]:
        yield replace(FLATTEN, asks="halt")
        yield replace(FLATTEN, asks="stop")
        await asyncio.Event().wait()

    def acknowledge(self, request: OperatorRequest) -> None:
        self.done.append(("acknowledged", request.asks))


class Bursting(SimulatedBroker):
    """Tells of four losses at once."""

    async def events(self) -> AsyncIterator[OrderEvent | StreamUp | StreamDown]:
        yield StreamUp(at=NOW)
        for why in ("A", "B", "C", "lost"):
            yield StreamDown(at=NOW, why=why)
        await asyncio.Event().wait()


def driven(
    seen_by: type[Happenings], broker_of: type[SimulatedBroker]
) -> tuple[Happenings, AskOperator | None]:
    """Let a session run to its end; what happened, and the error that ended it."""
    core = world().core
    core.advance(int(NOW.timestamp() * 10**9))
    setup = replace(setup_for(world().make_setup(0).strategy, CONFIG, CALENDAR), differing=Differing.ADOPT)
    with MemoryLedger(lambda: NOW).writer("SIM") as writer:
        seen = seen_by(writer)
        around = World(
            broker=broker_of(core, lambda: NOW), bars=NoBars(), writer=seen, pace=StandingTime(),
            operator=seen, heartbeat=Quiet(), notifier=seen, lease=NoLease(),
        )  # fmt: skip
        run = run_session(
            Scripted(setup, []), setup, around, history_from=NOW - timedelta(days=1), account_number=None
        )
        try:
            asyncio.run(asyncio.wait_for(run, 30))
        except AskOperator as error:
            return seen, error
    return seen, None


def test_what_comes_together_waits_for_the_disk_once_and_is_there_before_anything_is_done_about_it() -> None:
    seen, error = driven(Happenings, Bursting)
    assert error is None
    assert seen.done == [
        ("written", "A", "B", "C", "lost"),
        ("told", "lost"),
        ("written", "halt"),
        ("acknowledged", "halt"),
        ("acknowledged", "stop"),
    ]


class HaltIsNotKept(Happenings):
    """The disk is full when the halt is to be written."""

    def append(self, entries: Sequence[NewEntry]) -> tuple[LedgerEntry, ...]:
        if any("halt" in getattr(each.payload, "text", "") for each in entries):
            raise AskOperator("the disk is full")
        return super().append(entries)


def test_a_halt_that_the_ledger_refused_is_not_acknowledged_so_the_next_session_finds_it() -> None:
    seen, error = driven(HaltIsNotKept, SimulatedBroker)
    assert error is not None and error.message == "the disk is full"
    assert ("told", "the ledger cannot be written: the disk is full") in seen.done
    assert not [each for each in seen.done if each[0] == "acknowledged"]
