"""Move modules of public projects about, and see whether their own tests still say what they said.

    python -m benchmarks.migration.real_projects --clones FOLDER --python VENV/bin/python [PROJECT ...]

FOLDER holds a clone of each project under its name; the interpreter has what their tests need. Every project is copied
to a temporary folder, 20 to 40 of its modules are moved into new packages by a seeded choice, and its whole test suite
runs before and after, without shims. Then it is taken back, and compared byte for byte.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from magellan.adapters.local.source_folder import read_source_tree
from magellan.migration.apply_plan import Commits
from magellan.migration.change_set import WrittenFor
from magellan.migration.mapping import MappedMove, MigrationMapping, mapping_text
from magellan.migration.rewrite.dotted_edits import DottedNames
from magellan.migration.rewrite.module_contents import ModuleContents
from magellan.migration.rewrite.reference import Reference, ReferenceKind, RewriteOptions
from magellan.surfaces.cli.migrate_options import desk_of, executor_for
from magellan.usecases.migrate_apply import Prepared, Wishes, apply_recorded, prepare
from magellan.usecases.migrate_rollback import roll_back, way_back

MODULES_MAX: Final = 30
NEW_PACKAGES: Final = ("inner", "parts", "shared")


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project, and how its tests are run."""

    name: str
    package: str  # folder of the package whose modules move
    source_roots: tuple[str, ...]
    tests: tuple[str, ...]  # arguments of pytest
    stay: tuple[str, ...] = ()  # modules that tools outside the tree know by their path


PROJECTS: Final = (
    Project(name="jinja", package="src/jinja2", source_roots=("", "src"), tests=("tests",)),
    Project(
        name="werkzeug",
        package="src/werkzeug",
        source_roots=("", "src"),
        tests=(
            "tests",
            # These start servers of what is installed, and wait for file watchers.
            "--ignore=tests/test_serving.py",
            "--ignore=tests/middleware/test_http_proxy.py",
            "--deselect=tests/test_debug.py::test_basic",
        ),
    ),
    Project(name="click", package="src/click", source_roots=("", "src"), tests=("tests",)),
    Project(name="httpx", package="httpx", source_roots=("",), tests=("tests",)),
    Project(name="rich", package="rich", source_roots=("",), tests=("tests",)),
    Project(
        name="marshmallow",
        package="src/marshmallow",
        source_roots=("", "src"),
        tests=("tests", "-k", "not test_invalid_datetime_deserialization"),  # the time of day is in their ids
    ),
    Project(name="kombu", package="kombu", source_roots=("",), tests=("t/unit",)),
    Project(name="starlette", package="starlette", source_roots=("",), tests=("tests",)),
    Project(name="boltons", package="boltons", source_roots=("",), tests=("tests",)),
    Project(name="flask", package="src/flask", source_roots=("", "src"), tests=("tests",)),
    Project(name="networkx", package="networkx/algorithms", source_roots=("",), tests=("networkx",)),
    Project(
        name="pygments",
        package="pygments/lexers",
        source_roots=("",),
        tests=("tests",),
        stay=("diff.py", "python.py"),  # pytest itself imports them
    ),
)


