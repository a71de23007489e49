"""The guide to promotions says what promotions do, with the numbers that they have."""

import re
from pathlib import Path

import pytest

from deploy.promotion.cases import mutations
from deploy.promotion.rate import rate_at_most
from magellan.deploy.promotion import chance
from magellan.deploy.promotion.judgement import Answer
from magellan.workspace.promotion_criteria import PROMOTION_THRESHOLDS

GUIDE = (Path(__file__).parents[3] / "docs/guides/promotion.md").read_text()


@pytest.mark.parametrize("name", PROMOTION_THRESHOLDS)
def test_every_threshold_stands_in_the_guide_with_its_defaults(name: str) -> None:
    threshold = PROMOTION_THRESHOLDS[name]
    (row,) = re.findall(rf"^\| `{name}` \|.*$", GUIDE, re.MULTILINE)
    bound, *defaults = [cell.strip() for cell in row.strip("|").split("|")][2:]
    assert bound == threshold.bound
    assert [float(each) for each in defaults] == [threshold.intraday, threshold.swing, threshold.trend]


def test_the_guide_names_no_threshold_that_does_not_exist() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", GUIDE, re.MULTILINE)) == set(PROMOTION_THRESHOLDS)


@pytest.mark.parametrize("answer", Answer)
def test_every_answer_stands_in_the_guide(answer: Answer) -> None:
    assert re.search(rf"^\| {answer} \|", GUIDE, re.MULTILINE)


def test_the_table_of_what_a_win_rate_tells_is_computed() -> None:
    rows = re.findall(r"^\| (\d+) \| (\d+) to (\d+) \| ([\d.]+) % \|$", GUIDE, re.MULTILINE)
    assert len(rows) == 6
    for trades, low, high, passes in rows:
        n = int(trades)
        assert chance.band(n, 0.5, 0.95) == (int(low), int(high))
        assert round(100 * chance.passes_without_edge(n, 0.5, 0.39, 0.95), 1) == float(passes)


def test_the_rate_at_which_wrong_evidence_could_pass_is_that_of_the_sets_that_are_tried() -> None:
    n = len(dict(mutations()))
    assert f"{n} sets of evidence" in GUIDE
    assert f"a rate of at most {100 * rate_at_most(0, n):.2f} %" in " ".join(GUIDE.split())
