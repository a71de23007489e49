"""`magellan migrate workspace`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from magellan.surfaces.cli.migrate_options import FolderArgument, NoGitOption, YesOption
from magellan.surfaces.cli.options import JsonOption

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from magellan.usecases.migrate_workspace import NewLayout
    from magellan.workspace.workspace import Stage

_SHOWN: Final = 12


def migrate_workspace(
    folder: FolderArgument = None,
    stage: Annotated[
        list[str] | None,
        typer.Option(
            "--stage", metavar="NAME=STAGE", help="Put a strategy into dev, test or prod; may be repeated."
        ),
    ] = None,
    yes: YesOption = False,
    no_git: NoGitOption = False,
    diff: Annotated[bool, typer.Option("--diff/--no-diff", help="Show the unified diff.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring an old workspace into dev/, test/ and prod/; a dry run unless --yes.

    deployable_strategies/*/aws_deployment and deployed/ become a folder per
    strategy; each config is brought into the schema of config.json, and what
    has no place there is listed; units, workflows and imports name the new
    paths. `magellan migrate rollback` takes it back.
    """
    from magellan.adapters.local.source_folder import read_source_tree
    from magellan.errors import FixInput
    from magellan.migration.apply_plan import Commits
    from magellan.migration.difference import unified_diff
    from magellan.plan.carry_out import Finished
    from magellan.surfaces.cli.migrate_options import desk_of, outcome_document, show_outcome, step_progress
    from magellan.surfaces.cli.output import emit, note, progress_bars, say
    from magellan.usecases.migrate_apply import (
        SHIMS_LAST,
        apply_recorded,
        record_of,
        refusals_of,
        refuse_unsafe,
    )
    from magellan.usecases.migrate_workspace import SOURCE_ROOTS, new_layout

    desk = desk_of(folder)
    expires_on = (desk.now() + SHIMS_LAST).date()
    found = new_layout(read_source_tree(folder or Path.cwd()), _stages(stage), shims_expire_on=expires_on)
    recorded = record_of(
        found.changes,
        desk,
        name="bring the workspace into dev, test and prod",
        source_roots=SOURCE_ROOTS,
        commits=Commits.UNTOUCHED if no_git else Commits.STAGED,
    )
    if not yes:
        refusals = [*found.problems, *refusals_of(recorded, desk)]
        lines = list(unified_diff(found.changes)) if diff else []
        document = {**_summary(found), "outcome": "dry run", "refusals": refusals, "diff": "\n".join(lines)}

        def show() -> None:
            for line in lines:
                say(line)
            _show(found)
            for refusal in refusals:
                say(f"cannot be done: {refusal}")
            if not refusals:
                note("nothing was changed; --yes carries it out")

        emit(document, as_json=as_json, human=show)
        raise typer.Exit(1 if refusals else 0)
    if found.problems:
        raise FixInput(
            "\n  ".join(["configs do not fit the schema", *found.problems]),
            kept="everything",
            next_step="say in the old config of each strategy what is missing, then run the same command again",
        )
    refuse_unsafe(recorded, desk)
    with progress_bars() as bars:
        outcome = apply_recorded(recorded, desk, on_progress=step_progress(bars))

    def tell() -> None:
        _show(found)
        show_outcome(outcome, f"done; `magellan migrate rollback {desk.folder} --yes` takes it back")

    emit(
        {**_summary(found), **outcome_document(outcome), "migration": recorded.id},
        as_json=as_json,
        human=tell,
    )
    if not isinstance(outcome, Finished):
        raise typer.Exit(1)


def _stages(given: Sequence[str] | None) -> Mapping[str, Stage]:
    from magellan.workspace.workspace import Stage

    found = {}
    for each in given or ():
        name, equals, stage = each.partition("=")
        if not equals or stage not in tuple(Stage):
            raise typer.BadParameter(f"'{each}' is no NAME=STAGE; stages are {', '.join(Stage)}")
        found[name] = Stage(stage)
    return found


def _summary(found: NewLayout) -> dict[str, object]:
    return {
        "strategies": [
            {
                "name": each.old.name,
                "stage": str(each.old.stage),
                "from": each.old.folders,
                "files": len(each.old.moves),
                "kept_beside": each.old.doubled,
                "config": None if each.config is None else each.config.document,
                "mapped": []
                if each.config is None
                else [f"{old} -> {new}" for old, new in each.config.mapped],
                "unmapped": () if each.config is None else each.config.unmapped,
            }
            for each in found.strategies
        ],
        "moves": len(found.changes.moves),
        "rewritten": len(found.changes.written),
        "still_said": found.still,
        "named_without_folder": found.bare,
    }


def _show(found: NewLayout) -> None:
    from magellan.migration.old_workspace.layout import OLD_CONFIG
    from magellan.surfaces.cli.output import print_table, say

    print_table(
        ("strategy", "stage", "files", "config: taken over", "for a person", "from"),
        [
            (
                each.old.name, str(each.old.stage), len(each.old.moves),
                None if each.config is None else len(each.config.mapped),
                None if each.config is None else len(each.config.unmapped), ", ".join(each.old.folders),
            )
            for each in found.strategies
        ],
        numbers=("files", "config: taken over", "for a person"),
    )  # fmt: skip
    for each in found.strategies:
        for path in each.old.doubled:
            say(f"{each.old.name}: there are two of {path}; this one goes below docs/old")
        for key in each.config.unmapped if each.config is not None else ():
            say(f"{each.old.name}: not taken over: {key.key} = {key.value}: {key.why}")
        if each.config is not None:
            say(f"{each.old.name}: its old config stays in {OLD_CONFIG}; what ran it reads that one")
    for still in found.still[:_SHOWN]:
        say(f"still names an old folder: {still.path}, line {still.line}: {still.text}")
    if len(found.still) > _SHOWN:
        say(f"    and {len(found.still) - _SHOWN} more; --json names all")
    for bare in found.bare[:_SHOWN]:
        say(
            f"names a file without its folder, which is {bare.now} now: {bare.path}, line {bare.line}: {bare.text}"
        )
    if len(found.bare) > _SHOWN:
        say(f"    and {len(found.bare) - _SHOWN} more; --json names all")