def main() -> None:
    """Measure, and print a row per project and the JSON of all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clones", type=Path, required=True)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="leave the copies, for looking at")
    parser.add_argument("--no-tests", action="store_true")
    parser.add_argument("projects", nargs="*")
    asked = parser.parse_args()
    rows = []
    for project in PROJECTS:
        if not asked.projects or project.name in asked.projects:
            rows.append(measure(project, asked))
            print(json.dumps(rows[-1]))
    print(json.dumps({"total_rewrite_s": round(sum(row["rewrite_s"] for row in rows), 2)}))


def measure(project: Project, asked: argparse.Namespace) -> dict[str, Any]:
    """One project: its tests before and after, what changed, how long it took, whether it came back."""
    folder = Path(tempfile.mkdtemp(prefix=f"{project.name}-"))
    root = folder / project.name
    shutil.copytree(asked.clones / project.name, root, symlinks=True)
    mapping = chosen_moves(project, root, asked.seed)
    (folder / "mapping.json").write_text(mapping_text(mapping))
    before = {} if asked.no_tests else results(project, root, asked.python, folder)
    looked = _look(root)
    desk = desk_of(root)
    started = time.perf_counter()
    tree = read_source_tree(root)
    wishes = Wishes(
        rewriting=RewriteOptions(), shims=False, uses_git=True, commits=Commits.STAGED, name="mapping.json"
    )
    prepared = prepare(
        tree, mapping, wishes, desk, is_installed=lambda name: False, executor=executor_for(tree)
    )
    rewritten = time.perf_counter()
    apply_recorded(prepared.recorded, desk)
    applied = time.perf_counter()
    begun = time.perf_counter()
    roll_back(way_back(desk), desk)
    rolled_back = time.perf_counter()
    came_back = _look(root) == looked
    apply_recorded(replace(prepared.recorded, id=f"{prepared.recorded.id}-2"), desk)
    after = {} if asked.no_tests else results(project, root, asked.python, folder)
    # Ids of tests hold parameters, and those may be names of modules that moved.
    contents = ModuleContents(prepared.migration.renames.before, tree.read)
    names = DottedNames(prepared.migration.renames, contents)
    before = {names.renamed(name): outcome for name, outcome in before.items()}
    passed = [name for name, outcome in before.items() if outcome == "passed"]
    failing = [name for name in passed if after.get(name) != "passed"]
    row = {
        "project": project.name,
        "moves": len(prepared.recorded.changes.moves),
        "files": len(tree.files),
        "tests_passed_before": len(passed),
        "tests_pass_after": len(passed) - len(failing),
        "failing": failing[:10],
        "same_results": before == after,
        **_lines(prepared),
        "rewrite_s": round(rewritten - started, 2),
        "apply_s": round(applied - rewritten, 2),
        "rollback_s": round(rolled_back - begun, 2),
        "came_back": came_back,
    }
    if asked.keep:
        row["folder"] = str(folder)
    else:
        shutil.rmtree(folder)
    return row


def chosen_moves(project: Project, root: Path, seed: int) -> MigrationMapping:
    """Up to 30 modules of the package, each into one of three new packages."""
    chance = random.Random(seed)
    package = root / project.package
    modules = sorted(path.name for path in package.glob("*.py") if not path.name.startswith("__"))
    modules = [name for name in modules if name not in project.stay]
    chosen = sorted(chance.sample(modules, min(MODULES_MAX, len(modules))))
    # Where modules are private, new packages are: a test may compare what the package shows.
    mark = "_" if sum(name.startswith("_") for name in modules) * 2 > len(modules) else ""
    names = [
        f"{mark}{name}"
        for name in NEW_PACKAGES
        if not (package / name).exists() and f"{name}.py" not in modules
    ]
    moves = tuple(
        MappedMove(
            source=f"{project.package}/{name}", target=f"{project.package}/{chance.choice(names)}/{name}"
        )
        for name in chosen
    )
    return MigrationMapping(version=1, source_roots=project.source_roots, moves=moves)


def results(project: Project, root: Path, python: str, folder: Path) -> dict[str, str]:
    """What each test said."""
    report = folder / "report.xml"
    report.unlink(missing_ok=True)
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "PYTHONPATH": os.pathsep.join(str(root / each) for each in project.source_roots),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}",
         "--timeout=120", *project.tests],
        cwd=root, env=environment, capture_output=True, check=False, timeout=1500, text=True,
    )  # fmt: skip
    if not report.exists() or done.returncode not in (0, 1):
        sys.exit(
            f"{project.name}: pytest did not run its tests (exit {done.returncode}): {done.stdout[-2000:]}"
        )
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        kinds = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        found[f"{case.get('classname')}::{case.get('name')}"] = kinds[0] if kinds else "passed"
    return found


def _lines(prepared: Prepared) -> dict[str, Any]:
    """Lines that changed, lines that name something that moved, and those that changed without need.

    A statement whose names go to several modules needs a line for each; a name alone on its line of a list names, too.
    Where a statement's own module stays and only names below it leave, its first line names nothing that moved.
    """
    files = prepared.migration.rewriting.files
    words = prepared.migration.renames.words
    sources = {move.target: move.source for move in prepared.recorded.changes.moves}
    changed = needed = needless = 0
    for written in prepared.recorded.changes.written_for(WrittenFor.NAMES):
        file = files[sources.get(written.path, written.path)]
        applied = [each for each in file.references if prepared.migration.rewriting.options.applies_to(each)]
        assert written.before is not None, "names are written in files that were there"
        naming = {each.line for each in applied if _changes_its_line(each, written.before)}
        needed += len(naming) + sum(each.new.count(", ") for each in applied if not _stays_on_its_line(each))
        old, new = written.before.splitlines(), written.after.splitlines()
        for kind, start, end, new_start, new_end in difflib.SequenceMatcher(
            None, old, new, False
        ).get_opcodes():
            if kind == "equal":
                continue
            changed += max(end - start, new_end - new_start)
            for line in range(start, end):
                if line + 1 in naming:
                    continue
                if old[line].partition(b"#")[0].strip(b" \t,") in words:
                    needed += 1
                elif end - start == 1:
                    needless += 1
    kinds: dict[str, int] = {}
    listed: dict[str, int] = {}
    for file in files.values():
        for each in file.references:
            counted = kinds if prepared.migration.rewriting.options.applies_to(each) else listed
            counted[str(each.kind)] = counted.get(str(each.kind), 0) + 1
    assert set(kinds) <= {str(kind) for kind in ReferenceKind}
    return {
        "files_rewritten": len(prepared.recorded.changes.written_for(WrittenFor.NAMES)),
        "lines_changed": changed,
        "lines_needed": needed,
        "needless": needless,
        "references": kinds,
        "listed": listed,
    }


def _changes_its_line(reference: Reference, before: bytes) -> bool:
    replaced = [each.span for each in reference.edits if each.span.start < each.span.end]
    return any(
        before.count(b"\n", 0, span.start) < reference.line <= before.count(b"\n", 0, span.end) + 1
        for span in replaced
    )


def _stays_on_its_line(reference: Reference) -> bool:
    """Whether the statements that it becomes stand behind it, as in a prompt of a docstring."""
    return any(each.text.startswith(b";") for each in reference.edits)


def _look(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Everything but what git and tools keep for themselves."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if name.startswith((".git", ".magellan")) or "__pycache__" in name:
            continue
        status = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[name] = (status.st_mode, status.st_mtime_ns, content)
    return found


if __name__ == "__main__":
    main()
