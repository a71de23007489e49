"""Answers to calls as files of a host: host/calls/ID. The newest thousand stay."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from magellan.adapters.durable_file import write_durably

_KEPT_MAX: Final = 1_000


class CallRecordFiles:
    """Keeps `ports.call_records.CallRecords`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def answer(self, call: str) -> str | None:
        """See the port."""
        try:
            return (self._folder / call).read_text()
        except FileNotFoundError:
            return None

    def keep(self, call: str, text: str) -> None:
        """See the port."""
        write_durably(self._folder / call, text.encode(), kept="what the call has done")
        there = sorted(self._folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        for path in there[:-_KEPT_MAX]:
            path.unlink(missing_ok=True)
