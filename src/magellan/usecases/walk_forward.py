"""Walk-forward: choose parameters on one window of archived bars, judge them on the next, and roll on."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from magellan.archive.actions import CorporateActionTable
from magellan.backtest.manifest import canonical_json
from magellan.backtest.parameter_space import ParameterSets, ParameterSpace, space_fields
from magellan.backtest.returns import periods_per_year
from magellan.backtest.run import must_match_timeframe
from magellan.backtest.sweep import sharpe
from magellan.backtest.sweep_result import Metric, SweepManifest, ranked, sweep_manifest, why_no_best
from magellan.backtest.walk_forward import (
    OutOfSample,
    StoodAside,
    Trained,
    WalkForward,
    Window,
    WindowResult,
    run_out_of_sample,
    sessions_of,
    stood_aside,
    walked_forward,
    windows_of,
)
from magellan.ports.bars import BarArchive
from magellan.ports.executor import Executor
from magellan.ports.sweeps import SweepStore
from magellan.trading.session import SessionClock
from magellan.usecases.backtest import manifest_of
from magellan.usecases.load_strategy import LoadedStrategy
from magellan.usecases.parameter_trials import (
    Documents,
    Measured,
    NotMeasured,
    Trial,
    TrialAnswer,
    summary_of,
    trial_job,
)
from magellan.usecases.prepare_run import CalendarOf, PreparedData, prepare_data
from magellan.usecases.sweep import Progress, carried_out, must_have_measured, sets_of
from magellan.workspace.user_code import user_code


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkTerms:
    """How windows are cut and sets are chosen."""

    train_sessions: int
    test_sessions: int
    anchored: bool
    metric: Metric
    trades_min: int

    def fields(self) -> dict[str, Any]:
        """As plain values, for a manifest."""
        return {
            "train_sessions": self.train_sessions,
            "test_sessions": self.test_sessions,
            "anchored": self.anchored,
            "metric": self.metric.name,
            "trades_min": self.trades_min,
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WalkForwardAnswer:
    """A finished walk-forward, and what surrounds it."""

    walk: WalkForward
    manifest: SweepManifest  # of the sets; the windows follow from it and the terms
    terms: WalkTerms
    sets: ParameterSets
    failed: tuple[
        tuple[str, int], ...
    ]  # why trials in training windows failed, and how many, most frequent first
    data: PreparedData
    resumed: int  # trials whose answers were there already
    kept_at: str


def walk_forward(
    loaded: LoadedStrategy,
    space: ParameterSpace,
    terms: WalkTerms,
    *,
    archive: BarArchive,
    actions: CorporateActionTable,
    calendar_of: CalendarOf,
    executor: Executor,
    store: SweepStore,
    from_on: date | None = None,
    to_on: date | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> WalkForwardAnswer:
    """Walk a strategy forward; the rules are those of `backtest/walk_forward.py`.

    Arguments and errors are those of `sweep`; FixInput also when the range has too few sessions.
    """
    sets = sets_of(loaded, space)
    data = prepare_data(
        loaded.config, archive=archive, actions=actions, calendar_of=calendar_of, from_on=from_on, to_on=to_on
    )
    must_match_timeframe(data.market, loaded.config)
    clock = SessionClock(loaded.config.data.clock)
    windows = windows_of(
        sessions_of(data.market.bars, clock),
        train=terms.train_sessions,
        test=terms.test_sessions,
        anchored=terms.anchored,
    )
    run = manifest_of(loaded, data, actions, from_on, to_on)
    manifest = sweep_manifest(run, space_fields(space) | {"walk_forward": terms.fields()}, sets)
    job = trial_job(loaded, data, sets.names, [window.train for window in windows])
    trials = [Trial(stretch=at, setting=setting) for at in range(len(windows)) for setting in sets.settings]
    with store.open(manifest.sweep_id, manifest.text(), resume=resume) as record:
        answers = carried_out(job, trials, executor, record, phase="training runs", progress=progress)
        failed = {
            number: answer.reason for number, answer in enumerate(answers) if isinstance(answer, NotMeasured)
        }
        must_have_measured(answers, failed)
        documents = Documents.of(loaded.config, sets.names)
        results = []
        for at, window in enumerate(windows):
            if progress is not None:
                progress("test windows", at, len(windows))
            own = answers[at * len(sets) : (at + 1) * len(sets)]
            results.append(_window_result(window, own, sets, documents, loaded, data, terms))
        if progress is not None:
            progress("test windows", len(windows), len(windows))
        walk = walked_forward(
            results,
            sets.names,
            cash_usd=loaded.config.account.cash_usd,
            timeframe=data.market.timeframe,
        )
        answer = WalkForwardAnswer(
            walk=walk,
            manifest=manifest,
            terms=terms,
            sets=sets,
            failed=tuple(Counter(failed.values()).most_common()),
            data=data,
            resumed=len(record.finished),
            kept_at=record.place,
        )
        record.complete("result.json", canonical_json(walk_document(answer)).encode() + b"\n")
        return answer


def walk_document(answer: WalkForwardAnswer) -> dict[str, Any]:
    """The whole result as plain values: equal walks have equal documents."""
    walk = answer.walk
    plain = {
        name: getattr(walk, name)
        for name in (
            "cash_start_usd",
            "equity_end_usd",
            "return_fraction",
            "return_yearly_fraction",
            "return_yearly_fraction_trained",
            "efficiency",
            "sharpe",
            "sharpe_daily",
            "sharpe_trained",
            "drawdown_fraction_max",
            "trades",
            "cut_off",
            "win_rate",
            "profit_factor",
            "gaining_windows_share",
            "stood_aside",
        )
    }
    return {
        "walk_id": answer.manifest.sweep_id,
        "manifest": json.loads(answer.manifest.text()),
        "sets": len(answer.sets),
        "rejected": [
            {"reason": each.reason, "sets": each.sets, "example": each.example}
            for each in answer.sets.rejected
        ],
        "failed": [{"reason": reason, "training_runs": count} for reason, count in answer.failed],
        "out_of_sample": plain,
        "missing": dict(walk.missing),
        "windows": [window_fields(each, answer.sets.names, walk.cash_start_usd) for each in walk.windows],
        "stability": [
            {
                "parameter": each.name,
                "values": list(each.values),
                "different": each.different,
                "most_frequent": each.most_frequent,
                "most_frequent_share": each.most_frequent_share,
                "changes_share": each.changes_share,
            }
            for each in walk.stability
        ],
        "equity": {
            "closed_at_ns": walk.equity.closed_at_ns.tolist(),
            "equity_usd": walk.equity.equity_usd.tolist(),
        },
    }


def window_fields(result: WindowResult, names: tuple[str, ...], cash_usd: float) -> dict[str, Any]:
    """One window as plain values."""
    chosen = result.chosen
    fields: dict[str, Any] = {
        "train_from": result.window.train.first_on,
        "train_to": result.window.train.last_on,
        "test_from": result.window.test.first_on,
        "test_to": result.window.test.last_on,
        "test_sessions": result.window.test.sessions,
    }
    if isinstance(chosen, StoodAside):
        return fields | {"parameters": None, "stood_aside": chosen.reason}
    return fields | {
        "parameters": dict(zip(names, chosen.setting, strict=True)),
        "sets_that_fit": chosen.fit,
        "train_return_fraction": chosen.return_fraction,
        "train_sharpe": chosen.sharpe,
        "train_trades": chosen.trades,
        "test_return_fraction": float(result.tested.equity.equity_usd[-1]) / cash_usd - 1.0,
        "test_trades": result.tested.trades,
        "test_trades_cut_off": result.tested.cut_off,
    }


def _window_result(
    window: Window,
    answers: list[TrialAnswer],
    sets: ParameterSets,
    documents: Documents,
    loaded: LoadedStrategy,
    data: PreparedData,
    terms: WalkTerms,
) -> WindowResult:
    chosen = _chosen(answers, sets, terms, periods_per_year(data.market.timeframe))
    return WindowResult(window=window, chosen=chosen, tested=_tested(window, chosen, documents, loaded, data))


def _chosen(
    answers: list[TrialAnswer], sets: ParameterSets, terms: WalkTerms, per_year: float
) -> Trained | StoodAside:
    """The best set of a training window, or why there is none."""
    summaries = summary_of(answers)
    measured = np.array([isinstance(answer, Measured) for answer in answers])
    ranking = ranked(
        summaries, measured, terms.metric, trades_min=terms.trades_min, periods_per_year=per_year
    )
    best = ranking.best
    if best is None:
        return StoodAside(reason=why_no_best(summaries, measured, terms.metric, terms.trades_min))
    own = summaries[best : best + 1]
    ratio = float(sharpe(own, per_year)[0])
    return Trained(
        setting=sets.settings[best],
        fit=len(ranking.order),
        return_fraction=float(own["return_fraction"][0]),
        sharpe=ratio if math.isfinite(ratio) else None,
        trades=int(own["trades"][0]),
    )


def _tested(
    window: Window,
    chosen: Trained | StoodAside,
    documents: Documents,
    loaded: LoadedStrategy,
    data: PreparedData,
) -> OutOfSample:
    clock = SessionClock(loaded.config.data.clock)
    if isinstance(chosen, StoodAside):
        return stood_aside(window, data.market.bars, clock, loaded.config.account.cash_usd)
    with user_code(loaded.folder.strategy_file, f"testing from {window.test.first_on}"):
        return run_out_of_sample(
            window,
            loaded.strategy,
            documents.with_setting(type(loaded.strategy).Parameters, chosen.setting),
            loaded.config,
            data.market.bars,
            calendar=data.calendar,
            reference=data.reference,
            breaks=data.breaks,
            actions=data.actions,
        )
