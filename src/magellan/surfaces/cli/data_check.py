"""`magellan data check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder

if TYPE_CHECKING:
    from magellan.archive.quality.finding import QualityReport

_FEW_SETS = 3  # that are told in full without being asked


def data_check(
    sets: Annotated[
        list[str] | None, typer.Argument(metavar="[SYMBOL|SET]...", help="Only these; default: every set.")
    ] = None,
    details: Annotated[
        bool, typer.Option("--details", help="Tell every finding of every set, with examples.")
    ] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Report on quality: gaps, duplicates, bad prints, halts, unexplained jumps.

    The bars are held against the exchange's calendar and the table of
    corporate actions. Each set is fit, fit with warnings, or unfit: results
    on an unfit set would mislead. Ends with 1 when any set is unfit.
    """
    from magellan.archive.quality.finding import Verdict
    from magellan.surfaces.cli.output import emit, progress_bars
    from magellan.usecases.check_bars import check_bars
    from magellan.wiring.market import bar_archive, calendar_of, corporate_action_store
    from magellan.workspace.workspace import Workspace

    opened = Workspace.at(workspace_folder(workspace))
    with progress_bars() as bars:
        reports = check_bars(
            bar_archive(opened),
            corporate_action_store(opened),
            calendar_of,
            sets or (),
            report=bars.report,
        )
    in_full = details or len(reports) <= _FEW_SETS
    emit([_document(each) for each in reports], as_json=as_json, human=lambda: _show(reports, in_full))
    if any(each.verdict is Verdict.UNFIT for each in reports):
        raise typer.Exit(1)


def _document(report: QualityReport) -> dict[str, object]:
    return {
        "set": report.set_id.slug,
        "verdict": report.verdict,
        "rows": report.rows,
        "first_at": report.first_at,
        "last_at": report.last_at,
        "sha256": report.sha256,
        "findings": report.findings,
    }


def _show(reports: tuple[QualityReport, ...], in_full: bool) -> None:
    from magellan.surfaces.cli.output import print_table, say

    if not reports:
        say("the archive is empty; `magellan data import` and `magellan data fetch` fill it")
        return
    if in_full:
        for report in reports:
            _show_in_full(report)
        return
    print_table(
        ("set", "bars", "verdict", "refuse", "warn", "note"),
        [
            (
                report.set_id.slug,
                f"{report.rows:,}",
                report.verdict.value,
                *(_kinds(report, severity) for severity in ("refuse", "warn", "note")),
            )
            for report in reports
        ],
        numbers=("bars",),
        footnote="`magellan data check SYMBOL`, or --details, tells where each is and what to do.",
    )


def _kinds(report: QualityReport, severity: str) -> str:
    kinds = (f"{each.kind} {each.count:,}" for each in report.findings if each.severity == severity)
    return ", ".join(kinds) or "-"


def _show_in_full(report: QualityReport) -> None:
    from magellan.surfaces.cli.output import say

    dates = f"{report.first_at:%Y-%m-%d} to {report.last_at:%Y-%m-%d}"
    say(f"{report.set_id.slug}: {report.verdict}; {report.rows:,} bars, {dates}")
    for finding in report.findings:
        say(f"  {finding.severity}: {finding.kind}, {finding.explanation}")
        say(f"      measured: {finding.measured}; expected: {finding.expected}")
        if finding.examples:
            more = f" and {finding.count - len(finding.examples):,} more" * (
                finding.count > len(finding.examples) >= 5
            )
            say(f"      where: {'; '.join(finding.examples)}{more}")
        if finding.advice:
            say(f"      what to do: {finding.advice}")
    if not report.findings:
        say("  nothing to say")
    say("")
