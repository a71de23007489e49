"""Data evidence: the quality report on every set of bars that a strategy reads."""

from __future__ import annotations

from dataclasses import replace

from magellan.archive.actions import CorporateActionTable
from magellan.archive.dataset import SetRecord, find_set
from magellan.archive.quality.finding import Kind as FindingKind
from magellan.archive.quality.finding import QualityReport, Severity
from magellan.archive.quality.report import quality_report
from magellan.errors import MagellanError
from magellan.gate.evidence import Evidence, Kind, Measured
from magellan.gate.tool_findings import few
from magellan.ports.bars import BarArchive
from magellan.trading.timeframe import Timeframe
from magellan.usecases.gate_evidence.examination import Examination
from magellan.usecases.gate_evidence.judged_run import Progress
from magellan.usecases.load_strategy import LoadedStrategy
from magellan.usecases.prepare_run import CalendarOf


def data_evidence(
    of: Examination,
    loaded: LoadedStrategy,
    *,
    archive: BarArchive,
    actions: CorporateActionTable,
    calendar_of: CalendarOf,
    progress: Progress,
) -> Evidence:
    """The quality report on every set that the strategy reads."""
    source = "magellan data check"
    terms = loaded.config.data
    symbols = (*loaded.config.symbols, *terms.reference_symbols)
    reports: list[tuple[SetRecord, QualityReport]] = []
    try:
        catalogue = archive.sets()
        for done, symbol in enumerate(symbols):
            progress("checking data", done, len(symbols))
            timeframe = Timeframe.parse(terms.timeframe)
            record = find_set(catalogue, symbol, timeframe, vendor=terms.vendor, feed=terms.feed)
            bars = archive.read(record.id)
            calendar = calendar_of(record.calendar)
            reports.append((record, quality_report(bars, record, calendar, actions.of(symbol))))
        progress("checking data", len(symbols), len(symbols))
    except MagellanError as error:
        return of.evidence(Kind.DATA, source, {}, error.message)
    found = [(record, finding) for record, report in reports for finding in report.findings]
    refusals = [
        f"{record.id.symbol}: {finding.explanation} ({finding.measured})"
        for record, finding in found
        if finding.severity is Severity.REFUSE and finding.kind is not FindingKind.UNEXPLAINED_JUMPS
    ]
    jumps = [
        (finding.count, f"{record.id.symbol}: {few(finding.examples)}")
        for record, finding in found
        if finding.kind is FindingKind.UNEXPLAINED_JUMPS
    ]
    generated = [record.id.symbol for record, _ in reports if record.generated]

    def counted(value: int, detail: str) -> Measured:
        return Measured(value=value, sample=len(reports), sample_of="sets", detail=detail)

    evidence = of.evidence(
        Kind.DATA,
        source,
        {
            "data_sets": Measured(value=len(reports)),
            "data_refusals": counted(len(refusals), few(refusals)),
            "unexplained_jumps": counted(sum(count for count, _ in jumps), few([told for _, told in jumps])),
            "generated_sets": counted(len(generated), few(generated)),
        },
    )
    warnings = tuple(
        f"{record.id.symbol}: {finding.explanation} ({finding.measured})"
        for record, finding in found
        if finding.severity is Severity.WARN
    )
    facts = {
        record.id.slug: f"sha256 {report.sha256}, {report.rows} bars, {report.first_at:%Y-%m-%d} to "
        f"{report.last_at:%Y-%m-%d}, fetched {record.fetched_at:%Y-%m-%d}, newest bar "
        f"{(of.at - report.last_at).days} days old, {report.verdict}"
        for record, report in reports
    }
    return replace(evidence, warnings=warnings, facts=facts)
