"""Robustness evidence: what is left of a result when it gets a little less luck."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from magellan.backtest.metrics import metrics_of
from magellan.backtest.result import BacktestResult
from magellan.errors import MagellanError
from magellan.gate.evidence import Evidence, Kind, Measure, Measured, Unmeasured
from magellan.gate.neighbours import Neighbour, neighbours
from magellan.gate.one_bar_late import one_bar_late
from magellan.gate.tool_findings import few
from magellan.usecases.gate_evidence.examination import Examination
from magellan.usecases.gate_evidence.judged_run import (
    JudgedRun,
    Progress,
    with_doubled_costs,
    without_symbol,
)


def robustness_evidence(of: Examination, run: JudgedRun, progress: Progress) -> Evidence:
    """Results when costs double, decisions come late, a symbol is missing, or a parameter is a little off."""
    loaded = run.loaded
    moved = tuple(neighbours(loaded.parameters))
    symbols = loaded.config.symbols if len(loaded.config.symbols) > 1 else ()
    steps = _Steps(progress, 2 + len(symbols) + len(moved))
    expensive = replace(loaded, config=with_doubled_costs(loaded.config))
    late = replace(loaded, strategy=one_bar_late(loaded.strategy))
    measured = {
        "return_doubled_costs": steps.after(_return_of(run, lambda: run.again(expensive))),
        "return_one_bar_late": steps.after(_return_of(run, lambda: run.again(late))),
        "return_without_best_symbol": _worst(
            {symbol: steps.after(_return_without(run, symbol)) for symbol in symbols}
        ),
        "neighbours_kept": _share_kept(run, moved, steps),
    }
    return of.evidence(
        Kind.ROBUSTNESS, f"{steps.done} variations of run {run.result.manifest.run_id}", measured
    )


class _Steps:
    """Counts variations as they are done."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self.done = 0
        progress("running variations", 0, total)

    def after(self, measure: Measure) -> Measure:
        self.done += 1
        self._progress("running variations", self.done, self._total)
        return measure


def _return_without(run: JudgedRun, symbol: str) -> Measure:
    return _return_of(run, lambda: run.again(*without_symbol(run, symbol)))


def _return_of(run: JudgedRun, again: Callable[[], BacktestResult]) -> Measure:
    try:
        result = again()
    except MagellanError as error:
        return Unmeasured(error.message)
    return Measured(
        value=result.return_fraction,
        sample=len(result.trades),
        sample_of="trades",
        detail=f"instead of {run.result.return_fraction:.1%}",
    )


def _worst(without: Mapping[str, Measure]) -> Measure:
    if not without:
        return Measured(value=0.0, sample=1, sample_of="symbols", detail="it trades a single symbol")
    found: dict[str, Measured] = {}
    for symbol, measure in without.items():
        if isinstance(measure, Unmeasured):
            return Unmeasured(f"without {symbol}: {measure.reason}")
        found[symbol] = measure
    worst = min(found, key=lambda symbol: found[symbol].value)
    return Measured(
        value=found[worst].value,
        sample=len(found),
        sample_of="symbols",
        detail=f"without {worst}, {found[worst].detail}",
    )


def _share_kept(run: JudgedRun, moved: Sequence[Neighbour], steps: _Steps) -> Measure:
    """The share of neighbours that keep at least half of the run's Sharpe ratio."""
    sharpe = run.metrics.sharpe_daily
    if sharpe is None or sharpe <= 0:
        return Unmeasured("the run's own Sharpe ratio is not above zero, so there is nothing to keep")
    if not moved:
        return Measured(value=1.0, sample=0, sample_of="neighbours", detail="it has no number to move")
    lost = []
    for neighbour in moved:
        found = steps.after(_sharpe_of(run, neighbour))
        if isinstance(found, Unmeasured):
            lost.append(f"{neighbour}: {found.reason}")
        elif found.value < sharpe / 2:
            lost.append(f"{neighbour}: {found.value:.2f}")
    return Measured(
        value=1 - len(lost) / len(moved), sample=len(moved), sample_of="neighbours", detail=few(lost)
    )


def _sharpe_of(run: JudgedRun, neighbour: Neighbour) -> Measure:
    try:
        metrics = metrics_of(run.again(replace(run.loaded, parameters=neighbour.parameters)))
    except MagellanError as error:
        return Unmeasured(error.message)
    if metrics.sharpe_daily is None:
        return Unmeasured(metrics.missing.get("sharpe_daily", "no Sharpe ratio"))
    return Measured(value=metrics.sharpe_daily)
