"""Systemd as a host's process keeper: one unit per instance, of the two templates that root has set up.

Who may do what is in the sudoers file that `units.py` writes: the host's user starts, stops, enables and disables
instances of these templates, and nothing else. What a unit runs as, and what it may reach, root has written.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from magellan.adapters.durable_file import write_durably
from magellan.deploy.instance import Process
from magellan.errors import AskOperator, TryAgain
from magellan.ports.process_keeper import LINES_KEPT, Kept, ProcessTerms

_CALL_WITHIN_S: Final = 45.0
_KEPT: Final = "everything that runs"
_RUNNING: Final = frozenset({"active", "activating", "deactivating", "reloading"})
_ENVIRONMENT: Final = "environment"  # beside the instance's log; the template reads it


class Systemd:
    """Keeps `ports.process_keeper.ProcessKeeper` with `magellan-STAGE@KEY.service`."""

    def start(self, terms: ProcessTerms) -> None:
        """See the port."""
        unit = unit_of(terms.key)
        write_durably(terms.log.parent / _ENVIRONMENT, _environment(terms), kept=_KEPT)
        if self.look(terms.key).process is Process.RUNNING:
            self._sudo("enable", unit)
            return
        # A unit that failed a few times is refused even a healthy start: a roll-back must not meet that.
        self._sudo("reset-failed", unit)
        self._sudo("enable", unit)
        self._sudo("--no-block", "start", unit)

    def stop(self, key: str) -> None:
        """See the port."""
        unit = unit_of(key)
        self._sudo("disable", unit)
        self._sudo("stop", unit)
        self._sudo("reset-failed", unit)

    def look(self, key: str) -> Kept:
        """See the port."""
        told = self._show(unit_of(key))
        active, pid = told["ActiveState"], int(told["MainPID"]) or None
        if told["LoadState"] == "not-found":
            raise AskOperator(
                f"this host has no unit for {key}",
                kept=_KEPT,
                next_step="make it ready with `magellan host prepare`",
            )
        if active not in _RUNNING:
            is_known = active == "failed" or told["UnitFileState"] == "enabled"
            return Kept(process=Process.ENDED if is_known else Process.ABSENT, pid=None, restarts=False)
        # It has not said that it is ready since it ended the last time.
        restarts = told["SubState"] == "auto-restart" or (
            active == "activating" and int(told["NRestarts"]) > 0
        )
        return Kept(process=Process.RUNNING, pid=pid, restarts=restarts)

    def last_words(self, key: str, log: Path, *, runs: bool) -> tuple[str, ...]:
        """See the port. They are in the journal, whole."""
        command = ["journalctl", "-q", "-o", "cat", "-n", str(LINES_KEPT), "-u", unit_of(key)]
        done = _run(command)
        return tuple(line for line in done.stdout.splitlines() if line.strip())

    def _show(self, unit: str) -> dict[str, str]:
        wanted = ("LoadState", "ActiveState", "SubState", "MainPID", "NRestarts", "UnitFileState")
        done = _run(["systemctl", "show", unit, f"--property={','.join(wanted)}"])
        told = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
        if done.returncode or not told.keys() >= set(wanted):
            raise TryAgain(
                f"systemd does not tell how {unit} is: {_words(done)}",
                kept=_KEPT,
                next_step=f"see `systemctl status {unit}` on the host",
            )
        return told

    def _sudo(self, *arguments: str) -> None:
        done = _run(["sudo", "-n", "/usr/bin/systemctl", *arguments])
        if done.returncode and not (arguments[0] == "reset-failed" and "not loaded" in done.stderr):
            raise AskOperator(
                f"systemd refuses `systemctl {' '.join(arguments)}`: {_words(done)}",
                kept=_KEPT,
                next_step="see what the host lacks with `magellan host check`",
            )


def unit_of(key: str) -> str:
    """The name of an instance's unit. A template per stage, so that one stage's keys are not another's."""
    stage, _, _ = key.partition("-")
    return f"magellan-{stage}@{key}.service"


def _environment(terms: ProcessTerms) -> bytes:
    """As systemd's EnvironmentFile= reads it."""
    lines = {**terms.environment, "MAGELLAN_PYTHON": terms.command[0]}
    for name, value in lines.items():
        if any(each in value for each in '"\\\n$`'):
            raise AskOperator(
                f"an instance's environment cannot hold {name}={value!r}",
                next_step="choose another path for it",
            )
    return "".join(f'{name}="{value}"\n' for name, value in sorted(lines.items())).encode()


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_CALL_WITHIN_S,
            check=False,
        )
    except FileNotFoundError as error:
        raise AskOperator(
            f"this host has no {command[0]}", next_step='choose `keeper = "supervisord"` for it'
        ) from error
    except subprocess.TimeoutExpired as error:
        raise TryAgain(
            f"`{' '.join(command)}` has not ended within {_CALL_WITHIN_S:.0f} s", kept=_KEPT
        ) from error


def _words(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join(done.stderr.split()) or f"exit code {done.returncode}"
