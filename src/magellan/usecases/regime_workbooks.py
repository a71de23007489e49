"""What there is to do with regime workbooks: make one, check one, import an older one, compare two."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from magellan.collector import uncollected
from magellan.errors import FixInput
from magellan.ports.workbook_files import WorkbookFiles
from magellan.regime.workbook.document import DOCUMENT_ENDINGS
from magellan.regime.workbook.finding import Finding, finding
from magellan.regime.workbook.located import FoundWorkbook, Grid, Located, cell_name
from magellan.regime.workbook.model_values import accounting, regime_config
from magellan.regime.workbook.reading import WorkbookValues, template_values
from magellan.regime.workbook.report import Checked, check
from magellan.regime.workbook.sheets import SHEET_OF

if TYPE_CHECKING:
    from magellan.regime.config import RegimeConfig
    from magellan.regime.workbook.difference import Difference
    from magellan.regime.workbook.importing import Dropped

_POINTER: Final = "StrategyExcelFilePath"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedWorkbook:
    """A workbook that was imported."""

    read_from: Path  # the strategy workbook itself, also where a portfolio workbook pointed at it
    written_to: Path
    taken: int
    dropped: tuple[Dropped, ...]
    to_know: tuple[Dropped, ...]
    before: tuple[Finding, ...]  # of the older workbook
    after: tuple[Finding, ...]  # of the new one
    is_usable: bool  # whether the new one is


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedWorkbooks:
    """Two workbooks, and what differs between them."""

    differences: tuple[Difference, ...]
    before: Checked
    after: Checked


def new_workbook(path: Path, files: WorkbookFiles, *, overwrite: bool = False) -> None:
    """Write a fresh template. Raises FixInput where there is a file already."""
    _refuse_to_overwrite(path, overwrite)
    files.write(path, template_values())


def check_workbook(path: Path, files: WorkbookFiles) -> Checked:
    """Everything that is wrong with a workbook of either layout, or with what a portfolio workbook points at."""
    with uncollected():
        # By a call: cells that were still held afterwards would be collected once.
        return _checked(path, files)


def _checked(path: Path, files: WorkbookFiles) -> Checked:
    found, pointed = _strategy_workbook(path, files)
    if found is None:
        return Checked(file=path.name, layout="4.0.0", findings=pointed, values=None, fields=accounting())
    return check(found)


def check_content(content: bytes, files: WorkbookFiles, *, name: str) -> Checked:
    """The same of a file's content, which is kept nowhere."""
    with uncollected():
        return check(files.parse(content, name=name))


def import_workbook(
    path: Path, target: Path, files: WorkbookFiles, *, overwrite: bool = False
) -> ImportedWorkbook:
    """Turn a workbook of version 4.0.0 into one of ours.

    Raises: FixInput for any other workbook, and where the target is there already.
    """
    from magellan.regime.workbook.importing import import_version_4

    _refuse_to_overwrite(target, overwrite)
    found, pointed = _strategy_workbook(path, files)
    if found is None:
        raise FixInput(
            f"{path.name} points at {pointed[0].found}, which is not beside it",
            next_step="put the strategy workbook beside it, or name that one",
        )
    if not found.is_version_4:
        raise FixInput(
            f"{found.file} is not of version 4.0.0",
            next_step="check it with `magellan regime workbook check`",
        )
    imported = import_version_4(found)
    files.write(target, imported.values)
    after = check(files.read(target))
    return ImportedWorkbook(
        read_from=path.with_name(found.file),
        written_to=target,
        taken=imported.taken,
        dropped=imported.dropped + _portfolio_drops(path, files),
        to_know=imported.to_know,
        before=check(found).findings,
        after=after.findings,
        is_usable=after.is_usable,
    )


