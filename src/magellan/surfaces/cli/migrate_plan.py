"""`magellan migrate plan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from magellan.surfaces.cli.migrate_options import FolderArgument
from magellan.surfaces.cli.migrate_scan_options import (
    CategoriesOption,
    PythonOption,
    RootOption,
    WorkersOption,
)
from magellan.surfaces.cli.options import JsonOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from magellan.migration.categories.proposal import Proposal
    from magellan.migration.categories.questions import Question
    from magellan.surfaces.cli.migrate_scan_options import Looked

_SHOWN: Final = 12


def migrate_plan(
    folder: FolderArgument = None,
    mapping: Annotated[
        Path | None,
        typer.Option(
            "--mapping", metavar="FILE", help="Where it goes; default: migration_mapping.json, here."
        ),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Leave an earlier mapping out of account, and write over it.")
    ] = False,
    ask: Annotated[
        int | None,
        typer.Option(
            "--ask",
            min=1,
            metavar="N",
            help="Instead of a mapping, write the N questions whose answers decide most others.",
        ),
    ] = None,
    categories: CategoriesOption = None,
    root: RootOption = None,
    python: PythonOption = None,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Propose where each file should go, as a mapping to edit and to give to `magellan migrate apply`.

    Only files whose category is sure are moved; the others are listed. A
    mapping that is there is kept up to date: what a person wrote or edited
    stays. Map a file to itself to say that it shall stay where it is.

    Where many are unsure, `--ask 12` writes a dozen questions into the
    rules; the rest of the project is learnt from the answers to them.
    """
    from magellan.adapters.durable_file import write_durably
    from magellan.migration.categories.proposal import propose
    from magellan.migration.mapping import FILE_NAME, mapping_text, read_mapping
    from magellan.surfaces.cli.migrate_scan_options import look_through
    from magellan.surfaces.cli.output import emit

    if ask is not None:
        _ask(folder, ask, categories=categories, roots=root, python=python, workers=workers, as_json=as_json)
        return
    path = mapping or Path(FILE_NAME)
    earlier = read_mapping(path) if path.exists() and not fresh else None
    looked = look_through(
        folder, categories=categories, roots=root, python=python, workers=workers,
        try_imports=False, time_limit_s=1.0,
    )  # fmt: skip
    proposal = propose(looked.scan, looked.rules, looked.is_installed, earlier=earlier)
    write_durably(
        path,
        mapping_text(proposal.mapping).encode("utf-8", "backslashreplace"),
        kept="the project, as it was",
    )
    document = {
        "mapping": str(path),
        "moves": len(proposal.mapping.moves),
        "kept_by_hand": proposal.kept_by_hand,
        "gone": proposal.gone,
        "packages": sorted(proposal.mapping.package_files),
        "shims": sum(bool(move.shim) for move in proposal.mapping.moves),
        "collisions": proposal.collisions,
        "clashes": proposal.clashes,
        "answers_for_nothing": looked.answers_for_nothing,
        "of_no_category": {str(kind): count for kind, count in proposal.staying.items()},
        "undecided": [
            {
                "path": each.path,
                "perhaps": each.category,
                "or": each.instead,
                "confidence": round(each.confidence, 2),
            }
            for each in proposal.undecided
        ],
        "took_s": round(looked.took_s, 2),
    }
    emit(document, as_json=as_json, human=lambda: _show(proposal, path, looked, folder))


def _ask(
    folder: Path | None,
    count: int,
    *,
    categories: Path | None,
    roots: list[str] | None,
    python: str | None,
    workers: int | None,
    as_json: bool,
) -> None:
    from magellan.adapters.durable_file import write_durably
    from magellan.errors import FixInput
    from magellan.migration.categories.questions import FILE_NAME, questions_about, with_questions
    from magellan.surfaces.cli.migrate_scan_options import look_through
    from magellan.surfaces.cli.output import emit

    path = categories or Path(FILE_NAME)
    if categories is None and path.exists():
        raise FixInput(
            f"{path} is there already", next_step=f"add `--categories {path}` to add to its questions"
        )
    looked = look_through(
        folder, categories=categories if path.exists() else None, roots=roots, python=python,
        workers=workers, try_imports=False, time_limit_s=1.0,
    )  # fmt: skip
    asked = questions_about(looked.scan, looked.rules, count)
    if asked:
        earlier = path.read_text(encoding="utf-8") if path.exists() else None
        text = with_questions(earlier, asked, name=str(path))
        write_durably(path, text.encode(), kept="the project, as it was")
    document = {
        "rules": str(path) if asked else None,
        "questions": [
            {"path": each.path, "perhaps": each.perhaps, "or": each.instead, "speaks_for": each.speaks_for}
            for each in asked
        ],
    }
    emit(document, as_json=as_json, human=lambda: _show_questions(asked, path, folder))


def _show_questions(asked: Sequence[Question], path: Path, folder: Path | None) -> None:
    from magellan.surfaces.cli.output import note, print_table, say

    if not asked:
        say("nothing is left to ask about")
        return
    rows = [(each.path, each.perhaps or "", each.instead or "", str(len(each.speaks_for))) for each in asked]
    print_table(
        ("file", "perhaps", "or", "decides"), rows, title="Where do these belong?", numbers=("decides",)
    )
    at = f" {folder}" if folder is not None else ""
    note(f"written to {path}; answer there, then `magellan migrate plan --categories {path}{at}`")


def _show(proposal: Proposal, path: Path, looked: Looked, folder: Path | None) -> None:
    from collections import Counter

    from magellan.surfaces.cli.output import note, print_table, say

    moves = proposal.mapping.moves
    counts = Counter(move.target.rpartition("/")[0] for move in moves if move.source != move.target)
    print_table(("folder", "files"), sorted(counts.items()), title=f"{len(moves)} moves", numbers=("files",))
    for each in proposal.collisions[:_SHOWN]:
        say(f"not moved, since they would be one file, {each.target}: {', '.join(each.sources)}")
    _more(len(proposal.collisions))
    for clash in proposal.clashes[:_SHOWN]:
        say(f"{clash.name} has the name of {clash.with_what}; {clash.advice}")
    _more(len(proposal.clashes))
    if proposal.undecided:
        say(f"for a person to decide: {len(proposal.undecided)} files")
        for judged in proposal.undecided[:_SHOWN]:
            say(
                f"    {judged.path}: perhaps {judged.category}, or {judged.instead} ({judged.confidence:.0%})"
            )
        _more(len(proposal.undecided))
    if proposal.staying:
        told = ", ".join(f"{count} {kind}" for kind, count in proposal.staying.items())
        say(f"no category, so they stay: {sum(proposal.staying.values())} files: {told}")
    if proposal.kept_by_hand:
        say(f"kept as they were written: {len(proposal.kept_by_hand)} moves")
    for source in proposal.gone[:_SHOWN]:
        say(f"left out, since it is no longer there: {source}")
    for file in looked.answers_for_nothing[:_SHOWN]:
        say(f"an answer for a file that is not there: {file}")
    _more(len(looked.answers_for_nothing))
    at = f" {folder}" if folder is not None else ""
    note(f"written to {path}; edit it, then look at `magellan migrate apply --mapping {path}{at}`")


def _more(count: int) -> None:
    from magellan.surfaces.cli.output import say

    if count > _SHOWN:
        say(f"    and {count - _SHOWN} more; --json names all")
