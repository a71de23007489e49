"""Records that were ever written stay readable."""

from __future__ import annotations

import json
from dataclasses import fields
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.samples import DECISION, IDEA, OPEN_AT, PLANNED, entry, intended, one_of_every_kind
from magellan.ledger.chain import EMPTY, Head, Sound, StoredEntry, entry_from, sealed, verify
from magellan.ledger.entries import PAYLOADS, AlertRaised, CashMoved, Decision
from magellan.ledger.json_form import UnreadableRecord, payload_from, storable
from magellan.ledger.migration import STEPS, upgraded

GOLDEN = Path(__file__).parent.parent / "golden/ledger"


def lines(name: str) -> list[bytes]:
    return (GOLDEN / name).read_bytes().splitlines()


def test_entries_are_stored_today_as_the_golden_file_shows() -> None:
    """Write it anew only for a kind that was added: a changed line is a changed version, with its migration."""
    stored, _ = sealed(one_of_every_kind(), "PA1", EMPTY)
    assert [each.line for each in stored] == lines("version_1.jsonl")


@pytest.mark.parametrize("name", sorted(each.name for each in GOLDEN.glob("*.jsonl")))
def test_a_ledger_of_an_older_version_reads_and_its_chain_holds(name: str) -> None:
    stored = []
    for number, line in enumerate(lines(name), start=1):
        kind = json.loads(line)["kind"]
        stored.append(StoredEntry(number, kind, line, sealed_hash(line)))
    head = Head(number=len(stored), hash=stored[-1].hash)
    assert verify(stored, "PA1", head=head) == Sound(head=head)
    assert [entry_from(each).payload for each in stored] == [each.payload for each in one_of_every_kind()]


def sealed_hash(line: bytes) -> str:
    return sha256(line).hexdigest()


@pytest.mark.parametrize("kind", sorted(PAYLOADS))
def test_every_kind_has_a_golden_record_of_every_version(kind: str) -> None:
    versions = {
        json.loads(line)["version"]
        for name in GOLDEN.glob("*.jsonl")
        for line in lines(name.name)
        if json.loads(line)["kind"] == kind
    }
    assert versions == set(range(1, PAYLOADS[kind].version + 1))
    assert {(kind, version) for version in range(1, PAYLOADS[kind].version)} <= STEPS.keys()


def test_an_older_record_goes_through_each_version_in_turn() -> None:
    steps = {
        ("alert", 1): lambda stored: {**stored, "severity": "warning"},
        ("alert", 2): lambda stored: {"severity": stored["severity"], "text": stored["words"]},
    }
    assert upgraded("alert", 1, {"words": "late"}, to=3, steps=steps) == {
        "severity": "warning",
        "text": "late",
    }


@pytest.mark.parametrize(
    ("kind", "version", "stored", "reason"),
    [
        ("alert", 2, {}, "alert is of version 2, and this Magellan reads up to 1"),
        ("telepathy", 1, {}, "no entry is of the kind 'telepathy'; a newer Magellan"),
        ("alert", 1, {"severity": "info"}, "['text'] missing or unknown"),
        ("alert", 1, {"severity": "info", "text": "x", "more": 1}, "['more'] missing or unknown"),
        ("alert", 1, {"severity": "info", "words": "x"}, "text"),
        ("alert", 1, {"severity": "info", "text": 5}, "text cannot be a JSON int"),
        ("session_ended", 1, {"reason": "x", "flat": 1}, "flat cannot be a JSON int"),
        ("work_done", 1, {"name": "x", "session_on": "yesterday", "detail": ""}, "yesterday"),
    ],
)
def test_a_record_that_is_not_what_it_promises_is_refused(
    kind: str, version: int, stored: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UnreadableRecord) as refused:
        payload_from(kind, version, stored)
    assert reason in str(refused.value)


@given(amount=st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30))
def test_every_decimal_comes_back_digit_for_digit(amount: Decimal) -> None:
    moved = CashMoved(movement_id="m", amount_usd=amount, reason="", symbol=None, at=OPEN_AT, is_profit=True)
    stored, _ = sealed([entry(moved)], "PA1", EMPTY)
    read = entry_from(stored[0]).payload
    assert isinstance(read, CashMoved) and read.amount_usd == amount
    assert f"{read.amount_usd:f}" == f"{amount:f}"


@given(text=st.text(st.characters()))
def test_every_text_can_be_written_down(text: str) -> None:
    stored, read = sealed([entry(AlertRaised(severity="info", text=text))], "PA1", EMPTY)
    assert entry_from(stored[0]) == read[0]
    assert b"\n" not in stored[0].line


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity")])
def test_a_decimal_that_is_no_number_is_refused_before_it_is_written(value: Decimal) -> None:
    with pytest.raises(ValueError, match="no number that a ledger can hold"):
        storable(
            CashMoved(movement_id="m", amount_usd=value, reason="", symbol=None, at=OPEN_AT, is_profit=True)
        )


def test_a_float_that_is_no_number_is_refused_before_it_is_written() -> None:
    kept = {each.name: getattr(PLANNED, each.name) for each in fields(PLANNED)}
    with pytest.raises(ValueError, match="could not be read again"):
        storable(type(PLANNED)(**{**kept, "reference_price": float("nan")}))
    with pytest.raises(ValueError, match="what is not known is None"):
        Decision(
            **{
                **{each.name: getattr(DECISION, each.name) for each in fields(DECISION)},
                "indicators": {"rsi": float("inf")},
            }
        )


def test_an_entry_is_stamped_in_utc() -> None:
    with pytest.raises(ValueError, match="not in UTC"):
        type(entry(intended()))(at=OPEN_AT.replace(tzinfo=None), session="s", payload=intended())


def test_json_of_an_entry_is_what_any_reader_of_json_makes_of_it() -> None:
    (stored,), _ = sealed([entry(intended())], "PA1", EMPTY)
    assert json.loads(stored.line) == orjson.loads(stored.line)
    assert json.loads(stored.line)["payload"]["idea"]["decision_price"] == str(IDEA.decision_price)
