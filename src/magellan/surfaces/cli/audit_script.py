"""`magellan audit script`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from magellan.surfaces.cli.options import JsonOption


def audit_script(
    to: Annotated[Path | None, typer.Option("--out", help="The file; without it, standard output.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the program that checks the chains without Magellan: a hundred lines that need only Python.

    Give it to whoever audits, beside the folder .magellan/audit and what
    `magellan audit export entries` wrote: `python verify_audit.py FOLDER`.
    """
    import importlib.resources

    from magellan.surfaces.cli.output import emit, note
    from magellan.wiring.research import write_file

    if to is None and as_json:
        raise typer.BadParameter("name a file with --out")
    program = (importlib.resources.files("magellan.audit") / "verify_alone.py").read_bytes()
    if to is None:
        sys.stdout.write(program.decode())
        return
    write_file(to, program, kept="what was there")
    emit(
        {"file": to, "bytes": len(program)},
        as_json=as_json,
        human=lambda: note(f"{to}: run it with `python {to} FOLDER`"),
    )