def compare_workbooks(before: Path, after: Path, files: WorkbookFiles) -> ComparedWorkbooks:
    """What differs between two workbooks, in whatever form, also where findings refuse one.

    Raises: FixInput for a file that says nothing by itself: one of version 4.0.0, or a pointer to nowhere.
    """
    from magellan.regime.workbook.difference import differences

    old, new = check_workbook(before, files), check_workbook(after, files)
    values = [_said(path, checked) for path, checked in ((before, old), (after, new))]
    return ComparedWorkbooks(differences=differences(*values), before=old, after=new)


def _said(path: Path, checked: Checked) -> WorkbookValues:
    if checked.values is None:
        first = checked.findings[0]
        raise FixInput(
            f"{path} is not compared: {first.place}: found {first.found}, expected {first.expected}",
            next_step=f"{first.fix}; see all findings with `magellan regime workbook check {path}`",
        )
    return checked.values


def usable_values(path: Path, files: WorkbookFiles) -> WorkbookValues:
    """What a workbook says. Raises FixInput, with the first findings, for one that cannot be used."""
    checked = check_workbook(path, files)
    if checked.values is None or not checked.is_usable:
        first = checked.findings[0]
        raise FixInput(
            f"{path}: {len(checked.findings)} findings, the first at {first.place}: found {first.found}, "
            f"expected {first.expected}",
            next_step=f"see all of them with `magellan regime workbook check {path}`",
        )
    return checked.values


def is_workbook(path: Path) -> bool:
    """Whether the file is a workbook, and not the plain values of the model's config."""
    if path.suffix.lower() == ".xlsx":
        return True
    if path.suffix.lower() not in DOCUMENT_ENDINGS:
        return False
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False  # whoever reads it says why it cannot be
    # Every form of a workbook names its sheets, and none of the model's values bears such a name.
    return any(re.search(rf'^\s*[\["]+{name}[\]".]', text, re.MULTILINE) for name in SHEET_OF)


def workbook_config(path: Path, files: WorkbookFiles) -> RegimeConfig:
    """The model's config that a workbook says. Raises FixInput for one that cannot be used."""
    return regime_config(usable_values(path, files))


def _refuse_to_overwrite(path: Path, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise FixInput(f"{path} is there already", next_step="choose another name, or add --overwrite")


def _strategy_workbook(path: Path, files: WorkbookFiles) -> tuple[FoundWorkbook | None, tuple[Finding, ...]]:
    """The workbook itself, or the one that a portfolio workbook points at; with a finding where that is not there."""
    found = files.read(path)
    pointer = _pointer(found.grids)
    if found.sheets or pointer is None:
        return found, ()
    # A name and nothing more: a workbook reaches no file but its neighbours.
    neighbour = path.with_name(Path(str(pointer)).name or "nothing")
    if neighbour.is_file():
        return files.read(neighbour), ()
    missing = finding(
        "missing-workbook", file=path.name, sheet="StrategySetting", cell=pointer.cell, found=str(pointer),
        expected=f"a file of that name beside {path.name}",
    )  # fmt: skip
    return None, (missing,)


def _pointer(grids: Mapping[str, Grid]) -> Located | None:
    """The cell that names the strategy workbook, in a portfolio workbook."""
    grid = grids.get("StrategySetting", ())
    if len(grid) > 1 and _POINTER in grid[0]:
        column = list(grid[0]).index(_POINTER)
        return Located(grid[1][column], cell_name(1, column))
    return None


def _portfolio_drops(path: Path, files: WorkbookFiles) -> tuple[Dropped, ...]:
    """What a portfolio workbook says beside the pointer."""
    grids = files.read(path).grids
    if _pointer(grids) is None:
        return ()
    from magellan.regime.workbook.importing import Dropped

    return tuple(
        Dropped(
            sheet=sheet,
            cell=cell_name(1, column),
            what=f"{heading} {Located(grid[1][column], '')}",
            why="capital and risk are said in a strategy's config.json",
        )
        for sheet, grid in grids.items()
        if len(grid) > 1
        for column, heading in enumerate(grid[0])
        if heading and heading != _POINTER
    )
