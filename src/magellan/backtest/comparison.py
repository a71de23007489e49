"""Comparison: runs side by side. What differs in their numbers, how sure that is, and where it comes from.

The first run is the base; every other one is compared with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from magellan.backtest.bootstrap import (
    LEVEL,
    RESAMPLES,
    Interval,
    block_length,
    interval,
    resampled,
    resamples_for,
)
from magellan.backtest.confidence import SESSIONS_MIN, sharpe_per_row
from magellan.backtest.kept_run import KeptRun
from magellan.backtest.missing import Missing
from magellan.backtest.report.metric_list import METRICS
from magellan.backtest.result import Trade
from magellan.backtest.returns import SESSIONS_PER_YEAR, session_returns, sharpe_ratio
from magellan.errors import FixInput
from magellan.trading.bar import Floats

ABSENT: Final = "not there"
_SAME_MONEY: Final = 1e-6  # USD; below, two trades earned the same


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRun:
    """One of the runs, named for tables."""

    name: str  # A, B, C, ...
    run_id: str
    strategy: str
    strategy_version: str
    generated: bool
    misleading: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """One metric of every run. None where a run has none."""

    metric: str  # field of Metrics
    values: tuple[float | None, ...]
    differences: tuple[float | None, ...]  # to the base, for every run but it


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A setting or a fact that is not the same in all runs, written out for each."""

    path: str  # for example execution.slippage_bps, or the symbol of a set of bars
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedComparison:
    """One run against the base on the sessions that both have, resampled together.

    Shares are of resamples: 0.97 means that in 97 of 100 redrawn histories this run came out better. Where they
    did equally well, half of it counts.
    """

    sessions: int
    sharpe_difference: float
    sharpe_interval: Interval
    sharpe_better_share: float
    growth_difference_fraction: float  # return of this run minus that of the base, on those sessions
    growth_interval: Interval
    growth_better_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedTrade:
    """A trade that both runs entered, and that came out differently."""

    base: Trade
    other: Trade


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeDifferences:
    """Trades of one run against those of the base. Two are the same by symbol, side and instant of entry."""

    same: int
    changed: tuple[ChangedTrade, ...]
    only_in_base: tuple[Trade, ...]
    only_here: tuple[Trade, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgainstBase:
    """One run against the base."""

    name: str
    paired: PairedComparison | None
    paired_missing: str  # why there is none; "" otherwise
    trades: TradeDifferences


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Several runs side by side."""

    runs: tuple[ComparedRun, ...]
    metrics: tuple[MetricRow, ...]
    config: tuple[Difference, ...]
    data: tuple[Difference, ...]
    identity: tuple[Difference, ...]  # code, corporate actions, versions, seed
    against_base: tuple[AgainstBase, ...]


def compare_runs(
    runs: Sequence[KeptRun], *, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0
) -> Comparison:
    """Compare runs with the first of them. Pure.

    Raises: FixInput with fewer than two runs, or more than 26.
    """
    if not 2 <= len(runs) <= 26:
        raise FixInput(f"{len(runs)} runs to compare", next_step="name two runs, or a few more")
    names = tuple(chr(ord("A") + at) for at in range(len(runs)))
    base = runs[0]
    return Comparison(
        runs=tuple(
            ComparedRun(
                name=name,
                run_id=run.run_id,
                strategy=run.manifest.strategy,
                strategy_version=run.manifest.strategy_version,
                generated=run.is_generated,
                misleading=run.misleading,
            )
            for name, run in zip(names, runs, strict=True)
        ),
        metrics=tuple(_metric_row(entry.field, runs) for entry in METRICS),
        config=_differences([_flat(run.manifest.config) for run in runs]),
        data=_differences([_data_facts(run) for run in runs]),
        identity=_differences([_identity(run) for run in runs]),
        against_base=tuple(
            _against(name, base, run, level, resamples, seed)
            for name, run in zip(names[1:], runs[1:], strict=True)
        ),
    )


# Numbers ------------------------------------------------------------------------------------------------------


def _metric_row(metric: str, runs: Sequence[KeptRun]) -> MetricRow:
    values = tuple(getattr(run.metrics, metric) for run in runs)
    first = values[0]
    return MetricRow(
        metric=metric,
        values=values,
        differences=tuple(None if first is None or value is None else value - first for value in values[1:]),
    )


def _against(
    name: str, base: KeptRun, other: KeptRun, level: float, resamples: int, seed: int
) -> AgainstBase:
    paired = paired_comparison(base, other, level=level, resamples=resamples, seed=seed)
    return AgainstBase(
        name=name,
        paired=None if isinstance(paired, Missing) else paired,
        paired_missing=paired.reason if isinstance(paired, Missing) else "",
        trades=trade_differences(base.trades, other.trades),
    )


def paired_comparison(
    base: KeptRun, other: KeptRun, *, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0
) -> PairedComparison | Missing:
    """Resample the sessions of both runs together, so that a good day of the market is good for both.

    Blocks are as long as the longer-remembering of the two needs. See `bootstrap.py`.
    """
    ours, theirs = session_returns(base.equity), session_returns(other.equity)
    if isinstance(ours, Missing):
        return ours
    if isinstance(theirs, Missing):
        return theirs
    _, left, right = np.intersect1d(ours.day, theirs.day, assume_unique=True, return_indices=True)
    n = len(left)
    if n < SESSIONS_MIN:
        return Missing(f"{n} sessions in common, and {SESSIONS_MIN} are the least that can be resampled")
    a, b = ours.returns[left], theirs.returns[right]
    measured = sharpe_ratio(a, SESSIONS_PER_YEAR), sharpe_ratio(b, SESSIONS_PER_YEAR)
    if isinstance(measured[0], Missing) or isinstance(measured[1], Missing):
        return Missing("the returns of one of the runs do not vary")
    block = max(block_length(a), block_length(b))
    growth_a, growth_b = 1.0 + a, 1.0 + b

    def sharpe(rows: NDArray[np.int64]) -> Floats:
        return sharpe_per_row(b[rows]) - sharpe_per_row(a[rows])

    def growth(rows: NDArray[np.int64]) -> Floats:
        grown_b, grown_a = (np.multiply.reduce(each[rows], axis=1) for each in (growth_b, growth_a))
        return np.asarray(grown_b - grown_a)

    values = resampled(n, block, resamples_for(n, resamples), seed, {"sharpe": sharpe, "growth": growth})
    return PairedComparison(
        sessions=n,
        sharpe_difference=measured[1] - measured[0],
        sharpe_interval=interval(values["sharpe"], level=level, block=block),
        sharpe_better_share=_better(values["sharpe"]),
        growth_difference_fraction=float(np.multiply.reduce(growth_b) - np.multiply.reduce(growth_a)),
        growth_interval=interval(values["growth"], level=level, block=block),
        growth_better_share=_better(values["growth"]),
    )


def _better(differences: Floats) -> float:
    found = differences[~np.isnan(differences)]
    return float((found > 0).mean() + 0.5 * (found == 0).mean())


# Trades -------------------------------------------------------------------------------------------------------


def trade_differences(base: Sequence[Trade], other: Sequence[Trade]) -> TradeDifferences:
    """Which trades only one of two runs made, and which came out differently."""
    theirs: dict[tuple[str, str, datetime], list[Trade]] = {}
    for trade in other:
        theirs.setdefault(_key(trade), []).append(trade)
    same, changed, only_in_base = 0, [], []
    for trade in base:
        found = theirs.get(_key(trade))
        if not found:
            only_in_base.append(trade)
            continue
        match = found.pop(0)
        if trade.exited_at == match.exited_at and abs(trade.pnl_usd - match.pnl_usd) < _SAME_MONEY:
            same += 1
        else:
            changed.append(ChangedTrade(base=trade, other=match))
    only_here = sorted(
        (trade for found in theirs.values() for trade in found),
        key=lambda trade: (trade.entered_at, trade.symbol),
    )
    return TradeDifferences(
        same=same, changed=tuple(changed), only_in_base=tuple(only_in_base), only_here=tuple(only_here)
    )


def _key(trade: Trade) -> tuple[str, str, datetime]:
    return trade.symbol, trade.side, trade.entered_at


# Where it comes from ------------------------------------------------------------------------------------------


def _differences(facts: Sequence[Mapping[str, str]]) -> tuple[Difference, ...]:
    """Every path whose text is not the same in all runs, in the order of the paths."""
    paths = sorted({path for each in facts for path in each})
    rows = (Difference(path=path, values=tuple(each.get(path, ABSENT) for each in facts)) for path in paths)
    return tuple(row for row in rows if len(set(row.values)) > 1)


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """A nested mapping as paths and JSON texts. An empty section has nothing that could differ."""
    found: dict[str, str] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return found


def _data_facts(run: KeptRun) -> dict[str, str]:
    facts = {}
    for used in run.manifest.data:
        facts[f"{used.symbol}, set"] = used.set_id
        facts[f"{used.symbol}, rows"] = str(used.rows)
        facts[f"{used.symbol}, first bar"] = f"{used.first_at:%Y-%m-%d %H:%M} UTC"
        facts[f"{used.symbol}, last bar"] = f"{used.last_at:%Y-%m-%d %H:%M} UTC"
        facts[f"{used.symbol}, sha256"] = used.sha256
        facts[f"{used.symbol}, generated"] = "yes" if used.generated else "no"
    return facts


def _identity(run: KeptRun) -> dict[str, str]:
    manifest = run.manifest
    return {
        "strategy": manifest.strategy,
        "strategy version": manifest.strategy_version,
        "code, sha256": manifest.code_sha256,
        "corporate actions, sha256": manifest.actions_sha256,
        "from": "" if manifest.from_on is None else manifest.from_on.isoformat(),
        "to": "" if manifest.to_on is None else manifest.to_on.isoformat(),
        "seed": str(manifest.seed),
        **{f"version of {name}": version for name, version in manifest.versions.items()},
    }
