"""Process keeper: what keeps a host's instances running, and says whether they do.

Kept by `adapters/local/supervisord.py` (this machine, without root) and `adapters/compose/keeper.py` (containers).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from magellan.deploy.instance import Process

LINES_KEPT: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessTerms:
    """A process that is to run until somebody stops it, and again after the host was restarted."""

    key: str
    command: tuple[str, ...]
    folder: Path  # that it is started in
    environment: Mapping[str, str]  # all of it; never a secret
    log: Path  # where what it prints goes
    stop_within_s: float  # from the request to end to the one that cannot be refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A process, seen by its keeper."""

    process: Process
    pid: int | None  # as this machine counts
    # It ended by itself since it was told to run, and was or will be started again. Whether it stands by now, or is on
    # its way to the same end, its own report says.
    restarts: bool
    # Where the process counts its own pids, as in a container, its report says nothing of which process wrote it.
    began_at: datetime | None = None  # aware, UTC; None: the report's pid tells them apart


class ProcessKeeper(Protocol):
    """All calls raise TryAgain or AskOperator where the keeper cannot be reached or started."""

    def start(self, terms: ProcessTerms) -> None:
        """Start it. One that runs under that key is left alone."""
        ...

    def stop(self, key: str) -> None:
        """End it, and forget it. One that is not known is no error."""
        ...

    def look(self, key: str) -> Kept:
        """How it is. Starts nothing."""
        ...

    def last_words(self, key: str, log: Path, *, runs: bool) -> tuple[str, ...]:
        """The newest lines that it printed, oldest first, LINES_KEPT at most.

        log:  as in its terms.
        runs: it is still at work, so a line without an end is half printed, and left out.
        """
        ...
