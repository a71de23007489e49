"""This machine as a host: releases, instances and arming as files below one folder, processes with a keeper.

host/installed, host/engines   `installed_releases.py`
host/instances/KEY/            instance.json (what it is), report.json (what it says of itself), log
host/armed/ACCOUNT.json        who may trade the account
host/lease.json                `lease_file.py`; not there: nobody needs one to enter
host/pycache, host/kernels     compiled code, so that releases stay read-only and a new one starts at once
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import platform
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

from magellan.adapters.durable_file import cannot_write, make_folder_durably, write_durably
from magellan.adapters.local.environments import Environments
from magellan.adapters.local.installed_releases import InstalledReleases
from magellan.adapters.local.lease_file import LeaseFile
from magellan.deploy.arming import NOBODY, Armed
from magellan.deploy.health import SessionLook
from magellan.deploy.host import HostFacts, Installed
from magellan.deploy.instance import Condition, Instance, InstanceLook, InstanceReport, Process
from magellan.errors import AskOperator
from magellan.ports.process_keeper import Kept, ProcessKeeper, ProcessTerms

_STOP_WITHIN_S: Final = 20.0
_PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "TMPDIR")


class HostFolder:
    """The files of a host, for those who keep it and for the instances that live there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lease = LeaseFile(folder / "lease.json")
        self._armed_seen: tuple[tuple[Path, int, int, int], Armed] | None = None

    def instance_folder(self, key: str) -> Path:
        return self.folder / "instances" / key

    def instance(self, key: str) -> Instance | None:
        """What the host was told of it. None: it knows none of that key. Raises AskOperator."""
        path = self.instance_folder(key) / "instance.json"
        try:
            return Instance.parsed(path.read_bytes(), name=str(path))
        except FileNotFoundError:
            return None

    def report(self, key: str) -> tuple[InstanceReport, datetime] | None:
        """What it said of itself last, and when by this machine's clock. Raises AskOperator for what is no report."""
        path = self.instance_folder(key) / "report.json"
        try:
            content, at = path.read_bytes(), path.stat().st_mtime
        except FileNotFoundError:
            return None
        return InstanceReport.parsed(content, name=str(path)), datetime.fromtimestamp(at, UTC)

    def write_report(self, key: str, report: InstanceReport) -> None:
        """Whole, in place of the one before. Not flushed to the disk: after a power cut nothing runs either."""
        path = self.instance_folder(key) / "report.json"
        beside = path.with_name(f"report.json.{os.getpid()}")
        try:
            beside.write_bytes(report.written())
            os.replace(beside, path)
        except OSError as error:
            raise cannot_write(path, error, kept="the ledger") from error

    def armed(self, ledger_account: str) -> Armed:
        """Who may trade the account. Raises AskOperator when that cannot be read: then nobody may."""
        path = self._armed_file(ledger_account)
        try:
            found = path.stat()
            # It is replaced and never written into, so the same file says the same; it is asked for 50 times a second.
            signature = (path, found.st_ino, found.st_mtime_ns, found.st_size)
            if self._armed_seen is None or self._armed_seen[0] != signature:
                self._armed_seen = (signature, Armed.parsed(path.read_bytes(), name=str(path)))
        except FileNotFoundError:
            return NOBODY
        return self._armed_seen[1]

    def arm(
        self, ledger_account: str, instance: str | None, release_id: str | None, *, epoch: int, by: str
    ) -> Armed:
        """Change who may trade the account, from one instant to the next; on the disk when this returns."""
        path = self._armed_file(ledger_account)
        with _held(path.with_suffix(".lock")):
            found = self.armed(ledger_account)
            if found.epoch != epoch:
                raise AskOperator(
                    f"{found.by} has armed {found.instance or 'nobody'} for {ledger_account} meanwhile",
                    kept="that",
                    next_step="look with `magellan deployments`, then begin again",
                )
            armed = Armed(
                instance=instance, release_id=release_id, epoch=epoch + 1, by=by, at=datetime.now(UTC)
            )
            write_durably(path, armed.written(), kept="who was armed before")
        return armed

    def instance_keys(self) -> tuple[str, ...]:
        """By name."""
        folder = self.folder / "instances"
        if not folder.is_dir():
            return ()
        return tuple(sorted(each.parent.name for each in folder.glob("*/instance.json")))

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Wait until no other process changes this host, and keep it so."""
        guard = _held(self.folder / "changing.lock")
        await asyncio.to_thread(guard.__enter__)
        try:
            yield
        finally:
            guard.__exit__(None, None, None)

    def _armed_file(self, ledger_account: str) -> Path:
        return self.folder / "armed" / f"{quote(ledger_account, safe='')}.json"


class LocalHost:
    """Keeps `deploy.host.Host` for this machine.

    session: how an account's session is, by its ledger.
    """

    def __init__(
        self,
        name: str,
        *,
        workspace: Path,
        files: HostFolder,
        releases: InstalledReleases,
        environments: Environments,
        keeper: ProcessKeeper,
        session: Callable[[str], SessionLook],
        environment: Mapping[str, str],
    ) -> None:
        self._name = name
        self._workspace = workspace
        self._files = files
        self._releases = releases
        self._environments = environments
        self._keeper = keeper
        self._session = session
        self._environment = environment
        self._printed: dict[str, tuple[int | None, tuple[str, ...]]] = {}  # by key: process, and its words

    @property
    def name(self) -> str:
        return self._name

    async def facts(self, requirements: bytes) -> HostFacts:
        """See the port."""
        folder = self._files.folder
        make_folder_durably(folder, kept="")
        return HostFacts(
            free_bytes=shutil.disk_usage(folder).free,
            clock_ahead_s=None,
            python=platform.python_version(),
            lacks=await asyncio.to_thread(self._environments.lacks, requirements),
        )

    async def installed(self, release_id: str) -> Installed:
        """See the port."""
        if not self._releases.is_there(release_id):
            return Installed(is_there=False)
        return Installed(is_there=True, drift=await asyncio.to_thread(self._releases.drift, release_id))

    async def install(self, release_id: str, content: bytes) -> None:
        """See the port."""
        await asyncio.to_thread(self._install, release_id, content)

    async def remove(self, release_id: str) -> None:
        """See the port."""
        await asyncio.to_thread(self._releases.remove, release_id)

    async def start(self, instance: Instance) -> None:
        """See the port."""
        key = instance.key
        found = self._files.instance(key)
        if found is not None and found != instance:
            raise AskOperator(
                f"{key} is on {self._name} already, and trades {found.account}",
                kept="that",
                next_step="roll it back there first",
            )
        python = await asyncio.to_thread(
            self._environments.make, self._releases.requirements(instance.release_id)
        )
        folder = self._files.instance_folder(key)
        write_durably(folder / "instance.json", instance.written(), kept="what runs")
        await asyncio.to_thread(self._keeper.start, self.terms_of(instance, python))

    def terms_of(self, instance: Instance, python: Path) -> ProcessTerms:
        """What its keeper is told of an instance. python: the interpreter that has its packages."""
        here = (str(python), "-P", "-m", "magellan", "instance", instance.key)
        return ProcessTerms(
            key=instance.key,
            command=(*here, "--workspace", str(self._workspace)),
            folder=self._workspace,
            environment=self._environment_of(instance),
            log=self._files.instance_folder(instance.key) / "log",
            stop_within_s=_STOP_WITHIN_S,
        )

    async def stop(self, key: str) -> None:
        """See the port."""
        await asyncio.to_thread(self._keeper.stop, key)
        folder = self._files.instance_folder(key)
        (folder / "instance.json").unlink(missing_ok=True)
        (folder / "report.json").unlink(missing_ok=True)

    async def instances(self) -> tuple[Instance, ...]:
        """See the port."""
        found = (self._files.instance(key) for key in self._files.instance_keys())
        return tuple(each for each in found if each is not None)

    async def look(self, key: str) -> InstanceLook:
        """See the port."""
        if self._files.instance(key) is None:
            return InstanceLook(process=Process.ABSENT)
        kept = await asyncio.to_thread(self._keeper.look, key)
        try:
            told = self._files.report(key)
        except AskOperator:
            told = (
                None  # torn: who says nothing that can be read is silent, until the next one a second later
            )
        report, age_s = None, None
        if told is not None:
            report, at = told
            age_s = max(0.0, (datetime.now(UTC) - at).total_seconds())
            if kept.began_at is not None:
                is_older = at < kept.began_at
                report = replace(report, pid=kept.pid or report.pid)
            else:
                is_older = kept.pid is not None and report.pid != kept.pid
            if kept.process is Process.RUNNING and is_older:
                report, age_s = None, None  # of the process before
        # One that stands again after it had ended is started, whoever started it; what it did not survive is over.
        stands = report is not None and report.condition in (
            Condition.READY,
            Condition.TAKING,
            Condition.TRADING,
        )
        # Told but not kept: the host was killed between the two, and starting it again is what mends it.
        process = Process.ENDED if kept.process is Process.ABSENT else kept.process
        return InstanceLook(
            process=process,
            restarts=kept.restarts and not stands,
            report=report,
            report_age_s=age_s,
            last_words=await self._last_words(key, kept, report),
        )

    async def armed(self, ledger_account: str) -> Armed:
        """See the port."""
        return self._files.armed(ledger_account)

    async def arm(
        self, ledger_account: str, instance: str | None, release_id: str | None, *, epoch: int, by: str
    ) -> Armed:
        """See the port."""
        return await asyncio.to_thread(
            self._files.arm, ledger_account, instance, release_id, epoch=epoch, by=by
        )

    async def renew_lease(self, for_s: float, *, by: str) -> None:
        """See the port."""
        await asyncio.to_thread(self._files.lease.renew, for_s, by=by)

    async def end_lease(self) -> None:
        """See the port."""
        await asyncio.to_thread(self._files.lease.end)

    async def session(self, ledger_account: str) -> SessionLook:
        """See the port."""
        return await asyncio.to_thread(self._session, ledger_account)

    async def _last_words(self, key: str, kept: Kept, report: InstanceReport | None) -> tuple[str, ...]:
        """What it printed: of a process that is at work, that it has; of one that is not, the newest.

        Asking systemd's journal takes longer than all the rest of a look, and a roll-out looks twenty times a second.
        """
        known = self._printed.get(key)
        works = report is not None and report.condition not in (Condition.FAILED, Condition.STOPPED)
        if known and known[1] and known[0] == kept.pid and works and not kept.restarts:
            return known[1]
        words = await asyncio.to_thread(
            self._keeper.last_words,
            key,
            self._files.instance_folder(key) / "log",
            runs=kept.process is Process.RUNNING,
        )
        self._printed[key] = (kept.pid, words)
        return words

    def _install(self, release_id: str, content: bytes) -> None:
        self._releases.install(release_id, content)
        self._environments.make(self._releases.requirements(release_id))

    def _environment_of(self, instance: Instance) -> dict[str, str]:
        """What an instance is started with: its engine, its stage, and nothing that a shell happens to hold."""
        folder = self._files.folder
        passed_on = {name: self._environment[name] for name in _PASSED_ON if self._environment.get(name)}
        return {
            **passed_on,
            "PYTHONPATH": str(self._releases.engine_folder(instance.release_id)),
            "PYTHONPYCACHEPREFIX": str(folder / "pycache"),
            "PYTHONUNBUFFERED": "1",
            "NUMBA_CACHE_DIR": str(folder),
            # Production says so only with real money: a rehearsal there is none, and is not taken for it.
            **({} if instance.stage == "prod" and not instance.is_live else {"ENVIRONMENT": instance.stage}),
            **({"ALPACA_PAPER": "false"} if instance.is_live else {}),
        }


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Nobody else changes it meanwhile; whoever comes waits."""
    make_folder_durably(path.parent, kept="")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise cannot_write(path, error, kept="") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
