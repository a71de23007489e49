"""The quality report: every check on one set of bars."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from magellan.archive.adjust import adjusted, still_in_prices
from magellan.archive.checksum import content_sha256
from magellan.archive.dataset import SetRecord
from magellan.archive.quality.finding import Finding, Kind, QualityReport, Severity
from magellan.archive.quality.halts import halt_findings
from magellan.archive.quality.jumps import jump_findings
from magellan.archive.quality.pollution import polluted_rows, pollution_findings
from magellan.archive.quality.prints import print_findings
from magellan.archive.quality.rows import row_findings
from magellan.archive.quality.session_grid import session_grid
from magellan.archive.quality.sessions import session_findings
from magellan.trading.bar import Bars
from magellan.trading.corporate_action import CorporateAction
from magellan.trading.session import ExchangeCalendar

_WORST_FIRST = tuple(Severity)


def quality_report(
    bars: Bars, record: SetRecord, calendar: ExchangeCalendar, actions: Iterable[CorporateAction]
) -> QualityReport:
    """Judge all bars of a set. There must be at least one.

    calendar: the one that the record names.
    actions:  the workspace's corporate actions, of any symbols, whatever the set's adjustment.
    """
    sha256 = content_sha256(bars)
    findings = _findings(bars, record, calendar, tuple(actions), sha256)
    return QualityReport(
        set_id=record.id,
        rows=len(bars),
        first_at=record.first_at,
        last_at=record.last_at,
        sha256=sha256,
        findings=tuple(sorted(findings, key=lambda finding: _WORST_FIRST.index(finding.severity))),
    )


def unreadable_report(record: SetRecord, why: str, next_step: str) -> QualityReport:
    """The report on a set whose bars cannot be read."""
    return QualityReport(
        set_id=record.id,
        rows=record.rows,
        first_at=record.first_at,
        last_at=record.last_at,
        sha256=record.sha256,
        findings=(
            Finding(
                kind=Kind.UNREADABLE,
                severity=Severity.REFUSE,
                count=1,
                first_at=None,
                measured=why,
                expected="the bars that were merged",
                explanation="the stored bars cannot be read",
                advice=next_step,
            ),
        ),
    )


def _findings(
    bars: Bars,
    record: SetRecord,
    calendar: ExchangeCalendar,
    actions: tuple[CorporateAction, ...],
    sha256: str,
) -> Iterator[Finding]:
    if sha256 != record.sha256:
        yield Finding(
            kind=Kind.CONTENT_CHANGED,
            severity=Severity.REFUSE,
            count=1,
            first_at=None,
            measured=sha256,
            expected=record.sha256,
            explanation="the stored bars are not those that were merged: their checksum differs",
            advice="restore the set from a backup, or delete it and import its sources again",
        )
    polluted = polluted_rows(adjusted(bars, still_in_prices(actions, record.id.adjustment), "split"))
    grid = session_grid(bars, calendar, record.requested, record.fetched_at)
    yield from pollution_findings(bars, polluted)
    yield from jump_findings(bars, record, actions, calendar)
    yield from print_findings(bars, polluted)
    yield from session_findings(bars, record, grid, calendar)
    yield from halt_findings(bars, grid)
    yield from row_findings(bars, record, calendar)
