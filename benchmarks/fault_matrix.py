"""A fault at every step of a roll-out, on hosts with real processes, supervisors, files and connections.

    .venv/bin/python benchmarks/fault_matrix.py --target local --minutes 10
    .venv/bin/python benchmarks/fault_matrix.py --target ssh --minutes 10 --seed 2

`local` is this machine with its supervisord; `ssh` is the same over a real SSH connection on loopback. The
instances are those of tests/lab/hosts: they take the account's ledger and beat, without a market. A cell is one fault
at one step; the seed shuffles their order, so that a run that is cut short has seen a bit of everything.

A cell is sound when, at its end, exactly one whole release is armed and trades: the new one where the roll-out came to
its end, the old one where it was taken back. One that halts is taken back as a person would, with `--undo`; that is
counted. docs/guides/hosts.md has the newest figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests")]

from contracts.ssh_server import ssh_server  # noqa: E402
from magellan.adapters.local.journal_files import JournalFiles  # noqa: E402
from magellan.adapters.local.release_inputs import ThisInstallation  # noqa: E402
from magellan.adapters.ssh.host import SshHost  # noqa: E402
from magellan.deploy.host import Fleet, Host  # noqa: E402
from magellan.deploy.instance import Condition, Process  # noqa: E402
from magellan.deploy.rollout import Incoming, Place, RolloutTerms, Standing, rollout, rollout_of  # noqa: E402
from magellan.errors import AskOperator, MagellanError, TryAgain  # noqa: E402
from magellan.plan.actor import Actor  # noqa: E402
from magellan.plan.carry_out import Finished, Halted, Outcome, carry_out, take_back  # noqa: E402
from magellan.release.artifact import Artifact, packed  # noqa: E402
from magellan.release.manifest import LOCK  # noqa: E402
from magellan.wiring.hosts import host, host_folder, supervisor  # noqa: E402
from magellan.wiring.records import plan_journals  # noqa: E402
from magellan.workspace.host_settings import host_settings, host_settings_digest  # noqa: E402
from magellan.workspace.target import SshTarget  # noqa: E402
from magellan.workspace.workspace import Workspace  # noqa: E402
from release.conftest import Bench  # noqa: E402

ACCOUNT = "alpaca-local-PA1"
INSTANCE = "engine/magellan/surfaces/cli/instance.py"
ADA = Actor(person="ada", host="desk", pid=os.getpid())
SETTLED_WITHIN_S = 60.0
TERMS = RolloutTerms(
    ready_within_s=30,
    hand_over_within_s=20,
    healthy_within_s=20,
    watch_s=0,
    loss_fraction_max=0.02,
    at_once=True,
)
# (call, which one of them): what the plan asks of a host, in this order.
STEPS = (
    ("installed", 1), ("install", 1), ("installed", 2), ("look", 1), ("start", 1), ("look", 2),
    ("installed", 3), ("armed", 1), ("armed", 2), ("arm", 1), ("session", 1), ("session", 2),
)  # fmt: skip
FAULTS = (
    "killed before, resumed", "killed before, undone", "killed after, resumed", "killed after, undone",
    "Ctrl-C, resumed", "Ctrl-C, undone", "lost before", "lost after", "lost for good", "refused", "answered late",
    "new process killed", "old process killed", "both processes killed", "keeper ended", "new process frozen",
    "release edited", "release removed", "report torn", "journal full",
)  # fmt: skip


class Killed(BaseException):
    """The controller's process ends here."""


def now() -> datetime:
    """As plans ask for it."""
    return datetime.now(UTC)


@dataclass
class Faulty:
    """A host, and a fault that is due at one of its calls."""

    real: Host
    step: tuple[str, int]
    before: Callable[[], Any]
    after: Callable[[], Any]
    seen: Counter[str] = field(default_factory=Counter)
    cut: bool = False

    @property
    def name(self) -> str:
        return self.real.name

    def __getattr__(self, verb: str) -> Any:
        async def call(*given: Any, **named: Any) -> Any:
            if self.cut:
                raise TryAgain("the host cannot be reached")
            self.seen[verb] += 1
            due = (verb, self.seen[verb]) == self.step
            if due:
                await self.before()
            answer = await getattr(self.real, verb)(*given, **named)
            if due:
                await self.after()
            return answer

        return call


