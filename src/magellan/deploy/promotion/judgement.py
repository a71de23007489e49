"""Judgement: evidence held against criteria. Pure: the same evidence gets the same verdict, whoever asks.

Only `pass` lets a release on. What could not be measured has not been shown, and says why.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter

from magellan.deploy.promotion.criteria import PROMOTION, Criterion, Rule
from magellan.deploy.promotion.evidence import Evidence, Soak, Subject
from magellan.deploy.promotion.measures import measures_of
from magellan.deploy.promotion.usable import Found, Unusable
from magellan.gate.evidence import Measured, Unmeasured
from magellan.gate.verdict import written
from magellan.workspace.config_file import canonical_json
from magellan.workspace.promotion_criteria import PromotionCriteria
from magellan.workspace.threshold import Bound, Loosening


class Answer(StrEnum):
    """Of one criterion. Only `pass` lets anything through."""

    PASS = "pass"
    FAIL = "fail"  # measured, and not met
    INCONCLUSIVE = "inconclusive"  # not enough yet to tell, or not measured
    ERROR = "error"  # the evidence could not be gathered, or must not be used


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One criterion, its answer, and all that the answer rests on."""

    criterion: Criterion
    answer: Answer
    threshold: float
    measured: Measured | None
    reason: str  # in words, with the measured value
    loosened: Loosening | None  # who loosened the threshold, if anybody did

    @property
    def found(self) -> str:
        """The measured value in words; "-" where there is none."""
        return "-" if self.measured is None else written(self.measured.value, self.criterion.unit)

    @property
    def wanted(self) -> str:
        """What passes, in words."""
        if self.criterion.rule is not Rule.BAND:
            return f"{self.criterion.bound} {written(self.threshold, self.criterion.unit)}"
        if self.measured is None or self.measured.low is None or self.measured.high is None:
            return "inside its band"
        low, high = (written(end, self.criterion.unit) for end in (self.measured.low, self.measured.high))
        return f"{low} to {high}"

    @property
    def next_step(self) -> str:
        """What to do about it; empty where there is nothing, and where the reason says it."""
        return "" if self.answer is Answer.PASS or self.measured is None else self.criterion.next_step


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionVerdict:
    """What may become of one release."""

    subject: Subject
    judged_at: datetime  # aware, UTC
    criteria_version: int
    judgements: tuple[Judgement, ...]  # in the order of PROMOTION
    warnings: tuple[str, ...]  # what does not hold it back, and a person should look at
    evidence: Evidence

    @property
    def passes(self) -> bool:
        """Whether a person may now approve it: every criterion that the stage asks for passes."""
        asked = [each.name for each in PROMOTION if self.subject.to_stage in each.stages]
        answered = [each.criterion.name for each in self.judgements if each.answer is Answer.PASS]
        return bool(asked) and answered == asked

    @property
    def not_passed(self) -> tuple[Judgement, ...]:
        """The criteria that hold it back."""
        return tuple(each for each in self.judgements if each.answer is not Answer.PASS)

    @property
    def answer(self) -> Answer:
        """The worst of all answers: error, fail, inconclusive, pass."""
        answers = {each.answer for each in self.judgements}
        for worst in (Answer.ERROR, Answer.FAIL, Answer.INCONCLUSIVE):
            if worst in answers:
                return worst
        return Answer.PASS if self.passes else Answer.ERROR

    @property
    def sha256(self) -> str:
        """Digest of what was judged and how, which an approval names."""
        return hashlib.sha256(canonical_json(verdict_document(self))).hexdigest()


def judge_evidence(
    subject: Subject, evidence: Evidence, criteria: PromotionCriteria, *, at: datetime
) -> PromotionVerdict:
    """Hold evidence against criteria. `at`: aware, UTC; evidence that is older than an hour then is not used."""
    level = criteria.threshold("band_level_max", subject.kind)
    measures = measures_of(subject, evidence, level=level, at=at)
    records = {entry.criterion: entry for entry in criteria.loosened}
    return PromotionVerdict(
        subject=subject,
        judged_at=at,
        criteria_version=criteria.version,
        judgements=tuple(
            _judgement(criterion, measures[criterion.name], criteria, subject, records.get(criterion.name))
            for criterion in PROMOTION
            if subject.to_stage in criterion.stages
        ),
        warnings=_warnings(subject, evidence, criteria),
        evidence=evidence,
    )


