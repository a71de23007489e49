"""Look-ahead evidence: whether anything that a strategy does on a part of history differs from the whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from magellan.errors import MagellanError
from magellan.gate.evidence import Evidence, Kind, Measured
from magellan.gate.tool_findings import few
from magellan.strategy.lookahead import PREFIXES
from magellan.usecases.check_lookahead import check_lookahead_on
from magellan.usecases.gate_evidence.examination import Examination
from magellan.usecases.gate_evidence.judged_run import JudgedRun, Progress
from magellan.usecases.load_strategy import load_strategy

REPLAYS: Final = 4  # prefixes that are replayed whole; columns are compared on more


def lookahead_evidence(of: Examination, run: JudgedRun, progress: Progress) -> Evidence:
    """The prefix test on everything that the strategy computes, and on what a replay makes of it."""
    source = "prefix test"
    try:
        # Loaded anew: what its code keeps between two calls must not help it.
        fresh = replace(run.loaded, strategy=load_strategy(run.loaded.folder).strategy)
        found = check_lookahead_on(fresh, run.data, prefixes=PREFIXES, replays=REPLAYS, progress=progress)
    except MagellanError as error:
        return of.evidence(Kind.LOOKAHEAD, source, {}, error.message)
    return of.evidence(
        Kind.LOOKAHEAD,
        f"{source}, {found.columns.prefixes} prefixes, {found.replay.cuts} replays",
        {
            "lookahead_values": Measured(value=found.compared),
            "lookahead_findings": Measured(
                value=len(found.findings),
                sample=found.compared,
                sample_of="values",
                detail=few(found.findings),
            ),
        },
    )
