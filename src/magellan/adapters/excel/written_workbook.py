"""Write a workbook as a spreadsheet: drop-downs, ranges, comments, and everything protected but the values."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from magellan.adapters.missing_extra import extra_missing
from magellan.regime.workbook.located import cell_name
from magellan.regime.workbook.schema import Field, Kind
from magellan.regime.workbook.template import SPARE_ROWS, Look, WrittenCell, WrittenSheet, written_sheets

if TYPE_CHECKING:
    from magellan.regime.workbook.reading import WorkbookValues

_LOOKS: Final[dict[Look, dict[str, object]]] = {
    Look.TITLE: {"bold": True, "font_size": 12},
    Look.HEADING: {"bold": True, "bg_color": "#DDE6F0", "bottom": 1},
    Look.LABEL: {},
    Look.NOTE: {"font_color": "#666666"},
    Look.VALUE: {"locked": False, "bg_color": "#FFFDE7", "border": 1, "border_color": "#DDDDDD"},
    Look.UNUSED_VALUE: {"locked": False, "font_color": "#999999", "border": 1, "border_color": "#EEEEEE"},
}
_WIDTHS: Final = (34, 22, 18, 34, 14, 30, 60)


def spreadsheet(values: WorkbookValues) -> bytes:
    """The .xlsx file. The same values give the same bytes."""
    try:
        import xlsxwriter
    except ImportError as error:
        raise extra_missing("regime", error) from error
    from datetime import datetime

    target = BytesIO()
    workbook = xlsxwriter.Workbook(target, {"in_memory": True})
    # The time of creation would make two files of the same values differ.
    workbook.set_properties({"title": "Regime workbook", "created": datetime(2000, 1, 1)})  # noqa: DTZ001
    formats = {look: workbook.add_format(properties) for look, properties in _LOOKS.items()}
    for sheet in written_sheets(values):
        _write(workbook.add_worksheet(sheet.name), sheet, formats)
    workbook.close()
    return target.getvalue()


def _write(worksheet: Any, sheet: WrittenSheet, formats: dict[Look, Any]) -> None:
    for column, width in enumerate(_WIDTHS):
        worksheet.set_column(column, column, width)
    for cell in sheet.cells:
        _write_cell(worksheet, cell, formats[cell.look])
        if cell.comment:
            worksheet.write_comment(cell.row, cell.column, cell.comment, {"x_scale": 2, "y_scale": 1.2})
    for first, last in _runs(sheet.cells):
        assert first.field is not None
        rule = _rule(first.field)
        if rule is not None:
            added = SPARE_ROWS if sheet.spare is not None and last.row + 1 == sheet.spare[0] else 0
            worksheet.data_validation(first.row, first.column, last.row + added, last.column, rule)
    if sheet.spare is not None:
        worksheet.unprotect_range(_range_name(*sheet.spare))
    worksheet.protect("", {"insert_rows": True, "delete_rows": True, "format_columns": True, "sort": True})
    worksheet.freeze_panes(1, 0)


def _range_name(first_row: int, first_column: int, last_row: int, last_column: int) -> str:
    return f"{cell_name(first_row, first_column)}:{cell_name(last_row, last_column)}"


def _write_cell(worksheet: Any, cell: WrittenCell, form: Any) -> None:
    if isinstance(cell.value, bool):
        worksheet.write_boolean(cell.row, cell.column, cell.value, form)
    elif cell.value == "":
        worksheet.write_blank(cell.row, cell.column, None, form)
    elif isinstance(cell.value, str):
        worksheet.write_string(cell.row, cell.column, cell.value, form)  # never a formula or a link
    else:
        worksheet.write_number(cell.row, cell.column, cell.value, form)


def _runs(cells: tuple[WrittenCell, ...]) -> list[tuple[WrittenCell, WrittenCell]]:
    """Cells of one field that stand below each other: the first and the last of each run."""
    runs: dict[tuple[int, int], tuple[WrittenCell, WrittenCell]] = {}
    for cell in cells:
        if cell.field is None:
            continue
        key = (cell.column, id(cell.field))
        runs[key] = (runs[key][0] if key in runs else cell, cell)
    return list(runs.values())


def _rule(field: Field) -> dict[str, object] | None:
    """What a spreadsheet lets be typed there; None for text."""
    told = {
        "ignore_blank": True,
        "error_title": "Not allowed here",
        "error_message": f"{field.name}: {field.allowed}"[:250],
    }
    match field.kind:
        case Kind.BOOLEAN:
            return {**told, "validate": "list", "source": ["TRUE", "FALSE"]}
        case Kind.CHOICE:
            return {**told, "validate": "list", "source": list(field.options)}
        case Kind.INTEGER | Kind.NUMBER:
            kind = "integer" if field.kind is Kind.INTEGER else "decimal"
            between = {"criteria": "between", "minimum": field.least, "maximum": field.most}
            return {**told, "validate": kind, **between}
        case _:
            return None