def verdict_document(verdict: PromotionVerdict) -> dict[str, Any]:
    """The verdict with all its evidence, for `--json` and for the record."""
    subject = verdict.subject
    return {
        "answer": str(verdict.answer),
        "judged_at": verdict.judged_at.isoformat(),
        "subject": _SUBJECT.dump_python(subject, mode="json"),
        "criteria_version": verdict.criteria_version,
        "criteria": [_criterion_document(each) for each in verdict.judgements],
        "warnings": list(verdict.warnings),
        "evidence": _finite(_EVIDENCE.dump_python(verdict.evidence, mode="json", warnings=False)),
    }


_SUBJECT = TypeAdapter(Subject)
_EVIDENCE = TypeAdapter(Evidence)


def _finite(value: Any) -> Any:
    """NaN and infinities as text: JSON has no word for them, and a record must hold what was told."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return value


def _criterion_document(judgement: Judgement) -> dict[str, Any]:
    criterion, measured = judgement.criterion, judgement.measured
    in_band = measured is not None and measured.interval is not None
    return {
        "name": criterion.name,
        "title": criterion.title,
        "about": str(criterion.about),
        "answer": str(judgement.answer),
        "measured": None if measured is None or not measured.is_number else measured.value,
        "bound": str(criterion.bound),
        "threshold": judgement.threshold,
        "band": [measured.low, measured.high] if measured is not None and in_band else None,
        "level": None if measured is None else measured.level,
        "sample": None if measured is None else measured.sample,
        "sample_of": "" if measured is None else measured.sample_of,
        "reason": judgement.reason,
        "next_step": judgement.next_step,
        "loosened": None
        if judgement.loosened is None
        else judgement.loosened.model_dump(mode="json", by_alias=True),
    }


def _judgement(
    criterion: Criterion,
    found: Found,
    criteria: PromotionCriteria,
    subject: Subject,
    loosened: Loosening | None,
) -> Judgement:
    threshold = criterion.fixed
    if threshold is None:
        threshold = criteria.threshold(criterion.name, subject.kind)
    measured = None
    match found:
        case Unusable(reason=reason):
            answer = Answer.ERROR
        case Unmeasured(reason=reason):
            answer = Answer.INCONCLUSIVE
        case Measured():
            measured = found
            answer, reason = _answer(criterion, found, threshold)
    return Judgement(
        criterion=criterion,
        answer=answer,
        threshold=threshold,
        measured=measured,
        reason=reason,
        loosened=loosened if criterion.fixed is None else None,
    )


def _answer(criterion: Criterion, found: Measured, threshold: float) -> tuple[Answer, str]:
    if not found.is_number:
        return Answer.ERROR, f"measured {found.value}, which is no number"
    value = written(found.value, criterion.unit)
    detail = f": {found.detail}" if found.detail else ""
    if criterion.rule is Rule.BAND:
        return _in_band(criterion, found, value)
    wanted = f"{criterion.bound} {written(threshold, criterion.unit)}"
    if found.value >= threshold if criterion.bound is Bound.AT_LEAST else found.value <= threshold:
        return Answer.PASS, f"{value}, {wanted}{detail}"
    match criterion.rule:
        case Rule.AMOUNT:
            return Answer.INCONCLUSIVE, f"{value} so far; {wanted} is needed{detail}"
        case Rule.DOUBT:
            return Answer.INCONCLUSIVE, f"{value} is not {wanted}, so nothing can be concluded{detail}"
    if criterion.fixed == 0:
        return Answer.FAIL, f"{value} found, and there may be none{detail}"
    return Answer.FAIL, f"{value} is not {wanted}{detail}"


def _in_band(criterion: Criterion, found: Measured, value: str) -> tuple[Answer, str]:
    if found.interval is None or found.level is None or not all(map(math.isfinite, found.interval)):
        return Answer.ERROR, "it has no band to lie in"
    low, high = found.interval
    band = f"the band of {found.level:.0%}: {found.detail}"
    if low <= found.value <= high:
        return Answer.PASS, f"{value} is inside {band}"
    return Answer.FAIL, f"{value} is outside {band}"


def _warnings(subject: Subject, evidence: Evidence, criteria: PromotionCriteria) -> tuple[str, ...]:
    found = []
    if subject.is_rehearsal:
        found.append(
            f"a rehearsal: {subject.to_account or 'the account'} is an exchange on this machine, so generated bars and "
            "a soak there count; it says nothing about real money"
        )
    soak = evidence.soak
    if isinstance(soak, Soak) and soak.others:
        found.append(
            f"{soak.others} sessions on {soak.account} were of other releases, and count for nothing"
        )
    found += [
        f"{entry.criterion} was loosened from {entry.from_:g} to {entry.to:g} by {entry.by} on {entry.on}: "
        f"{entry.reason}"
        for entry in criteria.loosened
    ]
    return tuple(found)
