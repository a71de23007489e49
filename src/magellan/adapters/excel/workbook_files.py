"""Workbooks as files: .xlsx, .toml and .json. Keeps `ports.workbook_files.WorkbookFiles`."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from magellan.adapters.durable_file import write_durably
from magellan.adapters.excel.guarded_archive import guarded
from magellan.adapters.missing_extra import extra_missing
from magellan.errors import FixInput
from magellan.regime.workbook.document import DOCUMENT_ENDINGS, as_json, as_toml, read_document
from magellan.regime.workbook.layout import lay_out

if TYPE_CHECKING:
    from collections.abc import Mapping

    from magellan.regime.workbook.located import FoundWorkbook, Grid
    from magellan.regime.workbook.reading import WorkbookValues

_FORMS = ".xlsx, .toml or .json"


class ExcelWorkbookFiles:
    """Files of this machine."""

    def read(self, path: Path) -> FoundWorkbook:
        """See the port."""
        return self.parse(_content(path), name=path.name)

    def parse(self, content: bytes, *, name: str) -> FoundWorkbook:
        """See the port."""
        ending = Path(name).suffix.lower()
        if ending in DOCUMENT_ENDINGS:
            return read_document(content, file=name)
        if ending != ".xlsx":
            raise FixInput(f"{name} is no workbook: its name does not end in {_FORMS}")
        grids, formulas = _sheets(content, name)
        return lay_out(grids, file=name, formulas=formulas)

    def grids(self, path: Path) -> Mapping[str, Grid]:
        """See the port."""
        return _sheets(_content(path), path.name)[0]

    def write(self, path: Path, values: WorkbookValues) -> None:
        """See the port."""
        write_durably(path, self.form(values, ending=path.suffix.lower()), kept="the file that was there")

    def form(self, values: WorkbookValues, *, ending: str) -> bytes:
        """See the port."""
        match ending:
            case ".toml":
                return as_toml(values).encode()
            case ".json":
                return as_json(values).encode()
            case ".xlsx":
                from magellan.adapters.excel.written_workbook import spreadsheet

                return spreadsheet(values)
        raise FixInput(
            f"a workbook is written as {_FORMS}, and not as {ending or 'a file without an ending'}"
        )


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise FixInput(f"{path} does not exist") from None
    except IsADirectoryError:
        raise FixInput(f"{path} is a folder, and not a workbook") from None


def _sheets(content: bytes, name: str) -> tuple[dict[str, Grid], list[tuple[str, str]]]:
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError as error:
        raise extra_missing("regime", error) from error
    archive = guarded(content, name=name)
    try:
        workbook = CalamineWorkbook.from_filelike(BytesIO(archive.content))
        grids: dict[str, Grid] = {
            # With the empty area above: otherwise a cell's number would be another one than in the spreadsheet.
            sheet: workbook.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
            for sheet in workbook.sheet_names
        }
    except (CalamineError, ValueError) as error:
        raise FixInput(
            f"{name} cannot be read: {error}",
            kept="nothing was read from it",
            next_step="open it in a spreadsheet program, save it as .xlsx, and try again",
        ) from None
    order = {f"xl/worksheets/sheet{number}.xml": sheet for number, sheet in enumerate(grids, 1)}
    return grids, [(order.get(path, path), cell) for path, cell in archive.formulas]
