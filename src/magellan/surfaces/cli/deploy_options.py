"""What `magellan deploy`, `rollback` and `promote` do alike: options, sources, and how a roll-out is shown."""

from __future__ import annotations

import asyncio
import getpass
import os
import socket
from collections.abc import Coroutine
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from magellan.surfaces.cli.output import emit, note, say
from magellan.surfaces.cli.secret_options import Safe

if TYPE_CHECKING:
    from magellan.plan.carry_out import Outcome, Progress
    from magellan.usecases.prepare_deploy import DeployAsked, DeploySources, PreparedDeploy
    from magellan.workspace.workspace import Stage, Workspace

DeployedArgument = Annotated[str, typer.Argument(metavar="STRATEGY", help="Name of a strategy.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do it. Without, it is looked at and shown only.")]
WhyOption = Annotated[str, typer.Option("--why", "--reason", metavar="TEXT", help="For the audit log.")]
ByOption = Annotated[
    str | None, typer.Option("--by", metavar="PERSON", help="Who does it; default: this machine's user.")
]
TypedNumberOption = Annotated[
    str | None, typer.Option("--live", metavar="NUMBER", help="The number of the live account, typed by you.")
]
WatchOption = Annotated[
    float | None,
    typer.Option(
        "--watch", metavar="SECONDS", min=0, help="Stay beside it that long; default: as the stage says."
    ),
]


def read_stage(text: str) -> Stage:
    """The stage that an option names. Raises BadParameter."""
    from magellan.workspace.workspace import Stage

    if text not in (Stage.TEST, Stage.PROD):
        raise typer.BadParameter(f"'{text}' is no stage that is deployed to; there are test and prod")
    return Stage(text)


StageOption = Annotated[str, typer.Option("--to", metavar="STAGE", help="test (staging) or prod.")]


def deploy_sources(workspace: Workspace, by: str | None) -> DeploySources:
    """Everything that a roll-out asks and changes."""
    from magellan.plan.actor import Actor
    from magellan.usecases.consent import freeze_findings, promotion_findings
    from magellan.usecases.prepare_deploy import DeploySources, Finding
    from magellan.usecases.releases import Opened
    from magellan.usecases.secret_findings import secret_findings
    from magellan.wiring.hosts import host
    from magellan.wiring.records import change_log, ledger, plan_journals
    from magellan.wiring.releases import freeze_sources, promotion_sources, release_store, source_folders
    from magellan.wiring.upkeep import notifier
    from magellan.workspace.workspace import LOCAL

    changes = change_log(workspace)

    def clock() -> datetime:
        return datetime.now(UTC)

    safe = Safe.of(workspace.root)

    def consent(asked: DeployAsked, opened: Opened) -> tuple[Finding, ...]:
        stage = workspace.settings.stage(asked.stage)
        with closing(ledger(workspace)) as book:
            promotion = promotion_sources(workspace, book, clock)
            return (
                *secret_findings(
                    safe.needed(),
                    safe.inventory(),
                    stage.account_of(asked.strategy),
                    is_here=LOCAL in stage.targets,
                ),
                *promotion_findings(asked, opened, promotion, changes),
                *freeze_findings(asked, opened, freeze_sources(workspace, clock), book),
            )

    return DeploySources(
        settings=workspace.settings,
        store=release_store(workspace),
        host=lambda name: host(workspace, name, os.environ),
        journals=plan_journals(workspace),
        changes=changes,
        sources=source_folders(workspace),
        consent=consent,
        notifier=notifier(workspace, "deployments", ()),
        actor=Actor(person=(by or getpass.getuser()).strip(), host=socket.gethostname(), pid=os.getpid()),
        clock=lambda: datetime.now(UTC),
    )


def prepare_and_carry_out(asked: DeployAsked, sources: DeploySources, *, really: bool, as_json: bool) -> None:
    """Look at a roll-out, show it, and with `really` carry it out. Ends with 1 where it is refused or taken back."""
    from magellan.plan.rendering import as_json as plan_json
    from magellan.plan.rendering import as_text
    from magellan.usecases.deploy import begin_deploy
    from magellan.usecases.prepare_deploy import prepare_deploy

    prepared = asyncio.run(prepare_deploy(asked, sources))
    if not really:
        document = {
            **_looked(prepared),
            "plan": plan_json(prepared.dry_run),
            "outcome": "dry run",
        }

        def show() -> None:
            _show_findings(prepared)
            say("")
            say(as_text(prepared.dry_run).rstrip())
            if not prepared.refusals:
                note("nothing was changed; --yes carries it out")

        emit(document, as_json=as_json, human=show)
        if prepared.refusals:
            raise typer.Exit(1)
        return
    if prepared.is_there and not prepared.refusals:
        emit(
            {**_looked(prepared), "outcome": "nothing to do"},
            as_json=as_json,
            human=lambda: say(f"{prepared.release.name} trades in {asked.stage} already: nothing to do"),
        )
        return
    if not as_json:
        _show_findings(prepared)
    outcome = run_with_progress(lambda on_progress: begin_deploy(prepared, sources, on_progress=on_progress))
    show_outcome(outcome, _looked(prepared), as_json=as_json)


def run_with_progress(begin: Any) -> Outcome:
    """Carry a plan out, with a bar per phase. It goes on where the terminal is closed: somebody has to watch it."""
    from magellan.surfaces.cli.closed_terminal import outlives_its_terminal
    from magellan.surfaces.cli.output import progress_bars

    with outlives_its_terminal(), progress_bars() as bars:

        def on_progress(progress: Progress) -> None:
            bars.report(progress.phase, progress.settled, progress.settled + progress.left)

        work: Coroutine[Any, Any, Outcome] = begin(on_progress)
        return asyncio.run(work)


def show_outcome(
    outcome: Outcome, looked: dict[str, Any], *, as_json: bool, was_asked_back: bool = False
) -> None:
    """How it ended. Ends with 1 for everything but what was asked for: done, or taken back."""
    from magellan.plan.carry_out import Finished, Halted, TakenBack
    from magellan.plan.rendering import as_json as plan_json
    from magellan.plan.rendering import as_text

    why = "" if isinstance(outcome, Finished) else outcome.why
    next_step = outcome.next_step if isinstance(outcome, Halted) else ""
    document = {
        **looked,
        "plan": plan_json(outcome.status),
        "outcome": outcome.status.word,
        "why": why,
        "next_step": next_step,
    }

    def show() -> None:
        say(as_text(outcome.status).rstrip())
        if isinstance(outcome, TakenBack):
            note(f"taken back: {why}")
            note("what trades is what traded before")
        elif isinstance(outcome, Halted):
            note(f"halted: {why}")
            note(f"next: {next_step}")

    emit(document, as_json=as_json, human=show)
    if not isinstance(outcome, TakenBack if was_asked_back else Finished):
        raise typer.Exit(1)


def _looked(prepared: PreparedDeploy) -> dict[str, Any]:
    return {
        "strategy": prepared.asked.strategy,
        "stage": prepared.asked.stage,
        "release": prepared.release.name,
        "release_id": prepared.release.release_id,
        "findings": prepared.findings,
        "refusals": prepared.refusals,
    }


def _show_findings(prepared: PreparedDeploy) -> None:
    say(f"{prepared.release.name} to {prepared.asked.stage}")
    width = max(len(each.what) for each in prepared.findings)
    for each in prepared.findings:
        say(f"  {'ok ' if each.is_well else 'NO '} {each.what:<{width}}  {each.found}")
