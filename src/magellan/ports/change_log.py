"""The change log: what was done to what trades, by whom and why, kept for good.

Kept by `adapters/local/change_log_files.py`. A record is written before a change is begun, and another one after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from magellan.audit.change import Change
from magellan.audit.change_chain import RecordedChange
from magellan.ledger.chain import Broken, Head, Sound


class ChangeLog(Protocol):
    """The audit log of one workspace. Any number of processes append to it; one at a time, in turn."""

    @property
    def head(self) -> Head:
        """Where it ends. Raises AskOperator for a log that is damaged there."""
        ...

    def append(self, change: Change) -> RecordedChange:
        """Add a change. It survives a kill and a power cut once this returns.

        Raises AskOperator when it cannot be kept, or the log's end is not as it was left: nothing may be done then.
        """
        ...

    def changes(self, *, after: int = 0) -> Iterator[RecordedChange]:
        """The changes with a higher number, oldest first, each one checked. Raises AskOperator at the first break."""
        ...

    def lines(self) -> Iterator[bytes]:
        """The log's own lines, as they were hashed, without their ends and unchecked."""
        ...

    def verify(self, noted: Sequence[Head] = ()) -> Sound | Broken:
        """Walk the whole chain. noted: heads that were noted elsewhere, which must be in it."""
        ...
