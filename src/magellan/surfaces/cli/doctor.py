"""`magellan doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, enclosing_workspace, workspace_folder

if TYPE_CHECKING:
    from rich.text import Text

    from magellan.usecases.doctor import Checked


def doctor(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Check this machine and workspace, and say what to mend.

    Looks at Python and the packages, the tools that the gates need, the
    folder of compiled code, clock, time zones and calendar, disk space, the
    workspace, its archive, and every strategy in it. Ends with 1 when
    something does not work; warnings alone end with 0.
    """
    from magellan.surfaces.cli.output import emit, print_table, say
    from magellan.usecases.doctor import Status
    from magellan.usecases.doctor import doctor as look
    from magellan.wiring.market import bar_archive, calendar_of
    from magellan.wiring.research import machine

    found = tuple(
        look(
            machine(_environment_problem()),
            _folder(workspace),
            calendar_of=calendar_of,
            archive_of=bar_archive,
        )
    )
    failed = [each for each in found if each.status is Status.FAIL]

    def show() -> None:
        print_table(
            ("", "looked at", "found", "what to do"),
            [(_coloured(each), each.name, each.found, each.next_step or None) for each in found],
        )
        warned = sum(each.status is Status.WARN for each in found)
        works = (
            f"all that was looked at works; {warned} to look at" if warned else "all that was looked at works"
        )
        say(f"{len(failed)} of {len(found)} do not work" if failed else works)

    emit({"works": not failed, "checks": found}, as_json=as_json, human=show)
    if failed:
        raise typer.Exit(1)


def _folder(given: Path | None) -> Path | None:
    """The workspace to look at; None where there is none, which is something to tell and no error."""
    return workspace_folder(given) if given is not None else enclosing_workspace(Path.cwd())


def _environment_problem() -> str:
    from magellan.errors import FixInput
    from magellan.settings.environment import run_settings

    try:
        run_settings()
    except FixInput as error:
        return error.message
    return ""


def _coloured(checked: Checked) -> Text:
    from rich.text import Text

    colours = {"ok": "green", "warn": "yellow", "fail": "bold red"}
    return Text(str(checked.status), style=colours[checked.status])
