"""What `magellan migrate scan` and `magellan migrate plan` do alike: look through a tree."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from magellan.migration.categories.rules import CategoryRules
    from magellan.migration.scan.scan import Scan
    from magellan.ports.executor import Executor

CategoriesOption = Annotated[
    Path | None,
    typer.Option(
        "--categories", metavar="FILE", help="Rules for categories, TOML; default: a trading system's."
    ),
]
RootOption = Annotated[
    list[str] | None,
    typer.Option(
        "--root", metavar="FOLDER", help='Count imports from this folder; "." is DIR. Default: found out.'
    ),
]


def interpreter_named(said: str | None) -> str | None:
    """That interpreter wherever it is started from: tests run in copies. A bare name is looked for in PATH."""
    return os.path.abspath(os.path.expanduser(said)) if said and os.sep in said else said


PythonOption = Annotated[
    str | None,
    typer.Option(
        "--python",
        metavar="FILE",
        help="The project's interpreter; default: ours.",
        callback=interpreter_named,
    ),
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes at work; default: one per core.")
]
OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="FOLDER", help="Where to write; default: DIR/.magellan/scan.")
]

_WORTH_PROCESSES = 300  # files; fewer are read sooner than processes are started


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A tree that was looked through."""

    scan: Scan
    rules: CategoryRules
    is_installed: Callable[[str], bool]
    folder: Path
    took_s: float

    @property
    def answers_for_nothing(self) -> tuple[str, ...]:
        """Paths that the rules have an answer for, and the tree has not."""
        there = {file.path for file in self.scan.files}
        return tuple(path for path, answer in self.rules.answers.items() if answer and path not in there)


def look_through(
    folder: Path | None,
    *,
    categories: Path | None,
    roots: Sequence[str] | None,
    python: str | None,
    workers: int | None,
    try_imports: bool,
    time_limit_s: float,
    imports_within_s: float | None = None,
) -> Looked:
    """Scan the folder, showing progress. Raises FixInput where there is none, and for wrong rules."""
    import time

    from magellan.adapters.local.import_sandbox.sandbox import LocalImportSandbox
    from magellan.adapters.local.installed_modules import installed_modules
    from magellan.adapters.local.source_folder import read_source_tree
    from magellan.adapters.missing_extra import extra_missing
    from magellan.migration.categories.rules import read_rules
    from magellan.surfaces.cli.output import progress_bars
    from magellan.usecases.migrate_scan import scan_tree

    try:
        import networkx  # noqa: F401  (said here, and not after a minute of work)
    except ImportError as error:
        raise extra_missing("migrate", error) from None
    begun = time.monotonic()
    root = (folder or Path.cwd()).resolve()
    rules = read_rules(categories)
    tree = read_source_tree(root)
    interpreter = python or sys.executable
    known = installed_modules(interpreter)
    sandbox = None
    if try_imports:
        sandbox = LocalImportSandbox(
            root, python=interpreter, workers=workers or _cores(), time_limit_s=time_limit_s
        )
    with progress_bars() as bars:
        scan = scan_tree(
            tree,
            rules,
            executor=executor_for_reading(len(tree.python_files), workers),
            is_installed=known.__contains__,
            roots=None if not roots else ["" if each == "." else each.strip("/") for each in roots],
            sandbox=sandbox,
            imports_within_s=imports_within_s,
            on_progress=bars.report,
        )
    return Looked(
        scan=scan, rules=rules, is_installed=known.__contains__, folder=root, took_s=time.monotonic() - begun
    )


def executor_for_reading(python_files: int, workers: int | None) -> Executor:
    """What reads so many files: processes, one per core unless said, where starting them takes less time than it."""
    from magellan.adapters.local.processes import ProcessExecutor
    from magellan.adapters.local.threads import ThreadExecutor

    if python_files <= _WORTH_PROCESSES:
        return ThreadExecutor(1)
    return ProcessExecutor(workers or _cores())


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
