"""The side record: what was done to an account while another process held its ledger, one JSON line each.

Written by a flatten that goes past a session which hangs. The next session finds the same in the broker's answers;
this file says who did it, when and why.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from magellan.adapters.durable_file import cannot_write, make_folder_durably, sync_folder
from magellan.ledger.entries import NewEntry
from magellan.ledger.json_form import json_bytes

_KEPT: Final = "everything before; nothing more was sent"


class SideRecord:
    """One file, appended to. A line is on the disk before what it announces is done."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def append(self, entries: Sequence[NewEntry]) -> None:
        """Add the entries. Raises AskOperator when they cannot be kept."""
        lines = b"".join(
            json_bytes(
                {
                    "at": entry.at,
                    "session": entry.session,
                    "kind": entry.kind,
                    "version": entry.payload.version,
                    "payload": entry.payload,
                }
            )
            + b"\n"
            for entry in entries
        )
        make_folder_durably(self.file.parent, kept=_KEPT)
        try:
            is_new = not self.file.exists()
            with open(self.file, "ab") as file:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
            if is_new:
                sync_folder(self.file.parent)
        except OSError as error:
            raise cannot_write(self.file, error, kept=_KEPT) from error
