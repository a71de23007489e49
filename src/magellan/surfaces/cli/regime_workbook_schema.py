"""`magellan regime workbook schema`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from magellan.surfaces.cli.options import JsonOption


def regime_workbook_schema(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it there, instead of showing it.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the JSON Schema of the TOML and JSON forms, by which editors complete and check them."""
    import json

    from magellan.regime.workbook.json_schema import json_schema
    from magellan.surfaces.cli.output import note, print_json

    schema = json_schema()
    if out is None:
        print_json(schema)
        return
    from magellan.wiring.research import write_file

    write_file(
        out,
        (json.dumps(schema, indent=2, ensure_ascii=False) + "\n").encode(),
        kept="the file that was there",
    )
    if as_json:
        print_json({"file": out})
    else:
        note(f"{out} is written")
