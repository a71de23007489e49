"""Hosts in memory, on a clock that jumps: instances load, stand by, trade and fail as a test tells them to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import wraps
from typing import Any, TypeVar

from jumping_loop import JumpingLoop
from magellan.deploy.arming import NOBODY, Armed
from magellan.deploy.health import SessionLook
from magellan.deploy.host import HostFacts, Installed
from magellan.deploy.instance import Condition, Instance, InstanceLook, InstanceReport, Process
from magellan.deploy.rollout import Incoming, Place, RolloutTerms, Standing
from magellan.errors import AskOperator, TryAgain
from plan.memory import Killed

BEGAN = datetime(2026, 1, 20, 14, 30, tzinfo=UTC)
ACCOUNT, LEDGER_ACCOUNT = "paper", "alpaca-paper-PA1"
OLD, NEW, OLDER = "0" * 64, "1" * 64, "2" * 64
CONFIG = {OLD: "c0" * 32, NEW: "c1" * 32, OLDER: "c2" * 32}

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What a release does once it is started. Seconds after its start, or after it began to trade."""

    ready_s: float | None = 1.0  # None: it never says so
    exits: bool = False
    config: str | None = None  # that it reports; None: the right one
    takes_s: float = 0.5  # from the free account to the first heartbeat
    lets_go: bool = True  # stops when it is armed no more
    dies_s: float | None = None
    restarts_s: float | None = None  # it dies, and its keeper starts it anew
    trips_s: float | None = None
    raises_s: float | None = None
    loses_s: float | None = None
    never_well: bool = False  # trades, and the broker never tells it anything
    first_bar_s: float | None = (
        None  # from its first heartbeat until its first bar is over; None: it had one at once
    )
    bar_comes: bool = True


WELL = Behaviour()


@dataclass(slots=True)
class Running:
    instance: Instance
    started_s: float
    pid: int
    behaviour: Behaviour
    traded_since_s: float | None = None


def _counted(
    method: Callable[..., Coroutine[Any, Any, Answer]],
) -> Callable[..., Coroutine[Any, Any, Answer]]:
    """Let the fault that is due at this call happen: before what it does, or after it."""

    @wraps(method)
    async def call(self: SimulatedHost, *arguments: Any, **named: Any) -> Answer:
        await asyncio.sleep(0.001)
        if self.world.is_cut_off(self.name):
            raise TryAgain(f"{self.name} cannot be reached")
        fault = self.world.next_fault(self.name, method.__name__)
        if fault == "killed before":
            raise Killed
        if fault == "lost before":
            raise TryAgain("the connection was lost")
        if fault == "refused":
            raise AskOperator(f"{method.__name__} is refused")
        answer = await method(self, *arguments, **named)
        if fault == "killed after":
            raise Killed
        if fault == "lost after":
            raise TryAgain("the connection was lost")
        return answer

    return call


