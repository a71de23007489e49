"""Real processes are killed at every change of the disk, and new ones go on with the journal that they left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


def campaign(folder: Path, what: str, then: str) -> int:
    """How many processes were killed. Fails where a tree is neither what it was nor what it should become."""
    done = subprocess.run(
        [sys.executable, TESTS / "plan/kill_lab.py", folder, what, then],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["wrong"] == []
    return int(told["kills"])


@pytest.mark.parametrize("then", ["resume", "undo"])
def test_a_process_killed_at_any_change_of_the_disk_leaves_what_the_next_one_goes_on_with(
    tmp_path: Path, then: str
) -> None:
    assert campaign(tmp_path, "begin", then) > 100


def test_a_way_back_killed_at_any_change_of_the_disk_is_gone_to_its_end(tmp_path: Path) -> None:
    assert campaign(tmp_path, "undo", "either") > 80
