"""Both messes, through the whole flow: `python -m benchmarks.messes`.

A tree of your own goes through the same with `--tree FOLDER`; it is copied, and never touched.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.messes import doubled
from benchmarks.messes.doubled import make_doubled
from benchmarks.messes.flat import REAL_MODULES, make_flat
from benchmarks.messes.flow import as_a_process, merged, restructured


def main() -> None:
    """Measure, and print one line of JSON for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only", choices=("flat", "doubled", "merge"), action="append", help="default: all three"
    )
    parser.add_argument("--modules", type=int, default=0, help="default: as many as the real ones have")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tree", type=Path, help="instead of the messes: this tree, in a copy")
    parser.add_argument("--no-imports", action="store_true", help="try no imports")
    asked = parser.parse_args()
    command = as_a_process(sys.executable)
    options = ["--no-imports"] if asked.no_imports else []
    wanted = asked.only or ["flat", "doubled", "merge"]
    with tempfile.TemporaryDirectory(prefix="mess-") as name:
        root = Path(name)
        if asked.tree is not None:
            shutil.copytree(asked.tree, root / "tree", symlinks=True, ignore=shutil.ignore_patterns(".git"))
            _tell(asked.tree.name, restructured(root / "tree", command, options=options))
            return
        if "flat" in wanted:
            (root / "flat").mkdir()
            make_flat(root / "flat", modules=asked.modules or REAL_MODULES, seed=asked.seed)
            _tell("flat", restructured(root / "flat", command, options=options))
        if {"doubled", "merge"} & set(wanted):
            (root / "doubled").mkdir()
            make_doubled(root / "doubled", modules=asked.modules or 420, seed=asked.seed)
        if "merge" in wanted:
            _tell("merge", merged(root / "doubled" / doubled.NEW, root / "doubled" / doubled.OLD, command))
        if "doubled" in wanted:
            _tell("doubled", restructured(root / "doubled", command, options=options))


def _tell(name: str, found: Any) -> None:
    print(json.dumps({"mess": name, **asdict(found)}), flush=True)


if __name__ == "__main__":
    main()
