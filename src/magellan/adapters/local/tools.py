"""Python tools of this environment, run as processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from magellan.ports.tool import ToolRun

# A strategy's tests are other people's code, and need no broker, cloud or mail: only what is listed is passed on.
PASSED_ON: Final = (
    "HOME", "LANG", "LC_ALL", "LC_CTYPE", "MAGELLAN_REFERENCE_DATA", "NUMBA_CACHE_DIR", "PATH", "PYTHONPATH",
    "TMPDIR", "TZ", "USER", "VIRTUAL_ENV", "XDG_CACHE_HOME",
)  # fmt: skip

# Killed, as in a job that is cancelled, we can stop nothing any more. So beside the tool, and in its group, somebody
# reads from a pipe that only we hold; its end is ours, and the group's.
_ON_A_LEASH: Final = (
    "exec 3<&0; ( { read -r word <&3; kill -KILL 0; } >/dev/null 2>&1 & ); "
    'exec env -u PWD -u OLDPWD -u SHLVL -u _ "$@" 3<&- </dev/null'  # what shells add of themselves
)


class PythonTools:
    """Keeps `ports.tool.Tools`."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        passed = {name: value for name, value in environment.items() if name in PASSED_ON}
        # Judging a strategy leaves no caches in its folder.
        self._environment = {**passed, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8"}

    def version(self, tool: str) -> str | None:
        """See the port."""
        try:
            return version(tool)
        except PackageNotFoundError:
            return None

    def run(self, tool: str, arguments: Sequence[str], *, folder: Path, timeout_s: float) -> ToolRun:
        """See the port."""
        leash, held = os.pipe()
        try:
            process = subprocess.Popen(
                ["/bin/sh", "-c", _ON_A_LEASH, "sh", sys.executable, "-m", tool, *arguments],
                cwd=folder,
                env=self._environment,
                stdin=leash,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,  # so that what it started can be stopped with it
            )
            return _ended(process, timeout_s)
        finally:
            os.close(leash)
            os.close(held)


def _ended(process: subprocess.Popen[str], timeout_s: float) -> ToolRun:
    try:
        stdout, stderr = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        _stop(process)
        stdout, stderr = process.communicate()
        return ToolRun(exit_code=None, stdout=stdout, stderr=stderr)
    except BaseException:  # Ctrl-C: it does not outlive us
        _stop(process)
        process.communicate()
        raise
    return ToolRun(exit_code=process.returncode, stdout=stdout, stderr=stderr)


def _stop(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
