"""One cell: a deployment, a promotion or a roll-back with a fault at one of its calls, and how it ended.

A cell is sound when, at its end, exactly one whole release is armed and trades, it is the new one where the roll-out
came to its end and the old one where it was taken back, and the audit log says which: it is whole, it has the
roll-out's beginning and end, and the release that trades by the log is the one that does. After a promotion the
strategy's folder in prod/ holds what trades, too.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.faults.ground import ACCOUNT_OF, Ground
from benchmarks.faults.matrix import OF_FOLDERS, Cell
from magellan.audit.change import Result
from magellan.deploy.host import Host
from magellan.deploy.instance import Condition, Instance, Process
from magellan.deploy.source import files_digest, strategy_files
from magellan.deploy.source_folders import SourceFolders
from magellan.deploy.steps.looking import made_ready
from magellan.errors import AskOperator, MagellanError, TryAgain
from magellan.ledger.chain import Broken
from magellan.plan.carry_out import Finished, Halted, Interrupted, Outcome
from magellan.release.artifact import Artifact, packed
from magellan.usecases.deploy import begin_deploy, go_on
from magellan.usecases.deploy_history import release_now
from magellan.usecases.prepare_deploy import DeployAsked, DeploySources, PreparedDeploy, prepare_deploy
from magellan.wiring.hosts import host_folder
from magellan.workspace.workspace import Stage

STAGE_OF = {"deploy": Stage.TEST, "rollback": Stage.TEST, "promote": Stage.PROD}
_SETTLED_WITHIN_S = 90.0

Act = Callable[[], Awaitable[None]]


class Killed(BaseException):
    """The controller's process ends here."""


async def nothing() -> None:
    """No fault."""


@dataclass
class Faulty:
    """A host with the strategies' folders beside it, and a fault that is due at one of its calls."""

    real: Host
    folders: SourceFolders
    step: tuple[str, int] = ("none", 0)
    before: Act = nothing
    after: Act = nothing
    seen: Counter[str] = field(default_factory=Counter)
    cut: bool = False
    met: bool = False  # whether the step was reached

    @property
    def name(self) -> str:
        return self.real.name

    def __getattr__(self, verb: str) -> Any:
        if verb in OF_FOLDERS:
            return partial(self._of_folders, verb)

        async def call(*given: Any, **named: Any) -> Any:
            if self.cut:
                raise TryAgain("the host cannot be reached")
            due = self._due(verb)
            if due:
                await self.before()
            answer = await getattr(self.real, verb)(*given, **named)
            if due:
                await self.after()
            return answer

        return call

    def _of_folders(self, verb: str, *given: Any, **named: Any) -> Any:
        due = self._due(verb)
        if due:
            _beside(self.before)
        answer = getattr(self.folders, verb)(*given, **named)
        if due:
            _beside(self.after)
        return answer

    def _due(self, verb: str) -> bool:
        self.seen[verb] += 1
        due = (verb, self.seen[verb]) == self.step
        self.met = self.met or due
        return due


def _beside(act: Act) -> None:
    """In a thread of its own: folders are changed by calls that nobody awaits."""

    async def acted() -> None:
        await act()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, acted()).result()


