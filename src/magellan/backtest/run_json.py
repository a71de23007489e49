"""Run JSON: a run as one JSON document. docs/guides/reports.md describes it; `SCHEMA` names its form."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from magellan.backtest.confidence import Confidence
from magellan.backtest.kept_run import KeptRun, kept_run
from magellan.backtest.metrics import Metrics
from magellan.backtest.result import BacktestResult, EquityCurve, RunManifest, Trade
from magellan.backtest.returns import session_ends
from magellan.errors import FixInput
from magellan.trading.session import day_date

SCHEMA: Final = "magellan.run/1"


def result_to_json(result: BacktestResult, metrics: Metrics, confidence: Confidence) -> dict[str, Any]:
    """Everything about a run but its single bars, in terms of JSON.

    Instants are ISO 8601 in UTC, dates are the exchange's, fractions are of 1, and what is missing is null.
    Equity is given per session; every single close is in the kept run's equity.parquet.
    """
    return run_to_json(kept_run(result, metrics, confidence))


def run_to_json(run: KeptRun) -> dict[str, Any]:
    """The same of a run that was kept."""
    trades: list[dict[str, Any]] = _adapter(tuple[Trade, ...]).dump_python(run.trades, mode="json")
    return {
        **head_to_json(run),
        "manifest": manifest_to_json(run.manifest),
        "trades": trades,
        "sessions": _sessions(run.equity, run.benchmark),
    }


def head_to_json(run: KeptRun) -> dict[str, Any]:
    """What was measured of a run, without its trades and its equity."""
    return {
        "schema": SCHEMA,
        "run_id": run.run_id,
        "strategy": run.manifest.strategy,
        "strategy_version": run.manifest.strategy_version,
        "timeframe": run.timeframe,
        "generated": run.is_generated,
        "misleading": list(run.misleading),
        "cash_start_usd": run.cash_start_usd,
        "cash_end_usd": run.cash_end_usd,
        "equity_end_usd": run.equity_end_usd,
        "dividends_usd": run.dividends_usd,
        "financing_usd": run.financing_usd,
        "blocked": dict(run.blocked),
        "metrics": _adapter(Metrics).dump_python(run.metrics, mode="json"),
        "confidence": _adapter(Confidence).dump_python(run.confidence, mode="json"),
    }


def manifest_to_json(manifest: RunManifest) -> dict[str, Any]:
    """The manifest in terms of JSON."""
    document: dict[str, Any] = _adapter(RunManifest).dump_python(manifest, mode="json")
    return document


def run_from_json(
    head: dict[str, Any],
    manifest: dict[str, Any],
    *,
    trades: tuple[Trade, ...],
    equity: EquityCurve,
    benchmark: EquityCurve | None,
    name: str,
) -> KeptRun:
    """The run that `head_to_json` and `manifest_to_json` wrote, together with its trades and equity.

    name:   the file, for errors.
    Raises: FixInput when the documents are not a run's, or of a form that this version does not know.
    """
    if head.get("schema") != SCHEMA:
        raise FixInput(
            f"{name} has the form {head.get('schema')!r}, and this version of Magellan reads {SCHEMA!r}",
            next_step="run the backtest again",
        )
    try:
        return KeptRun(
            run_id=head["run_id"],
            manifest=_adapter(RunManifest).validate_python(manifest),
            timeframe=head["timeframe"],
            cash_start_usd=head["cash_start_usd"],
            cash_end_usd=head["cash_end_usd"],
            equity_end_usd=head["equity_end_usd"],
            dividends_usd=head["dividends_usd"],
            financing_usd=head["financing_usd"],
            metrics=_adapter(Metrics).validate_python(head["metrics"]),
            confidence=_adapter(Confidence).validate_python(head["confidence"]),
            trades=trades,
            equity=equity,
            benchmark=benchmark,
            blocked=head["blocked"],
            misleading=tuple(head["misleading"]),
        )
    except (KeyError, ValidationError) as error:
        first = str(error).splitlines()[0]
        raise FixInput(
            f"{name} is not the record of a run: {first}", next_step="run the backtest again"
        ) from error


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _sessions(equity: EquityCurve, benchmark: EquityCurve | None) -> list[dict[str, Any]]:
    if len(equity.day) == 0:
        return []
    ends = session_ends(equity.day)
    held = [None] * len(ends) if benchmark is None else benchmark.equity_usd[ends].tolist()
    columns = zip(
        equity.day[ends].tolist(),
        equity.equity_usd[ends].tolist(),
        equity.exposure_usd[ends].tolist(),
        equity.gross_exposure_usd[ends].tolist(),
        held,
        strict=True,
    )
    return [
        {
            "on": day_date(day).isoformat(),
            "equity_usd": value,
            "exposure_usd": exposure,
            "gross_exposure_usd": gross,
            "benchmark_equity_usd": other,
        }
        for day, value, exposure, gross, other in columns
    ]
