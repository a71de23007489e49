"""`magellan promote`."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated

import typer

from magellan.surfaces.cli.deploy_options import (
    ByOption,
    DeployedArgument,
    StageOption,
    TypedNumberOption,
    WatchOption,
    WhyOption,
    YesOption,
)
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder


def promote(
    strategy: DeployedArgument,
    stage: StageOption = "prod",
    release: Annotated[
        str | None,
        typer.Option("--release", metavar="RELEASE", help="Name, number or id; default: the newest."),
    ] = None,
    yes: YesOption = False,
    watch_s: WatchOption = None,
    typed_number: TypedNumberOption = None,
    by: ByOption = None,
    why: WhyOption = "",
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Let a release go on to the next stage: judged by its evidence, approved by a person, deployed, and watched.

    With --yes, --by and --why it is approved in that person's name, by the
    key of this user, which magellan.toml must know as theirs. Where somebody
    else has approved it within a day, that holds. The stage's folder then
    holds the release's own files. Without --yes nothing is changed.
    """
    from magellan.plan.actor import Actor
    from magellan.surfaces.cli.deploy_options import deploy_sources, prepare_and_carry_out, read_stage
    from magellan.surfaces.cli.soak import show
    from magellan.usecases.judge_promotion import (
        ApprovedBy,
        approval_in_force,
        approve_promotion,
        judge_promotion,
    )
    from magellan.usecases.prepare_deploy import DeployAsked
    from magellan.wiring.records import ledger
    from magellan.wiring.releases import promotion_sources, release_key
    from magellan.workspace.workspace import Workspace

    to = read_stage(stage)
    opened = Workspace.at(workspace_folder(workspace))
    sources = deploy_sources(opened, by)
    with closing(ledger(opened)) as book:
        promotion = promotion_sources(opened, book, lambda: datetime.now(UTC))
        judged = judge_promotion(strategy, to=to, sources=promotion, release=release)
        if not as_json:
            show(judged.verdict)
        if not judged.verdict.passes and not as_json:
            raise typer.Exit(1)
        if yes and judged.verdict.passes and approval_in_force(judged.verdict, promotion) is None:
            actor: Actor = sources.actor
            approve_promotion(
                judged,
                promotion,
                ApprovedBy(
                    by=actor.person,
                    reason=why,
                    key=release_key(os.environ),
                    actor=actor,
                    changes=sources.changes,
                ),
            )
    asked = DeployAsked(
        strategy=strategy,
        stage=to,
        release=judged.verdict.subject.release_id,
        why=why,
        typed_number=typed_number,
        watch_s=watch_s,
        action="promote",
    )
    prepare_and_carry_out(asked, sources, really=yes, as_json=as_json)