@dataclass
class Rollout:
    """One cell on its ground."""

    ground: Ground
    new: Artifact
    cell: Cell

    async def run(self) -> str:
        """How it ended: new, old, "old, by --undo", or what is wrong."""
        ground = self.ground
        self.old = next(each for each in ground.releases[self.stage] if each is not self.new)
        self.faulty = Faulty(ground.host, ground.sources.sources)
        self.sources = replace(ground.sources, host=lambda name: self.faulty, sources=self.faulty)  # type: ignore[arg-type,return-value]
        await self._made_ready()
        before = ground.sources.changes.head.number
        ground.told.severities.clear()
        asked = DeployAsked(
            strategy="moods",
            stage=self.stage,
            release=self.new.release_id[:12],
            why=self.cell.name,
            action=self.cell.verb,
            at_once=self.cell.verb != "promote",
        )
        prepared = await prepare_deploy(asked, self.sources)
        self.faulty.step = (self.cell.call, self.cell.number)
        self.faulty.before, self.faulty.after = self._acts()
        self.faulty.seen.clear()
        self.task = asyncio.current_task()
        outcome = await self._carried_out(prepared)
        self.faulty.cut, self.faulty.step = False, ("none", 0)
        by_hand = isinstance(outcome, Halted)
        ground.heal()
        if by_hand:
            outcome = await self._back()
        if isinstance(outcome, Halted):
            return f"still halted: {outcome.why}"
        wanted = self.new if isinstance(outcome, Finished) else self.old
        wrong = await self._not_whole(wanted) or self._not_told(wanted, after=before)
        if wrong:
            return wrong
        return ("new" if wanted is self.new else "old") + (", by --undo" if by_hand else "")

    @property
    def stage(self) -> Stage:
        return STAGE_OF[self.cell.verb]

    async def _made_ready(self) -> None:
        """What the verb finds on the host: of the release that is to trade nothing, or that it stands by."""
        truth, key = self.ground.truth, key_of(self.new, self.stage)
        await truth.stop(key)
        await truth.remove(self.new.release_id)  # a cell before may have left it edited
        if self.cell.verb != "rollback":
            return
        manifest = self.new.manifest
        await truth.install(manifest.release_id, packed(self.new))
        instance = Instance(
            strategy="moods",
            stage=self.stage,
            account=ACCOUNT_OF[self.stage][0],
            ledger_account=ACCOUNT_OF[self.stage][1],
            release_id=manifest.release_id,
            typed_number=None,
        )
        await made_ready(truth, instance, manifest.config_sha256, _SETTLED_WITHIN_S)

    async def _carried_out(self, prepared: PreparedDeploy) -> Outcome:
        sources = self.sources
        if self.cell.fault == "journal full":
            sources = replace(sources, journals=_FullJournals(sources.journals, self))  # type: ignore[arg-type]
        try:
            return await begin_deploy(prepared, sources)
        except (Killed, Interrupted, MagellanError):
            if self.cell.fault.endswith("resumed"):
                return await go_on("moods", self.stage, self.sources, undo=False, why="it was killed")
            return await self._back()

    async def _back(self) -> Outcome:
        return await go_on("moods", self.stage, self.sources, undo=True, why="asked for")

    def _acts(self) -> tuple[Act, Act]:
        """What happens before the call, and after it."""

        def raising(error: BaseException) -> Act:
            async def raise_it() -> None:
                raise error

            return raise_it

        def doing(act: Callable[[], object]) -> Act:
            async def do_it() -> None:
                await asyncio.to_thread(act)

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
            pids = await self._pids(self.new)
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(1.0)
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

        fault = self.cell.fault
        if fault.startswith("killed before"):
            return raising(Killed()), nothing
        if fault.startswith("killed after"):
            return nothing, raising(Killed())
        if fault.startswith("Ctrl-C"):
            return interrupted, nothing
        table: dict[str, tuple[Act, Act]] = {
            "lost before": (raising(TryAgain("the connection was lost")), nothing),
            "lost after": (nothing, raising(TryAgain("the connection was lost"))),
            "lost for good": (lost_for_good, nothing),
            "refused": (raising(AskOperator("it is refused")), nothing),
            "answered late": (late, nothing),
            "new process killed": (nothing, lambda: self._kill(self.new)),
            "old process killed": (nothing, lambda: self._kill(self.old)),
            "both processes killed": (nothing, lambda: self._kill(self.old, self.new)),
            "keeper ended": (nothing, doing(self.ground.end_keeper)),
            "new process frozen": (nothing, frozen),
            "release edited": (nothing, doing(self._edit)),
            "release removed": (nothing, doing(self._remove)),
            "report torn": (nothing, doing(self._tear)),
            "journal full": (nothing, doing(lambda: setattr(self, "journal_is_full", True))),
        }
        return table[fault]

    journal_is_full: bool = False

    async def _pids(self, *artifacts: Artifact) -> list[int]:
        found = []
        for each in artifacts:
            report = (await self.ground.truth.look(key_of(each, self.stage))).report
            if report is not None and _is_ours(report.pid):
                found.append(report.pid)
        return found

    async def _kill(self, *artifacts: Artifact) -> None:
        for pid in await self._pids(*artifacts):
            os.kill(pid, signal.SIGKILL)

    @property
    def _installed(self) -> Path:
        return host_folder(self.ground.workspace).folder / "installed" / self.new.release_id

    def _edit(self) -> None:
        path = self._installed / "strategy" / "strategy.py"
        if path.exists():
            path.chmod(0o644)
            path.write_bytes(path.read_bytes() + b"# by hand\n")

    def _remove(self) -> None:
        if self._installed.is_dir():
            self._installed.rename(self._installed.with_name(f"{self._installed.name}.gone-{time.time_ns()}"))

    def _tear(self) -> None:
        path = (
            host_folder(self.ground.workspace).instance_folder(key_of(self.new, self.stage)) / "report.json"
        )
        if path.exists():
            path.write_bytes(path.read_bytes()[:40])

    async def _not_whole(self, wanted: Artifact) -> str:
        """What is wrong after the host was given some time; "": exactly that release is armed, whole, and trades."""
        until_s = time.monotonic() + _SETTLED_WITHIN_S
        while wrong := await self._wrong(wanted):
            if time.monotonic() > until_s:
                return wrong
            await asyncio.sleep(0.1)
        return ""

    async def _wrong(self, wanted: Artifact) -> str:
        truth = self.ground.truth
        other = self.old if wanted is self.new else self.new
        armed = await truth.armed(ACCOUNT_OF[self.stage][1])
        if armed.release_id != wanted.release_id:
            return f"armed is {armed.instance}"
        looks = [await truth.look(key_of(each, self.stage)) for each in (wanted, other)]
        if looks[0].condition is not Condition.TRADING or looks[0].process is not Process.RUNNING:
            return f"what is armed is {looks[0].process} and {looks[0].condition}"
        if looks[1].condition is Condition.TRADING and looks[1].process is Process.RUNNING:
            return "two trade"
        there = await truth.installed(wanted.release_id)
        if not there.is_whole:
            return f"it is not whole: {there}"
        if self.cell.verb == "promote":
            held = self.ground.sources.sources.files_sha256(self.stage, "moods")
            if held != files_digest(strategy_files(wanted.files)):
                return "prod/moods does not hold what trades"
        return ""

    def _not_told(self, wanted: Artifact, *, after: int) -> str:
        """What the audit log lacks; "": it says what was begun, by whom, and which release trades now."""
        changes = self.ground.sources.changes
        verdict = changes.verify()
        if isinstance(verdict, Broken):
            return f"the audit log is broken: {verdict.reason}"
        told = [
            each.change
            for each in changes.changes(after=after)
            if each.change.subject == f"{self.stage}/moods"
        ]
        if not told or told[0].result is not Result.BEGUN or told[0].by.person != "ada":
            return "the audit log does not say that it was begun"
        if any(each.action != self.cell.verb for each in told):
            return f"the audit log calls it {', '.join(each.action for each in told)}"
        ending = Result.DONE if wanted is self.new else Result.TAKEN_BACK
        if any(each.release != self.new.release_id for each in told) or told[-1].result is not ending:
            return f"the audit log ends with {told[-1].result} of {told[-1].release}"
        if release_now(changes, "moods", self.stage) != wanted.release_id:
            return "the audit log says that the other one trades"
        wanted_severity = "info" if wanted is self.new else "critical"
        if self.ground.told.severities[-1:] != [wanted_severity]:
            return f"people were told {self.ground.told.severities}"
        return ""


