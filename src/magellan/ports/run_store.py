"""Where finished runs are kept, as the rest of the product sees it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Protocol

from magellan.backtest.kept_run import KeptRun
from magellan.errors import FixInput


class RunNotFound(FixInput):
    """No run is kept under that name, or several begin with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEntry:
    """One line of the list of kept runs."""

    run_id: str
    strategy: str
    strategy_version: str
    timeframe: str
    first_on: date
    last_on: date
    trades: int
    return_fraction: float
    sharpe: float | None
    generated: bool
    kept_at: datetime  # aware, UTC
    folder: Path


class RunStore(Protocol):
    """Kept runs of one workspace. Kept by `adapters/run_store.py`."""

    def keep(self, run: KeptRun, report: str) -> Path:
        """Keep a run and its HTML report; returns its folder. All of it or nothing, whatever is killed when.

        A run that is kept already is replaced; the same manifest gives the same run.
        Raises: AskOperator when the disk is full or not writable; earlier runs are then untouched.
        """
        ...

    def read(self, name: str) -> KeptRun:
        """The run with that id, the beginning of one, a path into its folder, or "last" for the newest.

        Raises: RunNotFound; FixInput for a run of a form that this version does not know; AskOperator for
        files that are missing or damaged, naming them.
        """
        ...

    def runs(self) -> tuple[RunEntry, ...]:
        """All kept runs, newest first."""
        ...
