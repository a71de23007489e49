"""Verdict: evidence held against criteria. Pure: the same evidence gets the same verdict, whoever asks.

Unknown means no. Evidence that is missing, stale, from the future, about another version of the strategy, or
not a number keeps the gates shut, and the verdict says which.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import NormalDist
from typing import Final

from magellan.gate.criteria import CRITERIA, TOO_GOOD, Criterion, Rule, TooGood, Unit
from magellan.gate.evidence import Evidence, Kind, Measured, Subject, Unmeasured
from magellan.workspace.gate_criteria import GateCriteria
from magellan.workspace.threshold import Bound, Loosening

EVIDENCE_AGE_MAX: Final = timedelta(hours=24)
CLOCK_SKEW_MAX: Final = timedelta(minutes=1)


class Answer(StrEnum):
    """Of one criterion. Only `open` lets anything through."""

    OPEN = "open"
    SHUT = "shut"  # measured, and not met; or not measured
    INCONCLUSIVE = "inconclusive"  # measured, but too little to tell
    ERROR = "error"  # the evidence could not be gathered, or cannot be used


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One criterion's answer, and why."""

    criterion: Criterion
    answer: Answer
    threshold: float
    measured: Measured | None  # None where nothing was measured
    loosened: Loosening | None  # the record, where the threshold is looser than its default
    reason: str  # one sentence

    @property
    def sureness(self) -> float | None:
        """Probability that the true value meets the threshold, as far as the interval tells; else None.

        The interval is read as that of a normal distribution around the measured value.
        """
        found = self.measured
        if found is None or found.interval is None or found.level is None or not 0 < found.level < 1:
            return None
        low, high = found.interval
        spread = (high - low) / 2 / NormalDist().inv_cdf((1 + found.level) / 2)
        if not (math.isfinite(spread) and spread > 0 and found.is_number):
            return None
        distance = (found.value - self.threshold) / spread
        return NormalDist().cdf(distance if self.criterion.bound is Bound.AT_LEAST else -distance)

    @property
    def how_sure(self) -> str:
        """How far the measured value can be trusted, in words."""
        found = self.measured
        if found is None:
            return "nothing was measured"
        counted = f"{found.sample:,} {found.sample_of}" if found.sample is not None else ""
        if found.interval is None or found.level is None:
            return f"exact, {counted}" if counted else "exact"
        low, high = (written(end, self.criterion.unit) for end in found.interval)
        sure = f"{self.sureness:.0%} sure; " if self.sureness is not None else ""
        return f"{sure}{found.level:.0%} between {low} and {high}{f', {counted}' if counted else ''}"

    @property
    def wanted(self) -> str:
        """The threshold in words: "at least 30"."""
        return f"{self.criterion.bound} {written(self.threshold, self.criterion.unit)}"

    @property
    def next_step(self) -> str:
        """What to do about it; empty where there is nothing. How evidence is gathered, its error says itself."""
        return "" if self.answer in (Answer.OPEN, Answer.ERROR) else self.criterion.next_step

    @property
    def found(self) -> str:
        """The measured value in words; "-" where there is none."""
        return "-" if self.measured is None else written(self.measured.value, self.criterion.unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the gates say about one strategy."""

    subject: Subject
    judged_at: datetime  # aware, UTC
    criteria_version: int
    judgements: tuple[Judgement, ...]  # in the order of CRITERIA
    warnings: tuple[str, ...]  # what does not shut the gates, and a person should look at
    evidence: tuple[Evidence, ...]

    @property
    def is_open(self) -> bool:
        """Open only when every criterion is."""
        return bool(self.judgements) and all(each.answer is Answer.OPEN for each in self.judgements)

    @property
    def not_open(self) -> tuple[Judgement, ...]:
        """The criteria that keep the gates shut."""
        return tuple(each for each in self.judgements if each.answer is not Answer.OPEN)


def judge(subject: Subject, evidence: Sequence[Evidence], criteria: GateCriteria, *, at: datetime) -> Verdict:
    """Hold evidence against criteria.

    subject: what is judged; evidence about anything else is not used.
    at:      aware, UTC; evidence that is older than a day then, or younger, is not used.
    """
    usable: dict[Kind, Evidence | str] = {}
    for kind in Kind:
        usable[kind] = _usable([each for each in evidence if each.kind is kind], kind, subject, at)
    records = {entry.criterion: entry for entry in criteria.loosened}
    judgements = tuple(
        _judgement(criterion, usable[criterion.kind], criteria, subject, records.get(criterion.name))
        for criterion in CRITERIA
    )
    return Verdict(
        subject=subject,
        judged_at=at,
        criteria_version=criteria.version,
        judgements=judgements,
        warnings=_warnings(usable, records),
        evidence=tuple(evidence),
    )


def written(value: float, unit: Unit) -> str:
    """A value for people."""
    match unit:
        case Unit.COUNT:
            return f"{value:,.0f}" if math.isfinite(value) else str(value)
        case Unit.PERCENT:
            return f"{value:.1%}"
        case Unit.BPS:
            return f"{value:.1f} bps"
        case Unit.RATIO:
            return f"{value:.2f}"


def _usable(found: Sequence[Evidence], kind: Kind, subject: Subject, at: datetime) -> Evidence | str:
    """The evidence of one kind; or why there is none that can be used."""
    if not found:
        return f"no evidence on {kind} was gathered"
    if len(found) > 1:
        return f"{len(found)} pieces of evidence on {kind} were given, and only one can be right"
    (each,) = found
    if each.error:
        return f"evidence on {kind} could not be gathered: {each.error}"
    if each.about != subject.files_sha256:
        return f"the evidence on {kind} is about another version of the strategy's files"
    if each.gathered_at.tzinfo is None:
        return f"the evidence on {kind} does not say when it was gathered: its time has no zone"
    if each.gathered_at > at + CLOCK_SKEW_MAX:
        return f"the evidence on {kind} is from the future ({each.gathered_at.isoformat()}): check the clocks"
    if at - each.gathered_at > EVIDENCE_AGE_MAX:
        return f"the evidence on {kind} is from {each.gathered_at.isoformat()}, more than a day old"
    return each


def _judgement(
    criterion: Criterion,
    evidence: Evidence | str,
    criteria: GateCriteria,
    subject: Subject,
    loosened: Loosening | None,
) -> Judgement:
    threshold = criterion.fixed
    if threshold is None:
        threshold = criteria.threshold(criterion.name, subject.kind)
    measured: Measured | None = None
    if isinstance(evidence, str):
        answer, reason = Answer.ERROR, evidence
    else:
        found = evidence.measured.get(criterion.measure, Unmeasured(f"{criterion.title}: was not measured"))
        if isinstance(found, Measured):
            measured = found
            answer, reason = _answer(criterion, found, threshold)
        else:
            answer = Answer.INCONCLUSIVE if criterion.needs_baseline else Answer.SHUT
            reason = found.reason
    return Judgement(
        criterion=criterion,
        answer=answer,
        threshold=threshold,
        measured=measured,
        loosened=loosened if criterion.fixed is None else None,
        reason=reason,
    )


def _answer(criterion: Criterion, found: Measured, threshold: float) -> tuple[Answer, str]:
    """The answer to one criterion, and why."""
    if not found.is_number:
        return Answer.SHUT, f"measured {found.value}, which is no number"
    wanted = f"{criterion.bound} {written(threshold, criterion.unit)}"
    value = written(found.value, criterion.unit)
    detail = f": {found.detail}" if found.detail else ""
    if criterion.rule is Rule.INTERVAL:
        return _of_interval(criterion, found, threshold)
    if _meets(criterion.bound, found.value, threshold):
        return Answer.OPEN, f"{value}, {wanted}{detail}"
    match criterion.rule:
        case Rule.DOUBT:
            return Answer.INCONCLUSIVE, f"{value}, so nothing can be concluded{detail}"
        case Rule.COUNT if found.value > 0:
            return Answer.INCONCLUSIVE, f"{value} is too little to tell; {wanted} is needed{detail}"
    if criterion.fixed == 0:
        return Answer.SHUT, f"{value} found, and there may be none{detail}"
    return Answer.SHUT, f"{value} is not {wanted}{detail}"


def _of_interval(criterion: Criterion, found: Measured, threshold: float) -> tuple[Answer, str]:
    if found.interval is None or found.level is None or not all(map(math.isfinite, found.interval)):
        return Answer.SHUT, "no confidence interval was measured"
    low, high = found.interval
    if not low <= found.value <= high:
        return Answer.SHUT, f"{found.value:g} lies outside its own interval, {low:g} to {high:g}"
    worst, best = (low, high) if criterion.bound is Bound.AT_LEAST else (high, low)
    limit = written(threshold, criterion.unit)
    span = f"{found.level:.0%} between {written(low, criterion.unit)} and {written(high, criterion.unit)}"
    if _meets(criterion.bound, worst, threshold):
        return Answer.OPEN, f"{span}: all of it is {criterion.bound} {limit}"
    if _meets(criterion.bound, best, threshold):
        return Answer.INCONCLUSIVE, f"{span}: it may as well lie on the other side of {limit}"
    return Answer.SHUT, f"{span}: none of it is {criterion.bound} {limit}"


def _meets(bound: Bound, value: float, threshold: float) -> bool:
    return value >= threshold if bound is Bound.AT_LEAST else value <= threshold


def _warnings(usable: dict[Kind, Evidence | str], records: dict[str, Loosening]) -> tuple[str, ...]:
    """Results that are too good, what the evidence itself warns of, and what was loosened."""
    found = [rule.sentence for rule in TOO_GOOD if _is_too_good(rule, usable[rule.kind])]
    for evidence in usable.values():
        if isinstance(evidence, Evidence):
            found += [f"{evidence.kind}: {warning}" for warning in evidence.warnings]
    found += [
        f"{entry.criterion} was loosened from {entry.from_:g} to {entry.to:g} by {entry.by} on {entry.on}: "
        f"{entry.reason}"
        for entry in records.values()
    ]
    return tuple(found)


def _is_too_good(rule: TooGood, evidence: Evidence | str) -> bool:
    if isinstance(evidence, str):
        return False
    found = evidence.measured.get(rule.measure)
    return isinstance(found, Measured) and found.is_number and _meets(rule.bound, found.value, rule.limit)
