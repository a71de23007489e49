"""Where a sweep keeps what it has found so far, so that nothing finished is computed twice."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol


class SweepRecord(Protocol):
    """One sweep's answers, by number of the trial. An answer is any value that JSON can hold, and comes back equal."""

    @property
    def finished(self) -> Mapping[int, Any]:
        """What was there when the record was opened."""
        ...

    @property
    def place(self) -> str:
        """Where it is kept, for people."""
        ...

    def add(self, number: int, answer: Any) -> None:
        """Keep an answer. A process that is killed after this has lost nothing.

        Raises AskOperator when the disk is full or not writable.
        """
        ...

    def complete(self, name: str, content: bytes) -> None:
        """Put a finished file beside the answers, whole or not at all."""
        ...


class SweepStore(Protocol):
    """Kept by adapters/local/sweep_folder.py."""

    def open(self, sweep_id: str, manifest: str, *, resume: bool) -> AbstractContextManager[SweepRecord]:
        """The record of a sweep, for this process alone while the `with` lasts.

        manifest: text that says what the sweep is; kept beside its answers.
        resume:   go on from the answers that are there; otherwise they are dropped.
        Raises:   TryAgain when another process is at the same sweep; AskOperator when what is there is damaged, or
                  the disk is full or not writable.
        """
        ...
