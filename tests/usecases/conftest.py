"""A workspace whose strategy passes every gate, so that a test can spoil one thing at a time."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from magellan.adapters.exchange_calendar import load_calendar
from magellan.adapters.local.gate_records import GateRecordFiles
from magellan.adapters.parquet.bar_archive import ParquetBarArchive
from magellan.archive.actions import CorporateActionTable
from magellan.archive.checksum import content_sha256
from magellan.archive.dataset import Adjustment, DateRange, Provenance, SetId, Source
from magellan.errors import FixInput
from magellan.gate.verdict import Verdict
from magellan.ports.heartbeat import Heartbeat
from magellan.ports.tool import ToolRun
from magellan.trading.bar import Bars
from magellan.trading.session import Hours, day_number
from magellan.trading.timeframe import DAY, DAY_NS
from magellan.usecases.gate_strategy import Acceptance, GateSources, gate_strategy
from magellan.usecases.new_strategy import new_strategy
from magellan.workspace.workspace import StrategyFolder, Workspace

FIRST_ON, LAST_ON = date(2018, 1, 2), date(2025, 12, 31)
NOW = datetime(2026, 1, 21, 21, 30, tzinfo=UTC)
SYMBOLS = ("ALPHA", "BRAVO", "DELTA")

PASSING_TESTS = (
    '<testsuites><testsuite name="pytest"><testcase classname="test_strategy" name="test_it_buys"/>'
    "</testsuite></testsuites>"
)


@cache
def trending_bars(symbol: str, seed: int) -> Bars:
    """Daily bars on real sessions, in moods of some months: a market in which following a trend pays."""
    calendar = load_calendar("XNYS", today=NOW.date())
    days = calendar.session_on[
        (calendar.session_on >= day_number(FIRST_ON)) & (calendar.session_on <= day_number(LAST_ON))
    ]
    chance = np.random.Generator(np.random.PCG64(seed))
    n = len(days)
    mood = np.repeat(chance.choice([0.0022, -0.0012], size=n // 60 + 1), 60)[:n]
    close = 100 * np.exp(np.cumsum(mood + chance.normal(0, 0.012, n)))
    opened = np.concatenate([[100.0], close[:-1]]) * np.exp(chance.normal(0, 0.003, n))
    reach = np.abs(chance.normal(0, 0.004, (2, n)))
    return Bars(
        symbol=symbol,
        timeframe=DAY,
        opened_at_ns=days.astype(np.int64) * DAY_NS,
        open=opened,
        high=np.maximum(opened, close) * (1 + reach[0]),
        low=np.minimum(opened, close) * (1 - reach[1]),
        close=close,
        volume=1e6 + np.floor(1e5 * chance.random(n)),
    )


def put(
    archive: ParquetBarArchive, bars: Bars, *, generated: bool = False, requested: DateRange | None = None
) -> SetId:
    """Merge bars into the archive as if a vendor had delivered them."""
    set_id = SetId(
        symbol=bars.symbol,
        timeframe=bars.timeframe,
        vendor="alpaca",
        feed="sip",
        adjustment=Adjustment.RAW,
        hours=Hours.ALL,
    )
    source = Source(
        name=f"{bars.symbol}.csv",
        sha256=content_sha256(bars),
        rows=len(bars),
        requested=requested or DateRange(first_on=FIRST_ON, last_on=LAST_ON),
        fetched_at=datetime(2026, 1, 5, tzinfo=UTC),
    )
    archive.merge(set_id, bars, Provenance(source=source, generated=generated))
    return set_id


@dataclass
class FakeTools:
    """Tools that find nothing wrong, until a test says otherwise."""

    installed: dict[str, str] = field(default_factory=lambda: {"ruff": "0.1", "mypy": "0.2", "pytest": "0.3"})
    answers: dict[str, ToolRun] = field(default_factory=dict)
    junit: str = PASSING_TESTS

    def version(self, tool: str) -> str | None:
        return self.installed.get(tool)

    def run(self, tool: str, arguments: Sequence[str], *, folder: Path, timeout_s: float) -> ToolRun:
        if tool in self.answers:
            return self.answers[tool]
        if tool == "pytest":
            (answer,) = (
                each.removeprefix("--junitxml=") for each in arguments if each.startswith("--junitxml=")
            )
            Path(answer).write_text(self.junit)
        return ToolRun(exit_code=0, stdout="[]" if tool == "ruff" else "", stderr="")


@dataclass
class Desk:
    """A trader's desk: a workspace, its archive, a strategy that was accepted, and the gates' sources."""

    workspace: Workspace
    archive: ParquetBarArchive
    folder: StrategyFolder
    sources: GateSources
    last: Verdict | None = None  # the newest, until something is changed

    def gate(self, **options: Any) -> Verdict:
        self.last = gate_strategy(self.folder, self.sources, **options).verdict
        return self.last

    def accept(self, by: str = "K. Ito", reason: str = "looked at it") -> Verdict:
        return self.gate(accept=Acceptance(by, reason))

    def answers(self, **options: Any) -> dict[str, str]:
        """The criteria that are not open, with their answers."""
        return {each.criterion.name: str(each.answer) for each in self.gate(**options).not_open}

    def accept_refused(self) -> set[str]:
        """The criteria for which accepting the run is refused."""
        with pytest.raises(FixInput, match="cannot be accepted"):
            self.accept()
        return set(self.answers()) - {"changes_since_accepted", "sharpe_drop_max", "drawdown_rise_max"}

    def reason(self, name: str) -> str:
        """What the newest verdict says about one criterion."""
        verdict = self.last or self.gate()
        (found,) = (each for each in verdict.judgements if each.criterion.name == name)
        return found.reason

    def config(self, **sections: Any) -> None:
        """Change sections of the config."""
        self.last = None
        document = json.loads(self.folder.config_file.read_text())
        for name, section in sections.items():
            document[name] = {**document.get(name, {}), **section} if isinstance(section, dict) else section
        self.folder.config_file.write_text(json.dumps(document))

    def code(self, before: str, after: str) -> None:
        """Change the strategy's code."""
        self.last = None
        text = self.folder.strategy_file.read_text()
        assert before in text
        self.folder.strategy_file.write_text(text.replace(before, after))

    def with_sources(self, **changed: Any) -> None:
        self.last = None
        self.sources = replace(self.sources, **changed)


