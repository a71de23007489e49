"""Call records: what a host has answered to the calls that changed it. Kept by `adapters/local/call_records.py`."""

from __future__ import annotations

from typing import Protocol


class CallRecords(Protocol):
    """Answers by the id of their call."""

    def answer(self, call: str) -> str | None:
        """What was answered to it; None: it never came here."""
        ...

    def keep(self, call: str, text: str) -> None:
        """On the disk when this returns. Raises AskOperator."""
        ...
