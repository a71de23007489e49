"""`magellan freeze check`."""

from __future__ import annotations

import typer

from magellan.surfaces.cli.freeze_options import AtOption
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption
from magellan.surfaces.cli.run_options import StrategyArgument


def freeze_check(
    strategy: StrategyArgument,
    at: AtOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether a strategy may be deployed to prod now, and if not, which window holds and until when.

    Ends with 0 when it may, also by an override, and with 1 when it is frozen.
    """
    from magellan.deploy.freeze import Frozen
    from magellan.surfaces.cli.freeze_options import freeze_desk, shown
    from magellan.surfaces.cli.output import emit, say
    from magellan.usecases.freeze import check_freeze
    from magellan.workspace.workspace import Stage

    with freeze_desk(workspace, at) as desk:
        name = strategy.rpartition("/")[2]
        symbols = desk.symbols(strategy)
        answer = check_freeze(name, Stage.PROD, desk.sources, symbols=symbols)
    is_frozen = isinstance(answer, Frozen) and answer.override is None

    def show() -> None:
        if not isinstance(answer, Frozen):
            say(f"open for prod/{name}")
            for advice in answer.advice:
                say(f"  {advice}")
            return
        windows = ", ".join(each.name for each in answer.windows)
        say(
            f"prod/{name} is {'FROZEN' if is_frozen else 'let through a freeze'} until {shown(answer.until_at)}: "
            f"{windows}"
        )
        if answer.override is not None:
            by = answer.override
            say(f"  override by {by.by} until {shown(by.until_at)}: {by.reason}")
        else:
            say(f"  a hot fix: `magellan freeze override {name} --by NAME --reason TEXT`")

    document = {
        "subject": f"prod/{name}",
        "answer": "frozen" if is_frozen else "open",
        "windows": answer.windows if isinstance(answer, Frozen) else (),
        "until_at": answer.until_at if isinstance(answer, Frozen) else None,
        "override": answer.override if isinstance(answer, Frozen) else None,
        "advice": () if isinstance(answer, Frozen) else answer.advice,
        "symbols": symbols,
    }
    emit(document, as_json=as_json, human=show)
    if is_frozen:
        raise typer.Exit(1)
