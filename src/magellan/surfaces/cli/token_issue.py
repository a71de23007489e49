"""`magellan token issue`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder


def token_issue(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whoever will use it, for example dashboard.")],
    scopes: Annotated[
        str,
        typer.Option("--scopes", metavar="A,B", help="Of read, research, operate, flatten and configure."),
    ] = "read",
    days: Annotated[
        int | None,
        typer.Option("--days", min=1, max=36_500, help="For which it is good; default: until it is revoked."),
    ] = None,
    overlap_hours: Annotated[
        float,
        typer.Option(
            "--overlap-hours", min=0, max=876_000, help="For which an older one of that name stays good."
        ),
    ] = 24.0,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Issue a token of the HTTP API, and show it once. Issued again under the same name, it is rotated.

    Only a digest is kept, and the audit log has who issued it. read looks at everything; research starts backtests,
    gates and analyses; operate halts and resumes; flatten leaves every
    position; configure changes the regime model's config.
    """
    from magellan.surfaces.cli.output import emit, note, say
    from magellan.surfaces.cli.secret_options import this_actor
    from magellan.usecases.api_access import issue_token
    from magellan.usecases.record_token import recorded_token
    from magellan.wiring.records import api_tokens, change_log
    from magellan.workspace.workspace import Workspace

    opened = Workspace.at(workspace_folder(workspace))
    with recorded_token(
        "token issue", name, f"scopes {scopes}", change_log(opened), this_actor(), lambda: datetime.now(UTC)
    ):
        issued = issue_token(
            name,
            [each.strip() for each in scopes.split(",") if each.strip()],
            api_tokens(opened),
            now=datetime.now(UTC),
            overlap=timedelta(hours=overlap_hours),
            days=days,
        )
    document = {
        "name": issued.kept.name,
        "token": issued.token,
        "scopes": sorted(issued.kept.scopes),
        "ends_at": issued.kept.ends_at,
        "replaced_until": issued.replaced_until,
    }
    emit(document, as_json=as_json, human=lambda: say(issued.token))
    note(f"the token of {name}: it is shown this once, and only its digest is kept")
    if issued.replaced_until is not None:
        note(f"the older one stays good until {issued.replaced_until:%Y-%m-%d %H:%M} UTC")
