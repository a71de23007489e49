"""The page that shows a verification. One file, without scripts."""

from __future__ import annotations

from typing import Final

from magellan.backtest.report.html import Column, Markup, element, escaped, table
from magellan.migration.verify.comparison import Check
from magellan.usecases.migrate_verify import Verified

_STYLE: Final = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 70rem; margin: 0 auto; padding: 1rem 1.5rem 4rem; }
h1 { font-size: 1.5rem; } h2 { margin-top: 2rem; font-size: 1.1rem; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .3rem 1rem .3rem 0; vertical-align: top; }
tbody tr { border-top: 1px solid #8884; } li { font-family: ui-monospace, monospace; font-size: .9rem; }
"""


def verification_page(verified: Verified) -> str:
    """The page as HTML; the same verification gives the same bytes."""
    verification = verified.verification
    word = "nothing is worse" if verification.is_sound else "something is worse"
    columns = (Column(heading="point"), Column(heading="answer"), Column(heading="what was found"))
    rows = [(check.name, str(check.answer), check.summary) for check in verification.checks]
    head = [
        Markup('<meta charset="utf-8">'),
        element("title", f"Migration {verified.migration_id}"),
        element("style", Markup(_STYLE)),
    ]
    body: list[str | Markup] = [
        element("h1", f"Migration {verified.migration_id}: {word}"),
        table(columns, rows),
        *(part for check in verification.checks if check.details for part in _details(check)),
    ]
    page = element("html", [element("head", head), element("body", body)], lang="en")
    return f"<!doctype html>\n{page}\n"


def _details(check: Check) -> tuple[Markup, Markup]:
    return (
        element("h2", check.name),
        element("ul", [element("li", escaped(detail)) for detail in check.details]),
    )
