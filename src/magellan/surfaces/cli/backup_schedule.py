"""`magellan backup schedule`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder


def backup_schedule(
    to: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the files are written.")],
    cron: Annotated[
        bool, typer.Option("--cron", help="A crontab, for a machine without systemd, in place of units.")
    ] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write systemd timers: a backup each day at backup.at, New York time, and a check that restores it once a week.

    With backup.ledger_every_s, the ledger goes out that often too; with
    backup.follow_to, a service follows it. A time that passed while the
    machine was off is made up for. Copy the units to
    ~/.config/systemd/user, then `systemctl --user enable --now` the timers.
    With --cron: `crontab DIR/crontab`, which replaces the one that is there.
    """
    from magellan.surfaces.cli.output import emit, say
    from magellan.usecases.backup_units import backup_crontab, backup_units
    from magellan.wiring.research import write_file
    from magellan.workspace.workspace import Workspace

    opened = Workspace.at(workspace_folder(workspace))
    terms, program = opened.settings.backup, (sys.executable, "-m", "magellan")
    units = (
        {"crontab": backup_crontab(opened.root, terms, program=program)}
        if cron
        else backup_units(opened.root, terms, program=program)
    )
    for name, text in units.items():
        write_file(to / name, text.encode(), kept="what was there")
    emit(
        {"files": [to / name for name in units]},
        as_json=as_json,
        human=lambda: say("\n".join(str(to / name) for name in units)),
    )
