"""Stand by: what an instance of a release does all its life. It trades while it is armed, and waits while it is not.

Nothing here decides to trade: the arming of the account does, and the ledger's lock, which only one process holds,
keeps two from trading even where somebody armed the wrong one.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from magellan.deploy.arming import Armed
from magellan.deploy.instance import Condition, InstanceReport
from magellan.engine.commands import Stop
from magellan.errors import AskOperator, MagellanError
from magellan.ports.broker import Broker
from magellan.ports.heartbeat import Heartbeat, HeartbeatSink
from magellan.ports.ledger import AccountHeld
from magellan.ports.operator import OperatorRequest, OperatorRequests
from magellan.usecases.named_account import must_open

LOOKS_EVERY_S: Final = 0.02
_REPORTS_EVERY_S: Final = 1.0
_HANDED_OVER: Final = "handed over"

Trade = Callable[[OperatorRequests, HeartbeatSink], Awaitable[Stop]]


async def first_answer(broker: Broker, *, number: str) -> datetime:
    """The broker's time, once its keys have opened the account of that number.

    Raises: FixInput for keys that are refused, or that open another account: before anybody relies on them.
    """
    must_open((await broker.account()).account_id, number)
    return (await broker.clock()).at


@dataclass(slots=True, kw_only=True)
class StandBy:
    """One instance, at work.

    armed:     who may trade the account now. Raises AskOperator when that cannot be told.
    trade:     one session, from taking the account to giving it back.
    operator:  requests of people, for the session.
    heartbeat: where the session beats.
    write:     leaves a report.
    """

    key: str
    report: InstanceReport
    armed: Callable[[], Armed]
    trade: Trade
    operator: OperatorRequests
    heartbeat: HeartbeatSink
    write: Callable[[InstanceReport], None]
    now: Callable[[], datetime]
    _ended: asyncio.Event = field(default_factory=asyncio.Event)
    _trading: bool = False

    async def run(self) -> Stop | None:
        """Until somebody ends it; returns how its last session ended. None: it never traded.

        Raises: what a session raises when it cannot begin or go on; the report says so too.
        """
        loop = asyncio.get_running_loop()
        reporter = asyncio.create_task(self._keep_reporting())
        stopped: Stop | None = None
        try:
            while True:
                self._tell(Condition.READY)
                for number in (signal.SIGTERM, signal.SIGINT):
                    loop.add_signal_handler(number, self._ended.set)
                await self._until_armed()
                for number in (signal.SIGTERM, signal.SIGINT):
                    loop.remove_signal_handler(number)
                if self._ended.is_set():
                    self._tell(Condition.STOPPED, "it was told to end")
                    return stopped
                requests = _UntilDisarmed(self.operator, self._is_armed)
                stopped = await self._session(requests)
                if stopped is None:
                    continue  # disarmed before it had the account
                if not stopped.in_order:
                    raise AskOperator(stopped.reason, kept="the ledger, and what the broker holds")
                if not requests.handed_over:
                    self._tell(Condition.STOPPED, stopped.reason)
                    return stopped
        except MagellanError as error:
            self._tell(Condition.FAILED, error.message)
            raise
        finally:
            reporter.cancel()

    async def _session(self, requests: _UntilDisarmed) -> Stop | None:
        """Trade as soon as the account is free. None: it was armed for another one before that."""
        self._tell(Condition.TAKING, "the account")
        while True:
            try:
                return await self.trade(requests, _FirstBeat(self.heartbeat, self._begun))
            except AccountHeld as held:
                self._tell(Condition.TAKING, held.message)
            await asyncio.sleep(LOOKS_EVERY_S / 2)
            if not self._is_armed():
                return None

    def _begun(self) -> None:
        self._tell(Condition.TRADING)

    async def _until_armed(self) -> None:
        while not self._is_armed() and not self._ended.is_set():
            await asyncio.sleep(LOOKS_EVERY_S)

    def _is_armed(self) -> bool:
        """Whoever cannot tell does not trade."""
        try:
            found = self.armed()
        except MagellanError:
            return False
        return found.instance == self.key and found.release_id == self.report.release_id

    def _tell(self, condition: Condition, why: str = "") -> None:
        if (condition, why) != (self.report.condition, self.report.why):
            self.report = replace(self.report, condition=condition, why=why, at=self.now())
            self.write(self.report)

    async def _keep_reporting(self) -> None:
        while True:
            await asyncio.sleep(_REPORTS_EVERY_S)
            self.report = replace(self.report, at=self.now())
            self.write(self.report)


@dataclass(slots=True)
class _FirstBeat:
    """Tells when a session has begun to beat: it has read its history, and compared its books with the broker's."""

    sink: HeartbeatSink
    begun: Callable[[], None]

    def beat(self, beat: Heartbeat) -> None:
        self.sink.beat(beat)
        self.begun()


@dataclass(slots=True)
class _UntilDisarmed:
    """The requests of people, and one more: to stop, once the account is armed for another release."""

    people: OperatorRequests
    is_armed: Callable[[], bool]
    handed_over: bool = False

    async def requests(self) -> AsyncIterator[OperatorRequest]:
        heard: asyncio.Queue[OperatorRequest] = asyncio.Queue()
        tasks = [asyncio.create_task(each(heard)) for each in (self._people, self._disarmed)]
        try:
            while True:
                waiting = asyncio.create_task(heard.get())
                await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
                if waiting.done():
                    yield waiting.result()
                    continue
                waiting.cancel()
                for task in tasks:
                    if task.done():
                        task.result()  # what it raised ends the session
                tasks = [task for task in tasks if not task.done()]
        finally:
            for task in tasks:
                task.cancel()

    def acknowledge(self, request: OperatorRequest) -> None:
        if request.request_id != _HANDED_OVER:
            self.people.acknowledge(request)

    async def _people(self, heard: asyncio.Queue[OperatorRequest]) -> None:
        async for request in self.people.requests():
            heard.put_nowait(request)

    async def _disarmed(self, heard: asyncio.Queue[OperatorRequest]) -> None:
        while self.is_armed():
            await asyncio.sleep(LOOKS_EVERY_S)
        self.handed_over = True
        heard.put_nowait(
            OperatorRequest(
                request_id=_HANDED_OVER,
                asks="stop",
                person="",
                reason="the account was handed over to another release",
                source="command",
            )
        )
