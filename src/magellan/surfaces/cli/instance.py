"""`magellan instance`."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder

_WATCHED_AFTER_S = 3.0
_KEYS_LOOKED_AT_EVERY_S = 20.0  # an account that is not free yet is asked for many times a second

if TYPE_CHECKING:
    from collections.abc import Callable

    from magellan.deploy.instance import Instance, InstanceReport
    from magellan.engine.commands import Stop
    from magellan.usecases.load_strategy import LoadedStrategy
    from magellan.workspace.workspace import Workspace


def instance(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Its name, as `magellan deployments` shows it.")],
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Be one instance of a release: stand by, and trade while the account is armed for it.

    A target's supervisor starts this; people use `magellan deploy`. It
    checks every file of its release first, says what it is doing in a
    file beside its log, and ends in order on SIGTERM.
    """
    import magellan
    from magellan.deploy.instance import Condition, InstanceReport
    from magellan.errors import FixInput, MagellanError
    from magellan.surfaces.cli.output import emit, note
    from magellan.wiring.hosts import host_folder
    from magellan.workspace.workspace import Workspace

    opened = Workspace.at(workspace_folder(workspace))
    files = host_folder(opened)
    told = files.instance(key)
    if told is None:
        raise FixInput(
            f"no instance is called '{key}' here", next_step="deploy a release with `magellan deploy`"
        )
    report = InstanceReport(
        condition=Condition.LOADING,
        why="",
        at=datetime.now(UTC),
        pid=os.getpid(),
        release_id=told.release_id,
        code_sha256="",
        config_sha256="",
        engine_version=magellan.__version__,
        engine_path=str(Path(magellan.__file__).parent),
        broker_answered_at=None,
    )

    last: tuple[Condition, str] | None = None

    def write(report: InstanceReport) -> None:
        nonlocal last
        if (report.condition, report.why) != last:
            last = (report.condition, report.why)
            why = f": {report.why}" if report.why else ""
            note(f"{report.at:%Y-%m-%dT%H:%M:%S.%fZ} {report.condition}{why}")
        files.write_report(key, report)

    write(report)
    try:
        loaded = _loaded(opened, told)
        report = replace(report, code_sha256=loaded.code_sha256, config_sha256=loaded.config_sha256)
        _stand_by(opened, told, loaded, report, write)
    except MagellanError as error:
        if last is None or last[0] is not Condition.FAILED:
            write(replace(report, condition=Condition.FAILED, why=error.message, at=datetime.now(UTC)))
        raise
    condition, why = last or (Condition.STOPPED, "")
    emit({"instance": key, "condition": condition, "why": why}, as_json=as_json, human=lambda: None)


def _loaded(workspace: Workspace, told: Instance) -> LoadedStrategy:
    from magellan.usecases.open_release import open_installed
    from magellan.usecases.rehearse import rehearse
    from magellan.wiring.hosts import installed_release
    from magellan.wiring.market import calendar_of

    loaded = open_installed(told, installed_release(workspace, told.release_id))
    rehearse(loaded, calendar_of(loaded.config.data.calendar))
    return loaded


def _stand_by(
    workspace: Workspace,
    told: Instance,
    loaded: LoadedStrategy,
    report: InstanceReport,
    write: Callable[[InstanceReport], None],
) -> None:
    from magellan.errors import MagellanError, TryAgain
    from magellan.ports.heartbeat import HeartbeatSink
    from magellan.ports.operator import OperatorRequests
    from magellan.settings.mode import Asked
    from magellan.surfaces.cli.output import note
    from magellan.surfaces.cli.session_run import prepared_session, start_watch
    from magellan.usecases.feed_watchdog import Watchdog
    from magellan.usecases.kept_history import READ_EVERY
    from magellan.usecases.stand_by import StandBy, first_answer
    from magellan.wiring.hosts import host_folder
    from magellan.wiring.sessions import (
        account_broker,
        control_folder,
        event_loop,
        heartbeat_file,
        service_notice,
    )

    asked = Asked(account=told.account, typed_number=told.typed_number, approved_release=told.release_id)
    prepared = prepared_session(workspace, loaded, asked, os.environ)
    looked_at_s, ledgers = time.monotonic(), [prepared.ledger]
    account = prepared.decided.account
    assert account is not None, "a deployment names its account"

    watchdog = Watchdog(service_notice(os.environ), heartbeat_file(workspace, prepared.account))

    def report_and_feed(report: InstanceReport) -> None:
        write(report)
        watchdog.reported(report)

    async def look_at_keys() -> None:
        """They may have been rotated since this instance began; where nobody tells them now, those from before hold."""
        nonlocal prepared, looked_at_s
        if time.monotonic() < looked_at_s + _KEYS_LOOKED_AT_EVERY_S:
            return
        looked_at_s = time.monotonic()
        try:
            newest = await asyncio.to_thread(prepared.with_newest_keys)
        except MagellanError as error:
            note(f"nobody tells whether the keys were changed: {error.message}")
            return
        if newest is not prepared:
            prepared = newest
            ledgers.append(newest.ledger)
            note("the account's keys were changed, and are taken from now on")

    async def trade(requests: OperatorRequests, heartbeat: HeartbeatSink) -> Stop:
        await look_at_keys()
        watch = None

        def watched() -> None:
            nonlocal watch
            watch = start_watch(workspace, prepared.account, os.environ)

        # Whoever hands over looks on meanwhile; and its start would take the processor from the session's.
        watching = asyncio.get_running_loop().call_later(_WATCHED_AFTER_S, watched)
        try:
            return await prepared.trade(requests, heartbeat)
        finally:
            watching.cancel()
            if watch is not None:
                watch.terminate()
                await asyncio.to_thread(watch.wait)

    files = host_folder(workspace)

    async def read_ahead() -> None:
        """Whatever a session begins with."""
        await look_at_keys()
        broker = account_broker(account, prepared.keys, workspace=workspace, ledger=prepared.ledger)
        try:
            now = await first_answer(broker, number=account.number)
        finally:
            await broker.close()
        try:
            await prepared.read_ahead(now)
        except TryAgain as error:  # the session asks again when it begins
            note(f"bars cannot be read ahead: {error.message}")

    async def keep_reading_ahead() -> None:
        """What was read long ago is no beginning; and while nobody trades, trouble with it is no reason to end."""
        while True:
            await asyncio.sleep(READ_EVERY.total_seconds())
            try:
                await read_ahead()
            except MagellanError as error:
                note(f"nothing can be read ahead: {error.message}")

    async def life() -> None:
        await read_ahead()
        reading = asyncio.create_task(keep_reading_ahead())
        stands_by = StandBy(
            key=told.key,
            report=replace(report, broker_answered_at=datetime.now(UTC)),
            armed=lambda: files.armed(told.ledger_account),
            trade=trade,
            operator=control_folder(workspace, prepared.account),
            heartbeat=watchdog,
            write=report_and_feed,
            now=lambda: datetime.now(UTC),
        )
        try:
            await stands_by.run()
        finally:
            reading.cancel()

    try:
        with asyncio.Runner(loop_factory=event_loop) as runner:
            runner.run(life())
    finally:
        for each in ledgers:
            each.close()
