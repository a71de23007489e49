"""`magellan soak`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption
from magellan.surfaces.cli.release_options import StrategyNameArgument, strategy_name

if TYPE_CHECKING:
    from rich.text import Text

    from magellan.deploy.promotion.judgement import Judgement, PromotionVerdict

_COLOURS = {"pass": "green", "fail": "bold red", "inconclusive": "yellow", "error": "bold magenta"}


def soak(
    strategy: StrategyNameArgument,
    release: Annotated[
        str | None,
        typer.Option(
            "--release",
            metavar="RELEASE",
            help="Its name, number, or the beginning of its id; default: the newest.",
        ),
    ] = None,
    to: Annotated[
        str, typer.Option("--to", metavar="STAGE", help="Where it is to go: test or prod.")
    ] = "prod",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how far a release is from its next stage: every criterion of the promotion, with what was measured.

    For prod that is its soak on paper: how long it has run, whether all went
    well, and whether it trades as its backtest does. Each criterion is
    answered pass, fail, inconclusive or error, and only pass lets it on.
    Nothing is changed. Ends with 0 when everything passes and 1 otherwise.
    """
    from contextlib import closing
    from datetime import UTC, datetime

    from magellan.deploy.promotion.judgement import verdict_document
    from magellan.surfaces.cli.deploy_options import read_stage
    from magellan.surfaces.cli.options import workspace_folder
    from magellan.surfaces.cli.output import emit, note
    from magellan.usecases.judge_promotion import judge_promotion
    from magellan.wiring.records import ledger
    from magellan.wiring.releases import promotion_sources
    from magellan.workspace.workspace import Workspace

    stage = read_stage(to)
    opened = Workspace.at(workspace_folder(workspace))
    with closing(ledger(opened)) as book:
        sources = promotion_sources(opened, book, lambda: datetime.now(UTC))
        judged = judge_promotion(strategy_name(strategy), to=stage, sources=sources, release=release)
    verdict = judged.verdict
    emit(verdict_document(verdict), as_json=as_json, human=lambda: show(verdict))
    note(f"all of the evidence: {judged.kept_at}")
    if not verdict.passes:
        raise typer.Exit(1)


def show(verdict: PromotionVerdict) -> None:
    """The verdict as a table, then what to look at, then one line."""
    from magellan.surfaces.cli.output import print_table, say

    subject = verdict.subject
    reasons = [_why(each) for each in verdict.judgements]
    print_table(
        ("criterion", "answer", "measured", "wanted", "why"),
        [
            (
                each.criterion.title,
                _coloured(each.answer),
                each.found,
                each.wanted,
                # Why it could not be measured is told once, and not again for each number that it would have given.
                "the same" if each.measured is None and why in reasons[:row] else why,
            )
            for row, (each, why) in enumerate(zip(verdict.judgements, reasons, strict=True))
        ],
        title=f"{subject.release_name} from {subject.from_stage} to {subject.to_stage}, as a strategy of kind "
        f"{subject.kind}",
        numbers=("measured",),
    )
    for warning in verdict.warnings:
        say(f"look at: {warning}")
    passed = len(verdict.judgements) - len(verdict.not_passed)
    answer = "pass" if verdict.passes else str(verdict.answer).upper()
    say(
        f"{subject.release_name} for {subject.to_stage}: {answer}; {passed} of {len(verdict.judgements)} criteria pass"
    )


def _why(judgement: Judgement) -> str:
    if judgement.answer == "pass":
        return judgement.measured.detail if judgement.measured is not None else ""
    step = judgement.next_step
    return f"{judgement.reason}. {step[0].upper()}{step[1:]}." if step else judgement.reason


def _coloured(answer: str) -> Text:
    from rich.text import Text

    return Text(str(answer), style=_COLOURS[str(answer)])
