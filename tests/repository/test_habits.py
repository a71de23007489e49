"""The Makefile and what CI runs."""

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()


def test_make_lists_every_habit_with_one_line_each() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (phony,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    for habit in phony.split():
        if not habit.startswith("setup-"):
            assert re.search(rf"^  make {habit} +\S", listed, re.MULTILINE), habit


def test_ci_runs_every_check_and_the_demo() -> None:
    script = (ROOT / ".ci/run").read_text()
    assert os.access(ROOT / ".ci/run", os.X_OK)
    assert "set -euo pipefail" in script
    assert re.search(r"^make check\b", script, re.MULTILINE)
    assert re.search(r"^make demo\b", script, re.MULTILINE)


def test_no_check_can_be_tolerated() -> None:
    recipes = "\n".join(line for line in MAKEFILE.splitlines() if line.startswith("\t"))
    tolerant = [
        line for line in recipes.splitlines() if re.search(r"\|\| true|^\t@?-(?!-)|; true|--exit-zero", line)
    ]
    # Cleaning up may find nothing to clean.
    assert [line for line in tolerant if "__pycache__" not in line] == []
