"""The archive of bars, as the rest of the product sees it."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from magellan.archive.dataset import MergeOutcome, Provenance, Rebuilt, SetId, SetRecord
from magellan.trading.bar import Bars


class BarArchive(Protocol):
    """One store of archived bars. Kept by `adapters/parquet/bar_archive.py`; held to by tests/contracts."""

    def sets(self) -> tuple[SetRecord, ...]:
        """Every set, ordered by symbol and timeframe."""
        ...

    def record(self, set_id: SetId) -> SetRecord:
        """What is known about a set. Raises SetNotFound, naming the sets that come closest."""
        ...

    def read(self, set_id: SetId, start_at: datetime | None = None, end_at: datetime | None = None) -> Bars:
        """Bars that open in [start_at, end_at); None leaves that side open. Empty where none do.

        start_at, end_at: aware, UTC.
        Raises: SetNotFound; AskOperator when a stored file is missing or damaged, naming it.
        """
        ...

    def merge(
        self, set_id: SetId, bars: Bars, provenance: Provenance, *, dry_run: bool = False
    ) -> MergeOutcome:
        """Add bars to a set, or begin it. All of them or none, whatever is killed when.

        Rows that the set already holds must agree with it value for value; they are counted, not doubled.
        With dry_run, everything is checked and nothing is written: the outcome is what would have been.
        Raises: BarsDisagree, naming the first bar that differs; FixInput for bars that are not sound
        (see `Bars.checked`) or terms that contradict the set's (calendar, point value, generated or not);
        TryAgain when another process is writing; AskOperator when the disk is full or not writable.
        After any of them the set is as it was.
        """
        ...

    def rebuild(self) -> Rebuilt:
        """Make the catalogue again from the archived files themselves, reading every one of them.

        What is lost is a source that added no bar of its own. Raises TryAgain and AskOperator as `merge` does.
        """
        ...
