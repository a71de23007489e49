"""The corporate-action table as a CSV file that a person can edit."""

from __future__ import annotations

from pathlib import Path

from magellan.adapters.durable_file import write_durably
from magellan.archive.actions import CorporateActionTable, parsed, written
from magellan.errors import FixInput


class CorporateActionFile:
    """Keeps `ports.corporate_actions.CorporateActionStore` in one file of the workspace's data folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> CorporateActionTable:
        """See the port."""
        try:
            text = self._path.read_text(encoding="utf-8-sig")  # spreadsheets write a byte-order mark
        except FileNotFoundError:
            return CorporateActionTable()
        except UnicodeDecodeError as error:
            raise FixInput(f"{self._path} is not UTF-8 text", next_step="save it as CSV in UTF-8") from error
        try:
            return parsed(text, name=str(self._path))
        except FixInput as error:
            error.kept = "the table, as it stands in the file"
            error.next_step = error.next_step or "correct that row, or take it out"
            raise

    def write(self, table: CorporateActionTable) -> None:
        """See the port."""
        content = written(table)
        assert parsed(content, name=self._path.name) == table, "a table reads back as it was written"
        write_durably(self._path, content.encode(), kept="the table, as it was")