@dataclass
class _FullJournals:
    """Journals whose disk is full from the fault on."""

    real: Any
    rollout: Rollout

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def begin(self, *given: Any, **named: Any) -> Any:
        return _FullJournal(self.real.begin(*given, **named), self.rollout)


@dataclass
class _FullJournal:
    opening: Any
    rollout: Rollout

    def __enter__(self) -> Any:
        journal = self.opening.__enter__()
        append = journal.append

        def perhaps(records: Any, *, durably: bool) -> None:
            if self.rollout.journal_is_full:
                raise AskOperator("the disk is full")
            append(records, durably=durably)

        journal.append = perhaps
        return journal

    def __exit__(self, *raised: Any) -> Any:
        return self.opening.__exit__(*raised)


def key_of(artifact: Artifact, stage: Stage = Stage.TEST) -> str:
    """Of the release's instance."""
    return f"{stage}-moods-{artifact.release_id[:12]}"


def _is_ours(pid: int) -> bool:
    try:
        return b"magellan" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


async def first_release(ground: Ground, sources: DeploySources, stage: Stage = Stage.TEST) -> None:
    """Let the first release trade in a stage, on a host on which nothing ever did there."""
    asked = DeployAsked(strategy="moods", stage=stage, release=ground.releases[stage][0].release_id[:12])
    outcome = await begin_deploy(await prepare_deploy(asked, sources), sources)
    assert isinstance(outcome, Finished), outcome
