"""Measures: evidence turned into values, each with its sample and its band, or into why it cannot be used.

Evidence that contradicts itself, is about something else, is stale, or was told twice is not used at all: it might be
an honest mistake of a clock, or somebody else's soak.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from magellan.deploy.promotion.criteria import PROMOTION
from magellan.deploy.promotion.evidence import (
    About,
    AcceptedSaid,
    Backtested,
    Evidence,
    GatesSaid,
    ReleaseSaid,
    Subject,
    Ungathered,
)
from magellan.deploy.promotion.soak_measures import SoakJudging, of_soak
from magellan.deploy.promotion.usable import Found, Unusable, is_after, is_instant
from magellan.gate.evidence import Measured

EVIDENCE_AGE_MAX: Final = timedelta(hours=1)

# What the gates cannot open for generated bars; a rehearsal, in which no money is at stake, does without.
NOT_FOR_A_REHEARSAL: Final = frozenset(
    {"generated_sets", "changes_since_accepted", "sharpe_drop_max", "drawdown_rise_max"}
)


def measures_of(subject: Subject, evidence: Evidence, *, level: float, at: datetime) -> Mapping[str, Found]:
    """Every measure of PROMOTION that the evidence gives, by name.

    level: probability inside each band. at: aware, UTC.
    """
    found: dict[str, Found] = {}
    for about in About:
        told = _of(about, subject, evidence, level, at)
        for criterion in PROMOTION:
            if criterion.about is about:
                missing = Unusable(f"{criterion.title}: was not measured")
                found[criterion.name] = (
                    told if isinstance(told, Unusable) else told.get(criterion.name, missing)
                )
    return found


def _of(
    about: About, subject: Subject, evidence: Evidence, level: float, at: datetime
) -> Mapping[str, Found] | Unusable:
    """The measures of one kind of evidence; or why it cannot be used."""
    stale = _stale(evidence.gathered_at, at)
    if stale is not None:
        return stale
    each = {
        About.RELEASE: evidence.release,
        About.GATES: evidence.gates,
        About.ACCEPTED: evidence.accepted,
        About.BACKTEST: evidence.backtest,
        About.SOAK: evidence.soak,
    }[about]
    match each:
        case ReleaseSaid():
            return _of_release(subject, each)
        case GatesSaid():
            return _of_gates(subject, each, at)
        case AcceptedSaid():
            return _of_accepted(subject, each, at)
        case Backtested():
            return _of_backtest(subject, each)
        case Ungathered(reason=reason):
            if about is About.ACCEPTED and subject.is_rehearsal:
                none = Measured(value=0, detail="a rehearsal needs no accepted run")
                return {"changes_since_accepted": none}
            return Unusable(reason)
    told = evidence.backtest
    backtest = told if isinstance(told, Backtested) and not _wrong_with(told) else None
    judging = SoakJudging(subject=subject, backtest=backtest, level=level, gathered_at=evidence.gathered_at)
    return of_soak(judging, each)


def _stale(gathered_at: datetime, at: datetime) -> Unusable | None:
    if not is_instant(gathered_at):
        return Unusable("the evidence does not say when it was gathered: its time has no zone")
    if is_after(gathered_at, at):
        return Unusable(f"the evidence is from the future ({gathered_at.isoformat()}): check the clocks")
    if at - gathered_at > EVIDENCE_AGE_MAX:
        return Unusable(
            f"the evidence is from {gathered_at.isoformat()}, more than an hour old: gather it again"
        )
    return None


def _of_release(subject: Subject, told: ReleaseSaid) -> Mapping[str, Found] | Unusable:
    if told.release_id != subject.release_id:
        return Unusable(f"the evidence is about another release, {told.release_id[:12]}")
    if not told.problem and told.signer is None:
        return Unusable("it is said to be trusted, and nobody signed it")
    return {"release_problems": Measured(value=1 if told.problem else 0, detail=told.problem)}


def _of_gates(subject: Subject, told: GatesSaid, at: datetime) -> Mapping[str, Found] | Unusable:
    if told.release_id != subject.release_id:
        return Unusable(f"the gates' verdict is in another release, {told.release_id[:12]}")
    if not is_instant(told.judged_at) or is_after(told.judged_at, at):
        return Unusable(f"the gates judged at {told.judged_at.isoformat()}, which is no time in the past")
    if (told.answer, bool(told.not_open)) not in (("open", False), ("shut", True)):
        return Unusable(
            f"the gates are said to be {told.answer!r}, with {len(told.not_open)} criteria not open"
        )
    excused = NOT_FOR_A_REHEARSAL if subject.is_rehearsal else frozenset()
    shut = [name for name in told.not_open if name not in excused]
    return {
        "gates_not_open": Measured(value=len(shut), detail=", ".join(shut)),
        "gates_age_days_max": Measured(value=max(0.0, (at - told.judged_at) / timedelta(days=1))),
    }


def _of_accepted(subject: Subject, told: AcceptedSaid, at: datetime) -> Mapping[str, Found] | Unusable:
    if not is_instant(told.accepted_at) or is_after(told.accepted_at, at):
        return Unusable(f"a run was accepted at {told.accepted_at.isoformat()}, which is no time in the past")
    changes = _changes(subject, told.code_sha256, told.config_sha256)
    detail = f"{', '.join(changes)}; run {told.run_id}, by {told.by}" if changes else ""
    return {"changes_since_accepted": Measured(value=len(changes), detail=detail)}


def _of_backtest(subject: Subject, told: Backtested) -> Mapping[str, Found] | Unusable:
    wrong = _wrong_with(told)
    if wrong:
        return Unusable(wrong)
    changes = _changes(subject, told.code_sha256, told.config_sha256)
    generated = told.generated and not subject.is_rehearsal
    return {
        "changes_since_backtest": Measured(value=len(changes), detail=", ".join(changes)),
        "generated_backtest": Measured(value=int(generated), detail=f"run {told.run_id}"),
    }


def _wrong_with(told: Backtested) -> str:
    """Why what a backtest predicts cannot be used; "" where it can be."""
    rates = [told.entries_per_session, *([] if told.break_even is None else [told.break_even])]
    if not all(map(math.isfinite, (told.sessions, told.trades, told.wins, *rates))) or min(rates) < 0:
        return f"run {told.run_id} holds what is no number"
    if not 0 <= told.wins <= told.trades or told.sessions < 1 or (told.break_even or 0.0) > 1.0:
        return f"run {told.run_id} won {told.wins} of {told.trades} trades in {told.sessions} sessions"
    return ""


def _changes(subject: Subject, code_sha256: str, config_sha256: str) -> list[str]:
    pairs = (("code", code_sha256, subject.code_sha256), ("config", config_sha256, subject.config_sha256))
    return [name for name, one, other in pairs if one != other]
