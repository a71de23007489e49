"""Evidence of change: how a run compares with the newest one that a person accepted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from magellan.backtest.metrics import Metrics
from magellan.gate.accepted_run import AcceptedRun, changes_since
from magellan.gate.evidence import Evidence, Kind, Measure, Measured, Unmeasured
from magellan.gate.tool_findings import few
from magellan.usecases.gate_evidence.examination import Examination
from magellan.usecases.gate_evidence.judged_run import JudgedRun
from magellan.usecases.load_strategy import LoadedStrategy


def accepted_evidence(of: Examination, run: JudgedRun, accepted: Sequence[AcceptedRun]) -> Evidence:
    """How the run compares with the newest one that a person accepted."""
    if not accepted:
        none = Unmeasured("no run has been accepted yet, so there is nothing to compare with")
        names = ("changes_since_accepted", "sharpe_drop", "drawdown_rise")
        return of.evidence(Kind.ACCEPTED, "no accepted run", dict.fromkeys(names, none))
    newest = accepted[-1]
    changes = changes_since(
        newest,
        code_sha256=run.loaded.code_sha256,
        config_sha256=run.loaded.config_sha256,
        config=config_document(run.loaded),
    )
    measured: dict[str, Measure] = {
        "changes_since_accepted": Measured(value=len(changes), detail=few(changes)),
        "sharpe_drop": _worse_by(newest, "sharpe", run.metrics.sharpe_daily, sign=-1),
        "drawdown_rise": _worse_by(newest, "drawdown", run.metrics.drawdown_fraction_max, sign=+1),
    }
    evidence = of.evidence(Kind.ACCEPTED, f"run {newest.run_id}", measured)
    facts = {
        "accepted by": newest.accepted_by,
        "accepted at": newest.accepted_at.isoformat(),
        "reason": newest.reason,
    }
    return replace(evidence, facts=facts)


def config_document(loaded: LoadedStrategy) -> dict[str, object]:
    """What the config means, as its digest sees it."""
    return loaded.config.model_dump(mode="json", by_alias=True, exclude={"schema_"})


def compared_measures(metrics: Metrics) -> dict[str, float]:
    """What an accepted run keeps, for later runs to be compared with. What is missing is left out."""
    found = {
        "sharpe": metrics.sharpe_daily,
        "drawdown": metrics.drawdown_fraction_max,
        "return": metrics.return_fraction,
        "trades": float(metrics.trades),
        "win_rate": metrics.win_rate,
        "profit_factor": metrics.profit_factor,
    }
    return {name: value for name, value in found.items() if value is not None}


def _worse_by(newest: AcceptedRun, name: str, now: float | None, *, sign: int) -> Measure:
    """By how much a measure has become worse; sign is +1 where more of it is worse."""
    before = newest.measured.get(name)
    if before is None:
        return Unmeasured(f"the accepted run has no {name}")
    if now is None:
        return Unmeasured(f"this run has no {name}")
    return Measured(value=sign * (now - before), detail=f"{before:.3g} in run {newest.run_id}, now {now:.3g}")
