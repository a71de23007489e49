"""Look-ahead evidence: whether anything that a strategy does on a part of history differs from the whole."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from magellan.backtest.market import Market
from magellan.backtest.result import BacktestResult
from magellan.errors import MagellanError
from magellan.gate.evidence import Evidence, Kind, Measured
from magellan.gate.tool_findings import few
from magellan.strategy.lookahead import check_lookahead
from magellan.trading.bar import instant
from magellan.trading.session import SessionClock
from magellan.usecases.gate_evidence.examination import Examination
from magellan.usecases.gate_evidence.judged_run import JudgedRun, Progress
from magellan.usecases.load_strategy import LoadedStrategy, load_strategy
from magellan.workspace.user_code import user_code


def lookahead_evidence(of: Examination, run: JudgedRun, progress: Progress) -> Evidence:
    """Whether anything that the strategy computes or decides on a prefix differs from the whole."""
    source = "prefix test"
    data, config = run.data, run.loaded.config
    try:
        # Loaded anew: what its code keeps between two calls must not help it.
        fresh = load_strategy(run.loaded.folder)
        with user_code(run.loaded.folder.strategy_file, "computing features on a part of history"):
            report = check_lookahead(
                fresh.strategy,
                data.market.bars,
                run.loaded.parameters,
                clock=SessionClock(config.data.clock),
                calendar=data.calendar,
                reference=data.reference,
                warmup_bars=config.data.warmup_bars,
                progress=lambda done, total: progress("checking for look-ahead", done, total),
            )
        decisions, differing = _decisions_on_prefix(run, replace(run.loaded, strategy=fresh.strategy))
    except MagellanError as error:
        return of.evidence(Kind.LOOKAHEAD, source, {}, error.message)
    findings = [*report.findings, *differing]
    compared = report.values + decisions
    return of.evidence(
        Kind.LOOKAHEAD,
        f"{source}, {report.prefixes} prefixes",
        {
            "lookahead_values": Measured(value=compared),
            "lookahead_findings": Measured(
                value=len(findings), sample=compared, sample_of="values", detail=few(findings)
            ),
        },
    )


def _decisions_on_prefix(run: JudgedRun, fresh: LoadedStrategy) -> tuple[int, list[str]]:
    """Run on the first part of history, and compare every decision with the whole run's; how many, and findings."""
    whole = run.result
    at_ns = int(np.quantile(whole.market.opened_at_ns, 0.6))
    calendar = run.data.calendar
    # At the end of a session, so that rules about the last bar of a day see the same day.
    closed = calendar.closes_at_ns[calendar.closes_at_ns <= at_ns]
    if len(closed) == 0:
        return 0, []
    end_ns = int(closed[-1])
    ends = [int(np.searchsorted(bars.opened_at_ns, end_ns)) for bars in whole.market]
    if not all(ends):
        return 0, []
    part = replace(
        run.data,
        market=Market.of([bars.rows(slice(0, end)) for bars, end in zip(whole.market, ends, strict=True)]),
        breaks={
            bars.symbol: run.data.breaks[bars.symbol][:end]
            for bars, end in zip(whole.market, ends, strict=True)
            if bars.symbol in run.data.breaks
        },
    )
    on_prefix = list(_decisions(run.again(fresh, part), end_ns))
    on_whole = list(_decisions(whole, end_ns))
    for ours, theirs in zip(on_prefix, on_whole, strict=False):
        if ours != theirs:
            return len(on_prefix), [f"decision {ours} on a part of history is {theirs} on the whole"]
    if len(on_prefix) != len(on_whole):
        count = f"{len(on_prefix)} decisions on a part of history are {len(on_whole)} on the whole"
        return len(on_prefix), [count]
    return len(on_prefix), []


def _decisions(result: BacktestResult, before_ns: int) -> Iterator[tuple[str, str, str, float]]:
    """Decisions on bars that open before that instant: symbol, time, what, units."""
    sides = {1.0: "long", -1.0: "short", 0.0: "leave"}
    for each in result.decisions:
        at_ns = int(result.market.opened_at_ns[each["row"]])
        if at_ns < before_ns:
            units = float(each["units"])
            yield (
                result.market.symbols[int(each["symbol"])],
                f"{instant(at_ns):%Y-%m-%d %H:%M}",
                sides[float(each["side"])],
                -1.0 if math.isnan(units) else round(units, 9),
            )
