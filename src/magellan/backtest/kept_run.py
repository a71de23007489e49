"""Kept run: what stays of a run once its bars are gone. It is what runs are compared by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from magellan.backtest.confidence import Confidence
from magellan.backtest.metrics import Metrics
from magellan.backtest.result import BacktestResult, EquityCurve, RunManifest, Trade


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeptRun:
    """A finished run without its market."""

    run_id: str
    manifest: RunManifest
    timeframe: str
    cash_start_usd: float
    cash_end_usd: float
    equity_end_usd: float
    dividends_usd: float
    financing_usd: float
    metrics: Metrics
    confidence: Confidence
    trades: tuple[Trade, ...]  # in order of entry
    equity: EquityCurve
    benchmark: EquityCurve | None  # at the same instants as `equity`
    blocked: Mapping[str, int]
    misleading: tuple[str, ...]

    @property
    def is_generated(self) -> bool:
        """Whether any of its bars were generated and not traded."""
        return any(used.generated for used in self.manifest.data)


def kept_run(result: BacktestResult, metrics: Metrics, confidence: Confidence) -> KeptRun:
    """What is kept of a result and what was measured of it."""
    return KeptRun(
        run_id=result.manifest.run_id,
        manifest=result.manifest,
        timeframe=result.timeframe,
        cash_start_usd=result.cash_start_usd,
        cash_end_usd=result.cash_end_usd,
        equity_end_usd=result.equity_end_usd,
        dividends_usd=result.dividends_usd,
        financing_usd=result.financing_usd,
        metrics=metrics,
        confidence=confidence,
        trades=tuple(result.trades),
        equity=result.equity,
        benchmark=result.benchmark,
        blocked=result.blocked,
        misleading=result.misleading,
    )
