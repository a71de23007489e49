"""A tree of many files: looked through, planned, applied, compared, taken back; with seconds and memory.

python -m benchmarks.migration.large_tree [--files 10000] [--moves 1000] [--folder FOLDER]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from magellan.adapters.local.source_folder import read_source_tree
from magellan.migration.apply_plan import Commits
from magellan.migration.categories.rules import read_rules
from magellan.migration.mapping import MappedMove, MigrationMapping
from magellan.migration.rewrite.reference import RewriteOptions
from magellan.migration.scan.scan import Scan
from magellan.migration.source_tree import SourceTree
from magellan.plan.carry_out import Finished, TakenBack
from magellan.surfaces.cli.migrate_options import desk_of, executor_for
from magellan.surfaces.cli.migrate_scan_options import executor_for_reading
from magellan.surfaces.cli.migrate_verify_looks import looks_of
from magellan.usecases.migrate_apply import Wishes, apply_recorded, prepare
from magellan.usecases.migrate_rollback import roll_back, way_back
from magellan.usecases.migrate_scan import scan_tree
from magellan.usecases.migrate_verify import verify_migration

LINES = 120  # of a module, beside its imports


def main() -> None:
    """Measure, and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--moves", type=int, default=1_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--no-scan", action="store_true", help="leave the scan and the static comparison out")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        print(json.dumps(measure(Path(folder), asked.files, asked.moves, scans=not asked.no_scan)))


def measure(root: Path, files: int, moves: int, *, scans: bool) -> dict[str, Any]:
    """Seconds of each part, on the clock and of all cores together."""
    paths = make_tree(root, files)
    chance = random.Random(2)
    chosen = sorted(chance.sample(paths, moves))
    mapping = MigrationMapping(
        version=1,
        source_roots=("",),
        moves=tuple(
            MappedMove(source=path, target=f"{path.rpartition('/')[0]}/moved/{path.rpartition('/')[2]}")
            for path in chosen
        ),
    )
    wishes = Wishes(
        rewriting=RewriteOptions(), shims=True, uses_git=False, commits=Commits.UNTOUCHED, name="mapping"
    )
    desk, told = desk_of(root), _Clock()
    tree = read_source_tree(root)
    told.lap("read tree")
    if scans:
        _scan(tree)
        told.lap("scan")
    prepared = prepare(tree, mapping, wishes, desk, is_installed=lambda _: False, executor=executor_for(tree))
    told.lap("plan")
    assert isinstance(apply_recorded(prepared.recorded, desk), Finished)
    told.lap("apply")
    if scans:
        look = looks_of(
            python=None, workers=None, time_limit_s=None, test_arguments=None, test_time_limit_s=1.0
        )
        assert verify_migration(desk, read_source_tree(root), look).verification.is_sound
        told.lap("verify statically")
    assert isinstance(roll_back(way_back(desk), desk), TakenBack)
    told.lap("roll back")
    return {
        "files": files,
        "moves": moves,
        "files_rewritten": len(prepared.recorded.changes.written),
        "seconds": told.wall,
        "seconds_of_cores": told.cores,
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "memory_of_largest_worker_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
    }


def _scan(tree: SourceTree) -> Scan:
    return scan_tree(
        tree,
        read_rules(None),
        executor=executor_for_reading(len(tree.python_files), None),
        is_installed=lambda _: False,
        roots=("",),
    )


def make_tree(root: Path, files: int) -> list[str]:
    """Packages of 25 modules, each importing six others."""
    chance = random.Random(1)
    names = [(f"pack{number // 25}", f"module{number}") for number in range(files)]
    for number, (package, name) in enumerate(names):
        folder = root / package
        if number % 25 == 0:
            folder.mkdir()
            (folder / "__init__.py").write_text("")
        lines = ['"""Generated."""', ""]
        for other, met in chance.sample(names[max(0, number - 200) : number], min(number, 6)):
            lines.append(f"from {other} import {met}")
        lines += [f"VALUE_{line} = 'some text {line}' * {line}  # no name" for line in range(LINES)]
        (folder / f"{name}.py").write_text("\n".join(lines) + "\n")
    return [f"{package}/{name}.py" for package, name in names]


class _Clock:
    """Seconds on the clock and of cores, this process's and its workers', told as they come."""

    def __init__(self) -> None:
        self.wall: dict[str, float] = {}
        self.cores: dict[str, float] = {}
        self._at, self._cores_at = time.perf_counter(), _of_cores()

    def lap(self, name: str) -> None:
        now, cores = time.perf_counter(), _of_cores()
        self.wall[name], self.cores[name] = round(now - self._at, 2), round(cores - self._cores_at, 2)
        self._at, self._cores_at = now, cores
        print(f"{name}: {self.wall[name]} s, {self.cores[name]} s of cores", file=sys.stderr, flush=True)


def _of_cores() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    main()
