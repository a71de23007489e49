"""What is remembered of backups: a line each in `.magellan/backup/made.jsonl`."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from magellan.adapters.durable_file import cannot_write, make_folder_durably
from magellan.ports.backup import BackupMade


class BackupRecordFile:
    """Keeps `ports.backup.BackupRecord`."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def add(self, made: BackupMade, tag: str) -> None:
        """See the port."""
        make_folder_durably(self._file.parent, kept="the backup itself")
        line = json.dumps({**asdict(made), "at": made.at.isoformat(), "tag": tag}).encode() + b"\n"
        try:
            with self._file.open("ab") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise cannot_write(self._file, error, kept="the backup itself") from error

    def last_at(self) -> datetime | None:
        """See the port."""
        try:
            lines = self._file.read_bytes().splitlines()
        except FileNotFoundError:
            return None
        for line in reversed(lines):
            try:
                told = json.loads(line)
                if told["tag"] == "workspace":
                    return datetime.fromisoformat(told["at"])
            except (ValueError, KeyError, TypeError):
                continue  # torn by a kill: the one before counts
        return None
