"""How `magellan migrate verify` looks at a tree: a copy, a scan, imports in a sandbox, and the project's tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from magellan.migration.scan.scan import Scan
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

    def look(which: str, tree: SourceTree, roots: tuple[str, ...]) -> tuple[Scan, SuiteRun | None]:
        import tempfile
        from pathlib import Path

        from magellan.adapters.local.import_sandbox.sandbox import LocalImportSandbox
        from magellan.adapters.local.installed_modules import installed_modules
        from magellan.adapters.local.project_tests import run_tests as run
        from magellan.adapters.local.threads import ThreadExecutor
        from magellan.adapters.local.tree_copy import write_copy
        from magellan.migration.categories.rules import read_rules
        from magellan.surfaces.cli.migrate_options import executor_for
        from magellan.surfaces.cli.output import progress_bars
        from magellan.usecases.migrate_scan import scan_tree

        interpreter = python or sys.executable
        with tempfile.TemporaryDirectory(prefix=f"magellan-{which}-") as name, progress_bars() as bars:
            folder = Path(name)
            write_copy(tree, folder)
            sandbox = None
            if time_limit_s is not None:
                cores = workers or os.cpu_count() or 1
                sandbox = LocalImportSandbox(
                    folder, python=interpreter, workers=cores, time_limit_s=time_limit_s
                )
            scan = scan_tree(
                tree,
                read_rules(None),
                executor=executor_for(tree) or ThreadExecutor(1),
                is_installed=installed_modules(interpreter).__contains__,
                roots=roots,
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
        return scan, tests

    return look
