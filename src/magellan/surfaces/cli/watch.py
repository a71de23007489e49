"""`magellan watch`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.delivery import delivering
from magellan.surfaces.cli.metrics_options import measured
from magellan.surfaces.cli.operate_options import AccountOption, Desk, opened_desk, watch_terms
from magellan.surfaces.cli.options import WorkspaceOption
from magellan.surfaces.cli.secret_options import Safe

if TYPE_CHECKING:
    from magellan.ports.notifier import Notifier
    from magellan.usecases.watch_upkeep import UpkeepWatch
    from magellan.workspace.workspace import Workspace

_FLATTENS_WITHIN_S = 60.0


def watch(
    account: AccountOption = None,
    until_ended: Annotated[
        bool,
        typer.Option(
            "--until-ended", help="End with the session that runs; otherwise watch every one to come."
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each alarm as one JSON document, on a line of its own.")
    ] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Watch over an account's session, and raise the alarm when it goes silent.

    A session that hangs, is gone without an end, gets no bar in an open session or no answer from its broker has gone
    silent once that lasts for the account's watchdog.silence_s_max. With watchdog.then = "flatten", everything is then
    left, past the session. The watch also tells of a loss of the day, of errors of the broker, of a disk that fills, of
    secrets and backups that are overdue; and it delivers what waits for the channels of magellan.toml.

    `magellan run` starts a watch by itself; this command is for one that outlives its runner's service. Ctrl-C ends it.
    """
    from magellan.adapters.local.only_one import only_one
    from magellan.surfaces.cli.output import note

    with opened_desk(workspace, account) as desk:
        folder = desk.workspace.state_folder / "control" / desk.account.ledger
        with only_one(folder / "watch.lock") as alone:
            if not alone:
                note(f"{desk.account.ledger} is watched already, by another process")
                raise typer.Exit(0 if until_ended else 1)
            note(f"watching {desk.account.ledger}")
            with delivering(desk.workspace):
                asyncio.run(_watch(desk, until_ended=until_ended, as_json=as_json))


class _Lines:
    """Alarms as lines of JSON, for a program that reads them, and to people too. Keeps `ports.notifier.Notifier`."""

    def __init__(self, people: Notifier) -> None:
        self._people = people

    def tell(self, severity: str, text: str, at: datetime) -> None:
        self._people.tell(severity, text, at)
        line = {"at": at.isoformat(), "severity": severity, "text": text}
        with contextlib.suppress(OSError):  # nobody reads: the watch goes on
            sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
            sys.stdout.flush()


async def _watch(desk: Desk, *, until_ended: bool, as_json: bool) -> None:
    from magellan.adapters.local.control_folder import new_request
    from magellan.surfaces.cli.flatten import flattened
    from magellan.usecases.watch_session import Watch
    from magellan.usecases.watch_upkeep import UpkeepWatch
    from magellan.wiring.market import session_calendar
    from magellan.wiring.sessions import heartbeat_file
    from magellan.wiring.upkeep import backup_record, disk_gauge, notifier

    account = desk.account
    terms, reconcile_every_s = watch_terms(account)

    async def flatten(why: str) -> bool:
        request = new_request("flatten", person="watchdog", reason=why, source="watchdog")
        operated = await flattened(desk, request, within_s=_FLATTENS_WITHIN_S)
        return operated.flattened is not None and operated.flattened.flat

    told = notifier(desk.workspace, f"{account.ledger}-watch", ())
    if as_json:
        told = _Lines(told)
    upkeep = UpkeepWatch(
        newest_beat=heartbeat_file(desk.workspace, account.ledger).newest,
        disk=disk_gauge(desk.workspace),
        secrets=Safe.of(desk.workspace.root).inventory,
        last_backup_at=(
            None if desk.workspace.settings.backup.to is None else backup_record(desk.workspace).last_at
        ),
        terms=desk.workspace.settings.notifications,
        notifier=told,
        now=lambda: datetime.now(UTC),
    )

    this = asyncio.current_task()
    assert this is not None, "it runs in a task"
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    looking = asyncio.create_task(_keep_up(upkeep, desk.workspace))
    with contextlib.suppress(asyncio.CancelledError):
        await Watch(
            account=account.ledger,
            ledger=desk.ledger,
            newest_beat=heartbeat_file(desk.workspace, account.ledger).newest,
            terms=terms,
            reconcile_every_s=reconcile_every_s,
            calendar_of=lambda began: session_calendar(desk.workspace, began),
            notifier=told,
            now=lambda: datetime.now(UTC),
            flatten=flatten if account.terms is not None and terms.then == "flatten" else None,
            ends_with=until_ended,
        ).run()
    looking.cancel()


def _write_metrics(workspace: Workspace) -> None:
    """For a collector of text files. What cannot be measured now is measured the next time."""
    from magellan.errors import MagellanError
    from magellan.wiring.records import exposition
    from magellan.wiring.research import write_file

    with contextlib.suppress(MagellanError):
        text = exposition(measured(workspace))
        write_file(workspace.state_folder / "metrics" / "magellan.prom", text, kept="")


async def _keep_up(upkeep: UpkeepWatch, workspace: Workspace) -> None:
    """Beside the watch, in a thread: a disk or a store of secrets that hangs must not keep it from looking."""
    from magellan.usecases.watch_upkeep import LOOKS_EVERY_S

    while True:
        await asyncio.to_thread(upkeep.look)
        await asyncio.to_thread(_write_metrics, workspace)
        await asyncio.sleep(LOOKS_EVERY_S)
