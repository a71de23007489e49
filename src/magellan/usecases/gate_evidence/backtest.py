"""Backtest evidence: whether the run was the one that was asked for, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Final

import numpy as np

from magellan.archive.dataset import SetRecord
from magellan.backtest.bootstrap import Interval
from magellan.backtest.confidence import Confidence, confidence_of
from magellan.backtest.metrics import Metrics
from magellan.backtest.run import point_values, views_of
from magellan.gate.evidence import Evidence, Kind, Measure, Measured, Unmeasured
from magellan.gate.tool_findings import few
from magellan.ports.bars import BarArchive
from magellan.trading.bar import nanoseconds
from magellan.trading.session import ExchangeCalendar, SessionClock, day_number, session_columns
from magellan.trading.timeframe import HOUR_NS, Timeframe
from magellan.usecases.gate_evidence.examination import Examination
from magellan.usecases.gate_evidence.judged_run import JudgedRun
from magellan.usecases.prepare_run import dates_of
from magellan.workspace.user_code import user_code

LEVEL: Final = 0.90  # of every confidence interval
_ONCE_A_SESSION: Final = 2 * HOUR_NS  # bars longer than this may come once a session


def backtest_evidence(of: Examination, run: JudgedRun, archive: BarArchive) -> Evidence:
    """Whether the backtest was the one that was asked for, and what came of it."""
    result, metrics = run.result, run.metrics
    confidence = confidence_of(result, level=LEVEL)
    spacing = _off_timeframe(run)
    unaccounted = _unaccounted(run, archive)
    missing = _sessions_missing(run)
    with user_code(run.loaded.folder.strategy_file, "computing its features"):
        undefined = _undefined_after_warmup(run)
    local = result.trades.entry_row - result.market.offsets[result.trades.symbol]
    early = int((local < run.loaded.config.data.warmup_bars).sum())

    def of_bars(counts: Mapping[str, int]) -> Measured:
        return Measured(
            value=sum(counts.values()), sample=len(result.market), sample_of="bars", detail=_told(counts)
        )

    measured: dict[str, Measure] = {
        "misleading_settings": Measured(value=len(result.misleading), detail=few(result.misleading)),
        "bars_off_timeframe": of_bars(spacing),
        "bars_unaccounted": of_bars(unaccounted),
        "sessions_missing": Measured(value=sum(missing.values()), detail=_told(missing)),
        "undefined_after_warmup": Measured(value=len(undefined), detail=few(undefined)),
        "entries_in_warmup": Measured(value=early),
        "sessions": Measured(value=metrics.sessions),
        "trades": Measured(value=metrics.trades - metrics.trades_open),
        "cost_bps": _cost_bps(run),
        "sharpe": _with_interval(metrics, "sharpe_daily", confidence.sharpe_daily, "sessions"),
        "drawdown": _with_interval(
            metrics, "drawdown_fraction_max", confidence.drawdown_fraction_max, "sessions"
        ),
        "profit_factor": _with_interval(metrics, "profit_factor", confidence.profit_factor, "trades"),
        "win_rate": _with_interval(metrics, "win_rate", confidence.win_rate, "trades"),
    }
    evidence = of.evidence(Kind.BACKTEST, f"run {result.manifest.run_id}", measured)
    return replace(evidence, facts=_run_facts(run, confidence))


def _off_timeframe(run: JudgedRun) -> dict[str, int]:
    """Per symbol, bars that do not lie a whole number of spans after the bar before on the same day.

    A daily strategy once ran on minutes: 6,518 trades instead of a few (incident 9).
    """
    found: dict[str, int] = {}
    declared = Timeframe.parse(run.loaded.config.data.timeframe)
    for bars in run.result.market:
        span = declared.span_ns
        gaps = np.diff(bars.opened_at_ns)
        day = session_columns(bars).day
        same_day = day[1:] == day[:-1]
        off = int((same_day & ((gaps < span) | (gaps % span != 0))).sum())
        never_next = span <= _ONCE_A_SESSION and len(gaps) > 0 and not (gaps == span).any()
        if bars.timeframe != declared or never_next:
            off = len(bars)
        if off:
            found[bars.symbol] = off
    return found


def _unaccounted(run: JudgedRun, archive: BarArchive) -> dict[str, int]:
    """Per symbol, by how many bars the run differs from what the archive holds of the dates asked for."""
    found: dict[str, int] = {}
    for record, bars in zip(run.data.records, run.result.market, strict=True):
        held = archive.read(record.id)
        day = session_columns(held).day
        wanted = np.ones(len(held), dtype=bool)
        if run.from_on is not None:
            wanted &= day >= day_number(run.from_on)
        if run.to_on is not None:
            wanted &= day <= day_number(run.to_on)
        if run.loaded.config.data.hours == "regular":
            wanted &= run.data.calendar.regular(held)
        if int(wanted.sum()) != len(bars):
            found[bars.symbol] = abs(int(wanted.sum()) - len(bars))
    return found


def _sessions_missing(run: JudgedRun) -> dict[str, int]:
    """Per symbol, sessions between what was asked for and the first and last bar of the run.

    What was asked for is the range of this run, else the range that the set was fetched for. A session that
    had not closed when the bars were fetched cannot be missing.
    """
    found: dict[str, int] = {}
    for record, bars in zip(run.data.records, run.result.market, strict=True):
        first_on, last_on = dates_of(bars)
        from_on = run.from_on or (record.requested[0].first_on if record.requested else first_on)
        to_on = run.to_on or (record.requested[-1].last_on if record.requested else last_on)
        count = _between(run.data.calendar, record, from_on, first_on, last_on, to_on)
        if count:
            found[f"{bars.symbol}, asked for {from_on} to {to_on}, run {first_on} to {last_on}"] = count
    return found


def _between(
    calendar: ExchangeCalendar, record: SetRecord, from_on: date, first_on: date, last_on: date, to_on: date
) -> int:
    session = calendar.session_on
    closed = calendar.closes_at_ns <= nanoseconds(record.fetched_at)
    before = (session >= day_number(from_on)) & (session < day_number(first_on))
    after = (session > day_number(last_on)) & (session <= day_number(to_on))
    return int(((before | after) & closed).sum())


def _undefined_after_warmup(run: JudgedRun) -> list[str]:
    """Features that are not defined yet when the warm-up is over."""
    config = run.loaded.config
    views = views_of(
        run.data.market,
        clock=SessionClock(config.data.clock),
        calendar=run.data.calendar,
        reference=run.data.reference,
    )
    found = []
    for view in views:
        columns = run.loaded.strategy.features(view, run.loaded.parameters[view.symbol])
        for name, column in columns.items():
            if not np.issubdtype(column.dtype, np.floating):
                continue
            defined = np.isfinite(column)
            if not defined.any():
                found.append(f"{name} of {view.symbol} is never defined")
            elif (first := int(np.argmax(defined))) > config.data.warmup_bars:
                found.append(
                    f"{name} of {view.symbol} is defined after {first} bars, warm-up is {config.data.warmup_bars}"
                )
    return found


def _cost_bps(run: JudgedRun) -> Measure:
    fills = run.result.fills
    worth = point_values(run.result.market, run.loaded.config)[fills["symbol"]]
    traded = float(np.abs(fills["units"] * fills["price"] * worth).sum())
    if traded == 0:
        return Unmeasured("nothing was traded")
    costs = float(fills["commission"].sum() + fills["slippage"].sum())
    return Measured(value=costs / traded * 1e4, sample=len(fills), sample_of="fills")


def _with_interval(metrics: Metrics, name: str, interval: Interval | None, sample_of: str) -> Measure:
    value: float | None = getattr(metrics, name)
    if value is None:
        return Unmeasured(metrics.missing.get(name, f"{name} could not be measured"))
    sample = metrics.sessions if sample_of == "sessions" else metrics.trades
    if interval is None or interval.high is None:
        return Measured(value=value, sample=sample, sample_of=sample_of)
    return Measured(
        value=value,
        low=interval.low,
        high=interval.high,
        level=interval.level,
        sample=sample,
        sample_of=sample_of,
    )


def _run_facts(run: JudgedRun, confidence: Confidence) -> dict[str, str]:
    metrics = run.metrics
    probability = confidence.probabilistic_sharpe
    return {
        "run": run.result.manifest.run_id,
        "asked for": f"{run.from_on or 'everything'} to {run.to_on or 'everything'}",
        "run over": f"{metrics.first_on} to {metrics.last_on}, {metrics.bars} closes of {metrics.timeframe}",
        "symbols": ", ".join(run.loaded.config.symbols),
        "return": f"{metrics.return_fraction:.4f}",
        "probability of a Sharpe ratio above zero": "unknown"
        if probability is None
        else f"{probability:.4f}",
    }


def _told(counts: Mapping[str, int]) -> str:
    return few([f"{name}: {count}" for name, count in counts.items()])
