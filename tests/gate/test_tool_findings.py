"""What ruff, mypy and pytest answer is read exactly, or not at all."""

import json

import pytest

from magellan.gate.tool_findings import (
    UnreadableAnswer,
    few,
    mypy_findings,
    pytest_counts,
    ruff_findings,
    switched_off,
)

RUFF = json.dumps(
    [
        {
            "code": "F401",
            "message": "`os` imported but unused",
            "filename": "/w/strategy.py",
            "location": {"row": 3},
        },
        {"code": None, "message": "Expected a name", "filename": "strategy.py", "location": {"row": 9}},
    ]
)
MYPY = (
    '{"file": "strategy.py", "line": 12, "column": 4, "message": "Incompatible types", "hint": null, '
    '"code": "assignment", "severity": "error"}\n'
    '{"file": "strategy.py", "line": 12, "column": 4, "message": "See the docs", "hint": null, '
    '"code": null, "severity": "note"}\n'
)
PYTEST = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" errors="1" failures="1" skipped="2" tests="6">
<testcase classname="test_rules" name="test_good" time="0.1"/>
<testcase classname="test_rules" name="test_bad"><failure message="assert 1 == 2&#10;more">...</failure></testcase>
<testcase classname="test_rules" name="test_skipped"><skipped type="pytest.skip" message="no data"/></testcase>
<testcase classname="test_rules" name="test_expected_to_fail"><skipped type="pytest.xfail" message=""/></testcase>
<testcase classname="test_rules" name="test_worse"><failure message="first"/><error message="tear-down"/></testcase>
<testcase classname="test_rules" name="test_other" time="0.1"><system-out>hello</system-out></testcase>
</testsuite></testsuites>
"""


def test_ruffs_findings_are_told_with_file_line_and_rule() -> None:
    assert ruff_findings(RUFF) == (
        "strategy.py:3: F401 `os` imported but unused",
        "strategy.py:9: syntax Expected a name",
    )
    assert ruff_findings("[]") == ()


def test_mypys_errors_are_told_and_its_notes_are_not() -> None:
    assert mypy_findings(MYPY) == ("strategy.py:12: Incompatible types",)
    assert mypy_findings("") == ()


def test_pytests_answer_is_counted_and_a_skipped_test_has_not_passed() -> None:
    counts = pytest_counts(PYTEST)
    assert (counts.passed, counts.failed, counts.errored, counts.skipped) == (2, 1, 1, 2)
    assert counts.not_passed == ("test_bad: assert 1 == 2", "test_worse: tear-down")


@pytest.mark.parametrize(
    ("read", "answer"),
    [
        (ruff_findings, ""),
        (ruff_findings, "error: no such option"),
        (ruff_findings, '[{"code": "F401"}]'),
        (ruff_findings, "3"),
        (mypy_findings, "strategy.py: error: something"),
        (mypy_findings, "[]"),
        (pytest_counts, ""),
        (pytest_counts, "<testsuites>"),
    ],
)
def test_an_answer_that_cannot_be_read_is_never_read_as_no_findings(read, answer: str) -> None:
    with pytest.raises(UnreadableAnswer):
        read(answer)


@pytest.mark.parametrize(
    "comment",
    [
        "# mypy: ignore-errors",
        "#mypy: disable-error-code=assignment",
        "  # type: ignore",
        "# type: ignore[misc]",
    ],
)
def test_a_comment_that_switches_checks_off_is_a_finding(comment: str) -> None:
    (found,) = switched_off("strategy.py", f'"""Rules."""\n\n{comment}\nx = 1\n')
    assert found.startswith("strategy.py:3: switches checks off: # ")


def test_a_comment_on_one_line_of_code_is_not() -> None:
    assert switched_off("strategy.py", "x = load()  # type: ignore[no-any-return]\n# about mypy\n") == ()


def test_a_few_of_many_are_told_with_the_number_of_the_rest() -> None:
    assert few(["a", "b"]) == "a; b"
    assert few(["a", "b", "c", "d", "e"]) == "a; b; c; and 2 more"
