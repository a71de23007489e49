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
    assert re.search(r'^"\$\{as_user\[@\]\}" make check\b', script, re.MULTILINE), (
        "as most will run it: not as root"
    )
    assert re.search(r"^make demo\b", script, re.MULTILINE)


def ci_with(make: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run .ci/run where `make` is this shell script, and whatever the lab needs is there."""
    script = (ROOT / ".ci/run").read_text()
    for tool in ("make", "initdb", *re.findall(r"^need (\w+)", script, re.MULTILINE)):
        (folder / tool).write_text(f"#!/bin/sh\n{make if tool == 'make' else 'exit 1'}\n")
        (folder / tool).chmod(0o755)
    return subprocess.run(
        [ROOT / ".ci/run"],
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_ci_ends_with_the_line_in_which_pytest_sums_up(tmp_path: Path) -> None:
    summary = "=========== 3 passed, 1 skipped in 0.12s ==========="
    done = ci_with(f'[ "$1" = check ] && echo "{summary}" || echo demo', tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == summary
    assert "demo" in done.stdout


def test_ci_fails_with_the_first_failure_and_goes_no_further(tmp_path: Path) -> None:
    done = ci_with('echo "called: $1"; exit 2', tmp_path)
    assert done.returncode == 2
    assert "called: check" in done.stdout
    assert "called: demo" not in done.stdout


def test_ci_fails_when_the_demo_fails(tmp_path: Path) -> None:
    assert ci_with('[ "$1" = check ]', tmp_path).returncode != 0


def test_no_check_can_be_tolerated() -> None:
    recipes = "\n".join(line for line in MAKEFILE.splitlines() if line.startswith("\t"))
    tolerant = [
        line for line in recipes.splitlines() if re.search(r"\|\| true|^\t@?-(?!-)|; true|--exit-zero", line)
    ]
    # Cleaning up may find nothing to clean.
    assert [line for line in tolerant if "__pycache__" not in line] == []
