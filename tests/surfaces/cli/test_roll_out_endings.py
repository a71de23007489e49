"""How a roll-out's end is told to a shell: 0 is what was asked for, and nothing else is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import typer

from magellan.plan.carry_out import Finished, Halted, Outcome, TakenBack
from magellan.plan.status import PlanStatus
from magellan.surfaces.cli.deploy_options import show_outcome

NOON = datetime(2026, 1, 20, 17, 0, tzinfo=UTC)
STATUS = PlanStatus(
    name="deploy moods-2 to test", subject="test/moods", word="", why="", by="jane", begun_at=NOON, last_at=NOON,
    next_step="", phases=(),
)  # fmt: skip
DONE = Finished(status=STATUS)
BACK = TakenBack(status=STATUS, why="asked for")
HALTED = Halted(status=STATUS, why="the host is away", stands="the host is away", next_step="undo it")


def code_of(outcome: Outcome, *, asked_back: bool) -> int:
    try:
        show_outcome(outcome, {}, as_json=True, was_asked_back=asked_back)
    except typer.Exit as ended:
        return ended.exit_code
    return 0


@pytest.mark.parametrize(
    ("outcome", "asked_back", "code"),
    [(DONE, False, 0), (BACK, False, 1), (HALTED, False, 1), (BACK, True, 0), (HALTED, True, 1)],
    ids=["done", "taken back by itself", "halted", "taken back as asked", "halted on the way back"],
)
def test_a_shell_hears_0_for_what_was_asked_for_alone(outcome: Outcome, asked_back: bool, code: int) -> None:
    assert code_of(outcome, asked_back=asked_back) == code