@dataclass
class Ground:
    """One host of a kind, two releases, and the campaign's journals."""

    workspace: Workspace
    host: Host
    releases: list[Artifact]

    def instance_key(self, artifact: Artifact) -> str:
        return f"test-moods-{artifact.release_id[:12]}"

    async def place(self) -> Place:
        armed, known = await self.host.armed(ACCOUNT), await self.host.instances()
        return Place(
            host=self.host.name,
            account="staging",
            ledger_account=ACCOUNT,
            armed=armed.instance,
            standing=tuple(Standing(instance=each, config_sha256="0" * 64) for each in known),
            halted="",
        )

    async def cell(self, new: Artifact, step: tuple[str, int], fault: str) -> str:
        """Roll it out with that fault, and say how it ended: new, old, "old, by --undo", or what is wrong."""
        old = next(each for each in self.releases if each is not new)
        await self.host.stop(self.instance_key(new))
        await self.host.remove(new.release_id)
        incoming = Incoming(
            strategy="moods",
            stage="test",
            release_id=new.release_id,
            label=f"moods-{new.release_id[:12]}",
            config_sha256="0" * 64,
            typed_number=None,
        )
        plan = rollout([await self.place()], incoming, TERMS, by="ada")
        journals = plan_journals(self.workspace)
        faulty = Faulty(self.host, step, *self._acts(fault, old, new))
        fleet = Fleet(
            hosts={self.host.name: faulty},  # type: ignore[dict-item]  # it passes every call on
            content={each.release_id: packed(each) for each in self.releases},
        )
        self.faulty, self.task = faulty, asyncio.current_task()
        outcome = await self._carried_out(plan, fleet, journals, fault)
        faulty.cut = False
        faulty.step = ("none", 0)
        by_hand = isinstance(outcome, Halted)
        if by_hand:
            self._heal()
            name = journals.all()[-1].name
            with journals.reopen(name, by=ADA, at=now()) as journal:
                outcome = await take_back(rollout_of(plan.description), fleet, journal, why="halted", now=now)
        self._heal()
        if isinstance(outcome, Halted):
            return f"still halted: {outcome.why}"
        wanted = new if isinstance(outcome, Finished) else old
        wrong = await self._not_whole(wanted, old if wanted is new else new)
        if wrong:
            return wrong
        return ("new" if wanted is new else "old") + (", by --undo" if by_hand else "")

    async def _carried_out(self, plan: Any, fleet: Fleet, journals: JournalFiles, fault: str) -> Outcome:
        try:
            with journals.begin(plan.description, by=ADA, at=now()) as journal:
                if fault == "journal full":
                    self.journal = journal
                return await carry_out(plan, fleet, journal, now=now)
        except (Killed, MagellanError):
            name = journals.all()[-1].name
            with journals.reopen(name, by=ADA, at=now()) as journal:
                again = rollout_of(plan.description)
                if fault.endswith("resumed"):
                    return await carry_out(again, fleet, journal, now=now)
                return await take_back(again, fleet, journal, why="asked for", now=now)

    def _acts(self, fault: str, old: Artifact, new: Artifact) -> tuple[Callable[[], Any], Callable[[], Any]]:
        """What happens before the call, and after it."""

        async def nothing() -> None:
            return None

        def raising(error: BaseException) -> Callable[[], Any]:
            async def raise_it() -> None:
                raise error

            return raise_it

        def doing(act: Callable[[], object]) -> Callable[[], Any]:
            async def do_it() -> None:
                act()

            return do_it

        async def late() -> None:
            await asyncio.sleep(1.0)

        async def lost_for_good() -> None:
            self.faulty.cut = True
            raise TryAgain("the host cannot be reached")

        async def interrupted() -> None:
            assert self.task is not None
            self.task.cancel()
            await asyncio.sleep(0)

        async def frozen() -> None:
            pids = self._pids(new)
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(1.0)
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

        if fault.startswith("killed before"):
            return raising(Killed()), nothing
        if fault.startswith("killed after"):
            return nothing, raising(Killed())
        if fault.startswith("Ctrl-C"):
            return interrupted, nothing
        table: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
            "lost before": (raising(TryAgain("the connection was lost")), nothing),
            "lost after": (nothing, raising(TryAgain("the connection was lost"))),
            "lost for good": (lost_for_good, nothing),
            "refused": (raising(AskOperator("it is refused")), nothing),
            "answered late": (late, nothing),
            "new process killed": (nothing, doing(lambda: self._kill(new))),
            "old process killed": (nothing, doing(lambda: self._kill(old))),
            "both processes killed": (nothing, doing(lambda: self._kill(old, new))),
            "keeper ended": (nothing, doing(lambda: supervisor(self.workspace).shut_down())),
            "new process frozen": (nothing, frozen),
            "release edited": (nothing, doing(lambda: self._edit(new))),
            "release removed": (nothing, doing(lambda: self._remove(new))),
            "report torn": (nothing, doing(lambda: self._tear(new))),
            "journal full": (nothing, doing(self._fill_journal)),
        }
        return table[fault]

    def _pids(self, *artifacts: Artifact) -> list[int]:
        found = []
        for each in artifacts:
            told = host_folder(self.workspace).report(self.instance_key(each))
            if told is not None and Path(f"/proc/{told[0].pid}").exists():
                found.append(told[0].pid)
        return found

    def _kill(self, *artifacts: Artifact) -> None:
        for pid in self._pids(*artifacts):
            os.kill(pid, signal.SIGKILL)

    def _installed(self, artifact: Artifact) -> Path:
        return host_folder(self.workspace).folder / "installed" / artifact.release_id

    def _edit(self, artifact: Artifact) -> None:
        path = self._installed(artifact) / "strategy" / "strategy.py"
        if path.exists():
            path.chmod(0o644)
            path.write_bytes(path.read_bytes() + b"# by hand\n")

    def _remove(self, artifact: Artifact) -> None:
        place = self._installed(artifact)
        if place.is_dir():
            place.rename(place.with_name(f"{place.name}.gone-{time.time_ns()}"))

    def _tear(self, artifact: Artifact) -> None:
        path = host_folder(self.workspace).instance_folder(self.instance_key(artifact)) / "report.json"
        if path.exists():
            path.write_bytes(path.read_bytes()[:40])

    def _fill_journal(self) -> None:
        def full(records: Any, *, durably: bool) -> None:
            raise AskOperator("the disk is full")

        self.journal.append = full

    def _heal(self) -> None:
        supervisor(self.workspace).start_all()

    async def _not_whole(self, wanted: Artifact, other: Artifact) -> str:
        """What is wrong after the host was given some time; "": exactly that release is armed, whole, and trades."""
        until_s = time.monotonic() + SETTLED_WITHIN_S
        while wrong := await self._wrong(wanted, other):
            if time.monotonic() > until_s:
                return wrong
            await asyncio.sleep(0.2)
        return ""

    async def _wrong(self, wanted: Artifact, other: Artifact) -> str:
        armed = await self.host.armed(ACCOUNT)
        if armed.release_id != wanted.release_id:
            return f"armed is {armed.instance}"
        looks = [await self.host.look(self.instance_key(each)) for each in (wanted, other)]
        if looks[0].condition is not Condition.TRADING or looks[0].process is not Process.RUNNING:
            return f"what is armed is {looks[0].process} and {looks[0].condition}"
        if looks[1].condition is Condition.TRADING and looks[1].process is Process.RUNNING:
            return "two trade"
        drift = (await self.host.installed(wanted.release_id)).drift
        return f"it is not whole: {drift[0]}" if drift else ""


