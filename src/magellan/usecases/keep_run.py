"""Keep a run: measure a result, and put it with its report where `compare` finds it."""

from __future__ import annotations

from pathlib import Path

from magellan.backtest.confidence import confidence_of
from magellan.backtest.kept_run import KeptRun, kept_run
from magellan.backtest.metrics import metrics_of
from magellan.backtest.report.run_report import run_report
from magellan.backtest.result import BacktestResult
from magellan.ports.run_store import RunStore


def measured(result: BacktestResult) -> KeptRun:
    """A result with everything that is measured of it."""
    return kept_run(result, metrics_of(result), confidence_of(result))


def keep_run(result: BacktestResult, run: KeptRun, store: RunStore) -> Path:
    """Write the run's report and keep both; returns the run's folder."""
    return store.keep(run, run_report(result, run.metrics, run.confidence))
