"""Tools: other programs that are run for their answer (a linter, a type checker, a test runner)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRun:
    """What one run of a tool left behind."""

    exit_code: int | None  # None: it was stopped at its time limit
    stdout: str
    stderr: str


class Tools(Protocol):
    """Python tools of this environment. Kept by `adapters/local/tools.py`."""

    def version(self, tool: str) -> str | None:
        """The installed version, or None when the tool is not installed."""
        ...

    def run(self, tool: str, arguments: Sequence[str], *, folder: Path, timeout_s: float) -> ToolRun:
        """Run `python -m tool arguments` in a folder, without our credentials, for at most so long."""
        ...
