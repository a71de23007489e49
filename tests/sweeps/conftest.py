"""A small workspace of generated bars, with a strategy of every form."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from magellan.adapters.dask_cluster import local_cluster
from magellan.adapters.exchange_calendar import load_calendar
from magellan.adapters.local.sweep_folder import SweepFolder
from magellan.adapters.parquet.bar_archive import ParquetBarArchive
from magellan.archive.actions import CorporateActionTable
from magellan.archive.checksum import content_sha256
from magellan.archive.dataset import Adjustment, Provenance, SetId, Source
from magellan.archive.generated.small_market import small_market
from magellan.surfaces.cli.app import run
from magellan.trading.bar import Bars
from magellan.trading.session import Hours
from magellan.trading.timeframe import DAY, MINUTE, Timeframe
from magellan.usecases.load_strategy import LoadedStrategy, load_strategy
from magellan.workspace.workspace import Workspace

BAND = '''
"""In above one level of the RSI, out below another."""
from typing import Self
from pydantic import Field, model_validator
from magellan.indicators import rsi
from magellan.strategy.contract import Parameters, Strategy
from magellan.strategy.trade_plan import EquityFraction, TradePlan

class Own(Parameters):
    period: int = Field(5, ge=2)
    upper: float = 55.0
    lower: float = 45.0

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.lower > self.upper:
            raise ValueError("lower is above upper")
        return self

class Band(Strategy):
    Parameters = Own
    def features(self, bars, p):
        return {"rsi": rsi(bars.close, p.period, "wilder")}
    def enter_long(self, f, p):
        return f.rsi > p.upper
    def exit_long(self, f, p):
        return f.rsi < p.lower
    def plan(self, f, p):
        return TradePlan(size=EquityFraction(fraction=0.4))
'''

ASKS = (
    BAND.split("    def enter_long")[0].replace("Strategy\n", "Strategy, Enter, Exit\n", 1)
    + """
    def decide(self, now, p):
        if now.holding.is_flat and now["rsi"] > p.upper:
            return Enter()
        if not now.holding.is_flat and now["rsi"] < p.lower:
            return Exit(reason="weak")
        return None
    def plan(self, f, p):
        return TradePlan(size=EquityFraction(fraction=0.4))
"""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """A workspace, and what use cases need of it."""

    root: Path

    def add(self, name: str, code: str, **config: Any) -> None:
        """Write a strategy; config: sections that differ from the usual."""
        folder = self.root / "dev" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "strategy.py").write_text(code)
        document = {
            "strategy": {"name": name, "version": "1.0.0", "kind": "trend"},
            "symbols": ["HARBOR", "ANCHOR"],
            "execution": {"commission_bps": 1.0},
        } | config
        (folder / "config.json").write_text(json.dumps(document))

    def put(self, bars: Bars) -> None:
        """Merge generated bars into the archive."""
        self.archive.merge(
            SetId(
                symbol=bars.symbol,
                timeframe=bars.timeframe,
                vendor="generated",
                feed="none",
                adjustment=Adjustment.RAW,
                hours=Hours.REGULAR,
            ),
            bars,
            Provenance(
                source=Source(
                    name="generator",
                    sha256=content_sha256(bars),
                    rows=len(bars),
                    requested=None,
                    fetched_at=datetime(2026, 1, 5, tzinfo=UTC),
                ),
                generated=True,
            ),
        )

    def load(self, name: str) -> LoadedStrategy:
        return load_strategy(Workspace.at(self.root).strategy(name))

    @property
    def archive(self) -> ParquetBarArchive:
        return ParquetBarArchive(self.root / "data")

    @property
    def given(self) -> dict[str, Any]:
        """What every use case on archived bars takes."""
        return {
            "archive": self.archive,
            "actions": CorporateActionTable(),
            "calendar_of": load_calendar,
        }

    @property
    def sweeps(self) -> SweepFolder:
        return SweepFolder(self.root / ".magellan" / "sweeps")

    def call(self, *arguments: str) -> int:
        """`magellan ARGUMENTS --workspace ...` in this process; returns the exit code."""
        return run([*arguments, "--workspace", str(self.root)])


def market(symbol: str, seed: int, n: int, timeframe: Timeframe = DAY) -> Bars:
    return small_market(
        seed, n, symbol=symbol, timeframe=timeframe, volatility=0.015 if timeframe.is_daily else 0.002
    )


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """300 daily bars of two symbols, four sessions of minutes (and a holiday) of a third, two strategies."""
    made = Lab(root=tmp_path / "lab")
    made.root.mkdir()
    (made.root / "magellan.toml").write_text("")
    made.put(market("HARBOR", 1, 300))
    made.put(market("ANCHOR", 2, 300))
    made.put(market("COCKLE", 3, 5 * 390, MINUTE))
    made.add("band", BAND, symbol_parameters={"ANCHOR": {"upper": 60.0}})
    made.add("asks", ASKS)
    return made


@pytest.fixture(scope="session")
def dask_address() -> Iterator[str]:
    """A Dask cluster of two workers on the loopback interface, without its dashboard."""
    with local_cluster(2) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def bars_of() -> Callable[..., Bars]:
    """Further bars: `bars_of("HARBOR", seed, n)`."""
    return market