@dataclass
class SimulatedWorld:
    """All hosts, the time, and the faults that are due."""

    hosts: dict[str, SimulatedHost] = field(default_factory=dict)
    behaviours: dict[str, Behaviour] = field(default_factory=dict)  # by release
    fault: str = ""
    fault_at_call: int | None = None
    calls: list[tuple[str, str]] = field(default_factory=list)
    cut_off: set[str] = field(default_factory=set)
    now_s: float = 0.0
    pids: int = 100

    def next_fault(self, host: str, method: str) -> str:
        self.calls.append((host, method))
        if self.fault_at_call == len(self.calls):
            return self.fault
        return ""

    def is_cut_off(self, host: str) -> bool:
        return host in self.cut_off

    def run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Run to the end on a clock that jumps to where something is due."""
        with asyncio.Runner(loop_factory=lambda: JumpingLoop(self)) as runner:
            return runner.run(work)

    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=self.now_s)

    def let_pass(self, seconds: float) -> None:
        """Time passes, and the hosts go on."""
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            self.now_s = min(until_s, self.now_s + 0.1)
            for host in self.hosts.values():
                host.go_on()


class SimulatedHost:
    """Keeps `deploy.host.Host`."""

    def __init__(self, name: str, world: SimulatedWorld) -> None:
        self.name = name
        self.world = world
        self.releases: dict[str, tuple[str, ...]] = {}  # with what was edited
        self.put_aside: list[str] = []  # releases that were edited when they were removed
        self.running: dict[str, Running] = {}
        self.arming: dict[str, Armed] = {}
        self.holder: str | None = None
        self.traders: list[tuple[float, str | None]] = []  # who held the account, from when
        self.halted = ""
        self.tripped: tuple[str, ...] = ()  # breakers of the account, whatever trades it
        self.is_cut_off = False  # from the broker
        self.differences: tuple[str, ...] = ()  # between book and broker, which a person has accepted
        self.positions: tuple[str, ...] = ()
        self.leases: list[tuple[float, float]] = []  # when one was renewed, and for how long
        self.ledger_account = LEDGER_ACCOUNT  # the one that its instances trade
        world.hosts[name] = self

    # -- the port ------------------------------------------------------------------------------------------

    @_counted
    async def facts(self, requirements: bytes) -> HostFacts:
        return HostFacts(free_bytes=10**10, clock_ahead_s=0.0, python="3.11.7", lacks=())

    @_counted
    async def installed(self, release_id: str) -> Installed:
        return Installed(is_there=release_id in self.releases, drift=self.releases.get(release_id, ()))

    @_counted
    async def install(self, release_id: str, content: bytes) -> None:
        self.releases.setdefault(release_id, ())

    @_counted
    async def remove(self, release_id: str) -> None:
        assert all(each.instance.release_id != release_id for each in self.running.values()), "it is in use"
        if self.releases.pop(release_id, ()):
            self.put_aside.append(release_id)

    @_counted
    async def start(self, instance: Instance) -> None:
        assert instance.release_id in self.releases, "nothing runs that is not installed"
        if instance.key not in self.running or self.look_now(instance.key).process is Process.ENDED:
            self._run(instance)

    @_counted
    async def stop(self, key: str) -> None:
        if self.holder == key:
            self._let_go()
        self.running.pop(key, None)

    @_counted
    async def instances(self) -> tuple[Instance, ...]:
        return tuple(each.instance for each in self.running.values())

    @_counted
    async def look(self, key: str) -> InstanceLook:
        return self.look_now(key)

    @_counted
    async def armed(self, ledger_account: str) -> Armed:
        return self.arming.get(ledger_account, NOBODY)

    @_counted
    async def arm(
        self, ledger_account: str, instance: str | None, release_id: str | None, *, epoch: int, by: str
    ) -> Armed:
        found = self.arming.get(ledger_account, NOBODY)
        if found.epoch != epoch:
            raise AskOperator(f"{found.by} has armed {found.instance} meanwhile")
        armed = Armed(instance=instance, release_id=release_id, epoch=epoch + 1, by=by, at=self.world.now())
        self.arming[ledger_account] = armed
        return armed

    @_counted
    async def renew_lease(self, for_s: float, *, by: str) -> None:
        self.leases.append((self.world.now_s, for_s))

    @_counted
    async def end_lease(self) -> None:
        self.leases.clear()

    @_counted
    async def session(self, ledger_account: str) -> SessionLook:
        self.go_on()
        return self._session()

    # -- what happens there --------------------------------------------------------------------------------

    def trading(self) -> str | None:
        """The key of the instance that trades now."""
        self.go_on()
        if self.holder is None:
            return None
        running = self.running.get(self.holder)
        if running is None or running.traded_since_s is None or self.world.now_s < running.traded_since_s:
            return None
        return self.holder

    def begin_with(self, release_id: str, *, armed: bool = False, older: Sequence[str] = ()) -> None:
        """As an earlier deployment left it."""
        for each in (*older, release_id):
            self.releases[each] = ()
            self._run(instance_of(each))
        if armed:
            self.arming[LEDGER_ACCOUNT] = Armed(
                instance=instance_of(release_id).key,
                release_id=release_id,
                epoch=1,
                by="somebody",
                at=BEGAN,
            )

    def restart(self) -> None:
        """Power off, power on: what was told to run runs again."""
        if self.holder is not None:
            self._let_go()
        for each in list(self.running.values()):
            self._run(each.instance)

    def go_on(self) -> None:
        """Bring the instances to the present."""
        now_s = self.world.now_s
        armed = self.arming.get(self.ledger_account, NOBODY)
        holder = self.running.get(self.holder) if self.holder is not None else None
        if holder is not None:
            since_s = now_s - (holder.traded_since_s or now_s)
            what = holder.behaviour
            if armed.instance != holder.instance.key and what.lets_go:
                self._let_go()
            elif what.dies_s is not None and since_s >= what.dies_s:
                self._let_go()
                holder.behaviour = replace(what, exits=True)
            elif what.restarts_s is not None and since_s >= what.restarts_s:
                self._let_go()
                holder.behaviour = replace(what, restarts_s=None)
                self.world.pids += 1
                holder.pid, holder.started_s = self.world.pids, now_s - (what.ready_s or 0)
        if self.holder is None and armed.instance in self.running:
            running = self.running[armed.instance]
            if self._condition(running) is Condition.READY:
                self.holder = armed.instance
                running.traded_since_s = now_s + running.behaviour.takes_s
                self.traders.append((now_s, self.holder))

    def look_now(self, key: str) -> InstanceLook:
        self.go_on()
        running = self.running.get(key)
        if running is None:
            return InstanceLook(process=Process.ABSENT)
        what = running.behaviour
        ended = what.exits and self.world.now_s >= running.started_s + 0.05
        condition = self._condition(running)
        release_id = running.instance.release_id
        loaded = condition not in (Condition.LOADING, Condition.FAILED)
        report = InstanceReport(
            condition=condition,
            why="its code is broken" if condition is Condition.FAILED else "",
            at=self.world.now(),
            pid=running.pid,
            release_id=release_id,
            code_sha256="",
            config_sha256=(what.config or CONFIG[release_id]) if loaded else "",
            engine_version="0.1.0",
            engine_path="",
            broker_answered_at=None,
        )
        return InstanceLook(
            process=Process.ENDED if ended else Process.RUNNING,
            report=report,
            report_age_s=0.0,
            last_words=("loading",),
        )

    def _run(self, instance: Instance) -> None:
        self.world.pids += 1
        self.running[instance.key] = Running(
            instance=instance,
            started_s=self.world.now_s,
            pid=self.world.pids,
            behaviour=self.world.behaviours.get(instance.release_id, WELL),
        )

    def _let_go(self) -> None:
        assert self.holder is not None, "somebody holds it"
        if self.holder in self.running:
            self.running[self.holder].traded_since_s = None
        self.holder = None
        self.traders.append((self.world.now_s, None))

    def _condition(self, running: Running) -> Condition:
        what, age_s = running.behaviour, self.world.now_s - running.started_s
        if what.exits and age_s >= 0.05:
            return Condition.FAILED
        if what.ready_s is None or age_s < what.ready_s:
            return Condition.LOADING
        if self.holder == running.instance.key and running.traded_since_s is not None:
            return Condition.TRADING if self.world.now_s >= running.traded_since_s else Condition.TAKING
        return Condition.READY

    def _session(self) -> SessionLook:
        key = self.trading()
        running = None if key is None else self.running[key]
        what = WELL if running is None else running.behaviour
        since_s = (
            0.0
            if running is None or running.traded_since_s is None
            else self.world.now_s - running.traded_since_s
        )
        well = running is not None and not what.never_well
        lost = what.loses_s is not None and since_s >= what.loses_s
        to_bar_s = (what.first_bar_s or 0.0) - since_s
        release_id = None if running is None else running.instance.release_id
        return SessionLook(
            session_id=None if running is None else f"session of {key}",
            release_id=release_id,
            config_sha256=None if release_id is None else CONFIG[release_id],
            beat_age_s=None if running is None else 0.5,
            bar_age_s=1.0 if well and (to_bar_s <= 0 and what.bar_comes) else None,
            broker_answer_age_s=1.0 if well else None,
            reconciled_age_s=1.0 if well else None,
            feed_up=well and not self.is_cut_off,
            orders_up=well and not self.is_cut_off,
            exceptions=int(what.raises_s is not None and since_s >= what.raises_s),
            market_open=True,
            halted=self.halted,
            breakers=(
                *self.tripped,
                *(("loss per day",) if what.trips_s is not None and since_s >= what.trips_s else ()),
            ),
            unresolved=0,
            positions=self.positions,
            result_usd=Decimal(-300 if lost else 0),
            equity_usd=Decimal(10_000),
            differences=self.differences,
            first_bar_s=to_bar_s,
        )


def instance_of(release_id: str) -> Instance:
    return Instance(
        strategy="bear_trap",
        stage="test",
        account=ACCOUNT,
        ledger_account=LEDGER_ACCOUNT,
        release_id=release_id,
    )


def incoming(release_id: str = NEW) -> Incoming:
    return Incoming(
        strategy="bear_trap",
        stage="test",
        release_id=release_id,
        label=f"bear_trap-7-{release_id[:12]}",
        config_sha256=CONFIG[release_id],
        typed_number=None,
    )


def place_of(host: SimulatedHost) -> Place:
    """What a look at the host would find."""
    return Place(
        host=host.name,
        account=ACCOUNT,
        ledger_account=LEDGER_ACCOUNT,
        armed=host.arming.get(LEDGER_ACCOUNT, NOBODY).instance,
        standing=tuple(
            Standing(instance=each.instance, config_sha256=CONFIG[each.instance.release_id])
            for each in host.running.values()
        ),
        halted=host.halted,
        tripped=host.tripped,
    )


TERMS = RolloutTerms(
    ready_within_s=20,
    hand_over_within_s=10,
    healthy_within_s=20,
    watch_s=30,
    loss_fraction_max=0.02,
    at_once=False,
)
