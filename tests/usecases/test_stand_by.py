"""An instance trades while its account is armed for it, and stands by while it is not."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from engine.test_session import world
from magellan.adapters.simulated.broker import SimulatedBroker
from magellan.deploy.arming import NOBODY, Armed
from magellan.deploy.instance import Condition, InstanceReport
from magellan.engine.commands import Stop
from magellan.errors import AskOperator, FixInput, MagellanError
from magellan.ports.heartbeat import Heartbeat, HeartbeatSink
from magellan.ports.ledger import AccountHeld
from magellan.ports.operator import OperatorRequest, OperatorRequests
from magellan.usecases.stand_by import StandBy, first_answer

KEY, RELEASE = "test-moods-aaaa", "a" * 64
AT = datetime(2026, 1, 20, 15, 0, tzinfo=UTC)
REPORT = InstanceReport(
    condition=Condition.LOADING,
    why="",
    at=AT,
    pid=1,
    release_id=RELEASE,
    code_sha256="c",
    config_sha256="d",
    engine_version="0",
    engine_path="",
    broker_answered_at=None,
)
BEAT = Heartbeat(
    at=AT,
    session_id="s",
    account="a",
    strategy="moods",
    stage="test",
    mode="paper",
    pid=1,
    release_id=RELEASE,
    config_hash="d",
    last_bar_closed_at=None,
    last_bar_received_at=None,
    last_broker_answer_at=None,
    last_order_event_at=None,
    last_reconciled_at=None,
    feed_up=True,
    orders_up=True,
    exceptions=0,
    backlog=0,
    answers_awaited=0,
)


class NoHeart:
    def beat(self, beat: Heartbeat) -> None:
        pass


@dataclass
class People:
    """Requests of people, as a test puts them."""

    heard: asyncio.Queue[OperatorRequest] = field(default_factory=asyncio.Queue)
    acknowledged: list[str] = field(default_factory=list)

    async def requests(self) -> AsyncIterator[OperatorRequest]:
        while True:
            yield await self.heard.get()

    def acknowledge(self, request: OperatorRequest) -> None:
        self.acknowledged.append(request.request_id)


@dataclass
class Desk:
    """Everything around one instance."""

    armed: Armed = NOBODY
    held: bool = False  # by another process
    told: list[Condition] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)  # what ended its sessions
    people: People = field(default_factory=People)
    cannot_tell: bool = False

    def arm(self, instance: str | None) -> None:
        release = RELEASE if instance == KEY else "b" * 64
        self.armed = Armed(
            instance=instance, release_id=release, epoch=self.armed.epoch + 1, by="jane", at=AT
        )

    def who(self) -> Armed:
        if self.cannot_tell:
            raise AskOperator("armed.json cannot be read")
        return self.armed

    def write(self, report: InstanceReport) -> None:
        if not self.told or self.told[-1] is not report.condition:
            self.told.append(report.condition)

    async def trade(self, requests: OperatorRequests, heartbeat: HeartbeatSink) -> Stop:
        if self.held:
            raise AccountHeld("account a is held by process 7 on h")
        heartbeat.beat(BEAT)
        async for request in requests.requests():
            requests.acknowledge(request)
            self.asked.append(request.asks)
            return Stop(reason=request.reason, flat=True, in_order=True)
        raise AssertionError("it is asked to stop some time")

    def instance(self, trade: Callable[..., Coroutine[Any, Any, Stop]] | None = None) -> StandBy:
        return StandBy(
            key=KEY,
            report=REPORT,
            armed=self.who,
            trade=trade or self.trade,
            operator=self.people,
            heartbeat=NoHeart(),
            write=self.write,
            now=lambda: AT,
        )

    async def until(self, condition: Condition) -> None:
        async with asyncio.timeout(10):
            while not self.told or self.told[-1] is not condition:
                await asyncio.sleep(0.002)


def test_it_stands_by_until_it_is_armed_and_again_once_another_one_is() -> None:
    async def day() -> None:
        desk = Desk()
        life = asyncio.create_task(desk.instance().run())
        await desk.until(Condition.READY)
        desk.arm(KEY)
        await desk.until(Condition.TRADING)
        desk.arm("test-moods-bbbb")
        await desk.until(Condition.READY)
        assert desk.asked == ["stop"]
        assert desk.people.acknowledged == [], "a hand-over is nobody's request"
        desk.arm(KEY)
        await desk.until(Condition.TRADING)
        life.cancel()

    asyncio.run(day())


def test_it_waits_for_an_account_that_another_process_still_holds() -> None:
    async def day() -> None:
        desk = Desk(held=True)
        life = asyncio.create_task(desk.instance().run())
        desk.arm(KEY)
        await desk.until(Condition.TAKING)
        desk.held = False
        await desk.until(Condition.TRADING)
        life.cancel()

    asyncio.run(day())


def test_it_gives_up_waiting_once_it_is_armed_no_more() -> None:
    async def day() -> None:
        desk = Desk(held=True)
        life = asyncio.create_task(desk.instance().run())
        desk.arm(KEY)
        await desk.until(Condition.TAKING)
        desk.arm(None)
        await desk.until(Condition.READY)
        life.cancel()

    asyncio.run(day())


def test_the_right_name_with_another_release_is_not_armed() -> None:
    async def day() -> None:
        desk = Desk()
        desk.armed = Armed(instance=KEY, release_id="b" * 64, epoch=1, by="jane", at=AT)
        life = asyncio.create_task(desk.instance().run())
        await desk.until(Condition.READY)
        await asyncio.sleep(0.1)
        assert desk.told == [Condition.READY]
        life.cancel()

    asyncio.run(day())


def test_unknown_means_no_and_a_trading_instance_stops_where_nobody_can_tell_who_is_armed() -> None:
    async def day() -> None:
        desk = Desk()
        life = asyncio.create_task(desk.instance().run())
        desk.arm(KEY)
        await desk.until(Condition.TRADING)
        desk.cannot_tell = True
        await desk.until(Condition.READY)
        assert desk.asked == ["stop"]
        life.cancel()

    asyncio.run(day())


def test_a_person_who_stops_the_session_ends_the_instance() -> None:
    async def day() -> None:
        desk = Desk()
        life = asyncio.create_task(desk.instance().run())
        desk.arm(KEY)
        await desk.until(Condition.TRADING)
        desk.people.heard.put_nowait(
            OperatorRequest(request_id="r1", asks="stop", person="ann", reason="holiday", source="command")
        )
        async with asyncio.timeout(10):
            stopped = await life
        assert stopped is not None
        assert stopped.reason == "holiday"
        assert desk.told[-1] is Condition.STOPPED
        assert desk.people.acknowledged == ["r1"]

    asyncio.run(day())


def test_sigterm_ends_one_that_stands_by() -> None:
    async def day() -> None:
        desk = Desk()
        life = asyncio.create_task(desk.instance().run())
        await desk.until(Condition.READY)
        await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await life is None
        assert desk.told[-1] is Condition.STOPPED

    asyncio.run(day())


@pytest.mark.parametrize(
    "error", [AskOperator("the ledger is damaged"), None], ids=["raises", "out of order"]
)
def test_a_session_that_cannot_go_on_ends_the_instance_and_says_why(error: MagellanError | None) -> None:
    async def trade(requests: OperatorRequests, heartbeat: HeartbeatSink) -> Stop:
        if error is not None:
            raise error
        return Stop(reason="the ledger is damaged", flat=False, in_order=False)

    async def day() -> None:
        desk = Desk()
        desk.arm(KEY)
        with pytest.raises(AskOperator, match="the ledger is damaged"):
            await desk.instance(trade).run()
        assert desk.told[-1] is Condition.FAILED

    asyncio.run(day())


def test_incident_34_keys_of_another_account_end_an_instance_before_it_says_that_it_is_ready() -> None:
    core = world().core
    core.advance(int(AT.timestamp() * 10**9))
    broker = SimulatedBroker(core, lambda: AT)
    own = asyncio.run(broker.account()).account_id
    assert asyncio.run(first_answer(broker, number=own)) == AT
    with pytest.raises(FixInput, match=f"these keys open the account {own}, and magellan.toml pins PA2"):
        asyncio.run(first_answer(broker, number="PA2"))
