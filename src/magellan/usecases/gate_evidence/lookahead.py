"""Look-ahead evidence: whether anything that a strategy does on a part of history differs from the whole."""

from __future__ import annotations

from typing import Final

from magellan.backtest.prefix_replay import check_replay
from magellan.backtest.run import terms_of
from magellan.errors import MagellanError
from magellan.gate.evidence import Evidence, Kind, Measured
from magellan.gate.tool_findings import few
from magellan.strategy.lookahead import check_lookahead
from magellan.trading.session import SessionClock
from magellan.usecases.gate_evidence.examination import Examination
from magellan.usecases.gate_evidence.judged_run import JudgedRun, Progress
from magellan.usecases.load_strategy import load_strategy
from magellan.workspace.user_code import user_code

REPLAYS: Final = 4  # prefixes that are replayed whole; columns are compared on more


def lookahead_evidence(of: Examination, run: JudgedRun, progress: Progress) -> Evidence:
    """The prefix test on everything that the strategy computes, and on what a replay makes of it."""
    source = "prefix test"
    data, config = run.data, run.loaded.config
    clock = SessionClock(config.data.clock)
    phase = "checking for look-ahead"
    try:
        # Loaded anew: what its code keeps between two calls must not help it.
        strategy = load_strategy(run.loaded.folder).strategy
        with user_code(run.loaded.folder.strategy_file, "computing on a part of history"):
            columns = check_lookahead(
                strategy,
                data.market.bars,
                run.loaded.parameters,
                clock=clock,
                calendar=data.calendar,
                reference=data.reference,
                warmup_bars=config.data.warmup_bars,
                progress=lambda done, total: progress(phase, done, total + REPLAYS + 1),
            )
            replayed = check_replay(
                strategy,
                data.market,
                run.loaded.parameters,
                terms_of(config),
                clock=clock,
                calendar=data.calendar,
                reference=data.reference,
                breaks=data.breaks,
                actions=data.actions,
                cuts=REPLAYS,
                progress=lambda done, total: progress(
                    phase, columns.prefixes + done, columns.prefixes + total
                ),
            )
    except MagellanError as error:
        return of.evidence(Kind.LOOKAHEAD, source, {}, error.message)
    findings = [*columns.findings]
    if replayed.difference is not None:
        findings.append(str(replayed.difference))
    compared = columns.values + replayed.decisions + replayed.fills
    return of.evidence(
        Kind.LOOKAHEAD,
        f"{source}, {columns.prefixes} prefixes, {replayed.cuts} replays",
        {
            "lookahead_values": Measured(value=compared),
            "lookahead_findings": Measured(
                value=len(findings), sample=compared, sample_of="values", detail=few(findings)
            ),
        },
    )
