"""Journals as files: born whole, one plan at a time per subject, evidence when they are finished."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from magellan.adapters.local.journal_files import JournalFiles
from magellan.errors import AskOperator, FixInput
from magellan.plan.carry_out import Finished, Halted, TakenBack, carry_out, take_back
from magellan.plan.journal import JournalDamaged
from magellan.plan.plan import OnFailure, Plan
from magellan.plan.records import Resumed
from magellan.plan.status import status_of
from magellan.ports.journal import PlanUnfinished
from magellan.ports.plan_lock import Holder, PlanHeld
from plan.memory import BEGAN, SOMEBODY, Clock, World, batch_of, plan_of

PLAN = plan_of(["cellar", "hall"], ["attic"], on_failure=OnFailure.KEEP)
NAME = "20260120T143000000000Z-light-the-house"


@pytest.fixture
def journals(tmp_path: Path) -> JournalFiles:
    return JournalFiles(tmp_path / "journals")


def begin(journals: JournalFiles, world: World, plan: Plan[World] = PLAN):
    with journals.begin(plan.description, by=SOMEBODY, at=BEGAN) as journal:
        return asyncio.run(carry_out(plan, world, journal, now=Clock().now))


def resume(journals: JournalFiles, world: World, name: str = NAME):
    with journals.reopen(name, by=SOMEBODY, at=BEGAN) as journal:
        return asyncio.run(carry_out(PLAN, world, journal, now=Clock().now))


def undo(journals: JournalFiles, world: World, name: str = NAME):
    with journals.reopen(name, by=SOMEBODY, at=BEGAN) as journal:
        return asyncio.run(take_back(PLAN, world, journal, why="asked", now=Clock().now))


def test_a_finished_journal_is_put_away_read_only(journals: JournalFiles, tmp_path: Path) -> None:
    assert isinstance(begin(journals, World()), Finished)
    (entry,) = journals.all()
    assert (entry.name, entry.is_finished) == (NAME, True)
    file = tmp_path / f"journals/finished/{NAME}.journal"
    assert stat.S_IMODE(file.stat().st_mode) == 0o444
    assert status_of(journals.read(NAME).records).word == "done"


def test_a_finished_plan_is_taken_back_with_its_journal_and_only_once(journals: JournalFiles) -> None:
    world = World()
    begin(journals, world)
    assert isinstance(undo(journals, world), TakenBack)
    assert set(world.switches.values()) == {"off"}
    assert journals.all()[0].is_finished
    assert status_of(journals.read(NAME).records).word == "undone"
    with pytest.raises(FixInput, match="was taken back already"):
        undo(journals, world)


def test_a_journal_whose_process_was_killed_while_it_was_put_away_may_be_written_again(
    journals: JournalFiles, tmp_path: Path
) -> None:
    world = World()
    begin(journals, world)
    left = tmp_path / f"journals/{NAME}.journal"
    (tmp_path / f"journals/finished/{NAME}.journal").rename(left)  # read-only already, and not there yet
    with journals.reopen(NAME, by=SOMEBODY, at=BEGAN) as journal:
        assert left.stat().st_mode & stat.S_IWUSR, "a user who is not root opens it only so"
        assert isinstance(asyncio.run(take_back(PLAN, world, journal, why="", now=Clock().now)), TakenBack)
    assert journals.all()[0].is_finished


def test_an_unfinished_plan_keeps_others_from_its_subject_and_says_how_to_go_on(
    journals: JournalFiles,
) -> None:
    world = World(faults={("hall", "do"): ["refused"]})
    assert isinstance(begin(journals, world), Halted)
    with pytest.raises(PlanUnfinished) as refused:
        begin(journals, world)
    assert refused.value.message == (
        "light the house, begun 2026-01-20 14:30:00 UTC by ada (process 100 on desk), is unfinished"
    )
    assert refused.value.next_step == "`light --resume` goes on with it; `light --undo` takes it back"
    assert isinstance(resume(journals, world), Finished)
    assert isinstance(begin(journals, world), Finished)
    assert [each.name for each in journals.all()] == [NAME, f"{NAME}-2"]


def test_a_finished_plan_is_not_taken_back_while_another_one_is_unfinished(journals: JournalFiles) -> None:
    world = World()
    begin(journals, world)
    world.switches["hall"] = "painted over"
    assert isinstance(begin(journals, world), Halted)
    with pytest.raises(PlanUnfinished):
        undo(journals, world)
    assert journals.all()[0].is_finished


def test_two_plans_on_one_subject_are_never_under_way_at_once(journals: JournalFiles) -> None:
    with (
        journals.begin(PLAN.description, by=SOMEBODY, at=BEGAN),
        pytest.raises(PlanHeld) as refused,
        journals.begin(PLAN.description, by=SOMEBODY, at=BEGAN),
    ):
        raise AssertionError("both are under way")
    assert refused.value.message == (
        "house is being changed by ada (process 100 on desk), since 2026-01-20 14:30:00 UTC: light the house"
    )


def test_a_journal_whose_process_died_is_told_from_one_that_is_under_way(
    journals: JournalFiles, tmp_path: Path
) -> None:
    with journals.begin(PLAN.description, by=SOMEBODY, at=BEGAN):
        assert journals.at_work("house") == Holder(by=SOMEBODY, since=BEGAN, what="light the house")
        lock = tmp_path / "journals/locks/house.lock"
        name = lock.read_bytes()
    assert journals.at_work("house") is None
    lock.write_bytes(name)  # as a kill leaves it
    assert journals.at_work("house") is None
    with pytest.raises(PlanUnfinished, match="is unfinished; process 100 of ada died at it"):
        begin(journals, World())


def test_what_was_torn_is_cut_off_and_that_is_recorded(journals: JournalFiles, tmp_path: Path) -> None:
    begin(journals, World(faults={("hall", "do"): ["refused"]}))
    file = tmp_path / f"journals/{NAME}.journal"
    with open(file, "ab") as torn:
        torn.write(b"0123 {")
    assert journals.read(NAME).torn_bytes == 6
    world = World({"cellar": "on"})
    assert isinstance(resume(journals, world), Finished)
    (resumed,) = (each for each in journals.read(NAME).records if isinstance(each, Resumed))
    assert (resumed.torn_bytes, resumed.by) == (6, SOMEBODY)


def test_a_journal_cut_anywhere_is_gone_on_with(tmp_path: Path) -> None:
    journals = JournalFiles(tmp_path / "journals")
    begin(journals, World(faults={("attic", "do"): ["refused"]}))
    file = tmp_path / f"journals/{NAME}.journal"
    content = file.read_bytes()
    head = content.index(b"\n") + 1
    for cut in range(head, len(content), 11):
        (tmp_path / "journals/finished" / file.name).unlink(missing_ok=True)
        file.write_bytes(content[:cut])
        world = World({"cellar": "on", "hall": "on"})
        assert isinstance(resume(journals, world), Finished)
        assert set(world.switches.values()) == {"on"}


def test_a_damaged_journal_is_not_gone_on_with_and_not_touched(
    journals: JournalFiles, tmp_path: Path
) -> None:
    begin(journals, World(faults={("hall", "do"): ["refused"]}))
    file = tmp_path / f"journals/{NAME}.journal"
    content = file.read_bytes().replace(b'"step":1', b'"step":2', 1)
    file.write_bytes(content)
    world = World()
    for work in (resume, undo, begin):
        with pytest.raises(JournalDamaged, match=r"record 1, at byte \d+, does not fit its checksum"):
            work(journals, world)
    assert world.calls == []
    assert file.read_bytes() == content


def test_a_name_that_there_is_no_journal_of_is_refused_with_those_that_there_are(
    journals: JournalFiles,
) -> None:
    with pytest.raises(FixInput) as refused:
        journals.read("monday")
    assert refused.value.next_step == "none was ever written there"
    begin(journals, World())
    with pytest.raises(FixInput):
        journals.read(f"finished/{NAME}")
    with pytest.raises(FixInput) as refused:
        journals.read("monday")
    assert refused.value.next_step == f"the newest are {NAME}"


def fail_with(error: int) -> Callable[..., int]:
    def fail(*arguments: object) -> int:
        raise OSError(error, os.strerror(error))

    return fail


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_nothing_is_done_without_its_intent_on_the_disk(
    journals: JournalFiles, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    world = World()
    with (
        journals.begin(PLAN.description, by=SOMEBODY, at=BEGAN) as journal,
        monkeypatch.context() as full,
        pytest.raises(AskOperator, match="the disk is full"),
    ):
        full.setattr(os, call, fail_with(errno.ENOSPC))
        asyncio.run(carry_out(PLAN, world, journal, now=Clock().now))
    assert world.switches == {}
    assert isinstance(resume(journals, world), Finished)


def test_a_journal_that_could_not_be_kept_once_takes_no_more_records(
    journals: JournalFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(batch_of(*"abcdefgh", at_once=4))
    world = World()
    with (
        journals.begin(plan.description, by=SOMEBODY, at=BEGAN) as journal,
        monkeypatch.context() as full,
        pytest.raises(AskOperator, match="the disk is full"),
    ):
        asyncio.run(
            carry_out(
                plan,
                world,
                journal,
                now=Clock().now,
                on_progress=lambda progress: full.setattr(os, "write", fail_with(errno.ENOSPC)),
            )
        )
    assert journals.read(NAME).torn_bytes == 0
    assert len(journals.read(NAME).records) == 9, "the head, and all intents"


def test_a_disk_that_is_full_in_the_middle_of_a_record_leaves_it_torn(
    journals: JournalFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    write = os.write
    with (
        journals.begin(PLAN.description, by=SOMEBODY, at=BEGAN) as journal,
        monkeypatch.context() as full,
        pytest.raises(AskOperator, match="the disk is full"),
    ):
        full.setattr(os, "write", lambda descriptor, content: write(descriptor, content[:40]))
        asyncio.run(carry_out(PLAN, world, journal, now=Clock().now))
    assert journals.read(NAME).torn_bytes == 40
    assert world.switches == {}
    assert isinstance(resume(journals, world), Finished)


def test_a_thousand_steps_of_a_batch_wait_for_the_disk_a_handful_of_times(
    journals: JournalFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[int] = []
    fsync = os.fsync

    def counted(descriptor: int) -> None:
        waits.append(descriptor)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", counted)
    plan = plan_of(batch_of(*(f"lamp {number}" for number in range(1000))))
    assert isinstance(begin(journals, World(), plan), Finished)
    assert len(waits) <= 12
    assert len(journals.read(NAME).records) == 2002


def test_a_journal_whose_process_was_killed_before_it_was_put_away_is_put_away_by_the_next(
    journals: JournalFiles, tmp_path: Path
) -> None:
    begin(journals, World())
    finished = tmp_path / f"journals/finished/{NAME}.journal"
    finished.rename(tmp_path / f"journals/{NAME}.journal")
    assert not journals.all()[0].is_finished
    begin(journals, World())
    assert all(each.is_finished for each in journals.all())
