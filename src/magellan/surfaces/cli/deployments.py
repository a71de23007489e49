"""`magellan deployments`."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder

if TYPE_CHECKING:
    from magellan.usecases.deployments import Deployment, OutOfReach


def deployments(as_json: JsonOption = False, workspace: WorkspaceOption = None) -> None:
    """Show what each target runs now, by its own word: which release, whether it is armed, how its session is.

    Ends with 1 when a target cannot be reached, a file of a release was
    edited where it runs, or an instance is not there that should be.
    """
    from magellan.surfaces.cli.output import emit
    from magellan.usecases.deployments import OutOfReach
    from magellan.usecases.deployments import deployments as all_of
    from magellan.wiring.hosts import host
    from magellan.workspace.workspace import Workspace

    opened = Workspace.at(workspace_folder(workspace))
    found = asyncio.run(all_of(opened.settings, lambda name: host(opened, name, os.environ)))
    emit([_document(each) for each in found], as_json=as_json, human=lambda: _show(found))
    if any(isinstance(each, OutOfReach) or _wrong(each) for each in found):
        raise typer.Exit(1)


def _wrong(each: Deployment) -> str:
    from magellan.deploy.instance import Condition, Process

    if each.installed.drift:
        return f"edited where it runs: {'; '.join(each.installed.drift[:3])}"
    if each.look.process is not Process.RUNNING or each.look.restarts:
        return "its process has ended"
    if each.look.condition is Condition.FAILED:
        return each.look.report.why if each.look.report else "failed"
    return ""


def _entries_kept_out(each: Deployment) -> str:
    """Why its session enters nothing, which is not the release's fault alone; "": it may."""
    if each.session is None:
        return ""
    if each.session.breakers:
        return f"enters nothing: {', '.join(each.session.breakers)} has tripped"
    return f"enters nothing: {each.session.halted}" if each.session.halted else ""


def _document(each: Deployment | OutOfReach) -> dict[str, Any]:
    from magellan.usecases.deployments import OutOfReach

    if isinstance(each, OutOfReach):
        return {"host": each.host, "out_of_reach": each.why}
    return {
        "host": each.host,
        "instance": each.instance.key,
        "strategy": each.instance.strategy,
        "stage": each.instance.stage,
        "account": each.instance.account,
        "release_id": each.instance.release_id,
        "armed": each.is_armed,
        "process": each.look.process,
        "condition": each.look.condition,
        "report_age_s": each.look.report_age_s,
        "wrong": _wrong(each),
        "entries_kept_out": _entries_kept_out(each),
        "session": each.session,
    }


def _show(found: tuple[Deployment | OutOfReach, ...]) -> None:
    from magellan.surfaces.cli.output import note, print_table, say
    from magellan.usecases.deployments import OutOfReach

    reached = [each for each in found if not isinstance(each, OutOfReach)]
    if reached:
        print_table(
            ("host", "instance", "account", "armed", "is", "session", "not well"),
            [
                (
                    each.host,
                    each.instance.key,
                    each.instance.account,
                    "armed" if each.is_armed else "",
                    each.look.condition or each.look.process,
                    None if each.session is None else each.session.session_id,
                    _wrong(each) or _entries_kept_out(each) or None,
                )
                for each in reached
            ],
        )
    elif not found:
        say("nothing is deployed; `magellan deploy` deploys a release")
    for each in found:
        if isinstance(each, OutOfReach):
            note(f"{each.host} cannot be reached: {each.why}")
