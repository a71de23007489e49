"""`magellan data actions`."""

from __future__ import annotations

from typing import Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder


def data_actions(
    symbols: Annotated[list[str] | None, typer.Argument(metavar="[SYMBOL]...", help="Only these.")] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the table of corporate actions: splits, dividends, confirmed moves.

    It lies in data/corporate_actions.csv of the workspace, and may be edited.
    """
    from magellan.archive.actions import described, kind_of, written_at
    from magellan.archive.adjust import action_at
    from magellan.surfaces.cli.output import emit, print_table, say
    from magellan.usecases.corporate_actions import list_actions
    from magellan.wiring.market import corporate_action_store
    from magellan.workspace.workspace import Workspace

    opened = Workspace.at(workspace_folder(workspace))
    actions = list_actions(corporate_action_store(opened), symbols or ())

    def show() -> None:
        if not actions:
            say("no corporate action is recorded; `magellan data split` records one")
            return
        print_table(
            ("symbol", "kind", "from", "what"),
            [
                (
                    action.symbol,
                    kind_of(action),
                    written_at(action_at(action)),
                    described(action).partition(", ")[2],
                )
                for action in actions
            ],
        )

    documents = [{"kind": kind_of(action), "at": action_at(action), "action": action} for action in actions]
    emit(documents, as_json=as_json, human=show)
