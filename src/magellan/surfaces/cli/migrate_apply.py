"""`magellan migrate apply`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from magellan.surfaces.cli.migrate_options import FolderArgument, NoGitOption, YesOption, show_dry_run
from magellan.surfaces.cli.options import JsonOption

if TYPE_CHECKING:
    from magellan.usecases.migrate_apply import Desk, Prepared

_PLACES_SHOWN = 10


def migrate_apply(
    folder: FolderArgument = None,
    mapping: Annotated[
        Path | None,
        typer.Option("--mapping", metavar="FILE", help="migration_mapping.json: what goes where."),
    ] = None,
    yes: YesOption = False,
    no_git: NoGitOption = False,
    no_shims: Annotated[
        bool,
        typer.Option(
            "--no-shims", help="Let old import paths end now, also where the mapping asks for a shim."
        ),
    ] = False,
    commit: Annotated[
        str,
        typer.Option(
            "--commit", metavar="HOW", help="staged (as `git mv` does), one commit, or phases: two."
        ),
    ] = "staged",
    leave: Annotated[
        list[str] | None,
        typer.Option(
            "--leave", metavar="KIND", help="Leave references of this kind as they are; may be repeated."
        ),
    ] = None,
    change_probable: Annotated[
        list[str] | None,
        typer.Option(
            "--change-probable", metavar="KIND", help="Also change what is probably one; may be repeated."
        ),
    ] = None,
    diff: Annotated[bool, typer.Option("--diff/--no-diff", help="Show the unified diff.")] = True,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the one that was stopped.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Move files as the mapping says, and rewrite every name of theirs; a dry run unless --yes.

    Kinds of references: import, attribute, string, annotation, docstring,
    comment, "text in string", "code in text", text, command, path,
    "path in code", "file arithmetic", __all__, pickle, link; or all.
    """
    from magellan.plan.carry_out import Finished
    from magellan.surfaces.cli.migrate_options import desk_of, outcome_document, show_outcome, step_progress
    from magellan.surfaces.cli.output import emit, progress_bars
    from magellan.usecases.migrate_apply import apply_recorded, refuse_unsafe, resume_migration

    if resume == (mapping is not None):
        raise typer.BadParameter("give either `--mapping FILE` or `--resume`")
    desk = desk_of(folder)
    if resume:
        with progress_bars() as bars:
            outcome = resume_migration(desk, on_progress=step_progress(bars))
        emit(outcome_document(outcome), as_json=as_json, human=lambda: show_outcome(outcome, "done"))
        raise typer.Exit(0 if isinstance(outcome, Finished) else 1)
    assert mapping is not None, "one of the two was given"
    prepared = _prepared(folder, mapping, desk, no_git, no_shims, commit, leave, change_probable)
    if not yes:
        _show_dry_run(prepared, desk, with_diff=diff, as_json=as_json)
        return
    refuse_unsafe(prepared.recorded, desk)
    with progress_bars() as bars:
        outcome = apply_recorded(prepared.recorded, desk, on_progress=step_progress(bars))
    document = {**_summary(prepared), **outcome_document(outcome), "migration": prepared.recorded.id}
    done = f"done; `magellan migrate rollback {desk.folder} --yes` takes it back"

    def show() -> None:
        _show_summary(prepared)
        show_outcome(outcome, done)

    emit(document, as_json=as_json, human=show)
    if not isinstance(outcome, Finished):
        raise typer.Exit(1)


def _prepared(
    folder: Path | None,
    mapping: Path,
    desk: Desk,
    no_git: bool,
    no_shims: bool,
    commit: str,
    leave: list[str] | None,
    change_probable: list[str] | None,
) -> Prepared:
    from magellan.adapters.local.installed_modules import installed_modules
    from magellan.adapters.local.source_folder import read_source_tree
    from magellan.migration.apply_plan import Commits
    from magellan.migration.mapping import read_mapping
    from magellan.migration.rewrite.reference import RewriteOptions
    from magellan.surfaces.cli.migrate_options import executor_for, read_kinds
    from magellan.surfaces.cli.output import progress_bars
    from magellan.usecases.migrate_apply import Wishes, prepare

    if commit not in (Commits.STAGED, Commits.ONE, Commits.PHASES):
        raise typer.BadParameter(f"'{commit}' is no way to commit; there are staged, one and phases")
    wishes = Wishes(
        rewriting=RewriteOptions(off=read_kinds(leave), probable=read_kinds(change_probable)),
        shims=not no_shims,
        uses_git=not no_git,
        commits=Commits(commit),
        name=str(mapping),
    )
    value = read_mapping(mapping)
    tree = read_source_tree(folder or Path.cwd())
    with progress_bars() as bars:
        return prepare(
            tree,
            value,
            wishes,
            desk,
            is_installed=installed_modules().__contains__,
            executor=executor_for(tree),
            on_progress=lambda done, total: bars.report("look through files", done, total),
        )


def _summary(prepared: Prepared) -> dict[str, Any]:
    from magellan.migration.change_set import WrittenFor
    from magellan.migration.risks import kinds_changed

    changes = prepared.recorded.changes
    return {
        "moves": len(changes.moves),
        "files_rewritten": len(changes.written_for(WrittenFor.NAMES)),
        "packages_made": len(changes.written_for(WrittenFor.PACKAGE)),
        "shims": len(changes.written_for(WrittenFor.SHIM)),
        "links": len(changes.links),
        "references": {str(kind): count for kind, count in sorted(kinds_changed(prepared.migration).items())},
        "left": [
            {
                "file": path,
                "line": each.line,
                "kind": str(each.kind),
                "old": each.old,
                "new": each.new,
                "note": each.note,
            }
            for path, each in prepared.migration.rewriting.left()
        ],
        "risks": [
            {"what": each.what, "places": list(each.places), "advice": each.advice} for each in prepared.risks
        ],
    }


def _show_dry_run(prepared: Prepared, desk: Desk, *, with_diff: bool, as_json: bool) -> None:
    from magellan.usecases.migrate_apply import refusals_of

    show_dry_run(
        refusals_of(prepared.recorded, desk),
        prepared.recorded.changes if with_diff else None,
        _summary(prepared),
        lambda: _show_summary(prepared),
        as_json=as_json,
    )


def _show_summary(prepared: Prepared) -> None:
    from magellan.surfaces.cli.output import say

    told = _summary(prepared)
    say(
        f"{told['moves']} moves, {told['files_rewritten']} files rewritten, {told['packages_made']} packages made, "
        f"{told['shims']} shims, {told['links']} links pointed anew"
    )
    for kind, count in told["references"].items():
        say(f"  {count:6,} x {kind}")
    for risk in told["risks"]:
        say(f"look: {risk['what']}" + (f"; {risk['advice']}" if risk["advice"] else ""))
        for place in risk["places"][:_PLACES_SHOWN]:
            say(f"    {place}")
        if len(risk["places"]) > _PLACES_SHOWN:
            say(f"    and {len(risk['places']) - _PLACES_SHOWN} more; --json names all")
