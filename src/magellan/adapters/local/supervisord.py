"""The local target's process keeper: a supervisord of the workspace's own, without root.

It is started when the first instance is, outlives the command that did, and is spoken to over a socket that only its
owner may open. What it starts has the environment that it is told and nothing of ours, so that no key in a shell gets
into a trading process by accident.
"""

from __future__ import annotations

import glob
import hashlib
import http.client
import os
import shlex
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from magellan.adapters.durable_file import make_folder_durably, write_durably
from magellan.adapters.local.only_one import only_one
from magellan.deploy.instance import Process
from magellan.errors import AskOperator, TryAgain
from magellan.ports.process_keeper import LINES_KEPT, Kept, ProcessTerms

_UP_WITHIN_S: Final = 10.0
_DOWN_WITHIN_S: Final = 3.0
_SOCKET_PATH_BYTES: Final = 90  # a system takes 103 or more, and supervisord binds a longer name first
_LOG_BYTES: Final = 10_000_000
_LOGS_KEPT: Final = 5
_TAIL_BYTES: Final = 16_384
_KEPT: Final = "everything that runs"
_NOT_KNOWN: Final = 10  # BAD_NAME of supervisor.xmlrpc.Faults
_GOES_DOWN: Final = 6  # SHUTDOWN_STATE of the same
_STILL_RUNS: Final = 91
_ALREADY: Final = frozenset({60, 90})  # ALREADY_STARTED, ALREADY_ADDED
_STATES: Final = {
    "STARTING": Process.RUNNING,
    "RUNNING": Process.RUNNING,
    "BACKOFF": Process.RUNNING,
    "STOPPING": Process.RUNNING,
    "STOPPED": Process.ENDED,
    "EXITED": Process.ENDED,
    "FATAL": Process.ENDED,
    "UNKNOWN": Process.ENDED,
}

Answer = TypeVar("Answer")


