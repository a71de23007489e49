"""What the API works on: a workspace, and what its use cases need."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

import orjson
from pydantic import TypeAdapter

from magellan.adapters.local.own_process import PortableWork, in_own_process
from magellan.errors import FixInput
from magellan.plan.actor import Actor
from magellan.ports.api_tokens import ApiTokens
from magellan.ports.change_log import ChangeLog
from magellan.ports.ledger import Ledger
from magellan.ports.run_store import RunStore
from magellan.ports.workbook_files import WorkbookFiles
from magellan.regime.config import RegimeConfig
from magellan.regime.reading import RegimeReading
from magellan.regime.workbook.document import as_document
from magellan.regime.workbook.model_values import regime_config as config_of
from magellan.regime.workbook.model_values import values_of
from magellan.regime.workbook.reading import WorkbookValues, template_values
from magellan.surfaces.http.jobs import Job, Jobs, Report
from magellan.surfaces.http.limits import Buckets, Limits
from magellan.surfaces.http.problem import not_found
from magellan.trading.timeframe import Timeframe
from magellan.usecases.api_access import ENVIRONMENT_TOKEN
from magellan.usecases.configure_regime import FOLDER, ConfigDesk, config_etag
from magellan.usecases.recorded_plan import Records
from magellan.usecases.regime_bars import RegimeBars
from magellan.usecases.regime_readings import KEPT_MAX, RegimeReadings
from magellan.usecases.regime_settings import REGIME_FILE
from magellan.usecases.regime_settings import regime_config as plain_config
from magellan.usecases.regime_workbooks import is_workbook, usable_values
from magellan.workspace.workspace import StrategyFolder, Workspace

_READING: Final = TypeAdapter(RegimeReading)


@dataclass(kw_only=True)
class ApiDesk:
    """One workspace, as the API sees it. It lives as long as the server does."""

    workspace: Workspace
    tokens: ApiTokens
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    limits: Limits = field(default_factory=Limits)
    stream_every_s: float = 2.0  # between two looks of a live stream
    jobs_give_way: bool = True  # to whoever else wants a processor
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def now(self) -> datetime:
        """By this machine's clock; aware, UTC."""
        return datetime.now(UTC)

    @property
    def environment_token(self) -> str:
        """What the environment says is a token; "" for nothing."""
        return self.environment.get(ENVIRONMENT_TOKEN, "")

    @cached_property
    def wrong_tokens(self) -> Buckets:
        """Counted by address: twenty at once, then one in three seconds."""
        return Buckets(per_second=1 / 3, burst=20, clock=time.monotonic)

    @cached_property
    def jobs(self) -> Jobs:
        """What takes longer than an answer may."""
        return Jobs(self.now)

    def start(self, kind: str, subject: str, asked_by: str, work: PortableWork[Any]) -> Job:
        """Begin a job in a process of its own, so that whoever asks meanwhile does not wait for it."""

        def do(report: Report) -> Any:
            if kind.startswith("regime"):
                self._prepare_regime(report)
            return in_own_process(work, report, gives_way=self.jobs_give_way)

        return self.jobs.start(kind, subject, asked_by, do)

    @cached_property
    def readings(self) -> RegimeReadings:
        """The newest regime of each market."""
        from magellan.wiring.market import bar_archive

        return RegimeReadings(bar_archive(self.workspace), self.bars_of, self.regime_config)

    @cached_property
    def changes(self) -> ChangeLog:
        """The audit log."""
        from magellan.wiring.records import change_log

        return change_log(self.workspace, secrets=[self.environment_token] if self.environment_token else [])

    @property
    def runs(self) -> RunStore:
        """Kept runs."""
        from magellan.wiring.research import run_store

        return run_store(self.workspace)

    @cached_property
    def workbooks(self) -> WorkbookFiles:
        """Regime workbooks."""
        from magellan.wiring.market import workbook_files

        return workbook_files()

    @contextmanager
    def ledger(self) -> Generator[Ledger]:
        """The ledger, for as long as the block lasts."""
        from magellan.wiring.records import ledger

        opened = ledger(self.workspace, self.environment)
        try:
            yield opened
        finally:
            opened.close()

    def strategy(self, named: str) -> StrategyFolder:
        """One of the workspace's own, by name; never one at a path that somebody sends. Raises Refused, FixInput."""
        fitting = [each for each in self.workspace.strategies() if named in (each.name, each.label)]
        if len(fitting) > 1:
            labels = ", ".join(each.label for each in fitting)
            raise FixInput(f"several strategies are called '{named}'", next_step=f"name one of {labels}")
        if not fitting:
            known = ", ".join(each.label for each in self.workspace.strategies()) or "none"
            raise not_found(f"no strategy is called '{named}'", fix=f"there are: {known}")
        return fitting[0]

    def bars_of(self, symbol: str, timeframe: Timeframe) -> RegimeBars:
        """A symbol's archived bars, as the regime model sees them."""
        from magellan.wiring.market import regime_bars

        self._prepare_regime(_unheard)
        return regime_bars(self.workspace, symbol, timeframe)

    def regime_config(self) -> RegimeConfig:
        """The regime config in force; read again only when its file has changed. Raises FixInput."""
        return self._config_in_force().config

    def regime_values(self) -> WorkbookValues:
        """The same as a workbook. Raises FixInput."""
        return self._config_in_force().values

    def regime_etag(self) -> str:
        """Names what the config in force says, as HTTP's headers write it. Raises FixInput."""
        return self._config_in_force().etag

    def regime_document(self) -> bytes:
        """The same as a JSON document. Raises FixInput."""
        return self._config_in_force().document

    def reading_json(self, reading: RegimeReading) -> bytes:
        """A reading as JSON; written once for each market until there is a newer one."""
        key = (reading.symbol, reading.timeframe)
        kept = self._readings_json.get(key)
        if kept is None or kept[0] is not reading:
            self._readings_json[key] = kept = (reading, _READING.dump_json(reading))
            while len(self._readings_json) > KEPT_MAX:
                del self._readings_json[next(iter(self._readings_json))]
        return kept[1]

    def configuring(self, person: str) -> ConfigDesk:
        """What a change of the regime config is made with."""
        from magellan.adapters.local.file_tree import FileTree
        from magellan.wiring.records import plan_journals
        from magellan.wiring.research import write_file

        folder = self.workspace.root / FOLDER

        def kept(name: str) -> bytes | None:
            return (folder / name).read_bytes() if (folder / name).is_file() else None

        return ConfigDesk(
            tree=FileTree(self.workspace.root),
            records=Records(
                journals=plan_journals(self.workspace),
                changes=self.changes,
                actor=self.actor(person),
                clock=self.now,
            ),
            make_folder=lambda: folder.mkdir(parents=True, exist_ok=True),
            keep=lambda name, content: write_file(folder / name, content, kept="the config in force"),
            kept=kept,
            values=self.regime_values,
            is_there=(self.workspace.root / REGIME_FILE).is_file,
        )

    def actor(self, person: str) -> Actor:
        """Whoever is recorded as acting."""
        return Actor(person=person, host=socket.gethostname(), pid=os.getpid())

    def close(self) -> None:
        """Let everything go."""
        if "jobs" in self.__dict__:
            self.jobs.close()

    def _prepare_regime(self, report: Report) -> None:
        """Have the model compiled where it is not: elsewhere, for a compiler would stay in this process's memory.

        Not at a job's lower priority: others wait for the same kernels.
        """
        from magellan.usecases.prepare_regime import Preparation, is_prepared

        with self._preparing:
            if not self._is_prepared and not is_prepared():
                report("compile", 0, 1)
                in_own_process(Preparation(), report, gives_way=False)
            self._is_prepared = True  # also where nothing can be kept: trying again would not help

    _preparing: threading.Lock = field(default_factory=threading.Lock)
    _is_prepared: bool = False
    _in_force: _InForce | None = None
    _readings_json: dict[tuple[str, str], tuple[RegimeReading, bytes]] = field(default_factory=dict)

    def _config_in_force(self) -> _InForce:
        path = self.workspace.root / REGIME_FILE
        try:
            found = path.stat()
            stamp = (found.st_mtime_ns, found.st_size)
        except FileNotFoundError:
            stamp = None
        if self._in_force is None or self._in_force.stamp != stamp:
            if stamp is None:
                config, values = RegimeConfig(), template_values()
            elif is_workbook(path):
                values = usable_values(path, self.workbooks)
                config = config_of(values)
            else:
                config = plain_config(None, self.workspace.root)
                values = values_of(config)
            self._in_force = _InForce(
                stamp=stamp,
                config=config,
                values=values,
                etag=f'"{config_etag(values)}"',
                document=orjson.dumps(as_document(values)),
            )
        return self._in_force


def _unheard(phase: str, done: float, total: float | None = None) -> None:
    """Of somebody who waits for an answer, and not for a job: there is nowhere to show it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _InForce:
    """The regime config, in all the forms in which it is asked for."""

    stamp: tuple[int, int] | None  # of the file: time and size; None: there is none
    config: RegimeConfig
    values: WorkbookValues
    etag: str
    document: bytes  # JSON


def timeframe_of(text: str) -> Timeframe:
    """A timeframe by its name. Raises FixInput."""
    try:
        return Timeframe.parse(text)
    except ValueError as error:
        raise FixInput(
            f"'{text}' is no timeframe: {error}", next_step="write it like 1Min, 15Min or 1Day"
        ) from None
