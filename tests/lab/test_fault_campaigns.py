"""Some cells of the fault campaigns. `benchmarks/faults` has all of them, at every target."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def ended(tmp_path: Path, campaign: str, *words: str) -> dict[str, str]:
    """How each cell ended, by its name."""
    kept = tmp_path / "cells.jsonl"
    command = [sys.executable, "-m", campaign, *words, "--kept", str(kept)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    cells = [json.loads(line) for line in kept.read_text().splitlines()]
    assert all(each["met"] for each in cells)
    return {each["cell"]: each["how"] for each in cells}


def test_a_killed_promotion_and_a_killed_roll_back_end_whole_and_the_audit_log_says_which(
    tmp_path: Path,
) -> None:
    wanted = {
        "promote: killed after, undone, at put 1": "old",
        "rollback: killed after, resumed, at arm 1": "new",
    }
    only = [word for each in wanted for word in ("--only", each)]
    assert ended(tmp_path, "benchmarks.faults", "--target", "local", *only) == wanted


@pytest.mark.skipif(shutil.which("restic") is None, reason="no restic: apt-get install restic (.ci/run does)")
def test_a_backup_that_was_killed_once_it_was_made_is_told_as_made_while_a_session_trades_on(
    tmp_path: Path,
) -> None:
    wanted = {"backup: killed after, at remembered": "made"}
    assert ended(tmp_path, "benchmarks.faults.backups", "--to", "folder", "--only", *wanted) == wanted
