"""A journal as bytes: what a kill leaves is told apart from what somebody changed, and neither is guessed from."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magellan.plan.carry_out import carry_out
from magellan.plan.journal import NO_SEAL, JournalDamaged, read_journal, sealed
from magellan.plan.records import Ended, Ending, Event, Head, Record, StepRecord, Turned
from magellan.plan.standing import STANDINGS, JournalState, Standing
from plan.memory import BEGAN, SOMEBODY, Clock, World, batch_of, journal_of, plan_of


def records_of_a_run() -> list[Record]:
    """Every kind of record: one plan fails, turns, and is taken back."""
    plan = plan_of(["a"], batch_of("b", "c"), ["d"])
    world = World({"b": "on"}, faults={("d", "do"): ["refused"], ("c", "undo"): ["refused"]})
    journal = journal_of(plan)
    asyncio.run(carry_out(plan, world, journal, now=Clock().now))
    journal = journal.reopened()
    asyncio.run(carry_out(plan, world, journal, now=Clock().now))
    return journal.kept


RECORDS = records_of_a_run()
CONTENT, SEAL = sealed(RECORDS, number=0, seal=NO_SEAL)
HEAD_BYTES = CONTENT.index(b"\n") + 1


def test_records_are_read_as_they_were_written() -> None:
    text = read_journal(CONTENT, name="j")
    assert list(text.records) == RECORDS
    assert (text.seal, text.whole_bytes, text.torn_bytes) == (SEAL, len(CONTENT), 0)


def test_a_journal_cut_at_any_byte_is_torn_there_and_what_came_before_is_whole() -> None:
    for cut in range(HEAD_BYTES, len(CONTENT)):
        text = read_journal(CONTENT[:cut], name="j")
        whole = CONTENT[:cut].rfind(b"\n") + 1
        assert (text.whole_bytes, text.torn_bytes) == (whole, cut - whole)
        assert list(text.records) == RECORDS[: CONTENT[:cut].count(b"\n")]


def test_a_journal_that_goes_on_after_a_cut_is_whole_again() -> None:
    for cut in range(HEAD_BYTES, len(CONTENT), 7):
        text = read_journal(CONTENT[:cut], name="j")
        more, _ = sealed(RECORDS[len(text.records) :], number=len(text.records), seal=text.seal)
        assert CONTENT[: text.whole_bytes] + more == CONTENT


def test_what_a_power_cut_leaves_of_a_last_line_is_torn() -> None:
    for cut in range(HEAD_BYTES, len(CONTENT)):
        if (
            CONTENT[cut : cut + 1] != b"\n"
        ):  # a last line that is whole but for its newline is no power cut's work
            text = read_journal(CONTENT[:cut] + bytes(100), name="j")
            assert text.whole_bytes == CONTENT[:cut].rfind(b"\n") + 1


def test_a_head_that_is_not_whole_is_damage_since_a_journal_is_born_with_it() -> None:
    for cut in range(HEAD_BYTES):
        with pytest.raises(JournalDamaged, match="its head is not whole"):
            read_journal(CONTENT[:cut], name="j")


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_a_flipped_byte_anywhere_is_found(flip: int) -> None:
    for at in range(len(CONTENT)):
        changed = bytearray(CONTENT)
        changed[at] ^= flip
        with pytest.raises(JournalDamaged, match="the journal j is damaged"):
            read_journal(bytes(changed), name="j")


@given(at=st.integers(0, len(CONTENT) - 1), byte=st.integers(0, 255))
def test_a_byte_that_is_replaced_is_found(at: int, byte: int) -> None:
    changed = bytearray(CONTENT)
    changed[at] = byte
    if bytes(changed) != CONTENT:
        with pytest.raises(JournalDamaged):
            read_journal(bytes(changed), name="j")


LINES = CONTENT.splitlines(keepends=True)


@given(data=st.data())
def test_a_record_that_is_removed_moved_or_doubled_is_found(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(LINES) - 2))
    to = data.draw(st.integers(0, len(LINES) - 1))
    lines = list(LINES)
    line = lines.pop(at)
    if data.draw(st.booleans()):
        lines.insert(to, line)
    if lines != LINES:
        with pytest.raises(JournalDamaged):
            read_journal(b"".join(lines), name="j")


def test_a_journal_is_checked_with_nothing_but_sha256() -> None:
    seal = "0" * 64
    for number, line in enumerate(CONTENT.decode().splitlines()):
        claimed, body = line[:64], line[65:]
        seal = hashlib.sha256(f"{seal} {body}".encode()).hexdigest()
        assert seal == claimed
        assert json.loads(body)["number"] == number


def test_a_journal_of_another_version_is_refused() -> None:
    body = CONTENT[65 : HEAD_BYTES - 1].replace(b'"format":1', b'"format":2')
    line = hashlib.sha256(NO_SEAL.encode() + b" " + body).hexdigest().encode() + b" " + body + b"\n"
    with pytest.raises(JournalDamaged, match="another version of Magellan wrote it"):
        read_journal(line, name="j")


@pytest.mark.parametrize("standing", list(Standing))
@pytest.mark.parametrize("event", list(Event))
def test_a_step_goes_only_where_the_table_says(standing: Standing, event: Event) -> None:
    records = [Head(at=BEGAN, by=SOMEBODY, plan=plan_of(["a"]).description), *way_to(standing)]
    state = JournalState(records)
    assert state.standing(1) is standing
    record = step_record(event)
    if event in STANDINGS[standing]:
        state.add(record)
        assert state.standing(1) is STANDINGS[standing][event]
    else:
        with pytest.raises(JournalDamaged, match="contradicts itself"):
            state.add(record)


def way_to(standing: Standing) -> list[Record]:
    """The shortest way there through the table."""
    ways: dict[Standing, list[Record]] = {Standing.WAITING: []}
    while standing not in ways:
        for known, way in list(ways.items()):
            for event, follows in STANDINGS[known].items():
                ways.setdefault(follows, [*way, step_record(event)])
    return ways[standing]


def step_record(event: Event) -> StepRecord:
    return StepRecord(at=BEGAN, step=1, event=event, before={} if event is Event.INTENT else None)


def test_every_standing_can_be_reached_and_only_settled_ones_are_final() -> None:
    final = {standing for standing, events in STANDINGS.items() if not events}
    assert final == {Standing.FOUND_DONE, Standing.UNDONE, Standing.LEFT}
    assert all(way_to(standing) is not None for standing in Standing)


@pytest.mark.parametrize(
    "impossible",
    [
        Ended(at=BEGAN, ending=Ending.DONE),  # a step is still waiting
        Ended(at=BEGAN, ending=Ending.UNDONE),  # it never turned
        StepRecord(at=BEGAN, step=2, event=Event.INTENT, before={}),  # there is no second step
        StepRecord(at=BEGAN, step=0, event=Event.INTENT, before={}),
        StepRecord(at=BEGAN, step=1, event=Event.INTENT),  # undo would know nothing
        Head(at=BEGAN, by=SOMEBODY, plan=plan_of(["a"]).description),
    ],
)
def test_a_record_that_cannot_follow_is_damage(impossible: Record) -> None:
    state = JournalState([Head(at=BEGAN, by=SOMEBODY, plan=plan_of(["a"]).description)])
    with pytest.raises(JournalDamaged):
        state.add(impossible)


def test_a_plan_never_turns_twice_and_nothing_follows_its_end() -> None:
    head = Head(at=BEGAN, by=SOMEBODY, plan=plan_of(["a"]).description)
    turned, ended = Turned(at=BEGAN, why="asked"), Ended(at=BEGAN, ending=Ending.UNDONE)
    for after in (turned, step_record(Event.INTENT), ended):
        state = JournalState([head, turned, ended])
        with pytest.raises(JournalDamaged):
            state.add(after)
    with pytest.raises(JournalDamaged):
        JournalState([head, turned, turned])


def test_a_journal_alone_says_what_was_under_way(tmp_path: Path) -> None:
    state = JournalState(read_journal(CONTENT, name="j").records)
    assert (state.plan.name, state.plan.subject, state.head.at) == ("light the house", "house", BEGAN)
    assert str(state.head.by) == "ada (process 100 on desk)"
    assert [step.title for step in state.plan.steps] == [f"turn {name} on" for name in "abcd"]
