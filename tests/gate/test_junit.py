"""A verdict as JUnit XML, as CI systems read it."""

from dataclasses import replace
from datetime import timedelta
from xml.etree import ElementTree as Xml

import pytest

from magellan.gate.criteria import CRITERIA
from magellan.gate.evidence import Kind, Measured
from magellan.gate.junit import junit_xml

from .conftest import Case

# From the schema that CI systems agree on: element -> (attributes it must have, children in their order).
SCHEMA = {
    "testsuites": ({"name", "tests", "failures", "errors", "time"}, ["testsuite"]),
    "testsuite": (
        {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"},
        ["properties", "testcase", "system-out"],
    ),
    "properties": (set(), ["property"]),
    "property": ({"name", "value"}, []),
    "testcase": ({"name", "classname", "time"}, ["error", "failure", "system-out"]),
    "failure": ({"type", "message"}, []),
    "error": ({"type", "message"}, []),
    "system-out": (set(), []),
}


def parsed(case: Case) -> Xml.Element:
    return Xml.fromstring(junit_xml(case.verdict()))


def follows_schema(element: Xml.Element) -> None:
    attributes, children = SCHEMA[element.tag]
    assert set(element.attrib) == attributes, element.tag
    order = [children.index(child.tag) for child in element]
    assert order == sorted(order), element.tag
    for child in element:
        follows_schema(child)


@pytest.fixture
def mixed(case: Case) -> Case:
    """One criterion shut, one inconclusive, and one kind of evidence not gathered; and a warning."""
    mixed = case.measure(Kind.BACKTEST, trades=Measured(value=3), win_rate=Measured(value=1.0))
    mixed = mixed.measure(
        Kind.LINT, lint_findings=Measured(value=2, detail="strategy.py:3: F401 <unused> & more")
    )
    return mixed.with_evidence(replace(mixed.evidence[Kind.TYPES], error="mypy is not installed"))


def test_an_open_verdict_is_a_suite_without_failures(case: Case) -> None:
    root = parsed(case)
    follows_schema(root)
    suite = root.find("testsuite")
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == (str(len(CRITERIA)), "0", "0")
    assert [each.get("name") for each in suite.iter("testcase")] == [each.name for each in CRITERIA]
    assert list(root.iter("failure")) == list(root.iter("error")) == []
    assert root.find(".//property[@name='verdict']").get("value") == "open"


def test_shut_and_inconclusive_are_failures_and_missing_evidence_is_an_error(mixed: Case) -> None:
    root = parsed(mixed)
    follows_schema(root)
    assert (root.get("failures"), root.get("errors")) == ("2", "1")
    failures = {
        each.get("name"): each.find("failure")
        for each in root.iter("testcase")
        if each.find("failure") is not None
    }
    assert {name: each.get("type") for name, each in failures.items()} == {
        "lint_findings": "shut",
        "trades_min": "inconclusive",
    }
    assert failures["lint_findings"].get("message") == (
        "lint findings: 2 found, and there may be none: strategy.py:3: F401 <unused> & more"
    )
    assert "next: mend what ruff found" in failures["lint_findings"].text
    (error,) = root.iter("error")
    assert "mypy is not installed" in error.get("message")
    assert "next:" not in error.text  # mending what mypy found is no help while it finds nothing
    assert root.find(".//property[@name='verdict']").get("value") == "shut"


def test_warnings_are_in_the_suites_output(mixed: Case) -> None:
    assert "every trade won" in parsed(mixed).find("testsuite/system-out").text


def test_every_letter_survives_except_those_that_xml_cannot_hold(case: Case) -> None:
    nasty = "bell \x07, escape \x1b[31m, half \ud800, zürich 東京 😀, <tag> & 'quotes'"
    failed = case.with_evidence(replace(case.evidence[Kind.LINT], error=nasty))
    message = next(parsed(failed).iter("error")).get("message")
    assert "zürich 東京 😀, <tag> & 'quotes'" in message
    assert not {"\x07", "\x1b", "\ud800"} & set(message)


def test_the_time_of_the_verdict_is_in_utc_as_the_schema_writes_it(case: Case) -> None:
    assert parsed(case).find("testsuite").get("timestamp") == "2026-01-21T21:30:00"


def test_stale_evidence_is_an_error_for_each_of_its_criteria(case: Case) -> None:
    old = replace(
        case.evidence[Kind.DATA], gathered_at=case.evidence[Kind.DATA].gathered_at - timedelta(days=3)
    )
    assert parsed(case.with_evidence(old)).get("errors") == "4"
