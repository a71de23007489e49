"""`magellan backup follow`."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from magellan.surfaces.cli.options import WorkspaceOption, workspace_folder


def backup_follow(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each change as one JSON document, on a line of its own.")
    ] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Add every entry of the ledger to a second copy elsewhere, within a second, until Ctrl-C.

    backup.follow_to names the place: a file on another disk, or on another
    machine over SFTP, or a folder in S3. It is encrypted with the backups'
    passphrase. A restore and `magellan drill restore` bring the ledger up to
    its end. A place that cannot be reached is tried again, and told; trading
    never waits for it.
    """
    from magellan.adapters.local.only_one import only_one
    from magellan.errors import FixInput
    from magellan.surfaces.cli.output import note
    from magellan.usecases.follow_ledger import follow
    from magellan.wiring.upkeep import followed_ledger, notifier
    from magellan.workspace.workspace import Workspace

    opened = Workspace.at(workspace_folder(workspace))
    ended: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda told, frame: ended.append(told))

    def pause(seconds: float) -> bool:
        if not ended:
            time.sleep(seconds)
        return bool(ended)

    told = notifier(opened, "backups", ())

    def tell(reached: bool, why: str) -> None:
        now = datetime.now(UTC)
        words = "the ledger's trail follows again" if reached else f"the ledger's trail stands still: {why}"
        if as_json:
            sys.stdout.write(json.dumps({"at": now.isoformat(), "reached": reached, "why": why}) + "\n")
            sys.stdout.flush()
        else:
            note(words)
        told.tell("info" if reached else "warning", words, now)

    with only_one(opened.state_folder / "backup" / "follow.lock") as alone:
        if not alone:
            raise FixInput("another process follows this ledger already", kept="that one")
        with followed_ledger(opened, os.environ) as (rows, trail):
            note(f"following the ledger to {trail.place}; Ctrl-C ends it")
            state = follow(rows, trail, pause=pause, tell=tell)
    note(f"{state.sent:,} entries were sent; none is any more")
