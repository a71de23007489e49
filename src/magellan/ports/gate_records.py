"""What the gates remember: the runs that people accepted, and every verdict."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from magellan.gate.accepted_run import AcceptedRun
from magellan.workspace.workspace import StrategyFolder


class GateRecords(Protocol):
    """Kept by `adapters/local/gate_records.py`."""

    def accepted(self, strategy: StrategyFolder) -> tuple[AcceptedRun, ...]:
        """The strategy's accepted runs, oldest first. Raises AskOperator for a record that was edited."""
        ...

    def accept(self, strategy: StrategyFolder, run: AcceptedRun) -> None:
        """Add a run. Raises AskOperator for a record that was edited, or that cannot be written."""
        ...

    def keep_verdict(self, strategy: StrategyFolder, at: datetime, document: Mapping[str, Any]) -> Path:
        """Keep a verdict with all its evidence; returns where. `at`: aware, UTC."""
        ...

    def newest_verdict(self, strategy: StrategyFolder) -> bytes | None:
        """The newest verdict as it was kept, byte for byte; None where there is none."""
        ...
