"""What promotions leave behind: verdicts, the ends of ledgers that they saw, and approvals."""

from datetime import timedelta
from pathlib import Path

import pytest

from deploy.promotion.cases import AT, SOAK, Case
from magellan.adapters.local.promotion_records import PromotionRecordFiles
from magellan.deploy.promotion.approval import approve
from magellan.deploy.promotion.judgement import PromotionVerdict, verdict_document
from magellan.errors import AskOperator
from magellan.ledger.chain import Head
from magellan.release.signature import SigningKey

ACCOUNT = SOAK.account


@pytest.fixture
def records(tmp_path: Path) -> PromotionRecordFiles:
    return PromotionRecordFiles(tmp_path / "promotions")


def keep(records: PromotionRecordFiles, verdict: PromotionVerdict, *, minutes: int = 0) -> Path:
    return records.keep_verdict("bear_trap", AT + timedelta(minutes=minutes), verdict_document(verdict))


def test_before_anybody_looked_no_end_of_a_ledger_is_noted(records: PromotionRecordFiles) -> None:
    assert records.noted_head("bear_trap", ACCOUNT) is None
    assert records.approvals("bear_trap") == ()


def test_the_newest_end_of_a_whole_ledger_is_the_one_that_is_noted(records: PromotionRecordFiles) -> None:
    later = f"9100:{'f' * 64}"
    keep(records, Case().but("soak", head=later).verdict(), minutes=5)
    keep(records, Case().verdict())
    broken = Case().but("soak", head=f"20:{'0' * 64}", chain_problem="entry 21: it is missing")
    keep(records, broken.verdict(), minutes=10)
    assert records.noted_head("bear_trap", ACCOUNT) == Head(number=9100, hash="f" * 64)
    assert records.noted_head("bear_trap", "alpaca-paper-PA2") is None


def test_verdicts_are_named_by_their_time_and_answer_and_none_replaces_another(
    records: PromotionRecordFiles,
) -> None:
    paths = [keep(records, Case().verdict()), keep(records, Case().verdict(), minutes=1)]
    paths.append(keep(records, Case().but("soak", trades=()).verdict(), minutes=2))
    assert [path.name for path in paths] == [
        "20260114T210500000000Z-pass.json",
        "20260114T210600000000Z-pass.json",
        "20260114T210700000000Z-inconclusive.json",
    ]


def test_a_verdict_that_cannot_be_read_is_an_error_and_no_clean_sheet(records: PromotionRecordFiles) -> None:
    keep(records, Case().verdict()).write_text("{}")
    with pytest.raises(AskOperator, match="does not read as what was kept there"):
        records.noted_head("bear_trap", ACCOUNT)


def test_an_approval_comes_back_as_it_was_given(records: PromotionRecordFiles) -> None:
    key, verdict = SigningKey.new(), Case().verdict()
    given = approve(
        verdict,
        by="jane",
        reason="as backtested",
        key=key,
        trusted={"jane": key.public_key},
        approvers=(),
        author=None,
        at=AT,
    )
    records.keep_approval(given)
    (found,) = records.approvals("bear_trap")
    assert found == given
    assert found.problem(verdict, {"jane": key.public_key}, at=AT) is None
    assert found.problem(verdict, {"jane": SigningKey.new().public_key}, at=AT) is not None
