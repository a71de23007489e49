"""What jobs do, each as a value that another process can carry out: it opens the workspace for itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magellan.workspace.workspace import Workspace

if TYPE_CHECKING:
    from magellan.regime.config import RegimeConfig
    from magellan.regime.quality.scenario_report import ScenarioReport
    from magellan.surfaces.http.jobs import Report
    from magellan.usecases.analyse_regime import RegimeAnalysis
    from magellan.usecases.evaluate_regime import SymbolEvaluation
    from magellan.usecases.regime_bars import RegimeBars


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestWork:
    """A backtest over archived bars; its run is kept."""

    root: Path  # of the workspace
    strategy: str  # the label of one of its own
    symbols: tuple[str, ...] | None  # None: those of the config
    from_on: date | None
    to_on: date | None

    def __call__(self, report: Report) -> dict[str, Any]:
        """Which run was kept."""
        from magellan.usecases.backtest import Changes, backtest, changed
        from magellan.usecases.keep_run import keep_run, measured
        from magellan.usecases.load_strategy import load_strategy
        from magellan.wiring.market import bar_archive, calendar_of, corporate_actions
        from magellan.wiring.research import run_store

        workspace = Workspace.at(self.root)
        loaded = load_strategy(workspace.strategy(self.strategy))
        if self.symbols is not None:
            loaded = changed(loaded, Changes(symbols=self.symbols))
        result = backtest(
            loaded,
            archive=bar_archive(workspace),
            actions=corporate_actions(workspace),
            calendar_of=calendar_of,
            from_on=self.from_on,
            to_on=self.to_on,
            progress=report,
        )
        report("measure and keep", 0, 1)
        kept = measured(result)
        keep_run(result, kept, run_store(workspace))
        report("measure and keep", 1, 1)
        return {"run_id": kept.run_id, "trades": len(kept.trades)}


@dataclass(frozen=True, slots=True, kw_only=True)
class GateWork:
    """All evidence on a strategy, and the verdict; both are kept."""

    root: Path
    strategy: str
    from_on: date | None
    to_on: date | None

    def __call__(self, report: Report) -> dict[str, Any]:
        """The verdict."""
        import os

        from magellan.usecases.gate_strategy import gate_strategy, verdict_document
        from magellan.wiring.research import gate_sources

        workspace = Workspace.at(self.root)
        gated = gate_strategy(
            workspace.strategy(self.strategy),
            gate_sources(workspace, os.environ, lambda: datetime.now(UTC)),
            from_on=self.from_on,
            to_on=self.to_on,
            progress=report,
        )
        return verdict_document(gated.verdict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisWork:
    """The regime model over a market's whole history."""

    root: Path
    symbol: str
    timeframe: str
    config: RegimeConfig
    others: tuple[str, ...]  # symbols that its correlation is with; with none of them it is switched off

    def __call__(self, report: Report) -> RegimeAnalysis:
        """What it found."""
        from magellan.usecases.analyse_regime import analyse_regime
        from magellan.usecases.regime_bars import returns_beside

        data = _bars(self.root, self.symbol, self.timeframe, report)
        beside = [_bars(self.root, other, self.timeframe, report).bars for other in self.others]
        return analyse_regime(
            data, self.config, others=returns_beside(data.bars, beside) if beside else None, progress=report
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationWork:
    """The tests of a market's labels."""

    root: Path
    symbol: str
    timeframe: str
    config: RegimeConfig

    def __call__(self, report: Report) -> SymbolEvaluation:
        """What they found."""
        from magellan.usecases.evaluate_regime import evaluate_symbol

        return evaluate_symbol(
            _bars(self.root, self.symbol, self.timeframe, report), self.config, progress=report
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioWork:
    """Generated markets whose truth is known, beside the oracle."""

    names: tuple[str, ...]
    seeds: int
    config: RegimeConfig

    def __call__(self, report: Report) -> tuple[ScenarioReport, ...]:
        """A report of each."""
        from magellan.usecases.evaluate_regime import evaluate_scenarios

        return evaluate_scenarios(self.config, names=self.names, seeds=range(self.seeds), progress=report)


def _bars(root: Path, symbol: str, timeframe: str, report: Report) -> RegimeBars:
    from magellan.trading.timeframe import Timeframe
    from magellan.wiring.market import regime_bars

    report("read bars", 0, 1)
    return regime_bars(Workspace.at(root), symbol, Timeframe.parse(timeframe))
