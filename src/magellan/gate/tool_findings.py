"""Tool findings: what ruff, mypy and pytest say, read from their own machine-readable answers."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from xml.etree import ElementTree as Xml

# A comment that switches checks off would be a tolerate switch inside the code that is judged.
_SWITCHED_OFF: Final = re.compile(r"^\s*#\s*(mypy\s*:.*|type:\s*ignore(\[.*\])?\s*$)", re.MULTILINE)


class UnreadableAnswer(Exception):
    """A tool answered in a form that it does not document; what it found is unknown."""


def ruff_findings(stdout: str) -> tuple[str, ...]:
    """Findings of `ruff check --output-format json`, one line each. Raises UnreadableAnswer."""
    try:
        return tuple(_ruff_line(each) for each in json.loads(stdout))
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableAnswer(f"ruff: {error!r}") from None


def _ruff_line(found: dict[str, Any]) -> str:
    name = str(found["filename"]).replace("\\", "/").rpartition("/")[2]
    code = found["code"] or "syntax"
    return f"{name}:{found['location']['row']}: {code} {found['message']}"


def mypy_findings(stdout: str) -> tuple[str, ...]:
    """Errors of `mypy --output json`, one line each. Raises UnreadableAnswer."""
    try:
        rows = [json.loads(line) for line in stdout.splitlines() if line.strip()]
        return tuple(
            f"{row['file']}:{row['line']}: {row['message']}" for row in rows if row["severity"] == "error"
        )
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableAnswer(f"mypy: {error!r}") from None


def switched_off(name: str, source: str) -> tuple[str, ...]:
    """Comments of a whole line that switch type checks off, one line each."""
    return tuple(
        f"{name}:{source.count(chr(10), 0, match.start(1)) + 1}: switches checks off: # {match[1].strip()}"
        for match in _SWITCHED_OFF.finditer(source)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PytestCounts:
    """What a test run came to. Skipped tests, and those expected to fail, passed nothing."""

    passed: int
    failed: int
    errored: int
    skipped: int
    not_passed: tuple[str, ...]  # names, with what went wrong


def pytest_counts(junit_xml: str) -> PytestCounts:
    """Counts of pytest's JUnit XML. Raises UnreadableAnswer."""
    try:
        root = Xml.fromstring(junit_xml)
    except Xml.ParseError as error:
        raise UnreadableAnswer(f"pytest: {error}") from None
    counts = {"passed": 0, "failure": 0, "error": 0, "skipped": 0}
    names = []
    for case in root.iter("testcase"):
        # A test can fail and its tear-down err as well; the worst counts, once.
        worst = next(
            (kind for kind in ("error", "failure", "skipped") if case.find(kind) is not None), "passed"
        )
        counts[worst] += 1
        if worst in ("error", "failure"):
            problem = case.find(worst)
            said = (problem.get("message") or "").strip().splitlines() if problem is not None else []
            names.append(f"{case.get('name')}: {said[0] if said else worst}")
    return PytestCounts(
        passed=counts["passed"],
        failed=counts["failure"],
        errored=counts["error"],
        skipped=counts["skipped"],
        not_passed=tuple(names),
    )


def few(lines: Sequence[str], shown: int = 3) -> str:
    """The first few lines in one, and how many more there are."""
    more = len(lines) - shown
    return "; ".join(lines[:shown]) + (f"; and {more} more" if more > 0 else "")