class Supervisord:
    """Keeps `ports.process_keeper.ProcessKeeper`, for one folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._programs = folder / "programs"
        self._config = folder / "supervisord.conf"
        # Whoever asks finds the same one: no variable has a say, which a login, cron and SSH set differently.
        self._socket = folder / "socket"
        if len(os.fsencode(self._socket)) > _SOCKET_PATH_BYTES:
            name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
            self._socket = Path("/tmp") / f"magellan-{os.getuid()}" / f"{name}.sock"

    def start(self, terms: ProcessTerms) -> None:
        """See the port."""
        make_folder_durably(terms.log.parent, kept=_KEPT)
        write_durably(self._program(terms.key), _program(terms).encode(), kept=_KEPT)
        self._be_up()

        def begin(rpc: Any) -> None:
            rpc.reloadConfig()
            # One that has ended is told anew, so that what is counted of it begins here.
            _though({_NOT_KNOWN, _STILL_RUNS}, lambda: rpc.removeProcessGroup(terms.key))
            _though(_ALREADY, lambda: rpc.addProcessGroup(terms.key))
            _though(_ALREADY, lambda: rpc.startProcess(terms.key, False))

        self._ask(begin)

    def stop(self, key: str) -> None:
        """See the port."""
        if self.is_up():

            def end(rpc: Any) -> None:
                _though({_NOT_KNOWN, 70}, lambda: rpc.stopProcess(key, True))  # 70: NOT_RUNNING
                _though({_NOT_KNOWN}, lambda: rpc.removeProcessGroup(key))

            self._program(key).unlink(missing_ok=True)
            self._ask(end)
        else:
            self._program(key).unlink(missing_ok=True)

    def look(self, key: str) -> Kept:
        """See the port."""
        if not self._program(key).exists():
            return Kept(process=Process.ABSENT, pid=None, restarts=False)
        if not self.is_up():
            return Kept(process=Process.ENDED, pid=None, restarts=False)

        def info(rpc: Any) -> dict[str, Any] | None:
            try:
                told: dict[str, Any] = rpc.getProcessInfo(key)
            except xmlrpc.client.Fault as fault:
                if fault.faultCode == _NOT_KNOWN:
                    return None
                raise
            return told

        told = self._ask(info)
        if told is None:
            return Kept(process=Process.ENDED, pid=None, restarts=False)
        # It starts one that ended again at once, sooner than anybody looks; but it keeps when it last ended.
        state, has_ended = told["statename"], told["stop"] > 0
        return Kept(process=_STATES[state], pid=told["pid"] or None, restarts=has_ended)

    def last_words(self, key: str, log: Path, *, runs: bool) -> tuple[str, ...]:
        """See the port."""
        try:
            with open(log, "rb") as file:
                file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
                printed = file.read()
        except OSError:
            return ()
        if runs:
            printed = printed[: printed.rfind(b"\n") + 1]
        lines = printed.decode(errors="replace").splitlines()
        return tuple(line for line in lines if line.strip())[-LINES_KEPT:]

    def is_up(self) -> bool:
        """Whether the supervisor runs, and takes orders. One that is on its way down is waited for, for a while."""
        until_s = time.monotonic() + _DOWN_WITHIN_S
        while True:
            try:
                with self._rpc() as rpc:
                    return bool(rpc.getState())
            except xmlrpc.client.Fault:  # it ends what it keeps, and then itself
                if time.monotonic() > until_s:
                    return True
                time.sleep(0.02)
            except (OSError, http.client.HTTPException):
                return False

    def shut_down(self) -> None:
        """End the supervisor and all that it keeps; what was told to run runs again when it is started."""
        if not self.is_up():
            return
        self._ask(lambda rpc: rpc.shutdown())
        until_s = time.monotonic() + 60
        while self.is_up() or self._running_pid():
            if time.monotonic() > until_s:
                raise AskOperator(
                    f"the supervisor of {self._folder} has not ended", next_step=f"see {self._folder}/log"
                )
            time.sleep(0.05)

    def start_all(self) -> None:
        """Start the supervisor, and with it all that was told to run."""
        self._be_up()

    def _program(self, key: str) -> Path:
        return self._programs / f"{key}.conf"

    def _be_up(self) -> None:
        if self.is_up():
            return
        with only_one(self._folder / "starting.lock") as alone:
            if alone and not self.is_up():
                self._launch()
        until_s = time.monotonic() + _UP_WITHIN_S
        while not self.is_up():
            if time.monotonic() > until_s:
                raise TryAgain(
                    "this workspace's supervisor does not answer",
                    kept=_KEPT,
                    next_step=f"see {self._folder}/log",
                )
            time.sleep(0.02)

    def _launch(self) -> None:
        if glob.has_magic(str(self._folder)):
            raise AskOperator(
                f"supervisord finds nothing in a folder with *, ? or [ in its path: {self._folder}",
                kept=_KEPT,
                next_step="give the workspace a path without them",
            )
        make_folder_durably(self._programs, kept=_KEPT)
        self._socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._socket.parent.stat().st_uid != os.getuid():
            raise AskOperator(
                f"{self._socket.parent} belongs to somebody else, who could then command this workspace's processes",
                next_step=f"remove it, or move the workspace to a shorter path than {self._folder}",
            )
        if lost := self._running_still():
            raise AskOperator(
                f"this workspace's supervisor runs as process {lost}, and cannot be spoken to: {self._socket} is gone",
                kept=_KEPT,
                next_step=f"end it (`kill {lost}`), which ends what it keeps, and run the same command again",
            )
        write_durably(self._config, self._settings().encode(), kept=_KEPT)
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(self._config)]
        done = subprocess.run(
            command, env=_bare_environment(), cwd=self._folder, capture_output=True, text=True, check=False
        )
        if done.returncode:
            words = (done.stderr or done.stdout).strip().splitlines()
            why = next((line for line in words if line.startswith("Error: ")), words[-1] if words else "")
            raise AskOperator(
                f"this workspace's supervisor cannot be started: {why or done.returncode}",
                kept=_KEPT,
                next_step=f"see {self._folder}/log",
            )

    def _running_pid(self) -> int | None:
        """Of a supervisor that lives, although its socket does not answer. A second one would run everything twice."""
        try:
            pid = int((self._folder / "pid").read_text())
            os.kill(pid, 0)
            command = Path(f"/proc/{pid}/cmdline")
            known = os.fsencode(self._config) in command.read_bytes() if command.exists() else True
        except (OSError, ValueError):
            return None
        return pid if known else None

    def _running_still(self) -> int | None:
        """The same, unless it is on its way down: then its socket goes first."""
        until_s = time.monotonic() + _DOWN_WITHIN_S
        while (pid := self._running_pid()) and time.monotonic() < until_s:
            time.sleep(0.02)
        return pid

    def _settings(self) -> str:
        folder = _escaped(str(self._folder))
        return "\n".join(
            [
                "; written by Magellan; changes are lost",
                "[unix_http_server]",
                f"file={_escaped(str(self._socket))}",
                "chmod=0700",
                "[supervisord]",
                f"logfile={folder}/log",
                "logfile_maxbytes=1MB",
                "logfile_backups=2",
                f"pidfile={folder}/pid",
                f"childlogdir={folder}",
                f"directory={folder}",
                "umask=077",
                "[rpcinterface:supervisor]",
                "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
                "[include]",
                "files=programs/*.conf",  # as seen from this file: a path of its own could hold no space
                "",
            ]
        )

    @contextmanager
    def _rpc(self) -> Iterator[Any]:
        from supervisor.xmlrpc import SupervisorTransport

        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        try:
            yield xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor
        finally:
            transport.close()  # also of a socket that could not be connected

    def _ask(self, question: Callable[[Any], Answer]) -> Answer:
        try:
            with self._rpc() as rpc:
                return question(rpc)
        except (OSError, http.client.HTTPException) as error:
            raise TryAgain(
                f"this workspace's supervisor does not answer: {error}",
                kept=_KEPT,
                next_step=f"see {self._folder}/log",
            ) from error
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == _GOES_DOWN:
                raise TryAgain("this workspace's supervisor is being ended", kept=_KEPT) from fault
            raise AskOperator(
                f"this workspace's supervisor refuses: {fault.faultString}",
                kept=_KEPT,
                next_step=f"see {self._folder}/log",
            ) from fault


def _though(codes: set[int] | frozenset[int], call: Callable[[], object]) -> None:
    """Call, and take these refusals for what was wanted."""
    try:
        call()
    except xmlrpc.client.Fault as fault:
        if fault.faultCode not in codes:
            raise


def _program(terms: ProcessTerms) -> str:
    environment = ",".join(f"{name}={_quoted(value)}" for name, value in sorted(terms.environment.items()))
    return "\n".join(
        [
            "; written by Magellan; changes are lost",
            f"[program:{terms.key}]",
            f"command={_escaped(shlex.join(terms.command))}",
            f"directory={_escaped(str(terms.folder))}",
            f"environment={environment}",
            "autostart=true",
            "autorestart=unexpected",
            "exitcodes=0",
            "startsecs=1",
            "startretries=3",
            "stopsignal=TERM",
            f"stopwaitsecs={round(terms.stop_within_s)}",
            "redirect_stderr=true",
            f"stdout_logfile={_escaped(_escaped(str(terms.log)))}",  # this one is expanded twice
            f"stdout_logfile_maxbytes={_LOG_BYTES}",
            f"stdout_logfile_backups={_LOGS_KEPT}",
            "",
        ]
    )


def _escaped(text: str) -> str:
    """A value as the configuration's language has it: a percent sign would begin an expansion."""
    return text.replace("%", "%%")


def _quoted(value: str) -> str:
    if '"' in value or "\n" in value:
        raise AskOperator(
            f"an instance's environment cannot hold {value!r}",
            next_step="choose another path for the workspace",
        )
    return f'"{_escaped(value)}"'


def _bare_environment() -> dict[str, str]:
    """What a program needs to find its way about, and no more."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL", "TZ") if name in os.environ}
