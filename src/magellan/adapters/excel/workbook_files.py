"""Workbooks as files: .xlsx, .toml and .json. Keeps `ports.workbook_files.WorkbookFiles`."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from magellan.adapters.durable_file import write_durably
from magellan.adapters.excel.guarded_archive import guarded
from magellan.adapters.excel.sheet_marks import SheetMarks, sheet_marks
from magellan.adapters.missing_extra import extra_missing
from magellan.errors import FixInput
from magellan.regime.workbook.document import DOCUMENT_ENDINGS, as_json, as_toml, read_document
from magellan.regime.workbook.layout import lay_out
from magellan.regime.workbook.located import column_letters

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

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
        grids, marks, hidden_sheets = _read(content, name)
        return lay_out(
            grids,
            file=name,
            formulas=[(sheet, cell) for sheet, each in marks.items() for cell in each.formulas],
            hidden=tuple(_hidden(grids, marks, hidden_sheets)),
        )

    def grids(self, path: Path) -> Mapping[str, Grid]:
        """See the port."""
        return _read(_content(path), path.name)[0]

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
    except OSError as error:
        raise FixInput(
            f"{path} cannot be read: {error.strerror or error}",
            next_step="look at its rights, and at the disk",
        ) from None


def _read(content: bytes, name: str) -> tuple[dict[str, Grid], dict[str, SheetMarks], tuple[str, ...]]:
    """The cells of every sheet, what a reader does not tell of them, and which sheets are hidden."""
    try:
        from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum
    except ImportError as error:
        raise extra_missing("regime", error) from error
    archive = guarded(content, name=name)
    try:
        workbook = CalamineWorkbook.from_filelike(BytesIO(archive.content))
        sheets = workbook.sheets_metadata
        grids = {
            # With the empty area above: otherwise a cell's number would be another one than in the spreadsheet.
            sheet.name: workbook.get_sheet_by_name(sheet.name).to_python(skip_empty_area=False)
            if sheet.typ is SheetTypeEnum.WorkSheet
            else []
            for sheet in sheets
        }
        marks = sheet_marks(archive.parts)
    except (CalamineError, ValueError, ElementTree.ParseError) as error:
        raise FixInput(
            f"{name} cannot be read: {error}",
            kept="nothing was read from it",
            next_step="open it in a spreadsheet program, save it as .xlsx, and try again",
        ) from None
    for sheet_name, each in marks.items():
        for row, column, text in each.errors:
            cells = grids[sheet_name]
            if row < len(cells) and column < len(cells[row]):
                cells[row][column] = text  # a reader gives nothing for it, and that is not what stands there
    hidden = tuple(sheet.name for sheet in sheets if sheet.visible is not SheetVisibleEnum.Visible)
    return dict(grids), marks, hidden


def _hidden(
    grids: Mapping[str, Grid], marks: Mapping[str, SheetMarks], sheets: Iterable[str]
) -> Iterator[tuple[str, str]]:
    """(sheet, rows or columns) of everything that is hidden and says something."""
    for name in sheets:
        if grids[name]:
            yield name, ""
    for name, each in marks.items():
        for row in each.hidden_rows:
            if row < len(grids[name]) and any(cell != "" for cell in grids[name][row]):
                yield name, f"{row + 1}:{row + 1}"
        for column in each.hidden_columns:
            if any(column < len(cells) and cells[column] != "" for cells in grids[name]):
                letters = column_letters(column)
                yield name, f"{letters}:{letters}"
