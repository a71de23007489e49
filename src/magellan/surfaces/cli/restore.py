"""`magellan restore`."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder
from magellan.surfaces.cli.secret_options import this_actor

if TYPE_CHECKING:
    from pydantic import SecretStr

    from magellan.plan.carry_out import Outcome
    from magellan.ports.backup import BackupStore


def restore(
    into: Annotated[Path, typer.Option("--into", metavar="DIR", help="A folder that is empty or not there.")],
    snapshot: Annotated[
        str | None, typer.Argument(metavar="[BACKUP]", help="As `backup list` shows it; default: the newest.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="PLACE",
            help="Where the backups are, as backup.to names it; on a host that has no workspace yet.",
        ),
    ] = None,
    why: Annotated[
        str, typer.Option("--reason", "--why", metavar="TEXT", help="Why. It is recorded.")
    ] = "restored",
    by: Annotated[
        str | None, typer.Option("--by", metavar="PERSON", help="Who; default: this machine's user.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on after a kill.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take an unfinished restore back.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a workspace back from a backup, into a folder of its own. Nothing that exists is overwritten.

    What is fetched is checked first: the ledger's chains, the audit log, every
    release. Only then it is put in place, at once. Where backup.follow_to
    names a trail, the ledger is brought up to its end; a BACKUP that you name
    is restored as it was. With `--from`, the
    passphrase is read from MAGELLAN_BACKUP_PASSPHRASE. Secrets are in no
    backup: put `.env` back, or rotate, then `magellan secrets check`.
    """
    from magellan.plan.carry_out import Finished
    from magellan.surfaces.cli.output import emit, say

    if resume and undo:
        raise typer.BadParameter("--resume and --undo are told one at a time")
    into = into.absolute()
    store, passphrase = _store(source, workspace)
    outcome = asyncio.run(
        _carry_out(
            store,
            snapshot,
            into,
            by,
            why,
            again=resume or undo,
            back=undo,
            # A backup that somebody names is wanted as it was, and not with what came later.
            passphrase=passphrase if snapshot is None else None,
        )
    )
    ended = "done" if isinstance(outcome, Finished) else outcome.why
    document = {
        "into": into,
        "plan": outcome.status.name,
        "outcome": type(outcome).__name__,
        "ended": ended,
    }

    def show() -> None:
        if isinstance(outcome, Finished):
            say(f"done: {outcome.status.name}; its ledger, audit log and releases were checked")
            say(f"next: put the secrets back, then `magellan secrets check --workspace {into}`")
        else:
            say(f"{outcome.status.word}: {outcome.why}")

    emit(document, as_json=as_json, human=show)
    if not isinstance(outcome, Finished) and not undo:
        raise typer.Exit(1)


def _store(source: str | None, workspace: Path | None) -> tuple[BackupStore, SecretStr]:
    """Where the backups are, and the passphrase that opens them."""
    from pydantic import SecretStr

    from magellan.errors import FixInput
    from magellan.wiring.secrets import named_secret
    from magellan.wiring.upkeep import backup_store, bare_backup_store
    from magellan.workspace.workspace import Workspace

    if source is None:
        opened = Workspace.at(workspace_folder(workspace))
        store = backup_store(opened, os.environ)
        return store, named_secret(opened, os.environ, opened.settings.backup.passphrase)
    passphrase = os.environ.get("MAGELLAN_BACKUP_PASSPHRASE", "")
    if not passphrase:
        raise FixInput(
            "MAGELLAN_BACKUP_PASSPHRASE is not set, and no backup opens without it",
            next_step="set it to the passphrase that the backups were made with",
        )
    return bare_backup_store(source, SecretStr(passphrase), os.environ), SecretStr(passphrase)


async def _carry_out(
    store: BackupStore,
    named: str | None,
    into: Path,
    person: str | None,
    why: str,
    *,
    again: bool,
    back: bool,
    passphrase: SecretStr | None,
) -> Outcome:
    """The plan. Its record goes into the audit log of what is restored: there may be no other."""
    from datetime import UTC, datetime

    from magellan.errors import FixInput
    from magellan.plan.carry_out import carry_out, take_back
    from magellan.usecases.backup import to_restore
    from magellan.usecases.restore import RestoreAsked, restore_begun, restore_plan
    from magellan.wiring.upkeep import restore_journals, restore_world

    def now() -> datetime:
        return datetime.now(UTC)

    actor, journals = this_actor(person), restore_journals(into)
    unfinished = [each.name for each in journals.all() if not each.is_finished]
    if again and not unfinished:
        raise FixInput(f"no restore into {into} is unfinished", next_step="run it without --resume or --undo")
    if again:
        plan = restore_begun(journals.read(unfinished[-1]), into=into)
    else:
        chosen = tuple(each.snapshot_id for each in to_restore(store.snapshots(), named))
        plan = restore_plan(snapshot_ids=chosen, place=store.place, into=into)
    asked = RestoreAsked(at=now(), by=actor, into=into, why=why, what=f"{plan.name}, from {store.place}")
    world = restore_world(store, asked, passphrase, now)
    if not again and not world.folder.is_free:
        raise FixInput(
            f"{into} holds something already, and a restore overwrites nothing",
            next_step="name another folder with --into, or move that one away",
        )
    opening = (
        journals.reopen(unfinished[-1], by=actor, at=now())
        if again
        else journals.begin(plan.description, by=actor, at=now())
    )
    with opening as journal:
        return (
            await take_back(plan, world, journal, why=why, now=now)
            if back
            else await carry_out(plan, world, journal, now=now)
        )
