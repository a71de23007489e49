"""Whatever is wrong with its evidence, a release is not promoted."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.promotion.cases import Case, mutations
from deploy.promotion.rate import rate_at_most
from magellan.deploy.promotion.judgement import Answer, verdict_document
from magellan.workspace.config_file import canonical_json

MUTATIONS = dict(mutations())


def test_the_release_passes_as_long_as_nothing_is_wrong() -> None:
    assert Case().answers() == {}
    assert Case().verdict().passes


@pytest.mark.parametrize("name", MUTATIONS)
def test_no_mutated_evidence_promotes_incident_15(name: str) -> None:
    verdict = MUTATIONS[name].verdict()
    assert not verdict.passes
    assert verdict.answer is not Answer.PASS
    assert all(each.reason for each in verdict.not_passed)
    canonical_json(verdict_document(verdict))  # it can be kept, whatever it holds


def test_how_often_wrong_evidence_could_promote_at_most() -> None:
    """Exact binomial: none in n leaves a rate of at most 1 - 0.05 ** (1 / n) possible, with 95 % confidence."""
    promoted = sum(case.verdict().passes for case in MUTATIONS.values())
    n = len(MUTATIONS)
    assert n >= 200
    assert promoted == 0
    assert rate_at_most(promoted, n) == pytest.approx(1 - 0.05 ** (1 / n), rel=1e-6)
    assert rate_at_most(promoted, n) < 0.015
    kinds = Counter(name.partition(":")[0].split(" ")[0] for name in MUTATIONS)
    assert {"empty", "NaN", "late", "skewed", "too", "wrong", "replayed", "truncated", "gone"} <= set(kinds)


def test_all_four_answers_are_given() -> None:
    given_ = {case.verdict().answer for case in MUTATIONS.values()} | {Case().verdict().answer}
    assert given_ == set(Answer)


@given(names=st.lists(st.sampled_from(sorted(MUTATIONS)), min_size=2, max_size=4), data=st.data())
def test_what_is_wrong_is_not_made_good_by_what_else_is_wrong(names: list[str], data: st.DataObject) -> None:
    """Parts of several mutated sets, put together: at least one of them is still mutated."""
    cases = [MUTATIONS[name] for name in names]
    base = Case().evidence
    parts = {}
    for part in ("release", "gates", "accepted", "backtest", "soak"):
        told = [getattr(case.evidence, part) for case in cases]
        spoiled = [each for each in told if each is not getattr(base, part)]
        if spoiled:
            parts[part] = data.draw(st.sampled_from(spoiled))
    if not parts:
        return
    assert not Case(evidence=replace(base, **parts)).verdict().passes
