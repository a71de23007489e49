"""What a fast reader does not tell of a sheet: its formulas, the errors that they gave, and what is hidden."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from posixpath import normpath
from typing import Final
from xml.etree import ElementTree

_FORMULA: Final = re.compile(rb'<c r="([A-Z]{1,3}[0-9]{1,7})"[^>]*><f[\s>/]')
_ERROR: Final = re.compile(
    rb'<c r="([A-Z]{1,3})([0-9]{1,7})"(?=[^>]* t="e")[^>]*>(?:<f[^>]*/>|<f[^>]*>[^<]*</f>)?<v>([^<]{1,20})</v>'
)
_ROW: Final = re.compile(rb'<row(?=[^>]* hidden="(?:1|true)") r="([0-9]{1,7})"')
_COLUMN: Final = re.compile(rb'<col(?=\s[^>]*hidden="(?:1|true)")(?=[^>]* min="([0-9]{1,5})")')
_RELATION: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetMarks:
    """Of one sheet."""

    formulas: tuple[str, ...]  # cells
    errors: tuple[tuple[int, int, str], ...]  # (row, column, "#DIV/0!"), both counted from 0
    hidden_rows: tuple[int, ...]  # counted from 0
    hidden_columns: tuple[int, ...]


def sheet_marks(parts: Mapping[str, bytes]) -> dict[str, SheetMarks]:
    """The marks of every sheet that has some, by its name. parts: of a guarded archive, by path."""
    found = {
        path: marks
        for path, part in parts.items()
        if path.startswith("xl/worksheets/") and (marks := _marks(part)) is not None
    }
    return {name: found[path] for name, path in _paths(parts) if path in found} if found else {}


def _marks(part: bytes) -> SheetMarks | None:
    formulas = _FORMULA.findall(part) if b"<f" in part else []
    errors = _ERROR.findall(part) if b' t="e"' in part else []
    is_hidden = b' hidden="' in part
    rows = _ROW.findall(part) if is_hidden else []
    columns = _COLUMN.findall(part) if is_hidden else []
    if not (formulas or errors or rows or columns):
        return None
    return SheetMarks(
        formulas=tuple(cell.decode() for cell in formulas),
        errors=tuple(
            (int(row) - 1, _column(letters.decode()), text.decode(errors="replace"))
            for letters, row, text in errors
        ),
        hidden_rows=tuple(int(row) - 1 for row in rows),
        hidden_columns=tuple(int(column) - 1 for column in columns),
    )


def _paths(parts: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    """(name, path) of every sheet. A sheet that was moved keeps the number of its part."""
    targets = {
        each.get("Id", ""): normpath(
            "/xl/" + target if not (target := each.get("Target", "")).startswith("/") else target
        )
        for each in ElementTree.fromstring(parts.get("xl/_rels/workbook.xml.rels", b"<none/>"))
    }
    for each in ElementTree.fromstring(parts["xl/workbook.xml"]).iter():
        if each.tag.rpartition("}")[2] == "sheet":
            yield each.get("name", ""), targets.get(each.get(_RELATION, ""), "").lstrip("/")


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1
