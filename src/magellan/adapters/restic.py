"""Backups by restic: incremental, encrypted, into a folder, to an SSH host or to S3.

The passphrase reaches restic through a pipe: it is in no argument, no environment and no file.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import SecretStr

from magellan.errors import AskOperator, FixInput, MagellanError, TryAgain
from magellan.ledger.known_secrets import KnownSecrets
from magellan.ports.backup import BackupMade, NoBackups, Snapshot

WAITS_FOR_LOCK_S: Final = 20.0
INSTALL: Final = "install it: `apt install restic`, `dnf install restic` or `brew install restic`"
_UNREACHABLE: Final = ("dial tcp", "connection re", "no such host", "i/o timeout", "unable to start the sftp")

_Told = TypeVar("_Told")


class DestinationInUse(TryAgain):
    """Another process holds a lock at the destination."""


class Restic:
    """Keeps `ports.backup.BackupStore`.

    repository: as restic names it. cache: a folder that may be lost. exclude: patterns that are never backed up.
    """

    def __init__(
        self,
        repository: str,
        passphrase: SecretStr,
        *,
        cache: Path,
        exclude: Sequence[str] = (),
        environment: Mapping[str, str],
    ) -> None:
        found = shutil.which("restic", path=environment.get("PATH"))
        if found is None:
            raise FixInput("restic, which makes the backups, is not installed", next_step=INSTALL)
        self._program = found
        self._repository = repository
        self._passphrase = passphrase
        self._cache = cache
        self._exclude = tuple(exclude)
        self._secrets = KnownSecrets([passphrase.get_secret_value()])
        # Without what restic would take instead of what it is told here.
        self._environment = {
            name: value for name, value in environment.items() if not name.startswith("RESTIC_")
        }

    @property
    def place(self) -> str:
        """See the port."""
        return self._repository

    def prepare(self) -> None:
        """See the port."""
        self._run("init")

    def create(
        self, root: Path, paths: Sequence[Path], *, tag: str, on_progress: Callable[[float], None]
    ) -> BackupMade:
        """See the port."""
        began = datetime.now(UTC)
        names = [str(path.relative_to(root)) for path in paths]
        excluded = [f"--exclude={each}" for each in self._exclude]

        def backed_up() -> dict[str, Any]:
            summary: dict[str, Any] | None = None
            with self._started("backup", "--json", "--tag", tag, *excluded, "--", *names, cwd=root) as lines:
                for line in lines:
                    told = _json(line)
                    if told.get("message_type") == "status":
                        on_progress(float(told.get("percent_done", 0.0)))
                    elif told.get("message_type") == "summary":
                        summary = told
            if summary is None:
                raise AskOperator(f"restic did not say what it backed up to {self.place}")
            return summary

        summary = self._when_free(backed_up)
        return BackupMade(
            snapshot_id=str(summary["snapshot_id"])[:8],
            at=began,
            took_s=(datetime.now(UTC) - began).total_seconds(),
            files=int(summary["total_files_processed"]),
            bytes_read=int(summary["total_bytes_processed"]),
            bytes_added=int(summary["data_added"]),
        )

    def snapshots(self) -> tuple[Snapshot, ...]:
        """See the port."""
        told = json.loads(self._run("snapshots", "--json") or "[]") or []
        found = [
            Snapshot(
                snapshot_id=each["short_id"],
                at=datetime.fromisoformat(each["time"]).astimezone(UTC),
                host=each["hostname"],
                tags=tuple(each.get("tags") or ()),
            )
            for each in told
        ]
        return tuple(sorted(found, key=lambda each: each.at))

    def verify(self) -> None:
        """See the port."""
        self._run("check", "--read-data")

    def restore(self, snapshot_id: str, into: Path) -> None:
        """See the port."""
        self._run("restore", snapshot_id, "--target", str(into), "--verify")

    def forget(self, *, keep: Mapping[str, int]) -> int:
        """See the port. Of each tag by itself, so that the ledger's many do not push out the whole ones."""
        terms = [f"--keep-{span}={count}" for span, count in keep.items() if count]
        told = self._run("forget", "--json", "--group-by", "tags", *terms, "--prune")
        groups: list[dict[str, Any]] = next(
            (json.loads(line) for line in told.splitlines() if line.startswith("[")), []
        )
        return sum(len(group["remove"] or ()) for group in groups)

    def _run(self, *arguments: str) -> str:
        return self._when_free(lambda: self._run_once(*arguments))

    def _when_free(self, work: Callable[[], _Told]) -> _Told:
        """Do it; where another process holds a lock that forbids it, wait a while for that one.

        `unlock` removes the lock of a killed process, but not before that one has been reaped: until then it
        looks alive to restic, and the first process of a container may take seconds to reap it.
        """
        import tenacity

        def unlock(_: tenacity.RetryCallState) -> None:
            self._run_once("unlock")

        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(DestinationInUse),
            stop=tenacity.stop_after_delay(WAITS_FOR_LOCK_S),
            wait=tenacity.wait_exponential(multiplier=0.25, max=4),
            before_sleep=unlock,
            reraise=True,
        )
        return attempts(work)

    def _run_once(self, *arguments: str) -> str:
        with self._started(*arguments) as lines:
            return "".join(lines)

    @contextmanager
    def _started(self, *arguments: str, cwd: Path | None = None) -> Iterator[Iterator[str]]:
        """restic at work, its standard output line by line. Raises what its end says."""
        reading, writing = os.pipe()
        command = [
            *(self._program, "--repo", self._repository, "--password-file", f"/dev/fd/{reading}"),
            *("--cache-dir", str(self._cache), *arguments),
        ]
        with tempfile.TemporaryFile("w+") as told:
            try:
                process = subprocess.Popen(
                    command,
                    cwd=cwd,
                    env=self._environment,
                    pass_fds=(reading,),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=told,
                    text=True,
                    start_new_session=True,  # no terminal, on which ssh would ask
                )
                # A pipe holds more than any passphrase, so this waits for nobody.
                os.write(writing, self._passphrase.get_secret_value().encode() + b"\n")
            finally:
                os.close(reading)
                os.close(writing)
            with process:
                assert process.stdout is not None, "it is a pipe"
                try:
                    yield iter(process.stdout)
                except BaseException:
                    process.terminate()
                    raise
            if process.returncode:
                told.seek(0)
                words = self._secrets.hidden_in(told.read().strip())
                raise self._failure(arguments[0], process.returncode, words)

    def _failure(self, verb: str, code: int, told: str) -> MagellanError:
        last = told.splitlines()[-1] if told else f"it ended with {code}"
        words = told.lower()
        if "is there a repository" in words or "unable to open config file" in words:
            if any(each in words for each in _UNREACHABLE):
                return TryAgain(f"{self.place} cannot be reached: {last}")
            return NoBackups(
                f"there are no backups at {self.place}",
                next_step="`magellan backup create` makes the first; or correct backup.to in magellan.toml",
            )
        if "wrong password" in words:
            return FixInput(
                f"the passphrase does not open {self.place}",
                next_step="put back the one that it was made with: nothing else opens it",
            )
        if any(each in words for each in _UNREACHABLE):
            return TryAgain(f"{self.place} cannot be reached: {last}")
        if "already locked" in words:
            return DestinationInUse(f"{self.place} is in use by another backup")
        return AskOperator(
            f"restic {verb} failed at {self.place}: {last}",
            kept="every backup that was whole before",
            next_step="`magellan backup verify` says what can still be read",
        )


def _json(line: str) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
