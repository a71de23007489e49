"""`magellan migrate scan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from magellan.surfaces.cli.migrate_options import FolderArgument
from magellan.surfaces.cli.migrate_scan_options import (
    CategoriesOption,
    OutOption,
    PythonOption,
    RootOption,
    WorkersOption,
)
from magellan.surfaces.cli.options import JsonOption

if TYPE_CHECKING:
    from magellan.migration.scan.scan import Scan
    from magellan.surfaces.cli.migrate_scan_options import Looked

_CAUSES_SHOWN: Final = 8
_PAGE: Final = "scan.html"


def migrate_scan(
    folder: FolderArgument = None,
    categories: CategoriesOption = None,
    root: RootOption = None,
    try_imports: Annotated[
        bool, typer.Option("--imports/--no-imports", help="Try whether each module can be imported.")
    ] = True,
    time_limit: Annotated[
        float,
        typer.Option(
            "--time-limit",
            min=0.5,
            metavar="SECONDS",
            help="CPU time for each import that is tried; thrice that on the clock.",
        ),
    ] = 20.0,
    import_budget: Annotated[
        float,
        typer.Option(
            "--import-budget",
            min=1.0,
            metavar="SECONDS",
            help="On the clock, for all imports together; modules that were not tried by then are listed.",
        ),
    ] = 600.0,
    python: PythonOption = None,
    workers: WorkersOption = None,
    out: OutOption = None,
    print_rules: Annotated[
        bool, typer.Option("--print-rules", help="Print the rules for categories, to copy and edit, and end.")
    ] = False,
    learn: Annotated[
        Path | None,
        typer.Option("--learn", metavar="FILE", help="Write rules learned from the project itself, and end."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Look through a Python project and say what is in it; nothing of it is changed or kept running.

    Every file by kind and category; who imports whom; what is broken, double
    or dead; and which modules can be imported, each tried in a sandbox.
    Writes file_categorization_report.md, file_analysis.json and scan.html.
    """
    from magellan.surfaces.cli.migrate_scan_options import look_through
    from magellan.surfaces.cli.output import emit, say

    if print_rules:
        from magellan.migration.categories.rules import DEFAULT

        say(DEFAULT.read_text(encoding="utf-8").rstrip())
        return
    looked = look_through(
        folder, categories=categories, roots=root, python=python, workers=workers,
        try_imports=try_imports and learn is None, time_limit_s=time_limit, imports_within_s=import_budget,
    )  # fmt: skip
    if learn is not None:
        _learn(looked, learn, as_json=as_json)
        return
    written = _write(looked.scan, out or looked.folder / ".magellan" / "scan")
    document = {**_summary(looked), "written": [str(path) for path in written]}
    emit(document, as_json=as_json, human=lambda: _show(looked, written))


def _learn(looked: Looked, path: Path, *, as_json: bool) -> None:
    from magellan.adapters.durable_file import write_durably
    from magellan.errors import FixInput
    from magellan.migration.categories.judge import Said
    from magellan.migration.categories.learned import learned_rules
    from magellan.migration.categories.rules import parse_rules
    from magellan.migration.module_names import is_init
    from magellan.migration.scan.file_kind import FileKind
    from magellan.surfaces.cli.output import emit, say

    if path.exists():
        raise FixInput(f"{path} is there already", next_step="name another file, or remove it")
    files = [
        Said(path=file.path, features=file.features)
        for file in looked.scan.python
        if file.kind is FileKind.CODE and not is_init(file.path)
    ]
    text = learned_rules(files, looked.scan.graph.imports)
    categories = tuple(parse_rules(text, name=str(path)).category)
    write_durably(path, text.encode(), kept="the project; nothing of it was changed")
    emit(
        {"rules": str(path), "categories": categories},
        as_json=as_json,
        human=lambda: say(f"{path}: {len(categories)} categories: {', '.join(categories)}"),
    )


def _write(scan: Scan, folder: Path) -> list[Path]:
    import json

    from magellan.adapters.durable_file import write_durably
    from magellan.migration.categories.rules import rules_schema
    from magellan.migration.scan import analysis, report
    from magellan.usecases.migrate_page import scan_page

    contents = {
        report.FILE_NAME: report.report_text(scan),
        analysis.FILE_NAME: analysis.analysis_of(scan).model_dump_json(indent=1) + "\n",
        "file_analysis.schema.json": json.dumps(analysis.analysis_schema(), indent=2) + "\n",
        "categories.schema.json": json.dumps(rules_schema(), indent=2) + "\n",
        _PAGE: scan_page(scan),
    }
    if folder.parent.name == ".magellan" and not (folder.parent / ".gitignore").exists():
        write_durably(folder.parent / ".gitignore", b"*\n", kept="the project; nothing of it was changed")
    for name, text in contents.items():
        encoded = text.encode("utf-8", "backslashreplace")
        write_durably(folder / name, encoded, kept="the project; nothing of it was changed")
    return [folder / name for name in contents]


def _summary(looked: Looked) -> dict[str, object]:
    from collections import Counter

    scan = looked.scan
    activation = scan.activation
    return {
        "files": len(scan.files),
        "python_files": len(scan.python),
        "kinds": dict(Counter(str(file.kind) for file in scan.files)),
        "broken": [file.path for file in scan.broken],
        "imports": {str(origin): count for origin, count in scan.origins.items()},
        "source_roots": scan.source_roots,
        "circles": len(scan.circles),
        "copies": len(scan.copies),
        "near_duplicates": len(scan.near),
        "dead": len(scan.dead),
        "entry_points": len(scan.entry_points),
        "categories": dict(Counter(each.category for each in scan.judged if each.is_sure)),
        "undecided": len(scan.undecided),
        "of_no_category": {str(kind): count for kind, count in scan.outside_categories.items()},
        "tried": None if activation is None else len(activation.tried),
        "imported": None if activation is None else activation.imported,
        "not_tried": None if activation is None else activation.not_tried,
        "isolation": None if activation is None else str(activation.isolation),
        "causes": [
            {"what": each.what, "breaks": len(each.breaks), "next_step": each.next_step}
            for each in (activation.causes if activation else ())
        ],
        "findings": len(scan.findings),
        "took_s": round(looked.took_s, 2),
    }


def _show(looked: Looked, written: list[Path]) -> None:
    from magellan.migration.scan.report import summary_rows
    from magellan.surfaces.cli.output import note, print_table, say

    rows = summary_rows(looked.scan)
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        say(f"{name:<{width}}  {value}")
    activation = looked.scan.activation
    if activation is not None and activation.causes:
        print_table(
            ("breaks", "cause", "what to do"),
            [(len(each.breaks), each.what, each.next_step) for each in activation.causes[:_CAUSES_SHOWN]],
            title="What breaks most imports",
            numbers=("breaks",),
        )
    if activation is not None:
        note(f"tried with {activation.isolation}: {activation.isolation.means}")
    note(f"{looked.took_s:.1f} s; written to {written[0].parent}: {', '.join(path.name for path in written)}")
