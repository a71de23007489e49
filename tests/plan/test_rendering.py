"""What people read: a plan as text, as a Markdown checklist, as JSON."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

from magellan.plan.carry_out import carry_out
from magellan.plan.plan import OnFailure, Phase
from magellan.plan.preview import preview
from magellan.plan.rendering import as_checklist, as_json, as_text
from magellan.plan.status import status_of
from plan.memory import Clock, Turn, World, batch_of, journal_of, plan_of


def halted_records():
    plan = plan_of(["cellar", "hall"], batch_of("attic", "roof"), on_failure=OnFailure.KEEP)
    world = World({"cellar": "on"}, faults={("attic", "do"): ["refused"]})
    journal = journal_of(plan)
    asyncio.run(carry_out(plan, world, journal, now=Clock().now))
    return journal.kept


def test_a_plan_that_stopped_as_text() -> None:
    assert (
        as_text(status_of(halted_records()))
        == """\
light the house: stopped
  begun 2026-01-20 14:30:00 UTC, last heard of 2026-01-20 14:30:01 UTC, by ada (process 100 on desk)
  why: step 3, turn attic on: attic refuses
  next: `light --resume` goes on with it; `light --undo` takes it back

floor 1  2 of 2, 100 ms
     1  found done  turn cellar on
     2  done        turn hall on, 100 ms

batch  0 of 2, 100 ms
     3  failed      turn attic on, 100 ms: attic refuses
     4  doing       turn roof on
"""
    )


def test_a_plan_that_stopped_as_a_checklist() -> None:
    assert (
        as_checklist(status_of(halted_records()))
        == """\
# light the house

Status: **stopped**

begun 2026-01-20 14:30:00 UTC, last heard of 2026-01-20 14:30:01 UTC, by ada (process 100 on desk)

why: step 3, turn attic on: attic refuses

next: `light --resume` goes on with it; `light --undo` takes it back

## floor 1 (2 of 2, 100 ms)

- [x] 1. turn cellar on (found done)
- [x] 2. turn hall on, 100 ms (done)

## batch (0 of 2, 100 ms)

- [ ] 3. turn attic on, 100 ms: attic refuses (failed)
- [ ] 4. turn roof on (doing)
"""
    )


def test_a_plan_as_json_says_everything_that_the_text_says() -> None:
    told = as_json(status_of(halted_records()))
    assert json.loads(json.dumps(told)) == told
    assert (told["status"], told["begun_at"]) == ("stopped", "2026-01-20T14:30:00+00:00")
    assert [(phase["name"], phase["settled"], phase["left"]) for phase in told["phases"]] == [
        ("floor 1", 2, 0),
        ("batch", 0, 2),
    ]
    assert told["phases"][1]["steps"][0] == {
        "number": 3,
        "title": "turn attic on",
        "status": "failed",
        "is_settled": False,
        "note": "attic refuses",
        "took_s": 0.1,
    }


def test_a_dry_run_as_text() -> None:
    plan = plan_of(["cellar", "hall", "attic", "roof"])
    world = World({"cellar": "on", "attic": "painted over", "roof": "lost"})
    assert (
        as_text(asyncio.run(preview(plan, world)).status)
        == """\
light the house: dry run

floor 1  1 of 4
     1  done already    turn cellar on
     2  would be done   turn hall on
     3  cannot be done  turn attic on: attic is painted over
     4  not known       turn roof on: roof does not answer
"""
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Named(Turn):
    @property
    def title(self) -> str:
        return self.name


def test_what_came_from_outside_cannot_draw_lines_or_boxes_of_its_own() -> None:
    name = "x\n- [x] 2. all is well\x1b[2J\udcff"
    plan = plan_of(Phase(name="house", steps=(Named(name=name),)))
    status = asyncio.run(preview(plan, World())).status
    for text in (as_text(status), as_checklist(status)):
        (line,) = (each for each in text.splitlines() if "all is well" in each)
        assert line.isprintable()
        assert text.encode()
