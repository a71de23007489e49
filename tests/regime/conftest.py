"""Generated markets for tests of regimes, made once: a fit takes time."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from magellan.regime.config import FilterConfig, RegimeConfig
from magellan.regime.quality.scenario import Scenario, scenario
from magellan.regime.regime_model import RegimeModel
from magellan.trading.bar import PRICE_COLUMNS, Bars
from magellan.trading.session import session_columns
from magellan.trading.timeframe import DAY, DAY_NS

# A first fit after ten months of daily bars and a search among few states: everything happens within 700 bars.
QUICK = RegimeConfig(
    filter=FilterConfig(first_fit_bars=200, refit_every_sessions=40, states_max=2, level_half_lives=(100,))
)


@cache
def _scenario(name: str, seed: int, bars: int | None) -> Scenario:
    return scenario(name, seed, bars=bars)


def run_model(bars: Bars, config: RegimeConfig) -> RegimeModel:
    model = RegimeModel(bars.symbol, config)
    model.extend(bars, session_columns(bars))
    return model


@pytest.fixture(scope="session")
def made() -> Callable[..., Scenario]:
    """`made("eq3", 1, 700)`: the scenario of that name and seed, of so many bars."""
    return lambda name, seed=1, bars=None: _scenario(name, seed, bars)


@pytest.fixture(scope="session")
def quick() -> RegimeConfig:
    return QUICK


@pytest.fixture(scope="session")
def model_of() -> Callable[[Bars, RegimeConfig], RegimeModel]:
    """The model after all of these bars."""
    return run_model


@pytest.fixture(scope="session")
def archived_daily() -> Callable[[Path], list[Bars]]:
    """Daily bars of every symbol in a folder of reference data, each file by itself."""

    def read(folder: Path) -> list[Bars]:
        import pyarrow.parquet as pq

        found = []
        for path in sorted(folder.rglob("*_1day_*.parquet")):
            table = pq.read_table(path).to_pydict()
            at = table.get("timestamp") or table["date"]
            days = np.array(at, dtype="datetime64[D]").astype(np.int64)
            keep = np.append(True, np.diff(days) > 0)
            columns = {
                name: np.array(table[name], dtype=np.float64)[keep] for name in (*PRICE_COLUMNS, "volume")
            }
            found.append(
                Bars(
                    symbol=path.stem.split("_")[0], timeframe=DAY, opened_at_ns=days[keep] * DAY_NS, **columns
                )
            )
        return found

    return read
