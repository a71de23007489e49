"""Whatever is killed when, the next process goes on to the end or back to the beginning. The engine alone, in memory.

`test_kills_of_processes.py` says the same of real processes, files and journals.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from magellan.plan.carry_out import Finished, Halted, Outcome, TakenBack, carry_out, take_back
from magellan.plan.plan import OnFailure, Phase, Plan
from magellan.plan.records import Aim, Event, StepRecord
from magellan.plan.standing import JournalState
from plan.memory import (
    HALF,
    INTENTS,
    LOST,
    OFF,
    ON,
    Clock,
    Killed,
    MemoryJournal,
    Turn,
    World,
    batch_of,
    journal_of,
    plan_of,
)

GoOn = Callable[[Plan[World], World, MemoryJournal], Outcome]


def forward(plan: Plan[World], world: World, journal: MemoryJournal) -> Outcome:
    return asyncio.run(carry_out(plan, world, journal, now=Clock().now))


def back(plan: Plan[World], world: World, journal: MemoryJournal) -> Outcome:
    return asyncio.run(take_back(plan, world, journal, why="asked", now=Clock().now))


def killed(work: GoOn, plan: Plan[World], world: World, journal: MemoryJournal) -> bool:
    """Whether it was killed before it came to an end."""
    try:
        work(plan, world, journal)
    except Killed:
        return True
    finally:
        world.changes_until_kill = journal.appends_until_kill = None
    return False


def every_kill(work: GoOn, plan: Plan[World], begun: Callable[[], tuple[World, MemoryJournal]]) -> list:
    """The world and the journal as a kill leaves them: one before every change, and one before every record."""
    left = []
    for what in ("changes", "appends"):
        count = 0
        while True:
            world, journal = begun()
            if what == "changes":
                world.changes_until_kill = count
            else:
                journal.appends_until_kill = count
            if not killed(work, plan, world, journal):
                break
            left.append((world, journal))
            count += 1
    return left


def is_whole(plan: Plan[World], world: World, outcome: Outcome) -> bool:
    end = ON if isinstance(outcome, Finished) else OFF
    return {world.switches.get(name, OFF) for name in names_of(plan)} == {end}


def names_of(plan: Plan[World]) -> list[str]:
    return [step.name for step in plan.steps if isinstance(step, Turn)]


PLAN = plan_of(
    ["a", "b"], batch_of("c", "d", "e"), batch_of("f", "g", "h", name="settled", settles=True), ["i"]
)


@pytest.mark.parametrize("power_cut", [False, True], ids=["kill", "power cut"])
@pytest.mark.parametrize("go_on", [forward, back])
def test_a_plan_that_was_killed_anywhere_is_finished_or_taken_back(go_on: GoOn, power_cut: bool) -> None:
    left = every_kill(forward, PLAN, lambda: (World(), journal_of(PLAN)))
    assert len(left) > 30
    for world, journal in left:
        if power_cut:
            journal.power_cut()
        outcome = go_on(PLAN, world, journal.reopened())
        assert isinstance(outcome, Finished if go_on is forward else TakenBack)
        assert is_whole(PLAN, world, outcome)


@pytest.mark.parametrize("power_cut", [False, True], ids=["kill", "power cut"])
def test_a_way_back_that_was_killed_anywhere_is_gone_to_its_end(power_cut: bool) -> None:
    def begun() -> tuple[World, MemoryJournal]:
        world, journal = World(), journal_of(PLAN)
        forward(PLAN, world, journal)
        return world, journal.reopened()

    left = every_kill(back, PLAN, begun)
    assert len(left) > 30
    for world, journal in left:
        if power_cut:
            journal.power_cut()
        turned = JournalState(journal.kept).aim is Aim.UNDO
        outcome = forward(PLAN, world, journal.reopened())
        assert isinstance(outcome, TakenBack if turned else Finished)
        assert is_whole(PLAN, world, outcome)


def test_a_plan_that_is_killed_again_and_again_comes_to_its_end() -> None:
    world, journal = World(), journal_of(PLAN)
    kills = 0
    while True:
        world.changes_until_kill = 2  # one whole step
        if not killed(forward, PLAN, world, journal):
            break
        kills += 1
        journal = journal.reopened()
    assert kills == 8  # the ninth step is the last
    assert is_whole(PLAN, world, forward(PLAN, world, MemoryJournal(kept=journal.kept)))


FAULTS = {
    "check": ["refused", "busy", "hangs", "defect"],
    "do": ["refused", "busy", "hangs", "half", "lost reply", "lost", "no effect", "defect"],
    "verify": ["no"],
    "undo": ["refused", "busy", "hangs", "half", "lost reply", "lost", "no effect", "defect"],
    "settle": ["refused", "busy", "hangs"],
}


@st.composite
def plans(draw: st.DrawFn) -> Plan[World]:
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    phases = []
    for number, size in enumerate(sizes):
        is_batch = draw(st.booleans())
        phases.append(
            Phase(
                name=f"phase {number}",
                steps=tuple(
                    Turn(
                        name=f"{number}.{at}",
                        attempts=draw(st.integers(1, 2)),
                        timeout_s=0.001,
                        settles=draw(st.booleans()),
                    )
                    for at in range(size)
                ),
                batch=is_batch,
                at_once=draw(st.integers(1, 3)) if is_batch else 1,
            )
        )
    return plan_of(*phases, on_failure=draw(st.sampled_from(OnFailure)))


@given(data=st.data(), plan=plans())
@hypothesis_settings(max_examples=100)
def test_whatever_fails_and_is_killed_a_plan_ends_whole_or_says_what_stands(
    data: st.DataObject, plan: Plan[World]
) -> None:
    names = names_of(plan)
    world, journal = World(), journal_of(plan)
    world.switches = dict.fromkeys(data.draw(st.sets(st.sampled_from(names))), ON)
    found_on = set(world.switches)
    for name in data.draw(st.lists(st.sampled_from(names), max_size=3)):
        call = data.draw(st.sampled_from(list(FAULTS)))
        world.faults[name, call] = data.draw(st.lists(st.sampled_from(FAULTS[call]), min_size=1, max_size=2))

    for _ in range(12):
        if data.draw(st.booleans()):
            world.changes_until_kill = data.draw(st.integers(0, 4))
        elif data.draw(st.booleans()):
            journal.appends_until_kill = data.draw(st.integers(0, 6))
        work = data.draw(st.sampled_from((forward, back)))
        outcome = None
        try:
            outcome = work(plan, world, journal)
        except (Killed, KeyError):
            pass
        finally:
            world.changes_until_kill = journal.appends_until_kill = None
        if data.draw(st.booleans()):
            journal.power_cut()
        # What the records say again is what this process said.
        state = JournalState(journal.kept)
        every_change_was_announced(journal, world)
        if isinstance(outcome, Finished):
            assert {world.switches[name] for name in names} == {ON}
        if isinstance(outcome, TakenBack):
            assert {name for name in names if world.switches.get(name, OFF) != OFF} <= found_on
        if isinstance(outcome, Halted):
            standing = {name for name in names if world.switches.get(name, OFF) != OFF} - found_on
            assert {f"turn {name} on" for name in standing} <= set(outcome.stands)
        if state.ending is not None:
            break
        # A person repairs what does not answer, and nobody else does anything.
        for name, is_at in world.switches.items():
            if is_at == LOST:
                world.switches[name] = data.draw(st.sampled_from((OFF, HALF, ON)))
        journal = journal.reopened()
    world.faults.clear()
    if JournalState(journal.kept).ending is None:
        outcome = forward(plan, world, journal.reopened())
        assert not isinstance(outcome, Halted)
        left_on = {name for name in names if world.switches.get(name, OFF) != OFF}
        assert left_on == set(names) if isinstance(outcome, Finished) else left_on <= found_on
    assert HALF not in world.switches.values()


def every_change_was_announced(journal: MemoryJournal, world: World) -> None:
    """No step was done without its intent, nor undone without that of undoing it."""
    announced = {"do": set(), "undo": set()}
    for record in journal.kept:
        if isinstance(record, StepRecord) and record.event in INTENTS:
            announced["do" if record.event is Event.INTENT else "undo"].add(record.step)
    steps = JournalState(journal.kept).plan.steps
    numbers = {step.fields["name"]: step.number for step in steps}
    for name, call in world.calls:
        if call in announced:
            assert numbers[name] in announced[call], f"{call} of {name} was not announced"
