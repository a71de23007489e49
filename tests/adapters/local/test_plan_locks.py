"""A lock says who holds it, and who died with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from magellan.adapters.local.plan_locks import PlanLockFiles
from magellan.plan.actor import Actor
from magellan.ports.plan_lock import Holder, PlanHeld
from plan.memory import BEGAN, SOMEBODY

TESTS = Path(__file__).parents[2]
HOLDER = Holder(by=SOMEBODY, since=BEGAN, what="light the house")
OTHER = Holder(
    by=Actor(person="bob", host="desk", pid=200), since=BEGAN + timedelta(hours=1), what="paint it"
)

HOLD_FOR_EVER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from adapters.local.test_plan_locks import HOLDER
from magellan.adapters.local.plan_locks import PlanLockFiles
with PlanLockFiles(Path(sys.argv[1])).hold("house", HOLDER):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_that_is_held_is_refused_and_its_holder_named(tmp_path: Path) -> None:
    locks = PlanLockFiles(tmp_path)
    with locks.hold("house", HOLDER) as dead:
        assert dead is None
        assert locks.holder("house") == HOLDER
        with pytest.raises(PlanHeld) as refused, locks.hold("house", OTHER):
            raise AssertionError("both hold it")
        assert refused.value.message == (
            "house is being changed by ada (process 100 on desk), since 2026-01-20 14:30:00 UTC: light the house"
        )
        assert locks.holder("house") == HOLDER
    assert locks.holder("house") is None


def test_different_subjects_do_not_wait_for_each_other(tmp_path: Path) -> None:
    locks = PlanLockFiles(tmp_path)
    with locks.hold("prod/house", HOLDER), locks.hold("prod%2Fhouse", OTHER):
        assert (locks.holder("prod/house"), locks.holder("prod%2Fhouse")) == (HOLDER, OTHER)


@pytest.mark.parametrize("how", [signal.SIGKILL, None], ids=["killed", "in order"])
def test_a_lock_outlives_nobody_and_tells_who_died_with_it(
    tmp_path: Path, how: signal.Signals | None
) -> None:
    locks = PlanLockFiles(tmp_path)
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD_FOR_EVER, tmp_path, TESTS],
        env=dict(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        assert child.stdout is not None and child.stdin is not None
        assert child.stdout.readline() == b"held\n"
        assert locks.holder("house") == HOLDER
        with pytest.raises(PlanHeld), locks.hold("house", OTHER):
            raise AssertionError("both hold it")
        if how is not None:
            child.send_signal(how)
    assert locks.holder("house") is None
    with locks.hold("house", OTHER) as dead:
        assert dead == (HOLDER if how is signal.SIGKILL else None)


def test_a_name_that_is_not_whole_is_no_name(tmp_path: Path) -> None:
    locks = PlanLockFiles(tmp_path)
    with locks.hold("house", HOLDER):
        (file,) = tmp_path.iterdir()
        file.write_bytes(file.read_bytes()[:20])
        assert locks.holder("house") is None
        unnamed = pytest.raises(PlanHeld, match="another process, which has not written its name yet")
        with unnamed, locks.hold("house", OTHER):
            raise AssertionError("both hold it")


def test_somebody_who_only_looks_keeps_nobody_from_the_lock(tmp_path: Path) -> None:
    locks, is_over = PlanLockFiles(tmp_path), threading.Event()

    def look() -> None:
        while not is_over.is_set():
            locks.holder("house")

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(100):
            with locks.hold("house", HOLDER):
                pass
    finally:
        is_over.set()
        looking.join()
