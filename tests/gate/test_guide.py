"""The guide to the gates says what the gates do."""

import re
from pathlib import Path

import pytest

from magellan.gate.criteria import CRITERIA
from magellan.gate.evidence import Kind
from magellan.gate.verdict import Answer
from magellan.workspace.gate_criteria import THRESHOLDS

GUIDE = (Path(__file__).parents[2] / "docs/guides/gates.md").read_text()


@pytest.mark.parametrize("name", THRESHOLDS)
def test_every_threshold_stands_in_the_guide_with_its_defaults(name: str) -> None:
    threshold = THRESHOLDS[name]
    (row,) = re.findall(rf"^\| `{name}` \|.*$", GUIDE, re.MULTILINE)
    bound, *defaults = [cell.strip() for cell in row.strip("|").split("|")][2:]
    assert bound == threshold.bound
    assert [float(each) for each in defaults] == [threshold.intraday, threshold.swing, threshold.trend]


def test_the_guide_names_no_threshold_that_does_not_exist() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", GUIDE, re.MULTILINE)) == set(THRESHOLDS)


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_evidence_stands_in_the_guide(kind: Kind) -> None:
    assert re.search(rf"^\| {kind} \|", GUIDE, re.MULTILINE)


@pytest.mark.parametrize("answer", Answer)
def test_every_answer_stands_in_the_guide(answer: Answer) -> None:
    assert re.search(rf"^\| {answer} \|", GUIDE, re.MULTILINE)


def test_what_cannot_be_loosened_has_no_key() -> None:
    fixed = {criterion.name for criterion in CRITERIA if criterion.fixed is not None}
    assert not fixed & set(THRESHOLDS)
