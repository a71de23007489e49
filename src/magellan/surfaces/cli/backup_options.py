"""What the commands on backups share."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from magellan.surfaces.cli.options import workspace_folder
from magellan.surfaces.cli.secret_options import this_actor

if TYPE_CHECKING:
    from magellan.usecases.backup import BackupSources, Rehearsed


def sources_of(given: Path | None, person: str | None = None) -> BackupSources:
    """Everything that backups of the workspace ask. Raises FixInput where something is missing."""
    from magellan.wiring.upkeep import backup_sources, backup_store
    from magellan.workspace.workspace import Workspace

    workspace = Workspace.at(workspace_folder(given))
    store = backup_store(workspace, os.environ)
    return backup_sources(workspace, os.environ, this_actor(person), store=store)


@contextmanager
def percent(phase: str) -> Generator[Callable[[float], None]]:
    """A bar in hundredths, on a terminal."""
    from magellan.surfaces.cli.output import progress_bars

    with progress_bars() as bars:
        yield lambda fraction: bars.report(phase, round(100 * fraction), 100)


def show_rehearsed(rehearsed: Rehearsed) -> None:
    """What a rehearsal came to."""
    from magellan.surfaces.cli.output import say

    for each in rehearsed.snapshots:
        say(f"restored {each.snapshot_id} of {each.at:%Y-%m-%d %H:%M:%S} UTC, {', '.join(each.tags)}")
    say(f"  holds  {rehearsed.found.words}")
    session = rehearsed.session
    if session is None:
        say(f"  took   {rehearsed.rto_s:.1f} s, from nothing to a workspace that was checked")
    else:
        say(f"  took   {rehearsed.rto_s:.1f} s, from nothing to a session that was reconciled on paper")
        say(f"         {session.took_s:.1f} s of it for an exchange and a session of {session.strategy}")
    if rehearsed.from_trail:
        say(f"  trail  had {rehearsed.from_trail:,} ledger entries that no backup has")
    say(f"  lost   {rehearsed.rpo_s:,.0f} s of the workspace, were it needed now")
    say(f"         {rehearsed.ledger_rpo_s:,.1f} s of the ledger, {rehearsed.entries_behind:,} entries")
    say(f"         {rehearsed.audit_rpo_s:,.1f} s of the audit log, {rehearsed.changes_behind:,} records")


def rehearsed_document(rehearsed: Rehearsed) -> dict[str, object]:
    """The same as JSON."""
    return {
        "backups": rehearsed.snapshots,
        "rto_s": rehearsed.rto_s,
        "session": rehearsed.session,
        "rpo_s": rehearsed.rpo_s,
        "ledger_rpo_s": rehearsed.ledger_rpo_s,
        "entries_behind": rehearsed.entries_behind,
        "audit_rpo_s": rehearsed.audit_rpo_s,
        "changes_behind": rehearsed.changes_behind,
        "from_trail": rehearsed.from_trail,
        "found": rehearsed.found,
    }
