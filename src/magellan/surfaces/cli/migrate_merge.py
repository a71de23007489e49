"""`magellan migrate merge`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from magellan.surfaces.cli.migrate_options import NoGitOption, YesOption, show_dry_run
from magellan.surfaces.cli.options import JsonOption

if TYPE_CHECKING:
    from magellan.usecases.migrate_merge import Merge

_SHOWN: Final = 15


def migrate_merge(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="The tree whose code is taken over.")],
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="The tree that it is merged into.")],
    base: Annotated[
        str,
        typer.Option(
            "--base", metavar="COMMIT", help="Of the common ancestor; default: what git's history says."
        ),
    ] = "",
    reviews: Annotated[
        str, typer.Option("--reviews", metavar="FOLDER", help="In the target: where conflicts are put.")
    ] = "merge_conflicts",
    yes: YesOption = False,
    no_git: NoGitOption = False,
    diff: Annotated[bool, typer.Option("--diff/--no-diff", help="Show the unified diff.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Merge the same package, grown in two trees, definition by definition; a dry run unless --yes.

    What is only in the source is taken, what both have is kept once, and
    what differs waits in review files, with both versions, callers and
    tests. SOURCE is never changed; `magellan migrate rollback` takes it back.
    """
    from magellan.adapters.local.common_ancestor import common_ancestor
    from magellan.adapters.local.source_folder import read_source_tree
    from magellan.migration.apply_plan import Commits
    from magellan.plan.carry_out import Finished
    from magellan.surfaces.cli.migrate_options import desk_of, outcome_document, show_outcome, step_progress
    from magellan.surfaces.cli.output import emit, progress_bars
    from magellan.usecases.migrate_apply import apply_recorded, record_of, refusals_of, refuse_unsafe
    from magellan.usecases.migrate_merge import merge

    _refuse_nested(source, target)
    desk = desk_of(target)
    ancestor = common_ancestor(source, target, base)
    with progress_bars() as bars:
        found = merge(
            read_source_tree(source),
            read_source_tree(target),
            ancestor,
            reviews=reviews.strip("/"),
            on_progress=lambda done, total: bars.report("compare files", done, total),
        )
    recorded = record_of(
        found.changes,
        desk,
        name=f"merge {source.resolve().name} into {target.resolve().name}",
        source_roots=("",),
        commits=Commits.UNTOUCHED if no_git else Commits.STAGED,
    )
    if not yes:
        show_dry_run(
            refusals_of(recorded, desk),
            found.changes if diff else None,
            _summary(found, ancestor.commit),
            lambda: _show(found, ancestor.commit),
            as_json=as_json,
        )
        return
    refuse_unsafe(recorded, desk)
    with progress_bars() as bars:
        outcome = apply_recorded(recorded, desk, on_progress=step_progress(bars))
    document = {**_summary(found, ancestor.commit), **outcome_document(outcome), "migration": recorded.id}

    def show() -> None:
        _show(found, ancestor.commit)
        show_outcome(outcome, f"done; `magellan migrate rollback {desk.folder} --yes` takes it back")

    emit(document, as_json=as_json, human=show)
    if not isinstance(outcome, Finished):
        raise typer.Exit(1)


def _refuse_nested(source: Path, target: Path) -> None:
    from magellan.errors import FixInput

    one, other = source.resolve(), target.resolve()
    if one == other or one in other.parents or other in one.parents:
        raise FixInput(
            f"{source} and {target} are the same folder, or one lies in the other",
            next_step="name two folders beside each other",
        )


def _summary(found: Merge, ancestor: str) -> dict[str, object]:
    from collections import Counter

    from magellan.migration.merge.review import account_rows

    merged = found.merged
    return {
        "ancestor": ancestor or None,
        "files": dict(Counter(str(file.relation) for file in merged.files)),
        "definitions": {
            name: {"source": mine, "target": theirs} for name, mine, theirs in account_rows(merged)
        },
        "lost": len(merged.lost),
        "conflicts": [
            {"file": file.path, "what": conflict.key, "why": conflict.why}
            for file in merged.files
            for conflict in file.conflicts
        ],
        "written": [each.path for each in found.changes.written],
    }


def _show(found: Merge, ancestor: str) -> None:
    from collections import Counter

    from magellan.migration.merge.merged_tree import ACTION, FileRelation
    from magellan.migration.merge.review import account_rows
    from magellan.surfaces.cli.output import print_table, say

    merged = found.merged
    say(
        f"common ancestor: {ancestor[:12] or 'none known; what one side took away may look like what the other added'}"
    )
    counts = Counter(file.relation for file in merged.files)
    print_table(
        ("files", "", "what happens"),
        [(counts[each], str(each), ACTION[each]) for each in FileRelation if counts[each]],
        numbers=("files",),
    )
    print_table(
        ("definitions", "source", "target"), account_rows(merged), numbers=("source", "target"),
        footnote="none is lost: each was looked for again",
    )  # fmt: skip
    waiting = [(file.path, conflict) for file in merged.files for conflict in file.conflicts]
    if waiting:
        say(f"for a person to decide: {len(waiting)}")
    for path, conflict in waiting[:_SHOWN]:
        say(f"    {path}: {conflict.key or 'the whole file'}: {conflict.why}")
    if len(waiting) > _SHOWN:
        say(f"    and {len(waiting) - _SHOWN} more; --json names all")
