"""A disk that runs full while a migration is applied or taken back: a real one, small, mounted for one process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PATIENCE_S = 600  # the only clock here: what runs full, and when, does not depend on how busy the machine is
ALONE = ("unshare", "--user", "--map-root-user", "--mount")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("disk")
    mount = ("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place))
    try:
        subprocess.run([*ALONE, *mount], check=True, capture_output=True, timeout=PATIENCE_S)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this system lets a user mount no disk of his own (unshare --user --mount)")
    return place


@pytest.mark.parametrize(
    ("what", "more", "times_min"),
    [("begin", ("--every", "2"), 7), ("begin", ("--git", "--every", "7"), 5), ("undo", ("--git",), 2)],
)
def test_a_full_disk_is_told_and_once_there_is_room_it_ends_where_it_began_or_was_going(
    folder: Path, what: str, more: tuple[str, ...], times_min: int
) -> None:
    done = subprocess.run(
        [*ALONE, sys.executable, TESTS / "migration/full_disk_lab.py", folder, what, *more],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["wrong"] == []
    assert found["times_full"] >= times_min
    assert all("full" in words or "space" in words or "couldn't write" in words for words in found["told"])
    # Once a plan is in its journal, the same command would be refused: the ones that go on are named.
    assert "--git" in more or any(
        "`magellan migrate apply --resume .` goes on" in words for words in found["told"]
    )
