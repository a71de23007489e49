"""Work in a process of its own: its answer, its errors, its end."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from magellan.adapters.local.own_process import Report, in_own_process
from magellan.errors import FixInput, TryAgain

# Where a system knows no work that is idle, all work is the same, and only its niceness tells.
POLICY_OF: Callable[[int], int] = getattr(os, "sched_getscheduler", lambda pid: 0)
IDLE: int = getattr(os, "SCHED_IDLE", 0)


@dataclass(frozen=True)
class Work:
    """Does what its name says."""

    name: str

    def __call__(self, report: Report) -> tuple[int, int, int]:
        report("begun", 1.0, 2.0)
        match self.name:
            case "refuses":
                raise FixInput("no bars", next_step="import some")
            case "breaks":
                raise ZeroDivisionError("of something")
            case "dies":
                os.kill(os.getpid(), signal.SIGKILL)
            case "hangs":
                while True:
                    time.sleep(1)
        return os.getpid(), os.nice(0), POLICY_OF(0)


class Seen(Exception):
    """The first report came."""


def ignored(phase: str, done: float, total: float | None) -> None:
    """Nobody is interested."""


def test_work_is_done_elsewhere_gives_way_to_everybody_and_tells_how_far_it_is() -> None:
    told = []
    pid, nice, policy = in_own_process(Work("works"), lambda *report: told.append(report))
    assert pid != os.getpid() and nice > os.nice(0) and policy == IDLE
    assert ("begun", 1.0, 2.0) in told


def test_work_that_others_wait_for_does_not_give_way() -> None:
    _, nice, policy = in_own_process(Work("works"), ignored, gives_way=False)
    assert nice == os.nice(0) and policy == POLICY_OF(0)


def test_what_the_work_refuses_is_refused_with_all_its_words() -> None:
    with pytest.raises(FixInput, match="no bars") as refused:
        in_own_process(Work("refuses"), ignored, gives_way=False)
    assert refused.value.next_step == "import some"


def test_an_error_that_nobody_foresaw_brings_its_traceback() -> None:
    with pytest.raises(RuntimeError) as raised:
        in_own_process(Work("breaks"), ignored, gives_way=False)
    assert "ZeroDivisionError: of something" in raised.value.__notes__[0]


def test_a_process_that_is_killed_is_told_and_not_waited_for() -> None:
    with pytest.raises(TryAgain, match="killed, or out of memory"):
        in_own_process(Work("dies"), ignored, gives_way=False)


def test_work_that_never_ends_is_stopped_as_soon_as_its_report_is_not_wanted() -> None:
    def stop(phase: str, done: float, total: float | None) -> None:
        if phase:
            raise Seen

    with pytest.raises(Seen):
        in_own_process(Work("hangs"), stop, gives_way=False)
