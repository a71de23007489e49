"""What people do to a workbook in a spreadsheet program: each mistake is told with its cell and how it is mended."""

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from magellan.adapters.excel.workbook_files import ExcelWorkbookFiles
from magellan.errors import FixInput
from magellan.regime.workbook.finding import Finding
from magellan.regime.workbook.reading import template_values
from magellan.usecases.regime_workbooks import check_content

STABILITY = "xl/worksheets/sheet3.xml"
BOOK = "xl/workbook.xml"
Edit = Callable[[dict[str, str]], None]


@pytest.fixture(scope="module")
def template() -> bytes:
    return ExcelWorkbookFiles().form(template_values(), ending=".xlsx")


def edited(template: bytes, edit: Edit) -> bytes:
    with zipfile.ZipFile(io.BytesIO(template)) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    edit(parts)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return target.getvalue()


def replaced(pattern: str, by: str, part: str = STABILITY) -> Edit:
    def edit(parts: dict[str, str]) -> None:
        parts[part], times = re.subn(pattern, by, parts[part])
        assert times, "the template has changed"

    return edit


def cell(name: str, xml: str) -> Edit:
    """What stands in a cell of StabilityConfiguration."""
    return replaced(rf'<c r="{name}"[^>]*>.*?</c>', f'<c r="{name}" {xml}</c>')


def text(name: str, words: str) -> Edit:
    return cell(name, f't="inlineStr"><is><t>{words}</t></is>')


def moved(parts: dict[str, str]) -> None:
    """The third sheet is now the first, and its part keeps its name; it holds a formula."""
    sheets = re.findall(r"<sheet .*?/>", parts[BOOK])
    parts[BOOK] = parts[BOOK].replace("".join(sheets), "".join([sheets[2], *sheets[:2], *sheets[3:]]))
    cell("B4", "><f>1/2</f><v>0.5</v>")(parts)


def without_header(parts: dict[str, str]) -> None:
    text("B3", "value")(parts)


MISTAKES: dict[str, tuple[Edit, tuple[str, str, str], str]] = {
    # what was done: (how, (kind, place, found), a part of the fix)
    "a comma for a point": (
        text("B4", "0,7"), ("wrong-type", "StabilityConfiguration!B4", "0,7"), "write 0.7, with a point"
    ),
    "a share as per cent": (
        text("B4", "70 %"), ("wrong-type", "StabilityConfiguration!B4", "70 %"), "write 0.7: 1 is 100 %"
    ),
    "a share of 100": (
        cell("B4", "><v>70</v>"), ("out-of-range", "StabilityConfiguration!B4", "70"), "is 0.7 meant?"
    ),
    "a number that became a date": (
        cell("B4", 't="d"><v>2026-07-01</v>'),
        ("wrong-type", "StabilityConfiguration!B4", "2026-07-01"),
        "the format of a number",
    ),
    "an error of a formula": (
        cell("B4", 't="e"><f>1/0</f><v>#DIV/0!</v>'),
        ("wrong-type", "StabilityConfiguration!B4", "#DIV/0!"),
        "write what is expected",
    ),
    "a formula": (
        cell("B4", "><f>1/2</f><v>0.5</v>"),
        ("formula", "StabilityConfiguration!B4", "a formula"),
        "write the value itself",
    ),
    "a formula in a sheet that was moved": (
        moved, ("formula", "StabilityConfiguration!B4", "a formula"), "write the value itself"
    ),
    "a header that was changed": (
        without_header, ("missing-header", "StabilityConfiguration!A3", "Parameter"), "Parameter and Value"
    ),
    "a default in place of a value": (
        text("E4", "0.9"), ("edited-default", "StabilityConfiguration!E4", "0.9"), "into the column Value"
    ),
    "a hidden sheet": (
        replaced(r'(<sheet name="StabilityConfiguration")', r'\1 state="hidden"', BOOK),
        ("hidden", "StabilityConfiguration", "hidden"),
        "show them",
    ),
    "a hidden row": (
        replaced(r'<row r="4" ', '<row r="4" hidden="1" '),
        ("hidden", "StabilityConfiguration!4:4", "hidden"),
        "show them",
    ),
    "a hidden column": (
        replaced(r'<col min="2" max="2" ', '<col min="2" max="2" hidden="1" '),
        ("hidden", "StabilityConfiguration!B:B", "hidden"),
        "show them",
    ),
    "a sheet that was given a shorter name": (
        replaced('name="StabilityConfiguration"', 'name="Stability"', BOOK),
        ("unknown-sheet", "Stability", "Stability"),
        "is StabilityConfiguration meant?",
    ),
}  # fmt: skip


def findings(content: bytes) -> tuple[Finding, ...]:
    return check_content(content, ExcelWorkbookFiles(), name="mine.xlsx").findings


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_with_its_cell_and_how_it_is_mended(mistake: str, template: bytes) -> None:
    edit, told, fix = MISTAKES[mistake]
    found = {(each.kind, each.place, each.found): each.fix for each in findings(edited(template, edit))}
    assert told in found, found
    assert fix in found[told]


def test_a_sheet_whose_header_is_gone_refuses_the_workbook_and_is_told_once(template: bytes) -> None:
    checked = check_content(edited(template, without_header), ExcelWorkbookFiles(), name="mine.xlsx")
    assert not checked.is_usable
    assert [each.kind for each in checked.findings] == ["missing-header"]


def test_a_hidden_row_that_says_nothing_is_nobodys_business(template: bytes) -> None:
    assert not findings(edited(template, replaced("</sheetData>", '<row r="90" hidden="1"/></sheetData>')))


def test_a_file_that_nobody_may_read_is_refused_in_words(tmp_path: Path) -> None:
    loop = tmp_path / "regime.xlsx"
    loop.symlink_to(loop)
    with pytest.raises(FixInput, match="cannot be read"):
        ExcelWorkbookFiles().read(loop)
