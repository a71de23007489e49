"""Regime workbooks, wherever they are kept and in whatever form. Kept by `adapters/excel/workbook_files.py`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from magellan.regime.workbook.located import FoundWorkbook, Grid
from magellan.regime.workbook.reading import WorkbookValues


class WorkbookFiles(Protocol):
    """Reads and writes them: .xlsx, .toml, .json, by the ending of the name."""

    def read(self, path: Path) -> FoundWorkbook:
        """What stands in the file.

        Raises: FixInput for a file that is missing, damaged, of another kind, or not harmless: too large, encrypted,
        with macros, with links to other files.
        """
        ...

    def parse(self, content: bytes, *, name: str) -> FoundWorkbook:
        """The same of a file's content. Raises as `read` does."""
        ...

    def grids(self, path: Path) -> Mapping[str, Grid]:
        """The cells of every sheet of any spreadsheet. Raises as `read` does."""
        ...

    def write(self, path: Path, values: WorkbookValues) -> None:
        """Put the values there, in place of what is there. Raises FixInput for an ending that is none of the three."""
        ...

    def form(self, values: WorkbookValues, *, ending: str) -> bytes:
        """The content of such a file. Raises as `write` does."""
        ...