def desk_at(root: Path) -> Desk:
    workspace = Workspace.at(root)
    archive = ParquetBarArchive(workspace.data_folder)
    sources = GateSources(
        archive=archive,
        actions=CorporateActionTable(),
        calendar_of=lambda name: load_calendar(name, today=NOW.date()),
        tools=FakeTools(),
        records=GateRecordFiles(workspace),
        clock=lambda: NOW,
        cache_folder=workspace.state_folder / "cache",
    )
    folder = workspace.folder_at(root / "dev" / "riding_moods")
    return Desk(workspace=workspace, archive=archive, folder=folder, sources=sources)


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with bars and a strategy that was accepted: made once, and copied for each test."""
    root = tmp_path_factory.mktemp("furnished")
    (root / "magellan.toml").write_text("format = 1\n")
    workspace = Workspace.at(root)
    archive = ParquetBarArchive(workspace.data_folder)
    for seed, symbol in enumerate(SYMBOLS, start=21):
        put(archive, trending_bars(symbol, seed))

    def write(path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    new_strategy("riding_moods", workspace=workspace, archive=archive, write=write)
    desk = desk_at(root)
    desk.config(parameters={"fast_bars": 10, "slow_bars": 30, "equity_fraction": 0.3})
    assert desk.accept().is_open
    return root


@pytest.fixture
def accepted(furnished: Path, tmp_path: Path) -> Desk:
    """A desk whose strategy was accepted: its gates are open."""
    shutil.copytree(furnished, tmp_path / "desk")
    return desk_at(tmp_path / "desk")


@pytest.fixture
def desk(accepted: Desk) -> Desk:
    """The same desk before anyone has accepted a run."""
    shutil.rmtree(accepted.workspace.gates_folder(accepted.folder))
    return accepted


@pytest.fixture
def beat_at() -> Callable[[datetime], Heartbeat]:
    """A heartbeat of a session to which nothing has happened yet, as of that instant."""
    return lambda at: Heartbeat(
        at=at, session_id="s1", account="PA1", strategy="moods", stage="prod", mode="paper", pid=7, release_id=None,
        config_hash="0" * 64, last_bar_closed_at=None, last_bar_received_at=None, last_broker_answer_at=at,
        last_order_event_at=None, last_reconciled_at=at, feed_up=True, orders_up=True, exceptions=0, backlog=0,
        answers_awaited=0,
    )  # fmt: skip
