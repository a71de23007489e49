"""Keep a run: measure a result, write its page, and put both where `magellan compare` finds them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from magellan.backtest.confidence import confidence_of
from magellan.backtest.kept_run import KeptRun, kept_run
from magellan.backtest.metrics import metrics_of
from magellan.backtest.result import BacktestResult
from magellan.ports.run_store import RunStore

if TYPE_CHECKING:
    from magellan.backtest.regime_breakdown import RegimeRow


def measured(result: BacktestResult) -> KeptRun:
    """A result with its metrics and their intervals. Pure."""
    return kept_run(result, metrics_of(result), confidence_of(result))


def keep_run(
    result: BacktestResult, run: KeptRun, store: RunStore, regimes: Sequence[RegimeRow] = ()
) -> Path:
    """Keep a measured run with its report; returns its folder, in which report.html is the page.

    regimes: the run's parts by regime, for the page.
    Raises: AskOperator when the disk is full or not writable.
    """
    from magellan.backtest.report.run_report import run_report

    return store.keep(run, run_report(result, run.metrics, run.confidence, regimes))
