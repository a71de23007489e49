"""`magellan freeze show`."""

from __future__ import annotations

from typing import Annotated

import typer

from magellan.surfaces.cli.freeze_options import AtOption
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption


def freeze_show(
    strategy: Annotated[
        str | None,
        typer.Argument(metavar="[STRATEGY]", help="With the earnings of what it trades and holds."),
    ] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=100, help="How far to look ahead.")] = 30,
    at: AtOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the windows in which nothing is deployed to prod, and the overrides that hold."""
    from magellan.surfaces.cli.freeze_options import freeze_desk, shown
    from magellan.surfaces.cli.output import emit, print_table, say
    from magellan.usecases.freeze import coming_windows, overrides

    with freeze_desk(workspace, at) as desk:
        symbols = frozenset() if strategy is None else desk.symbols(strategy)
        windows = coming_windows(desk.sources, days=days, symbols=symbols)
        now = desk.sources.clock()
        granted = [each for each in overrides(desk.sources) if each.granted_at <= now < each.until_at]

    def show() -> None:
        if windows:
            print_table(
                ("window", "from", "until", "now"),
                [
                    (
                        each.name,
                        shown(each.from_at),
                        shown(each.until_at),
                        "frozen" if each.holds(now) else "",
                    )
                    for each in windows
                ],
            )
        else:
            say(f"no window in the next {days} days")
        for each in granted:
            say(f"override: {each.subject} until {shown(each.until_at)}, by {each.by}: {each.reason}")

    document = {"now": now, "windows": windows, "overrides": granted}
    emit(document, as_json=as_json, human=show)
