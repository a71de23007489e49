"""An instance without a market, which starts at once: what a roll-out sees of a release, and what it leaves behind.

Takes the place of `magellan instance` in the engine of the lab's releases; everything else of the engine is the
real one. It holds the account's ledger while it trades, and notes each time that it begins to: a test believes that.
The release's strategy.py says how it behaves: well, exits, or mute.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

import magellan
from magellan.deploy.instance import Condition, InstanceReport
from magellan.errors import AskOperator
from magellan.ledger.entries import NewEntry, SessionBegan, SessionEnded
from magellan.ports.heartbeat import Heartbeat
from magellan.ports.ledger import AccountHeld, LedgerWriter
from magellan.surfaces.cli.options import WorkspaceOption, workspace_folder
from magellan.usecases.feed_watchdog import Watchdog
from magellan.wiring.hosts import host_folder, installed_release
from magellan.wiring.records import ledger
from magellan.wiring.sessions import heartbeat_file, service_notice
from magellan.workspace.workspace import Workspace

LOOKS_EVERY_S = 0.02
BEATS_EVERY_S = 0.2


def instance(key: Annotated[str, typer.Argument()], workspace: WorkspaceOption = None) -> None:
    """Be one instance of a release."""
    _Life(key, Workspace.at(workspace_folder(workspace))).live()


class _Life:
    def __init__(self, key: str, workspace: Workspace) -> None:
        self.workspace = workspace
        self.files = host_folder(workspace)
        told = self.files.instance(key)
        assert told is not None
        self.told = told
        release = installed_release(workspace, told.release_id)
        self.drift = release.drift
        self.behaviour = (release.strategy_folder / "strategy.py").read_text().strip()
        self.watchdog = Watchdog(service_notice(os.environ), heartbeat_file(workspace, told.ledger_account))
        self.ended = False
        self.written_s = 0.0
        self.report = InstanceReport(
            condition=Condition.LOADING,
            why="",
            at=datetime.now(UTC),
            pid=os.getpid(),
            release_id=told.release_id,
            code_sha256=release.manifest.code_sha256,
            config_sha256=release.manifest.config_sha256,
            engine_version=magellan.__version__,
            engine_path=str(Path(magellan.__file__).parent),
            broker_answered_at=None,
        )

    def live(self) -> None:
        signal.signal(signal.SIGTERM, self._end)
        self.tell(Condition.LOADING)
        if self.drift or self.behaviour == "exits":
            why = "; ".join(self.drift) or "broken on purpose"
            self.tell(Condition.FAILED, why)
            raise AskOperator(why)
        while self.behaviour == "mute" and not self.ended:
            time.sleep(LOOKS_EVERY_S)
        self.tell(Condition.READY)
        while not self.ended:
            if self.is_armed():
                self.take_over()
            self.pause()
        self.tell(Condition.STOPPED, "it was told to end")

    def take_over(self) -> None:
        self.tell(Condition.TAKING, "the account")
        book = ledger(self.workspace)
        try:
            with book.writer(self.told.ledger_account) as writer:
                self.trade(writer)
        except AccountHeld:
            return
        finally:
            book.close()
        self.tell(Condition.READY)

    def trade(self, writer: LedgerWriter) -> None:
        session = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}"
        began = SessionBegan(
            run_id=session,
            strategy=self.told.strategy,
            stage=self.told.stage,
            mode="local exchange",
            magellan_version=magellan.__version__,
            config_hash=self.report.config_sha256,
            release_id=self.told.release_id,
            data_id=None,
            bar_source="none",
            symbols=("AMC",),
            timeframe="1Min",
            host=os.uname().nodename,
            pid=os.getpid(),
        )
        writer.append([NewEntry(at=datetime.now(UTC), session=session, payload=began)])
        with open(self.workspace.state_folder / "traded", "a") as traded:
            traded.write(f"{self.told.release_id}\n")
        beaten_s = 0.0
        while self.is_armed() and not self.ended:
            if time.monotonic() - beaten_s > BEATS_EVERY_S:
                beaten_s = time.monotonic()
                self.beat(session)
                self.tell(Condition.TRADING)
            self.pause()
        over = SessionEnded(reason="handed over", flat=True)
        writer.append([NewEntry(at=datetime.now(UTC), session=session, payload=over)])

    def beat(self, session: str) -> None:
        now = datetime.now(UTC)
        self.watchdog.beat(
            Heartbeat(
                at=now,
                session_id=session,
                account=self.told.ledger_account,
                strategy=self.told.strategy,
                stage=self.told.stage,
                mode="local exchange",
                pid=os.getpid(),
                release_id=self.told.release_id,
                config_hash=self.report.config_sha256,
                last_bar_closed_at=now,
                last_bar_received_at=now,
                last_broker_answer_at=now,
                last_order_event_at=None,
                last_reconciled_at=now,
                feed_up=True,
                orders_up=True,
                exceptions=0,
                backlog=0,
                answers_awaited=0,
            )
        )

    def is_armed(self) -> bool:
        armed = self.files.armed(self.told.ledger_account)
        return armed.instance == self.told.key

    def pause(self) -> None:
        time.sleep(LOOKS_EVERY_S)
        if time.monotonic() - self.written_s > 1.0:
            self.write()

    def tell(self, condition: Condition, why: str = "") -> None:
        if (condition, why) != (self.report.condition, self.report.why):
            sys.stdout.write(f"{condition}{why and ': '}{why}\n")
        elif condition is not Condition.LOADING:
            return
        self.report = replace(self.report, condition=condition, why=why, at=datetime.now(UTC))
        self.write()

    def write(self) -> None:
        self.written_s = time.monotonic()
        self.files.write_report(self.told.key, self.report)
        self.watchdog.reported(self.report)

    def _end(self, number: int, frame: object) -> None:
        self.ended = True
