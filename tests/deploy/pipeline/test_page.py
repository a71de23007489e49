"""The summary of a pipeline: what it says, and that nothing in it can become markup."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magellan.deploy.pipeline import Came, Looked, PipelineReport, PipelineStage, StageOutcome
from magellan.deploy.pipeline_page import as_html, as_markdown

AT = datetime(2026, 1, 21, 15, 0, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script> | `rm` ![x](http://x) \n# heading"


def report(*outcomes: StageOutcome, **changed: object) -> PipelineReport:
    terms: dict[str, object] = {
        "strategy": "prod/bear_trap",
        "version": "1.2.0",
        "to": "test",
        "release": "bear_trap-7-1f3a90c2d4e5",
        "release_id": "1f3a90c2d4e5" + "0" * 52,
        "by": "jane",
        "began_at": AT,
        "ended_at": AT + timedelta(seconds=95),
        "outcomes": outcomes or tuple(passed(stage) for stage in PipelineStage),
        **changed,
    }
    return PipelineReport(**terms)  # type: ignore[arg-type]


def passed(stage: PipelineStage) -> StageOutcome:
    return StageOutcome(stage=stage, came=Came.PASSED, note="well", took_s=1.5)


def failed(stage: PipelineStage, note: str = "not well: sharpe_min") -> StageOutcome:
    return StageOutcome(
        stage=stage,
        came=Came.FAILED,
        note=note,
        findings=(Looked(what="Sharpe ratio", is_well=False, found="shut: 0.2 is not at least 1.0"),),
    )


def test_a_pipeline_passes_only_when_every_stage_that_was_asked_for_came_to_its_end() -> None:
    assert report().passed
    assert report().verdict == "bear_trap-7-1f3a90c2d4e5 trades in test"
    stages = list(PipelineStage)
    for at, stage in enumerate(stages):
        rest = [StageOutcome(stage=each, came=Came.NOT_REACHED) for each in stages[at + 1 :]]
        broken = report(*map(passed, stages[:at]), failed(stage), *rest)
        assert not broken.passed
        assert broken.verdict.startswith(f"failed at {stage}: not well")
    assert not report(outcomes=()).passed


def test_what_was_only_looked_at_says_so() -> None:
    looked = report(
        passed(PipelineStage.VALIDATE),
        passed(PipelineStage.TEST),
        StageOutcome(stage=PipelineStage.DEPLOY, came=Came.LOOKED_AT),
        StageOutcome(stage=PipelineStage.CHECK, came=Came.NOT_ASKED),
    )
    assert looked.passed
    assert looked.verdict == "may be deployed to test; nothing was changed"


def test_the_markdown_names_release_stages_seconds_and_what_is_not_well() -> None:
    text = as_markdown(report(passed(PipelineStage.VALIDATE), failed(PipelineStage.TEST)))
    assert text.startswith("# prod/bear\\_trap 1.2.0: FAILED\n")
    assert "| test | ✗ failed | 0.0 | not well: sharpe\\_min |" in text
    assert "| ✗ | Sharpe ratio | shut: 0.2 is not at least 1.0 |" in text
    assert "release: bear\\_trap-7-1f3a90c2d4e5, 1f3a90c2d4e5" in text
    assert "took: 95.0 s" in text


@pytest.mark.parametrize("show", [as_markdown, as_html])
def test_text_from_outside_cannot_become_markup(show) -> None:
    text = show(report(failed(PipelineStage.TEST, HOSTILE), by=HOSTILE))
    assert "<script" not in text
    if show is as_markdown:
        assert "\n# heading" not in text and "![x]" not in text
        rows = [line for line in text.splitlines() if line.startswith("| test")]
        assert len(rows) == 1 and len(re.findall(r"(?<!\\)\|", rows[0])) == 5


def test_the_page_fetches_nothing() -> None:
    text = as_html(report())
    assert "default-src 'none'" in text
    assert not re.search(r"(src|href)=|url\(|@import|https?:", text)
    assert as_html(report()) == text


@given(note=st.text(max_size=60))
def test_any_note_stays_in_its_cell(note: str) -> None:
    text = as_markdown(report(failed(PipelineStage.TEST, note)))
    (row,) = [line for line in text.split("\n") if line.startswith("| test ")]
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) == 5
