"""What carrying a plan out promises, on a world of switches."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any

import pytest

from jumping_loop import JumpingClock, JumpingLoop
from magellan.errors import FixInput, Interrupted
from magellan.plan.carry_out import (
    Finished,
    Halted,
    Outcome,
    PlanDiffers,
    Progress,
    TakenBack,
    carry_out,
    take_back,
)
from magellan.plan.plan import OnFailure, Phase
from magellan.plan.records import Ending, StepRecord
from magellan.plan.standing import JournalState
from magellan.plan.step import Answer, Before, Limits, NotDone
from plan.memory import (
    BEGAN,
    HALF,
    OFF,
    ON,
    Clock,
    Killed,
    MemoryJournal,
    Turn,
    World,
    acts,
    batch_of,
    journal_of,
    plan_of,
    told,
)


def run(plan, world, journal, **options) -> Outcome:
    return asyncio.run(carry_out(plan, world, journal, now=Clock().now, **options))


def run_back(plan, world, journal, **options) -> Outcome:
    return asyncio.run(take_back(plan, world, journal, why="a person asked", now=Clock().now, **options))


def notes(journal: MemoryJournal) -> dict[str, str]:
    return {f"{each.event} {each.step}": each.note for each in journal.kept if isinstance(each, StepRecord)}


def test_steps_are_done_in_order_and_each_intent_stands_before_its_result() -> None:
    plan, world = plan_of(["cellar", "hall"], ["attic"]), World()
    journal = journal_of(plan)
    outcome = run(plan, world, journal)
    assert isinstance(outcome, Finished)
    assert world.switches == {"cellar": ON, "hall": ON, "attic": ON}
    assert told(journal.kept) == [
        "intent 1", "done 1", "intent 2", "done 2", "intent 3", "done 3", "ended done",
    ]  # fmt: skip


def test_a_step_that_was_done_before_is_left_alone_and_never_undone() -> None:
    plan, world = plan_of(["cellar", "hall", "attic"]), World({"cellar": ON})
    world.faults["attic", "do"] = ["refused"]
    journal = journal_of(plan)
    outcome = run(plan, world, journal)
    assert isinstance(outcome, TakenBack)
    assert world.switches == {"cellar": ON, "hall": OFF}
    assert ("cellar", "do") not in world.calls and ("cellar", "undo") not in world.calls


def test_doing_a_plan_twice_is_doing_it_once() -> None:
    plan, world = plan_of(["cellar", "hall"]), World()
    run(plan, world, journal_of(plan))
    before = len(acts(world))
    again = journal_of(plan)
    assert isinstance(run(plan, world, again), Finished)
    assert len(acts(world)) == before
    assert told(again.kept) == ["found-done 1", "found-done 2", "ended done"]


def test_a_failure_undoes_what_was_done_the_newest_first() -> None:
    plan, world = plan_of(["cellar", "hall"], ["attic", "roof"]), World()
    world.faults["roof", "do"] = ["refused"]
    outcome = run(plan, world, journal_of(plan))
    assert isinstance(outcome, TakenBack)
    assert outcome.why == "step 4, turn roof on: roof refuses"
    assert acts(world)[4:] == [("attic", "undo"), ("hall", "undo"), ("cellar", "undo")]
    assert set(world.switches.values()) == {OFF}


def test_a_plan_that_keeps_on_failure_stops_there_and_is_resumed_or_taken_back() -> None:
    for going_on, end in ((run, ON), (run_back, OFF)):
        plan, world = plan_of(["cellar", "hall", "attic"], on_failure=OnFailure.KEEP), World()
        world.faults["hall", "do"] = ["half"]
        journal = journal_of(plan)
        outcome = run(plan, world, journal)
        assert isinstance(outcome, Halted)
        assert outcome.stands == ("turn cellar on", "turn hall on")
        assert notes(journal)["failed 2"] in outcome.why and "hall" in notes(journal)["failed 2"]
        assert outcome.next_step == "`light --resume` goes on with it; `light --undo` takes it back"
        assert world.switches == {"cellar": ON, "hall": HALF}
        going_on(plan, world, journal.reopened())
        assert {world.switches.get(name, OFF) for name in ("cellar", "hall", "attic")} == {end}


def test_a_finished_plan_can_be_taken_back_once() -> None:
    plan, world = plan_of(["cellar", "hall"]), World()
    journal = journal_of(plan)
    run(plan, world, journal)
    journal = journal.reopened()
    assert isinstance(run_back(plan, world, journal), TakenBack)
    assert set(world.switches.values()) == {OFF}
    calls = len(world.calls)
    assert isinstance(run_back(plan, world, MemoryJournal(kept=journal.kept)), TakenBack)
    assert len(world.calls) == calls


@pytest.mark.parametrize("settles", [False, True])
def test_all_intents_of_a_batch_are_durable_before_the_first_of_it_is_done(settles: bool) -> None:
    names = [f"lamp {number}" for number in range(50)]
    plan, world = plan_of(batch_of(*names, settles=settles)), World()
    journal = journal_of(plan)

    def look(progress: Progress) -> None:
        if progress.event == "done":
            assert journal.durable >= 51

    run(plan, world, journal, on_progress=look)
    assert [each for each in journal.appends if each[1]] == [(50, True), (1, True)]


def test_a_batch_of_which_one_step_cannot_be_done_is_not_begun() -> None:
    plan, world = plan_of(batch_of("cellar", "hall", "attic")), World({"attic": "painted over"})
    outcome = run(plan, world, journal_of(plan))
    assert isinstance(outcome, TakenBack)
    assert acts(world) == []
    assert outcome.why == "step 3, turn attic on: attic is painted over"


def test_a_batch_takes_as_many_steps_at_once_as_it_says() -> None:
    plan, world = plan_of(batch_of(*"abcdefgh", at_once=3)), World()
    assert isinstance(run(plan, world, journal_of(plan)), Finished)
    assert world.under_way_most == 3


def test_after_a_failure_in_a_batch_no_other_step_is_begun_and_those_under_way_are_finished() -> None:
    plan, world = plan_of(batch_of(*"abcdef", at_once=2)), World()
    world.faults["a", "do"] = ["refused"]
    journal = journal_of(plan)
    assert isinstance(run(plan, world, journal), TakenBack)
    assert [name for name, call in acts(world) if call == "do"] == ["a", "b"]
    assert set(world.switches.values()) == {OFF}


def test_what_settles_with_its_batch_is_recorded_as_done_only_when_all_of_it_has_settled() -> None:
    plan, world = plan_of(batch_of("a", "b", settles=True)), World()
    journal = journal_of(plan)
    run(plan, world, journal)
    order = [each for each in world.calls if each[1] in ("do", "settle")]
    assert order == [("a", "do"), ("b", "do"), ("a", "settle"), ("b", "settle")]


def test_a_step_that_does_not_settle_has_failed() -> None:
    plan, world = plan_of(batch_of("a", "b", settles=True)), World()
    world.faults["b", "settle"] = ["refused"]
    outcome = run(plan, world, journal_of(plan))
    assert isinstance(outcome, TakenBack)
    assert outcome.why == "step 2, turn b on: b refuses"
    assert set(world.switches.values()) == {OFF}


def test_a_step_is_tried_again_only_where_it_says_that_it_may_be() -> None:
    for attempts, outcome_type, calls in ((1, TakenBack, 1), (3, Finished, 3)):
        plan = plan_of(Phase(name="lamp", steps=(Turn(name="lamp", attempts=attempts),)))
        world = World(faults={("lamp", "do"): ["busy", "busy"]})
        journal = journal_of(plan)
        assert isinstance(run(plan, world, journal), outcome_type)
        assert world.calls.count(("lamp", "do")) == calls
        assert told(journal.kept).count("retried 1") == calls - 1


def test_each_pause_before_another_attempt_is_twice_the_one_before() -> None:
    class Patient(Turn):
        @property
        def limits(self) -> Limits:
            return Limits(attempts=4, pause_s=0.5)

    for way in ("do", "undo"):
        plan = plan_of(Phase(name="house", steps=(Patient(name="lamp"), Turn(name="hall"))))
        world = World(faults={("lamp", way): ["busy"] * 3, ("hall", "do"): ["refused"]})
        clock = JumpingClock()
        with asyncio.Runner(loop_factory=partial(JumpingLoop, clock)) as runner:
            runner.run(carry_out(plan, world, journal_of(plan), now=Clock().now))
        assert clock.now_s == pytest.approx(0.5 + 1 + 2)
        assert world.switches["lamp"] == OFF


def test_an_error_that_trying_again_does_not_help_is_not_tried_again() -> None:
    plan = plan_of(Phase(name="lamp", steps=(Turn(name="lamp", attempts=3),)))
    world = World(faults={("lamp", "do"): ["refused"]})
    assert isinstance(run(plan, world, journal_of(plan)), TakenBack)
    assert world.calls.count(("lamp", "do")) == 1


def test_a_question_is_asked_again_too() -> None:
    plan = plan_of(Phase(name="lamp", steps=(Turn(name="lamp", attempts=2),)))
    world = World(faults={("lamp", "check"): ["busy"]})
    assert isinstance(run(plan, world, journal_of(plan)), Finished)


def test_a_step_whose_time_is_over_has_failed() -> None:
    plan = plan_of(Phase(name="lamp", steps=(Turn(name="lamp", timeout_s=0.01),)))
    world = World(faults={("lamp", "do"): ["hangs"]})
    outcome = run(plan, world, journal_of(plan))
    assert isinstance(outcome, TakenBack)
    assert outcome.why == "step 1, turn lamp on: no answer within 0.01 s"


def test_a_step_whose_reply_was_lost_is_asked_and_not_done_twice() -> None:
    plan = plan_of(Phase(name="lamp", steps=(Turn(name="lamp", attempts=3),)))
    world = World(faults={("lamp", "do"): ["lost reply"]})
    assert isinstance(run(plan, world, journal_of(plan)), Finished)
    assert world.calls.count(("lamp", "do")) == 1


@pytest.mark.parametrize(
    ("fault", "found"), [("lost", "hall does not answer"), ("spoiled", "hall is painted over")]
)
def test_where_nobody_can_tell_whether_a_step_happened_a_person_is_asked_and_nothing_is_undone(
    fault: str, found: str
) -> None:
    plan = plan_of(["cellar", "hall"])
    world = World(faults={("hall", "do"): [fault]})
    journal = journal_of(plan)
    outcome = run(plan, world, journal)
    assert isinstance(outcome, Halted)
    assert f"hall is gone; whether it happened is not known: {found}" in outcome.why
    assert world.switches["cellar"] == ON and ("cellar", "undo") not in world.calls
    # A person has looked, and found it off. Both ways are still open.
    world.switches["hall"] = OFF
    assert isinstance(run(plan, world, journal.reopened()), Finished)


@pytest.mark.parametrize("is_now", ["lost", "painted over"])
def test_a_step_that_was_interrupted_and_cannot_be_judged_leaves_both_ways_open(is_now: str) -> None:
    for person_finds, going_on, end in (
        (ON, run, ON),
        (OFF, run, ON),
        (ON, run_back, OFF),
        (OFF, run_back, OFF),
    ):
        plan, world = plan_of(["cellar", "hall"]), World(changes_until_kill=3)
        journal = journal_of(plan)
        with pytest.raises(Killed):
            run(plan, world, journal)
        world.changes_until_kill = None
        world.switches["hall"] = is_now
        journal = journal.reopened()
        outcome = run(plan, world, journal)
        assert isinstance(outcome, Halted)
        assert outcome.stands == ("turn cellar on", "turn hall on")
        assert outcome.next_step == "`light --resume` goes on with it; `light --undo` takes it back"
        assert ("cellar", "undo") not in world.calls
        world.switches["hall"] = person_finds
        going_on(plan, world, journal.reopened())
        assert set(world.switches.values()) == {end}


def test_a_step_that_happened_before_its_process_was_killed_is_found_and_told_as_done() -> None:
    plan, world = plan_of(["cellar", "hall"]), World()
    journal = journal_of(plan)
    run(plan, world, journal)
    at = 1 + told(journal.kept).index("done 2")  # after the head
    del journal.kept[at:]
    seen: list[Progress] = []
    journal = journal.reopened()
    assert isinstance(run(plan, world, journal, on_progress=seen.append), Finished)
    assert notes(journal)["done 2"] == "had happened before the interruption"
    assert [(each.event, each.left) for each in seen] == [("done", 0)]
    assert world.calls.count(("hall", "do")) == 1


class Forgetful(Turn):
    """Asked again, it has forgotten what was before."""

    async def check(self, world: World, before: Before | None) -> Answer:
        answer = await super().check(world, before)
        return NotDone() if before is not None and isinstance(answer, NotDone) else answer


def test_what_was_before_a_step_is_what_was_recorded_first() -> None:
    plan, world = plan_of(Phase(name="lamp", steps=(Forgetful(name="lamp"),))), World(changes_until_kill=0)
    journal = journal_of(plan)
    with pytest.raises(Killed):
        run(plan, world, journal)
    world.changes_until_kill = None
    journal = journal.reopened()
    assert isinstance(run(plan, world, journal), Finished)
    assert JournalState(journal.kept).before(1) == {"was": OFF}


def test_a_batch_is_undone_the_newest_first_too() -> None:
    plan, world = plan_of(batch_of("a", "b", "c")), World()
    journal = journal_of(plan)
    run(plan, world, journal)
    run_back(plan, world, journal.reopened())
    assert acts(world)[3:] == [("c", "undo"), ("b", "undo"), ("a", "undo")]


def test_what_is_done_and_has_not_the_effect_that_was_wanted_is_undone() -> None:
    plan = plan_of(["cellar", "hall"])
    world = World(faults={("hall", "verify"): ["no"]})
    outcome = run(plan, world, journal_of(plan))
    assert isinstance(outcome, TakenBack)
    assert outcome.why == "step 2, turn hall on: it was done, and is not as wanted: there is no light"
    assert set(world.switches.values()) == {OFF}


@pytest.mark.parametrize("fault", ["refused", "half", "lost", "no effect", "hangs"])
def test_a_failure_on_the_way_back_says_what_stands_and_a_person_goes_on(fault: str) -> None:
    plan = plan_of(Phase(name="house", steps=tuple(Turn(name=name, timeout_s=0.01) for name in "abc")))
    world = World(faults={("c", "do"): ["refused"], ("b", "undo"): [fault]})
    journal = journal_of(plan)
    outcome = run(plan, world, journal)
    assert isinstance(outcome, Halted)
    assert outcome.stands == ("turn a on", "turn b on")
    assert outcome.next_step == "`light --undo` goes on undoing it"
    assert "step 2, turn b on: cannot be undone" in outcome.why
    if world.switches["b"] == "lost":
        world.switches["b"] = ON
    assert isinstance(run(plan, world, journal.reopened()), TakenBack)
    assert set(world.switches.values()) == {OFF}


def test_in_a_batch_everything_that_can_be_undone_is_although_two_steps_cannot() -> None:
    plan = plan_of(batch_of("a", "b", "c", "e"), ["d"])
    world = World(faults={("d", "do"): ["refused"]})
    journal = journal_of(plan)

    def spoil(progress: Progress) -> None:
        if progress.phase == "batch" and progress.left == 0 and progress.event == "done":
            world.switches |= {"b": "painted over", "c": "cut off"}

    outcome = run(plan, world, journal, on_progress=spoil)
    assert isinstance(outcome, Halted)
    assert outcome.stands == ("turn b on", "turn c on")
    assert outcome.why.endswith("step 3, turn c on: cannot be undone: c is cut off")  # the newest
    assert (notes(journal)["undo-failed 2"], notes(journal)["undo-failed 3"]) == (
        "b is painted over",
        "c is cut off",
    )
    assert (world.switches["a"], world.switches["e"]) == (OFF, OFF)


def test_in_a_batch_everything_is_undone_although_the_undo_of_one_step_fails() -> None:
    plan = plan_of(batch_of("a", "b", "c"), ["d"])
    world = World(faults={("d", "do"): ["refused"], ("b", "undo"): ["refused"]})
    outcome = run(plan, world, journal_of(plan))
    assert isinstance(outcome, Halted)
    assert outcome.stands == ("turn b on",)
    assert (world.switches["a"], world.switches["c"]) == (OFF, OFF)


def test_a_step_that_somebody_else_undid_is_found_undone() -> None:
    plan, world = plan_of(["a", "b"]), World()
    journal = journal_of(plan)
    run(plan, world, journal)
    world.switches["a"] = OFF
    journal = journal.reopened()
    assert isinstance(run_back(plan, world, journal), TakenBack)
    assert notes(journal)["undone 1"] == "nothing was left of it"


def test_a_defect_of_a_step_is_raised_after_the_way_back() -> None:
    plan = plan_of(["a", "b"])
    world = World(faults={("b", "do"): ["defect"]})
    journal = journal_of(plan)
    with pytest.raises(KeyError) as raised:
        run(plan, world, journal)
    assert raised.value.__notes__ == ["light the house: undone. "]
    assert JournalState(journal.kept).ending is Ending.UNDONE
    assert world.switches == {"a": OFF}


def test_another_plan_than_the_recorded_one_is_refused_and_told_apart() -> None:
    journal = journal_of(plan_of(["a", "b"]))
    other = plan_of(Phase(name="floor 1", steps=(Turn(name="a"), Turn(name="c", attempts=2))))
    world = World()
    with pytest.raises(PlanDiffers) as refused:
        run(other, world, journal)
    assert "step 2: attempts was 1 and is now 2; name was 'b' and is now 'c'" in refused.value.message
    assert world.calls == []


def test_steps_of_a_batch_that_depend_on_each_other_are_refused() -> None:
    with pytest.raises(FixInput, match="both change a"):
        batch_of("a", "b", "a")


def test_progress_counts_every_step_of_a_phase_once() -> None:
    plan, world = plan_of(["a", "b"], ["c"]), World({"a": ON})
    seen: list[Progress] = []
    run(plan, world, journal_of(plan), on_progress=seen.append)
    counted = [(each.phase, each.event, each.settled, each.left) for each in seen]
    assert counted == [
        ("floor 1", "found-done", 1, 1),
        ("floor 1", "intent", 1, 1),
        ("floor 1", "done", 2, 0),
        ("floor 2", "intent", 0, 1),
        ("floor 2", "done", 1, 0),
    ]
    assert all(each.elapsed_s > 0 for each in seen)


async def interrupted(
    work: Coroutine[Any, Any, Outcome], world: World, at: Sequence[tuple[str, str]]
) -> None:
    """Ctrl-C, as asyncio.run makes it, while that call is under way."""
    task = asyncio.ensure_future(work)
    while world.calls[-len(at) :] != list(at):
        assert not task.done()
        await asyncio.sleep(0)
    task.cancel()
    await task


@pytest.mark.parametrize("back", [False, True])
def test_ctrl_c_lets_the_step_at_hand_come_to_its_end_and_no_other_begins(back: bool) -> None:
    plan, world = plan_of(["a", "b", "c"]), World()
    journal = journal_of(plan)
    if back:
        run(plan, world, journal)
        work = take_back(plan, world, journal, why="asked", now=Clock().now)
    else:
        work = carry_out(plan, world, journal, now=Clock().now)
    with pytest.raises(Interrupted) as stopped:
        asyncio.run(interrupted(work, world, [("b", "undo" if back else "do")]))
    assert world.switches["b"] == (OFF if back else ON)
    assert told(journal.kept)[-2:] == [f"{'undone' if back else 'done'} 2", "stopped"]
    assert stopped.value.kept.startswith("2 of 3 steps are ")
    assert "`light --undo`" in stopped.value.next_step
    assert isinstance(run(plan, world, journal.reopened()), TakenBack if back else Finished)


def test_ctrl_c_does_not_wait_for_what_only_looks() -> None:
    plan = plan_of(["a", "b"])
    world = World(faults={("b", "check"): ["hangs"]})
    journal = journal_of(plan)
    with pytest.raises(Interrupted):
        asyncio.run(interrupted(carry_out(plan, world, journal, now=Clock().now), world, [("b", "check")]))
    assert told(journal.kept) == ["intent 1", "done 1", "stopped"]


def test_who_asks_twice_does_not_wait_and_the_next_process_asks_the_step() -> None:
    plan = plan_of(["a", "b"])
    world = World(faults={("a", "do"): ["hangs"]})
    journal = journal_of(plan)

    async def asked_twice() -> None:
        task = asyncio.ensure_future(carry_out(plan, world, journal, now=Clock().now))
        while world.calls[-1:] != [("a", "do")]:
            await asyncio.sleep(0)
        task.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        assert not task.done()
        task.cancel()
        await task

    with pytest.raises(Interrupted):
        asyncio.run(asked_twice())
    assert told(journal.kept) == ["intent 1", "stopped"]
    assert isinstance(run(plan, world, journal.reopened()), Finished)


def test_ctrl_c_waits_for_every_step_of_a_batch_that_changes_something() -> None:
    plan, world = plan_of(batch_of(*"abcdef", at_once=3)), World()
    journal = journal_of(plan)
    work = carry_out(plan, world, journal, now=Clock().now)
    with pytest.raises(Interrupted):
        asyncio.run(interrupted(work, world, [("a", "do"), ("b", "do"), ("c", "do")]))
    assert {name for name, state in world.switches.items() if state == ON} == {"a", "b", "c"}
    assert HALF not in world.switches.values()
    assert isinstance(run(plan, world, journal.reopened()), Finished)


def test_a_clock_that_is_set_back_makes_no_negative_times() -> None:
    plan, world = plan_of(["a"]), World()
    journal = journal_of(plan)
    times = iter([BEGAN.replace(year=year) for year in range(2040, 2010, -1)])
    asyncio.run(carry_out(plan, world, journal, now=lambda: next(times)))
    assert [each.took_s for each in journal.kept if isinstance(each, StepRecord)] == [None, 0.0]
