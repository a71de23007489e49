"""JUnit XML: a verdict in the form that CI systems read. One test case per criterion; not open is a failure.

Elements and attributes are those that the readers of Jenkins, GitLab, GitHub and Azure share: testsuites,
testsuite, properties, testcase, failure, error, system-out.
"""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree as Xml

from magellan.gate.verdict import Answer, Judgement, Verdict

# What XML 1.0 cannot hold, not even escaped: a tool's output may.
_NO_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(verdict: Verdict) -> str:
    """The verdict as an XML document, ending with a newline.

    Inconclusive is a failure as well: a CI system that shows it as skipped would let it through. The seconds
    are 0, since evidence is gathered for many criteria at once.
    """
    failed = [each for each in verdict.not_open if each.answer is not Answer.ERROR]
    errors = [each for each in verdict.not_open if each.answer is Answer.ERROR]
    counts = {"tests": str(len(verdict.judgements)), "failures": str(len(failed)), "errors": str(len(errors))}
    root = Xml.Element("testsuites", {"name": "magellan gate", **counts, "time": "0"})
    suite = Xml.SubElement(
        root,
        "testsuite",
        {
            "name": _text(verdict.subject.label),
            **counts,
            "skipped": "0",
            "time": "0",
            "timestamp": verdict.judged_at.strftime("%Y-%m-%dT%H:%M:%S"),
        },
    )
    properties = Xml.SubElement(suite, "properties")
    for name, value in (
        ("verdict", "open" if verdict.is_open else "shut"),
        ("strategy version", verdict.subject.version),
        ("kind", verdict.subject.kind),
        ("criteria version", str(verdict.criteria_version)),
        ("code sha256", verdict.subject.code_sha256),
        ("config sha256", verdict.subject.config_sha256),
    ):
        Xml.SubElement(properties, "property", {"name": name, "value": _text(value)})
    for judgement in verdict.judgements:
        _case(suite, verdict, judgement)
    if verdict.warnings:
        Xml.SubElement(suite, "system-out").text = _text("\n".join(verdict.warnings))
    Xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def _case(suite: Xml.Element, verdict: Verdict, judgement: Judgement) -> None:
    criterion = judgement.criterion
    case = Xml.SubElement(
        suite,
        "testcase",
        {
            "classname": _text(f"{verdict.subject.label}.{criterion.kind}"),
            "name": criterion.name,
            "time": "0",
        },
    )
    if judgement.answer is not Answer.OPEN:
        problem = Xml.SubElement(
            case,
            "error" if judgement.answer is Answer.ERROR else "failure",
            {"type": str(judgement.answer), "message": _text(f"{criterion.title}: {judgement.reason}")},
        )
        lines = [f"wanted: {judgement.wanted}", f"found: {judgement.found}"]
        if judgement.next_step:
            lines.append(f"next: {judgement.next_step}")
        problem.text = _text("\n".join(lines))
    Xml.SubElement(case, "system-out").text = _text(
        f"{judgement.found}, wanted {judgement.wanted}; {judgement.how_sure}"
    )


def _text(text: str) -> str:
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)
