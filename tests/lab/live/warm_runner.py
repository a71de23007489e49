"""`magellan run` as a process of its own, forked from one that has imported everything: most of a start is imports.

So a week can be killed into many more pieces. What the process does from its first line on is what the command does.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import warnings
from contextlib import suppress
from pathlib import Path

_LOOKS_EVERY_S = 0.005


def import_everything() -> None:
    """What a runner imports on its way."""
    import uvloop  # noqa: F401

    import magellan.adapters.alpaca.broker
    import magellan.adapters.alpaca.live_bars
    import magellan.adapters.local.control_folder
    import magellan.adapters.local.exchange_time
    import magellan.adapters.local.heartbeat_file
    import magellan.adapters.sql_ledger
    import magellan.adapters.sqlite_ledger
    import magellan.surfaces.cli.app
    import magellan.surfaces.cli.run
    import magellan.surfaces.cli.session_run
    import magellan.usecases.trade  # noqa: F401


class WarmRunner:
    """A runner of a workspace. Its answer is in runner.out, what else it says in runner.log."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._folder = folder
        self.returncode: int | None = None
        sys.stdout.flush()
        sys.stderr.flush()
        self._pid = os.fork()
        if self._pid == 0:
            code = 70
            try:
                code = _as_the_command(folder, arguments)
            finally:
                os._exit(code)

    def ended(self, within_s: float) -> bool:
        """Whether it ends by itself within so many seconds of wall time."""
        until = time.monotonic() + within_s
        while self.returncode is None:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
            elif time.monotonic() >= until:
                return False
            else:
                time.sleep(_LOOKS_EVERY_S)
        return True

    def pause(self) -> bool:
        """Hold it; returns once all its threads stand still. False: it has ended by itself."""
        os.kill(self._pid, signal.SIGSTOP)
        _, status = os.waitpid(self._pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode is None

    def go_on(self) -> None:
        os.kill(self._pid, signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL; returns once it is gone."""
        if self.returncode is None:
            os.kill(self._pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(self._pid, 0)
            self.returncode = -signal.SIGKILL

    @property
    def said(self) -> str:
        """The end of all that it said, for a failure."""
        return "".join((self._folder / name).read_text()[-3000:] for name in ("runner.out", "runner.log"))


def _as_the_command(folder: Path, arguments: tuple[str, ...]) -> int:
    """What `magellan ...` does in a new process; in the child alone."""
    from magellan.surfaces.cli.app import run

    warnings.resetwarnings()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    os.chdir(folder)
    for name in list(os.environ):
        if name.startswith(("ALPACA", "APCA", "MAGELLAN")):
            del os.environ[name]
    for target, name, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, "runner.out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, "runner.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND),
    ):
        os.dup2(os.open(name, flags, 0o644), target)
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
    code = run(arguments)
    sys.stderr.flush()
    return code