async def campaign(ground: Ground, minutes: float, seed: int, most: int) -> Counter[str]:
    """Cells in a shuffled order, until time is over; how they ended."""
    cells = [(step, fault) for step in STEPS for fault in FAULTS]
    random.Random(seed).shuffle(cells)
    first, second = ground.releases
    await ground.cell(first, ("none", 0), "refused")
    trading = first
    found: Counter[str] = Counter()
    until_s = time.monotonic() + 60 * minutes
    for step, fault in cells[:most]:
        if time.monotonic() > until_s:
            break
        new = second if trading is first else first
        how = await ground.cell(new, step, fault)
        if how == "new":
            trading = new
        found[how if how in ("new", "old", "old, by --undo") else "WRONG"] += 1
        print(f"{fault}, at {step[0]} {step[1]}: {how}", flush=True)
        if found["WRONG"]:
            break  # the next cell begins from a sound state, or means nothing
    return found


def main() -> int:
    """Run the campaign; 1 where a cell ended unsound."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--target", choices=("local", "ssh"), default="local")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--cells", type=int, default=len(STEPS) * len(FAULTS))
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    signal.signal(
        signal.SIGTERM, lambda number, frame: sys.exit(143)
    )  # what it has started is ended all the same
    bench = Bench()
    with tempfile.TemporaryDirectory(prefix="magellan-faults-") as folder, ssh_server(Path(folder)) as door:
        root = Path(folder) / "ws"
        root.mkdir()
        text = host_settings(
            '[accounts.staging]\nkind = "local"\nnumber = "PA1"\naddress = "http://127.0.0.1:8970"\n'
            f'[releases.trusted_keys]\nada = "{bench.key.public_key}"\n'
        )
        (root / "magellan.toml").write_text(text)
        workspace = Workspace.at(root)
        engine = {f"engine/{path}": content for path, content in ThisInstallation().engine_files().items()}
        engine[INSTANCE] = (ROOT / "tests/lab/hosts/short_instance.py").read_bytes()
        engine[LOCK] = b""
        releases = [
            bench.release(
                strategy="moods", version=version, files={**engine, "strategy/strategy.py": b"well\n"}
            )
            for version in ("1.0.0", "1.1.0")
        ]
        there: Host = host(workspace, "local", os.environ)
        if asked.target == "ssh":
            target = SshTarget.model_validate(
                {
                    "kind": "ssh",
                    "address": "127.0.0.1",
                    "port": door.port,
                    "key": str(door.key),
                    "known_hosts": str(door.known_hosts),
                    "folder": str(root),
                    "environment": sys.prefix,
                    "keeper": "supervisord",
                }
            )
            there = SshHost("local", target, settings=host_settings_digest(text))
        ground = Ground(workspace, there, releases)
        try:
            found = asyncio.run(campaign(ground, asked.minutes, asked.seed, asked.cells))
        finally:
            supervisor(workspace).shut_down()
            if isinstance(there, SshHost):
                asyncio.run(there.close())
    print(json.dumps({"target": asked.target, "cells": found.total(), **found}))
    return 1 if found["WRONG"] else 0


if __name__ == "__main__":
    sys.exit(main())
