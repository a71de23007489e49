"""A project's own tests, run by its own interpreter in a copy of it."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as Xml

from magellan.migration.verify.comparison import SuiteRun

_DID_NOT_RUN: Final = (3, 4)  # an error of pytest's own; a path or an option that is not there


def run_tests(
    folder: Path, *, python: str, arguments: Sequence[str], source_roots: Sequence[str], timeout_s: float
) -> SuiteRun:
    """Run `python -m pytest arguments` there, with a home folder of its own and none of our settings."""
    with tempfile.TemporaryDirectory(prefix="magellan-tests-") as home:
        report = Path(home) / "report.xml"
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": home,
            "LC_ALL": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join(str(folder / root) for root in source_roots),
        }
        words = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *arguments]
        try:
            done = subprocess.run(
                words,
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return SuiteRun(outcomes={}, problem=f"the tests took longer than {timeout_s:.0f} s")
        except OSError as error:
            return SuiteRun(outcomes={}, problem=f"{python} cannot be started: {error.strerror}")
        if not report.exists() or done.returncode in _DID_NOT_RUN:
            lines = (done.stdout + done.stderr).strip().splitlines() or ["it said nothing"]
            why = next((each for each in lines if each.startswith("ERROR: ")), lines[-1])
            return SuiteRun(outcomes={}, problem=f"pytest ended with {done.returncode}: {why}")
        return SuiteRun(outcomes=_outcomes(report))


def _outcomes(report: Path) -> dict[str, str]:
    found = {}
    for case in Xml.parse(report).iter("testcase"):
        kinds = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        found[f"{case.get('classname')}::{case.get('name')}"] = kinds[0] if kinds else "passed"
    return found
