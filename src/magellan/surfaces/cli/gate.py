"""`magellan gate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder
from magellan.surfaces.cli.run_options import FromOption, StrategyArgument, ToOption

if TYPE_CHECKING:
    from rich.text import Text

    from magellan.gate.verdict import Judgement, Verdict


def gate(
    strategy: StrategyArgument,
    from_: FromOption = None,
    to: ToOption = None,
    accept: Annotated[
        bool,
        typer.Option(
            "--accept",
            help="Accept this run: later runs, the code and the config are compared with it. Needs --by and "
            "--reason, and opens no other criterion.",
        ),
    ] = False,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who accepts the run.")] = "",
    reason: Annotated[
        str, typer.Option("--reason", "--why", metavar="TEXT", help="Why it is accepted.")
    ] = "",
    junit: Annotated[
        Path | None,
        typer.Option("--junit", metavar="FILE", help="Write the verdict as JUnit XML, for a CI system."),
    ] = None,
    details: Annotated[
        bool, typer.Option("--details", help="Show every criterion; default: those that are not open.")
    ] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Gather evidence on a strategy, and answer open or shut, with reasons.

    Evidence: lint, types, config, its own tests, the quality of its data,
    its backtest, look-ahead, robustness, and the run that a person accepted
    last. The gates are open only when every criterion is; what could not be
    measured has not been passed. Ends with 0 when open and 1 when shut.
    """
    import os
    from datetime import UTC, datetime

    from magellan.gate.junit import junit_xml
    from magellan.surfaces.cli.output import emit, note, progress_bars
    from magellan.usecases.gate_strategy import Acceptance, gate_strategy, verdict_document
    from magellan.wiring.research import gate_sources, write_file
    from magellan.workspace.workspace import Workspace

    if not accept and (by or reason):
        raise typer.BadParameter("--by and --reason belong to --accept")
    opened = Workspace.at(workspace_folder(workspace))
    with progress_bars() as bars:
        gated = gate_strategy(
            opened.strategy(strategy),
            gate_sources(opened, os.environ, lambda: datetime.now(UTC)),
            from_on=from_,
            to_on=to,
            accept=Acceptance(by.strip(), reason.strip()) if accept else None,
            progress=bars.report,
        )
    verdict = gated.verdict
    if junit is not None:
        write_file(junit, junit_xml(verdict).encode(), kept="the verdict, in the workspace's .magellan/gates")
    emit(verdict_document(verdict), as_json=as_json, human=lambda: show(verdict, details=details))
    note(f"all of the evidence: {gated.kept_at}")
    if not verdict.is_open:
        raise typer.Exit(1)


def show(verdict: Verdict, *, details: bool) -> None:
    """The verdict as a table: every criterion, or those that are not open; then warnings, then one line."""
    from magellan.surfaces.cli.output import print_table, say

    shown = verdict.judgements if details else verdict.not_open
    if shown:
        reasons = [_why(each) for each in shown]
        print_table(
            ("criterion", "answer", "measured", "wanted", "how sure", "why"),
            [
                (
                    each.criterion.title,
                    _coloured(each.answer),
                    each.found,
                    each.wanted,
                    each.how_sure,
                    # What could not be run is told once, and not again for each number that it would have given.
                    "the same" if each.answer == "error" and why in reasons[:row] else why,
                )
                for row, (each, why) in enumerate(zip(shown, reasons, strict=True))
            ],
            title=f"{verdict.subject.label} {verdict.subject.version}, as a strategy of kind {verdict.subject.kind}",
            numbers=("measured",),
        )
    for warning in verdict.warnings:
        say(f"look at: {warning}")
    opened = len(verdict.judgements) - len(verdict.not_open)
    answer = "open" if verdict.is_open else "SHUT"
    say(
        f"the gates of {verdict.subject.label} are {answer}: {opened} of {len(verdict.judgements)} criteria are open"
    )


def _why(judgement: Judgement) -> str:
    if judgement.answer == "open":
        return judgement.measured.detail if judgement.measured is not None else ""
    step = judgement.next_step
    return f"{judgement.reason}. {step[0].upper()}{step[1:]}." if step else judgement.reason


def _coloured(answer: str) -> Text:
    from rich.text import Text

    colours = {"open": "green", "shut": "bold red", "inconclusive": "yellow", "error": "bold magenta"}
    return Text(str(answer), style=colours[answer])
