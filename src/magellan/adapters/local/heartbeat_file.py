"""The heartbeat in a file: written whole, in place of the one before, by the session; read by whoever watches."""

from __future__ import annotations

import os
from dataclasses import MISSING, asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from magellan.adapters.durable_file import cannot_write
from magellan.ports.heartbeat import Heartbeat


class HeartbeatFile:
    """Keeps `ports.heartbeat.HeartbeatSink`. Not flushed to the disk: after a power cut there is no session either."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def beat(self, beat: Heartbeat) -> None:
        """See the port."""
        beside = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(orjson.dumps(asdict(beat), option=orjson.OPT_INDENT_2) + b"\n")
            os.replace(beside, self._file)
        except OSError as error:
            raise cannot_write(self._file, error, kept="the session's ledger") from error

    def trace(self) -> str | None:
        """That a session was here, as a sentence; None where none ever was. Half a beat is a trace too."""
        return f"a session has left {self._file}" if self._file.exists() else None

    def newest(self) -> tuple[Heartbeat, datetime] | None:
        """The last beat, and when it was written by this machine's clock; None where there is none, or half a one."""
        try:
            told: dict[str, Any] = orjson.loads(self._file.read_bytes())
            written_at = datetime.fromtimestamp(self._file.stat().st_mtime, UTC)
            # One that an older Magellan left says less.
            values = {
                each.name: told[each.name]
                for each in fields(Heartbeat)
                if each.name in told or each.default is MISSING
            }
            for name, value in values.items():
                if value is not None and (name == "at" or name.endswith("_at")):
                    values[name] = datetime.fromisoformat(value)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        return Heartbeat(**values), written_at
