"""Migrations killed at changes of the disk, and what new processes make of the trees.

A part of the campaign. All of it, over random trees, until ten thousand were killed:

    PYTHONPATH=tests python tests/migration/kill_lab.py FOLDER both --kills 10000
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("what", "more", "kills_min"),
    [
        ("begin", ("--every", "5"), 25),
        ("undo", ("--every", "19"), 5),
        ("both", ("--git", "--every", "97"), 4),
        ("both", ("--merge", "--every", "29"), 5),
    ],
)
def test_a_migration_killed_anywhere_ends_where_it_began_or_where_it_was_going(
    tmp_path: Path, what: str, more: tuple[str, ...], kills_min: int
) -> None:
    done = subprocess.run(
        [sys.executable, TESTS / "migration/kill_lab.py", tmp_path, what, *more],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["wrong"] == []
    assert told["kills"] >= kills_min
