"""`magellan migrate verify`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.migrate_options import FolderArgument
from magellan.surfaces.cli.migrate_scan_options import PythonOption, WorkersOption
from magellan.surfaces.cli.options import JsonOption

if TYPE_CHECKING:
    from magellan.usecases.migrate_verify import Verified

_DETAILS_SHOWN = 10


def migrate_verify(
    folder: FolderArgument = None,
    migration: Annotated[
        str, typer.Option("--migration", metavar="ID", help="Which one; default: the newest that stands.")
    ] = "",
    try_imports: Annotated[
        bool,
        typer.Option("--imports/--no-imports", help="Import every module in a sandbox, before and after."),
    ] = True,
    run_tests: Annotated[
        bool, typer.Option("--tests/--no-tests", help="Run the project's tests in copies, before and after.")
    ] = False,
    test_arguments: Annotated[
        str, typer.Option("--test-arguments", metavar="TEXT", help="What pytest is given.")
    ] = "",
    time_limit: Annotated[
        float, typer.Option("--time-limit", min=0.5, metavar="SECONDS", help="For each import that is tried.")
    ] = 20.0,
    test_time_limit: Annotated[
        float,
        typer.Option("--test-time-limit", min=1.0, metavar="SECONDS", help="For each run of the tests."),
    ] = 1800.0,
    python: PythonOption = None,
    workers: WorkersOption = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the report as a page, too.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the project before and after a migration: imports, names, entry points, circles, and its own tests.

    The tree before is made from what the migration kept. Both are looked at in
    copies, so nothing of the project changes. Tests are the project's own code,
    and run with your rights, as they always do; imports are tried in a sandbox.
    Ends with 1 where anything is worse.
    """
    from magellan.adapters.durable_file import write_durably
    from magellan.adapters.local.source_folder import read_source_tree
    from magellan.surfaces.cli.migrate_options import desk_of
    from magellan.surfaces.cli.migrate_verify_looks import looks_of
    from magellan.surfaces.cli.output import emit
    from magellan.usecases.migrate_verify import verify_migration
    from magellan.usecases.migrate_verify_page import verification_page

    look = looks_of(
        python=python,
        workers=workers,
        time_limit_s=time_limit if try_imports else None,
        test_arguments=shlex.split(test_arguments) if run_tests else None,
        test_time_limit_s=test_time_limit,
    )
    verified = verify_migration(desk_of(folder), read_source_tree(folder or Path.cwd()), look, migration)
    if html is not None:
        write_durably(html, verification_page(verified).encode(), kept="the project")
    checks = verified.verification.checks
    document = {
        "migration": verified.migration_id,
        "is_sound": verified.verification.is_sound,
        "checks": [
            {
                "name": each.name,
                "answer": str(each.answer),
                "summary": each.summary,
                "details": list(each.details),
            }
            for each in checks
        ],
    }
    emit(document, as_json=as_json, human=lambda: _show(verified))
    if not verified.verification.is_sound:
        raise typer.Exit(1)


def _show(verified: Verified) -> None:
    from magellan.surfaces.cli.output import say

    for check in verified.verification.checks:
        say(f"{check.answer:>9}  {check.name}: {check.summary}")
        for detail in check.details[:_DETAILS_SHOWN]:
            say(f"             {detail}")
        if len(check.details) > _DETAILS_SHOWN:
            say(f"             and {len(check.details) - _DETAILS_SHOWN} more; --json names all")
    sound = verified.verification.is_sound
    say(f"{verified.migration_id}: {'nothing is worse' if sound else 'something is worse'}")
