"""Fault plans: what is accepted, and how a mistake is told."""

import json
from pathlib import Path

import jsonschema
import pytest

from magellan.errors import FixInput
from magellan.exchange.server.faults.plan_file import KINDS, plan_schema, read_plan, read_plan_file


def test_there_are_at_least_twenty_four_kinds_of_faults() -> None:
    assert len(KINDS) >= 24


def test_a_plan_reads_back_as_it_was_written() -> None:
    text = json.dumps(
        {
            "version": 1,
            "seed": 7,
            "faults": [
                {"kind": "lost_answer", "when": {"route": "POST /v2/orders", "nth": [1, 3]}, "count": 2},
                {"kind": "halted_symbol", "at": "2024-03-11T15:00:00Z", "symbol": "AAPL", "duration_s": 60},
            ],
        }
    )
    plan = read_plan(text, source="plan.json")
    assert plan.seed == 7
    assert plan.faults[0].when.nth == (1, 3)
    assert plan.faults[1].at is not None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "plan.json, line 1, column 2: this is no JSON"),
        ("[]", "the plan: it should be an object"),
        ('{"version": 2}', "version: it should be 1"),
        ('{"fault": []}', "fault: there is no such key; accepted are version, seed, faults"),
        (
            '{"faults": [{"kind": "lost_order"}]}',
            "faults[0]: 'lost_order' is no kind of fault; the kinds are refused",
        ),
        ('{"faults": [{}]}', "faults[0]: a fault names its kind"),
        (
            '{"faults": [{"kind": "late_event", "delay": 3}]}',
            "faults[0].delay: there is no such key; accepted are name, when, count, delay_s",
        ),
        (
            '{"faults": [{"kind": "late_event", "delay_s": 0}]}',
            "faults[0].delay_s: it should be greater than 0",
        ),
        (
            '{"faults": [{"kind": "late_answer", "delay_s": Infinity}]}',
            "faults[0].delay_s: it should be a finite number",
        ),
        (
            '{"faults": [{"kind": "halted_symbol", "symbol": "AAPL", "at_s": 1e300}]}',
            "faults[0].at_s: it should be less than or equal to 1000000000",
        ),
        (
            '{"faults": [{"kind": "clock_skew", "skew_s": -1e300}]}',
            "faults[0].skew_s: it should be greater than or equal to -1000000000",
        ),
        (
            '{"faults": [{"kind": "lost_event", "when": {"nths": 3}}]}',
            "faults[0].when.nths: there is no such key; accepted are nth, every",
        ),
        ('{"faults": [{"kind": "lost_event", "when": {"nth": 0}}]}', "faults[0].when: nth counts from 1"),
        (
            '{"faults": [{"kind": "lost_event", "when": {"nth": 1, "probability": 0.5}}]}',
            "faults[0].when: give one of nth, every and probability",
        ),
        (
            '{"faults": [{"kind": "lost_event", "when": {"route": "/v2/orders"}}]}',
            "faults[0].when.route:",
        ),
        (
            '{"faults": [{"kind": "mute_stream", "when": {"event": "*fill", "stream": "trades"}}]}',
            "faults[0]: it takes hold on a WebSocket, after so many messages, where event is not told: it would never "
            "fire. `when` may have key_id, stream there",
        ),
        (
            '{"faults": [{"kind": "clock_skew", "when": {"key_id": "PK1"}}]}',
            "where key_id is not told: it would never fire. `when` may have no pattern there",
        ),
        ('{"faults": [{"kind": "halted_symbol", "symbol": "A"}]}', "faults[0]: give at or at_s"),
        ('{"faults": [{"kind": "halted_symbol", "at_s": 1}]}', "faults[0].symbol: this key is required"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_would_be_accepted(text: str, said: str) -> None:
    with pytest.raises(FixInput) as refused:
        read_plan(text, source="plan.json")
    assert said in refused.value.message
    assert "plan.json" in refused.value.message


def test_a_plan_that_is_not_there_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(FixInput, match=r"nowhere\.json cannot be read"):
        read_plan_file(tmp_path / "nowhere.json")


def test_a_plan_that_is_no_text_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_bytes(b"\xff\xfe")
    with pytest.raises(FixInput, match=r"plan\.json is no text in UTF-8") as refused:
        read_plan_file(tmp_path / "plan.json")
    assert "UTF-8" in refused.value.next_step


def test_the_schema_accepts_and_refuses_what_the_reader_does() -> None:
    schema = plan_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    good = {"faults": [{"kind": "disconnect", "after_messages": 5, "code": 1006}]}
    jsonschema.validate(good, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"faults": [{"kind": "disconnect", "after": 5}]}, schema)


def test_the_published_schema_is_the_one_that_the_code_has() -> None:
    published = Path(__file__).parents[4] / "docs/reference/fault-plan.schema.json"
    assert json.loads(published.read_text()) == plan_schema(), "run `make reference`"


def test_every_kind_says_what_it_does() -> None:
    assert [name for name, kind in KINDS.items() if not (kind.__doc__ or "").strip().endswith(".")] == []
