"""Code evidence: what ruff, mypy and the strategy's own tests say about its folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from magellan.gate.evidence import Evidence, Kind, Measured, Unmeasured
from magellan.gate.tool_findings import (
    UnreadableAnswer,
    few,
    mypy_findings,
    pytest_counts,
    ruff_findings,
    switched_off,
)
from magellan.gate.unchecked_tests import unchecked_tests
from magellan.ports.tool import ToolRun, Tools
from magellan.usecases.gate_evidence.examination import Examination, judged_files
from magellan.workspace.workspace import StrategyFolder

LINT_TIMEOUT_S: Final = 60.0
TYPES_TIMEOUT_S: Final = 300.0
TESTS_TIMEOUT_S: Final = 600.0

# Rules whose findings are mistakes and not taste: syntax, undefined and unused names, errors, likely bugs.
LINT_RULES: Final = "E9,F,PLE,B0"


def lint_evidence(of: Examination, tools: Tools) -> Evidence:
    """What ruff finds in the folder. Comments that silence it, and settings of the folder, do not count."""
    python = [path for path in judged_files(of.folder) if path.suffix == ".py"]
    version = tools.version("ruff")
    if version is None:
        return of.evidence(Kind.LINT, "ruff", {"lint_findings": _absent("ruff")})
    arguments = [
        "check", "--isolated", "--no-cache", "--ignore-noqa", "--no-respect-gitignore", "--select", LINT_RULES,
        "--target-version", "py311", "--output-format", "json", *_names(python, of.folder),
    ]  # fmt: skip
    done = tools.run("ruff", arguments, folder=of.folder.path, timeout_s=LINT_TIMEOUT_S)
    source = f"ruff {version}"
    if done.exit_code not in (0, 1):
        return of.evidence(Kind.LINT, source, {}, _failed("ruff", done, LINT_TIMEOUT_S))
    try:
        found = ruff_findings(done.stdout)
    except UnreadableAnswer as error:
        return of.evidence(Kind.LINT, source, {}, str(error))
    measured = Measured(value=len(found), sample=len(python), sample_of="files", detail=few(found))
    return of.evidence(Kind.LINT, source, {"lint_findings": measured})


def types_evidence(of: Examination, tools: Tools, cache_folder: Path) -> Evidence:
    """What mypy finds in the Python files beside strategy.py. Comments that switch it off are findings.

    cache_folder: for what mypy remembers between two runs.
    """
    python = [
        path for path in judged_files(of.folder) if path.suffix == ".py" and path.parent == of.folder.path
    ]
    version = tools.version("mypy")
    if version is None:
        return of.evidence(Kind.TYPES, "mypy", {"type_errors": _absent("mypy")})
    arguments = [
        "--config-file=", "--output=json", "--no-error-summary", "--check-untyped-defs", "--warn-unused-ignores",
        "--enable-error-code=ignore-without-code", "--follow-imports=silent", "--ignore-missing-imports",
        f"--cache-dir={cache_folder / 'mypy'}", *_names(python, of.folder),
    ]  # fmt: skip
    done = tools.run("mypy", arguments, folder=of.folder.path, timeout_s=TYPES_TIMEOUT_S)
    source = f"mypy {version}"
    if done.exit_code not in (0, 1):
        return of.evidence(Kind.TYPES, source, {}, _failed("mypy", done, TYPES_TIMEOUT_S))
    try:
        found = list(mypy_findings(done.stdout))
    except UnreadableAnswer as error:
        return of.evidence(Kind.TYPES, source, {}, str(error))
    for path in python:
        found += switched_off(path.name, path.read_text(encoding="utf-8", errors="replace"))
    measured = Measured(value=len(found), sample=len(python), sample_of="files", detail=few(found))
    return of.evidence(Kind.TYPES, source, {"type_errors": measured})


def tests_evidence(of: Examination, tools: Tools) -> Evidence:
    """What the strategy's own tests come to. Settings and plug-ins of the folders above it do not count."""
    version = tools.version("pytest")
    if version is None:
        names = ("tests_passed", "tests_failed", "tests_errored", "tests_without_check")
        return of.evidence(Kind.TESTS, "pytest", {name: _absent("pytest") for name in names})
    source = f"pytest {version}"
    if not of.folder.tests_folder.is_dir():
        none = Measured(value=0, sample=0, sample_of="tests", detail="there is no folder tests/")
        names = ("tests_passed", "tests_failed", "tests_errored", "tests_without_check")
        return of.evidence(Kind.TESTS, source, dict.fromkeys(names, none))
    with tempfile.TemporaryDirectory(prefix="magellan-gate-") as scratch:
        answer = Path(scratch) / "junit.xml"
        root = of.folder.path
        arguments = [
            str(of.folder.tests_folder), "-q", "-c", os.devnull, f"--rootdir={root}", f"--confcutdir={root}",
            "-p", "no:cacheprovider", "--import-mode=importlib", f"--junitxml={answer}", f"--basetemp={scratch}/tests",
        ]  # fmt: skip
        done = tools.run("pytest", arguments, folder=of.folder.path, timeout_s=TESTS_TIMEOUT_S)
        # 5: nothing was collected. 2: a file could not be collected, which the answer tells as an error.
        if done.exit_code not in (0, 1, 2, 5) or not answer.is_file():
            return of.evidence(Kind.TESTS, source, {}, _failed("pytest", done, TESTS_TIMEOUT_S))
        try:
            counts = pytest_counts(answer.read_text(encoding="utf-8"))
            unchecked = _unchecked(of.folder)
        except UnreadableAnswer as error:
            return of.evidence(Kind.TESTS, source, {}, str(error))
    if done.exit_code == 2 and counts.errored == 0:
        return of.evidence(Kind.TESTS, source, {}, _failed("pytest", done, TESTS_TIMEOUT_S))
    skipped = f"{counts.skipped} more were skipped, which proves nothing" if counts.skipped else ""
    total = counts.passed + counts.failed + counts.errored
    wrong = few(counts.not_passed)
    return of.evidence(
        Kind.TESTS,
        source,
        {
            "tests_passed": Measured(value=counts.passed, sample=total, sample_of="tests", detail=skipped),
            "tests_failed": Measured(value=counts.failed, sample=total, sample_of="tests", detail=wrong),
            "tests_errored": Measured(value=counts.errored, sample=total, sample_of="tests", detail=wrong),
            "tests_without_check": Measured(
                value=len(unchecked), sample=total, sample_of="tests", detail=few(unchecked)
            ),
        },
    )


def _unchecked(folder: StrategyFolder) -> list[str]:
    found: list[str] = []
    for path in sorted(folder.tests_folder.rglob("*.py")):
        if path.name.startswith("test_") or path.stem.endswith("_test"):
            try:
                found += unchecked_tests(path.name, path.read_text(encoding="utf-8", errors="replace"))
            except SyntaxError:
                # pytest could not read it either, and has counted it among the errors.
                continue
    return found


def _names(paths: Sequence[Path], folder: StrategyFolder) -> list[str]:
    return [str(path.relative_to(folder.path)) for path in paths]


def _absent(tool: str) -> Unmeasured:
    return Unmeasured(f"{tool} is not installed; install it beside magellan: pip install {tool}")


def _failed(tool: str, done: ToolRun, timeout_s: float) -> str:
    if done.exit_code is None:
        return f"{tool} did not finish in {timeout_s:.0f} s and was stopped"
    last = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()][-1:]
    return f"{tool} ended with {done.exit_code}{f': {last[0]}' if last else ''}"
