"""The backtest that is judged, everything that it was made of, and runs a little beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, TypeVar

from magellan.archive.actions import CorporateActionTable
from magellan.backtest.market import Market
from magellan.backtest.metrics import Metrics, metrics_of
from magellan.backtest.result import BacktestResult
from magellan.usecases.backtest import backtest_on
from magellan.usecases.load_strategy import LoadedStrategy
from magellan.usecases.prepare_run import PreparedData
from magellan.workspace.config import ExecutionTerms, InstrumentTerms, StrategyConfig
from magellan.workspace.user_code import user_code

COST_KEYS: Final = (
    "slippage_bps", "half_spread_bps", "impact", "commission_bps", "commission_per_unit_usd", "commission_min_usd",
    "borrow_rate",
)  # fmt: skip

Progress = Callable[[str, float, float], None]  # (phase, done, total)
Terms = TypeVar("Terms", ExecutionTerms, InstrumentTerms)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JudgedRun:
    """The backtest that is judged, and everything that it was made of."""

    loaded: LoadedStrategy
    data: PreparedData
    result: BacktestResult
    metrics: Metrics
    actions: CorporateActionTable
    from_on: date | None  # as asked for; None: everything that is archived
    to_on: date | None

    def again(self, loaded: LoadedStrategy, data: PreparedData | None = None) -> BacktestResult:
        """The same run of a changed strategy, or on changed data."""
        with user_code(loaded.folder.strategy_file, "running a variation of its backtest"):
            return backtest_on(
                loaded, data or self.data, self.actions, from_on=self.from_on, to_on=self.to_on
            )


def judged_run(
    loaded: LoadedStrategy,
    data: PreparedData,
    actions: CorporateActionTable,
    *,
    from_on: date | None,
    to_on: date | None,
) -> JudgedRun:
    """Run the backtest that is to be judged. Raises whatever a backtest raises."""
    with user_code(loaded.folder.strategy_file, "running its backtest"):
        result = backtest_on(loaded, data, actions, from_on=from_on, to_on=to_on)
    return JudgedRun(
        loaded=loaded,
        data=data,
        result=result,
        metrics=metrics_of(result),
        actions=actions,
        from_on=from_on,
        to_on=to_on,
    )


def with_doubled_costs(config: StrategyConfig) -> StrategyConfig:
    """The config with every cost doubled, an instrument's own costs too."""
    return config.model_copy(
        update={
            "execution": _doubled(config.execution),
            "instruments": {symbol: _doubled(own) for symbol, own in config.instruments.items()},
        }
    )


def _doubled(terms: Terms) -> Terms:
    costs = {key: getattr(terms, key) for key in COST_KEYS if hasattr(terms, key)}
    return terms.model_copy(update={key: 2 * cost for key, cost in costs.items() if cost is not None})


def without_symbol(run: JudgedRun, symbol: str) -> tuple[LoadedStrategy, PreparedData]:
    """The run without trading one symbol. Features of the others may still read its bars."""
    config = run.loaded.config
    left = tuple(each for each in config.symbols if each != symbol)
    document = {
        "symbols": left,
        "symbol_parameters": {key: own for key, own in config.symbol_parameters.items() if key != symbol},
    }
    loaded = replace(
        run.loaded,
        config=config.model_copy(update=document),
        parameters={key: own for key, own in run.loaded.parameters.items() if key != symbol},
    )
    data = run.data
    out = [bars for bars in data.market if bars.symbol == symbol]
    return loaded, replace(
        data,
        market=Market.of([bars for bars in data.market if bars.symbol != symbol]),
        reference=(*data.reference, *out),
        breaks={key: mask for key, mask in data.breaks.items() if key != symbol},
        actions=tuple(action for action in data.actions if action.symbol != symbol),
    )
