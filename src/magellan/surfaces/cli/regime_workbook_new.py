"""`magellan regime workbook new`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from magellan.surfaces.cli.options import JsonOption
from magellan.surfaces.cli.regime_workbook_options import OverwriteOption, used_and_unused


def regime_workbook_new(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Its name: .xlsx, .toml or .json.")],
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a fresh regime workbook: 31 sheets with drop-downs, ranges, and a comment on every value.

    It says what the model does without a workbook. Grey values are read by
    nothing, and say why.
    """
    from magellan.regime.workbook.model_values import accounting
    from magellan.surfaces.cli.output import emit, say
    from magellan.usecases.regime_workbooks import new_workbook
    from magellan.wiring.market import workbook_files

    new_workbook(path, workbook_files(), overwrite=overwrite)
    fields = accounting()
    emit(
        {"file": path, "used": fields.used, "unused": fields.unused},
        as_json=as_json,
        human=lambda: say(f"{path} is written; {used_and_unused(fields)}"),
    )
