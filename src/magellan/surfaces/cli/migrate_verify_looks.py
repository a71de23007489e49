"""How `magellan migrate verify` looks at a tree: a copy, a scan, imports in a sandbox, and the project's tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from magellan.migration.scan.scanned_file import ScannedFile
    from magellan.migration.scan.structure import Structure
    from magellan.migration.source_tree import SourceTree
    from magellan.migration.verify.comparison import SuiteRun
    from magellan.usecases.migrate_verify import Look


def looks_of(
    *,
    python: str | None,
    workers: int | None,
    time_limit_s: float | None,
    test_arguments: Sequence[str] | None,
    test_time_limit_s: float,
) -> Look:
    """Looks with progress bars.

    time_limit_s:   for each import; None: none is tried.
    test_arguments: None: the tests are not run.
    """
    from magellan.adapters.missing_extra import extra_missing

    try:
        import networkx  # noqa: F401  (said here, and not after a minute of work)
    except ImportError as error:
        raise extra_missing("migrate", error) from None

    def look(
        which: str, tree: SourceTree, roots: tuple[str, ...], known: Sequence[ScannedFile]
    ) -> tuple[Structure, SuiteRun | None]:
        import tempfile
        from pathlib import Path

        from magellan.adapters.local.import_sandbox.sandbox import LocalImportSandbox
        from magellan.adapters.local.installed_modules import installed_modules
        from magellan.adapters.local.project_tests import run_tests as run
        from magellan.adapters.local.tree_copy import write_copy
        from magellan.surfaces.cli.migrate_scan_options import executor_for_reading
        from magellan.surfaces.cli.output import progress_bars
        from magellan.usecases.migrate_scan import look_at_structure

        interpreter = python or sys.executable
        with tempfile.TemporaryDirectory(prefix=f"magellan-{which}-") as name, progress_bars() as bars:
            folder = Path(name)
            if time_limit_s is not None or test_arguments is not None:
                write_copy(tree, folder)
            sandbox = None
            if time_limit_s is not None:
                cores = workers or os.cpu_count() or 1
                sandbox = LocalImportSandbox(
                    folder, python=interpreter, workers=cores, time_limit_s=time_limit_s
                )
            structure = look_at_structure(
                tree,
                executor=executor_for_reading(len(tree.python_files) - len(known), workers),
                is_installed=installed_modules(interpreter).__contains__,
                roots=roots,
                known=known,
                sandbox=sandbox,
                on_progress=lambda phase, done, total: bars.report(f"{which}: {phase}", done, total),
            )
            tests = None
            if test_arguments is not None:
                bars.report(f"{which}: tests", 0)
                tests = run(
                    folder,
                    python=interpreter,
                    arguments=test_arguments,
                    source_roots=roots,
                    timeout_s=test_time_limit_s,
                )
        return structure, tests

    return look
