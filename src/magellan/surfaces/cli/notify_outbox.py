"""`magellan notify outbox`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder


def notify_outbox(
    deliver: Annotated[
        bool, typer.Option("--deliver", help="Hand over what is due now; `magellan watch` does it by itself.")
    ] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what waits for each channel, and why; and what was given up after a day."""
    from magellan.surfaces.cli.delivery import deliver_once
    from magellan.surfaces.cli.output import emit, print_table, say
    from magellan.usecases.deliver_notifications import sort_messages
    from magellan.wiring.upkeep import outbox
    from magellan.workspace.workspace import Workspace

    opened = Workspace.at(workspace_folder(workspace))
    queues, terms = outbox(opened), opened.settings.notifications
    rows = []
    for name, channel in terms.channels.items():
        if deliver:
            deliver_once(opened, name)
        waiting, state, undelivered = queues.peek(name)
        held = sort_messages(waiting, state, terms, now=datetime.now(UTC)).held
        quiet = f"{len(held)} until {terms.quiet_to} New York: quiet hours" if held else ""
        rows.append(
            {
                "channel": name,
                "kind": channel.kind,
                "least": channel.least,
                "waiting": len(waiting),
                "held": len(held),
                "oldest_at": waiting[0].at if waiting else None,
                "failures": state.failures,
                "next_at": state.next_at,
                "last_error": state.last_error,
                "last_sent_at": state.last_sent_at,
                "undelivered": undelivered,
                "why": "; ".join(each for each in (state.last_error, quiet) if each),
            }
        )

    def show() -> None:
        if not rows:
            say("magellan.toml names no channel: alarms are in the log and on the console alone")
            return
        print_table(
            ("channel", "kind", "from", "waiting", "given up", "last taken", "why it waits"),
            [
                (
                    row["channel"],
                    row["kind"],
                    row["least"],
                    row["waiting"],
                    row["undelivered"],
                    row["last_sent_at"] and f"{row['last_sent_at']:%Y-%m-%d %H:%M:%S}Z",
                    row["why"] or None,
                )
                for row in rows
            ],
            numbers=("waiting", "given up"),
        )

    emit(rows, as_json=as_json, human=show)
