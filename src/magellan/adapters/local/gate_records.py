"""The gates' records as files in the workspace's .magellan folder.

.magellan/gates/prod/bear_trap/accepted.json                       belongs under version control
.magellan/gates/prod/bear_trap/verdicts/20260121T213000Z-shut.json
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from magellan.adapters.durable_file import write_durably
from magellan.errors import AskOperator
from magellan.gate.accepted_run import AcceptedRun, parsed, written
from magellan.workspace.workspace import StrategyFolder, Workspace


class GateRecordFiles:
    """Keeps `ports.gate_records.GateRecords`."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def accepted(self, strategy: StrategyFolder) -> tuple[AcceptedRun, ...]:
        """See the port."""
        path = self._accepted_file(strategy)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ()
        except UnicodeDecodeError:
            raise AskOperator(
                f"{path} is not UTF-8 text", next_step="restore it from version control or a backup"
            ) from None
        return parsed(text, name=str(path))

    def accept(self, strategy: StrategyFolder, run: AcceptedRun) -> None:
        """See the port."""
        runs = (*self.accepted(strategy), run)
        path = self._accepted_file(strategy)
        text = written(runs)
        assert parsed(text, name=str(path)) == runs, "accepted runs read back as they were written"
        write_durably(path, text.encode(), kept="the record of accepted runs, as it was")

    def keep_verdict(self, strategy: StrategyFolder, at: datetime, document: Mapping[str, Any]) -> Path:
        """See the port."""
        name = f"{at:%Y%m%dT%H%M%SZ}-{document['answer']}.json"
        path = self._workspace.gates_folder(strategy) / "verdicts" / name
        text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        write_durably(path, text.encode(), kept="all earlier verdicts")
        return path

    def newest_verdict(self, strategy: StrategyFolder) -> bytes | None:
        """See the port."""
        kept = sorted((self._workspace.gates_folder(strategy) / "verdicts").glob("*.json"))
        return kept[-1].read_bytes() if kept else None

    def _accepted_file(self, strategy: StrategyFolder) -> Path:
        return self._workspace.gates_folder(strategy) / "accepted.json"
