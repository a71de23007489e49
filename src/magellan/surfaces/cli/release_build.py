"""`magellan release build`."""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder
from magellan.surfaces.cli.run_options import StrategyArgument

if TYPE_CHECKING:
    from magellan.usecases.build_release import Built


def release_build(
    strategy: StrategyArgument,
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="PERSON", help="Who answers for it; default: this machine's user."),
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build a release: the strategy's folder, this very engine, its locked dependencies and the gates' verdict.

    One signed file, named by the digest of all that is in it: the same
    input always gives the same bytes. It needs a verdict of the gates on
    exactly these files, open or shut; where it may go depends on which.
    Nothing is built with a secret in it.
    """
    from datetime import UTC, datetime

    from magellan.surfaces.cli.output import emit
    from magellan.usecases.build_release import build_release
    from magellan.wiring.releases import release_sources
    from magellan.workspace.workspace import Workspace

    opened = Workspace.at(workspace_folder(workspace))
    sources = release_sources(opened, os.environ, lambda: datetime.now(UTC))
    built = build_release(opened.strategy(strategy), sources, author=(by or getpass.getuser()).strip())
    document = {
        "name": built.stored.name,
        "release_id": built.stored.release_id,
        "number": built.stored.number,
        "bytes": built.stored.size,
        "was_there": built.was_there,
        "signed_by": built.signer,
        "place": sources.store.place,
        "manifest": built.manifest,
    }
    emit(document, as_json=as_json, human=lambda: _show(built, sources.store.place))


def _show(built: Built, place: str) -> None:
    from magellan.surfaces.cli.output import note, say

    manifest, stored = built.manifest, built.stored
    say(f"{stored.name}{', which was there already' if built.was_there else ''}")
    say(f"  id        {stored.release_id}")
    say(f"  holds     {len(manifest.files):,} files, {stored.size:,} bytes, in {place}")
    shut = f", criteria not open: {len(manifest.gate.not_open)}" if manifest.gate.not_open else ""
    say(f"  gates     {manifest.gate.answer}{shut}")
    if built.signer is None:
        note(
            "its key is not in magellan.toml, so nothing will deploy it; `magellan release key` shows what to add"
        )
    else:
        say(f"  signed    by {built.signer}")
