"""The summary of a pipeline, as Markdown for a pull request and as one HTML file that fetches nothing."""

from __future__ import annotations

import html
from collections.abc import Iterator

from magellan.deploy.pipeline import Came, PipelineReport, StageOutcome

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 0.5rem 0 1.5rem; }
th, td { text-align: left; vertical-align: top; padding: 0.3rem 0.8rem 0.3rem 0; border-bottom: 1px solid #8884; }
td:not(:last-child) { white-space: nowrap; }
.passed { color: #18794e; } .failed { color: #c62a2f; font-weight: 600; }
@media (prefers-color-scheme: dark) { body { background: #111; color: #eee; } .passed { color: #5bb98b; }
.failed { color: #ff8b8b; } }
"""
_SIGNS = {Came.PASSED: "✓", Came.FAILED: "✗"}


def as_markdown(report: PipelineReport) -> str:
    """The summary as Markdown. Text of the strategy and of errors cannot become markup."""
    lines = [
        f"# {_md(report.strategy)} {_md(report.version)}: {'passed' if report.passed else 'FAILED'}",
        "",
        _md(report.verdict),
        "",
        "| stage | came | seconds | note |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {each.stage} | {_SIGNS.get(each.came, '·')} {each.came} | {each.took_s:.1f} | {_md(each.note)} |"
        for each in report.outcomes
    ]
    lines += ["", *(f"- {_md(name)}: {_md(value)}" for name, value in _facts(report)), ""]
    for each in report.outcomes:
        if each.findings:
            lines += [f"## {each.stage}", "", "| | | |", "|---|---|---|"]
            lines += [
                f"| {'✓' if one.is_well else '✗'} | {_md(one.what)} | {_md(one.found)} |"
                for one in each.findings
            ]
            lines.append("")
    return "\n".join(lines)


def as_html(report: PipelineReport) -> str:
    """The same as one HTML document."""
    title = f"{report.strategy} {report.version}: {'passed' if report.passed else 'FAILED'}"
    facts = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
        for name, value in _facts(report)
    )
    stages = "".join(
        f"<tr><td>{each.stage}</td><td class='{_class(each)}'>{each.came}</td><td>{each.took_s:.1f} s</td>"
        f"<td>{html.escape(each.note)}</td></tr>"
        for each in report.outcomes
    )
    details = "".join(_section(each) for each in report.outcomes if each.findings)
    return (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><h1>{html.escape(title)}</h1><p>{html.escape(report.verdict)}</p>\n"
        f"<table><tr><th>stage</th><th>came</th><th>took</th><th>note</th></tr>{stages}</table>\n"
        f"<table>{facts}</table>\n{details}</body></html>\n"
    )


def _facts(report: PipelineReport) -> Iterator[tuple[str, str]]:
    if report.release:
        yield "release", f"{report.release}, {report.release_id}"
    if report.to:
        yield "to", report.to
    yield "by", report.by
    yield "began", f"{report.began_at:%Y-%m-%d %H:%M:%S} UTC"
    yield "took", f"{report.took.total_seconds():.1f} s"


def _section(outcome: StageOutcome) -> str:
    rows = "".join(
        f"<tr><td class='{'passed' if each.is_well else 'failed'}'>{'✓' if each.is_well else '✗'}</td>"
        f"<td>{html.escape(each.what)}</td><td>{html.escape(each.found)}</td></tr>"
        for each in outcome.findings
    )
    return f"<h2>{outcome.stage}</h2><table>{rows}</table>\n"


def _class(outcome: StageOutcome) -> str:
    return {Came.PASSED: "passed", Came.FAILED: "failed"}.get(outcome.came, "")


def _md(text: str) -> str:
    """Text in a line or a cell of Markdown; what would end the cell or begin markup is written out."""
    plain = " ".join(text.split())
    escaped = "".join(f"\\{letter}" if letter in "\\`*_[]|#!~" else letter for letter in plain)
    return escaped.replace("<", "&lt;").replace(">", "&gt;")
