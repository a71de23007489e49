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
    from magellan.migration.categories.proposal import Proposal

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
    """
    from magellan.adapters.durable_file import write_durably
    from magellan.migration.categories.proposal import propose
    from magellan.migration.mapping import FILE_NAME, mapping_text, read_mapping
    from magellan.surfaces.cli.migrate_scan_options import look_through
    from magellan.surfaces.cli.output import emit

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
    emit(document, as_json=as_json, human=lambda: _show(proposal, path, folder))


def _show(proposal: Proposal, path: Path, folder: Path | None) -> None:
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
    at = f" {folder}" if folder is not None else ""
    note(f"written to {path}; edit it, then look at `magellan migrate apply --mapping {path}{at}`")


def _more(count: int) -> None:
    from magellan.surfaces.cli.output import say

    if count > _SHOWN:
        say(f"    and {count - _SHOWN} more; --json names all")
