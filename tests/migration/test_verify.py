"""Before and after compared: nothing is claimed that was not looked at, and what is worse is named."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from magellan.adapters.local.project_tests import run_tests
from magellan.adapters.local.source_folder import read_source_tree
from magellan.adapters.local.threads import ThreadExecutor
from magellan.adapters.local.tree_copy import write_copy
from magellan.errors import FixInput
from magellan.migration.scan.activation import Activation, Isolation, TriedImport
from magellan.migration.scan.scanned_file import ScannedFile
from magellan.migration.scan.structure import Structure
from magellan.migration.source_tree import SourceTree
from magellan.migration.verify.comparison import SuiteRun, compare_tests
from magellan.plan.carry_out import Finished
from magellan.usecases.migrate_apply import apply_recorded
from magellan.usecases.migrate_scan import look_at_structure
from magellan.usecases.migrate_verify import Verified, verify_migration
from magellan.usecases.migrate_verify_page import verification_page
from migration.tree_lab import desk_at, make_tree, prepared_at

FILES = {
    "bot.py": b"import shop.regime\n\ndef run():\n    return shop.regime.label()\n",
    "shop/__init__.py": b"",
    "shop/regime.py": b"import gone\n\ndef label():\n    return 'calm'\n",
    "tests/test_bot.py": b"import bot\n\ndef test_run():\n    assert bot.__name__\n",
}
MOVES = {"bot.py": "core/bot.py", "shop/regime.py": "shop/labels/regime.py"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    make_tree(folder, FILES)
    outcome = apply_recorded(prepared_at(folder, MOVES, shims=False).recorded, desk_at(folder))
    assert isinstance(outcome, Finished)
    return folder


def looked(
    which: str, tree: SourceTree, roots: tuple[str, ...], known: Sequence[ScannedFile]
) -> tuple[Structure, SuiteRun | None]:
    structure = look_at_structure(
        tree, executor=ThreadExecutor(1), is_installed=lambda _: False, roots=roots, known=known
    )
    return structure, None


def verified(root: Path) -> Verified:
    return verify_migration(desk_at(root), read_source_tree(root), looked)


def test_what_could_not_be_resolved_before_is_not_held_against_it(root: Path) -> None:
    found = verified(root).verification
    assert {check.name: str(check.answer) for check in found.checks} == {
        "imports": "same",
        "imports of nothing": "same",
        "modules that can be imported": "not known",
        "public names": "same",
        "old names": "same",
        "entry points": "same",
        "circles of imports": "same",
        "import time": "not known",
    }
    assert found.is_sound


def test_shims_are_no_entry_points_of_the_project(tmp_path: Path) -> None:
    files = {**FILES, "bot.py": FILES["bot.py"] + b"if __name__ == '__main__':\n    run()\n"}
    make_tree(tmp_path, files)
    assert isinstance(apply_recorded(prepared_at(tmp_path, MOVES).recorded, desk_at(tmp_path)), Finished)
    checks = {check.name: check.summary for check in verified(tmp_path).verification.checks}
    assert checks["entry points"] == "1 before, 1 after"


def test_the_tree_before_is_looked_at_as_it_was(root: Path) -> None:
    seen: dict[str, dict[str, bytes]] = {}

    def look(
        which: str, tree: SourceTree, roots: tuple[str, ...], known: Sequence[ScannedFile]
    ) -> tuple[Structure, SuiteRun | None]:
        seen[which] = {path: tree.read(path) for path in tree.files}
        return looked(which, tree, roots, known)

    verify_migration(desk_at(root), read_source_tree(root), look)
    assert seen["before"] == FILES
    assert "core/bot.py" in seen["after"]


def test_an_import_that_no_longer_resolves_and_a_name_that_is_gone_are_named(root: Path) -> None:
    (root / "core/bot.py").write_bytes(b"import os\nimport bot\n")
    checks = {check.name: check for check in verified(root).verification.checks}
    assert checks["imports"].details == ("core/bot.py:2: bot does not resolve",)
    assert checks["public names"].details == ("core/bot.py no longer defines run",)


def test_an_import_of_nothing_that_finds_a_file_of_that_name_in_its_new_folder_is_told(
    tmp_path: Path,
) -> None:
    files = {
        "reader.py": b"try:\n    from .config import LIMIT\nexcept ImportError:\n    LIMIT = 1\n",
        "other/__init__.py": b"",
        "other/config.py": b"LIMIT = 2\n",
    }
    make_tree(tmp_path, files)
    moves = {"reader.py": "core/reader.py", "other/config.py": "core/config.py"}
    apply_recorded(prepared_at(tmp_path, moves).recorded, desk_at(tmp_path))

    found = verified(tmp_path).verification

    told = {check.name: check for check in found.checks}["imports of nothing"]
    assert str(told.answer) == "changed"
    assert told.details == ("core/reader.py:2: core.config was nothing, and is core/config.py now",)
    assert found.is_sound


NAMESAKES: dict[str, bytes] = {
    "reader.py": b"import gone.config\nimport shop.config\n",
    "shop/__init__.py": b"",
    "shop/config.py": b"LIMIT = 2\n",
}


def test_an_import_beside_one_of_nothing_with_its_last_word_is_no_news(tmp_path: Path) -> None:
    make_tree(tmp_path, NAMESAKES)
    moves = {"shop/config.py": "shop/settings/config.py"}
    apply_recorded(prepared_at(tmp_path, moves).recorded, desk_at(tmp_path))
    told = {check.name: check for check in verified(tmp_path).verification.checks}
    assert told["imports of nothing"].details == ()
    assert told["imports"].details == ()


def test_an_import_that_no_longer_resolves_is_not_taken_for_one_that_never_did(tmp_path: Path) -> None:
    make_tree(tmp_path, NAMESAKES)
    moves = {"shop/config.py": "shop/settings/config.py"}
    apply_recorded(prepared_at(tmp_path, moves).recorded, desk_at(tmp_path))
    (tmp_path / "reader.py").write_bytes(b"import gone.config\nimport lost.config\n")
    told = {check.name: check for check in verified(tmp_path).verification.checks}
    assert told["imports"].details == ("reader.py:2: lost.config does not resolve",)


def test_a_new_circle_is_named(root: Path) -> None:
    (root / "shop/labels/regime.py").write_bytes(b"import core.bot\n\ndef label(): ...\n")
    checks = {check.name: check for check in verified(root).verification.checks}
    assert checks["circles of imports"].details == ("core/bot.py imports shop/labels/regime.py",)


def test_a_file_with_the_bytes_of_one_that_was_looked_at_is_not_parsed_again(root: Path) -> None:
    class Counting(ThreadExecutor):
        def map(self, work: Any, items: Any, **rest: Any) -> Any:
            read.extend(work.describe(item) for item in items)
            return super().map(work, items, **rest)

    read: list[str] = []
    before = SourceTree.of(FILES)
    after = SourceTree.of(
        {"core/bot.py": b"import os\n", "tests/regime.py": FILES["shop/regime.py"], "notes.md": b""}
    )
    asked = {"is_installed": lambda _: False, "roots": ("",)}
    known = look_at_structure(before, executor=ThreadExecutor(1), **asked).files
    found = look_at_structure(after, executor=Counting(1), known=known, **asked)
    assert read == ["core/bot.py", "notes.md"]
    assert found.files == look_at_structure(after, executor=ThreadExecutor(1), **asked).files


def test_a_shim_is_an_old_name_and_no_module_that_can_be_imported(tmp_path: Path) -> None:
    make_tree(tmp_path, FILES)
    apply_recorded(prepared_at(tmp_path, MOVES, shims=True).recorded, desk_at(tmp_path))

    def look(
        which: str, tree: SourceTree, roots: tuple[str, ...], known: Sequence[ScannedFile]
    ) -> tuple[Structure, SuiteRun | None]:
        structure, tests = looked(which, tree, roots, known)
        tried = [TriedImport(path=path, error="") for path in tree.python_files]
        return replace(structure, activation=Activation.of(Isolation.GUARD, (), tried)), tests

    found = verify_migration(desk_at(tmp_path), read_source_tree(tmp_path), look).verification
    said = {check.name: check.summary for check in found.checks}
    # A package file each for core and shop/labels came with the migration.
    assert said["modules that can be imported"] == "4 before, 6 after"
    assert said["imports"] == "2 resolved before, 3 after; 1 do not"
    assert said["old names"] == "2 of 2 old module names still work"


def test_tests_are_compared_by_the_ids_that_they_have_afterwards() -> None:
    before = SuiteRun(
        outcomes={"t::a[shop.regime]": "passed", "t::b": "passed", "t::c": "failure", "t::d": "passed"}
    )
    after = SuiteRun(
        outcomes={
            "t::a[shop.labels.regime]": "passed",
            "t::b": "failure",
            "t::c": "failure",
            "t::e": "passed",
        }
    )
    check = compare_tests(before, after, {"t::a[shop.regime]": "t::a[shop.labels.regime]"})
    assert check.details == ("t::d is gone", "t::b: passed, now failure")
    unknown = compare_tests(before, SuiteRun(outcomes={}, problem="pytest is not there"), {})
    assert (str(unknown.answer), unknown.details) == ("not known", ("after: pytest is not there",))


def test_no_tests_at_all_are_no_sign_that_nothing_changed() -> None:
    check = compare_tests(SuiteRun(outcomes={}), SuiteRun(outcomes={}), {})
    assert (str(check.answer), check.summary) == ("not known", "none were found, before or after")


def test_a_test_that_moves_below_a_source_root_is_the_same_test(tmp_path: Path) -> None:
    files = {"src/shop/tests/test_bot.py": b"", "src/shop/__init__.py": b"", "src/shop/regime.py": b""}
    make_tree(tmp_path, files)
    moves = {
        "src/shop/tests/test_bot.py": "src/shop/tests/core/test_bot.py",
        "src/shop/regime.py": "src/shop/core/regime.py",
    }
    prepared = prepared_at(tmp_path, moves, roots=("src",))
    assert isinstance(apply_recorded(prepared.recorded, desk_at(tmp_path)), Finished)

    def look(which: str, tree: SourceTree, roots: tuple[str, ...], known: Sequence[ScannedFile]) -> Any:
        folder = "src.shop.tests." if which == "before" else "src.shop.tests.core."
        name = "regime" if which == "before" else "core.regime"
        ids = (f"{folder}test_bot.TestBot::test_run[shop.{name}]", f"::{folder}test_bot")
        return looked(which, tree, roots, known)[0], SuiteRun(outcomes=dict.fromkeys(ids, "passed"))

    found = verify_migration(desk_at(tmp_path), read_source_tree(tmp_path), look)
    assert [str(each.answer) for each in found.verification.checks if each.name == "tests"] == ["same"]


def test_the_projects_own_tests_run_in_a_copy(root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    (root / "shop/labels/regime.py").write_bytes(b"def label(): ...\n")
    write_copy(read_source_tree(root), copy)
    ran = run_tests(copy, python=sys.executable, arguments=["tests"], source_roots=("",), timeout_s=60)
    assert ran == SuiteRun(outcomes={"tests.test_bot::test_run": "passed"})
    none = run_tests(copy, python=sys.executable, arguments=["nowhere"], source_roots=("",), timeout_s=60)
    assert (none.outcomes, "pytest ended with 4: ERROR: " in none.problem) == ({}, True)


def test_the_page_holds_every_point_and_needs_nothing_else(root: Path) -> None:
    (root / "shop/labels/regime.py").write_bytes(b"import gone\nimport bot\n")
    page = verification_page(verified(root))
    assert "something is worse" in page and "bot does not resolve" in page
    assert "http" not in page and "<script" not in page


def test_a_tree_without_a_migration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FixInput, match=r"no migration of \. is applied"):
        verify_migration(desk_at(tmp_path), read_source_tree(tmp_path), looked)


@pytest.mark.parametrize(
    ("before_s", "after_s", "answer"),
    [(0.1, 4.9, "same"), (4.0, 6.0, "same"), (0.1, 5.1, "worse"), (6.0, 12.1, "worse")],
)
def test_a_slow_import_is_held_against_a_migration_only_where_it_was_quicker_before(
    root: Path, before_s: float, after_s: float, answer: str
) -> None:
    def timed(
        which: str, tree: SourceTree, roots: tuple[str, ...], known: Sequence[ScannedFile]
    ) -> tuple[Structure, SuiteRun | None]:
        structure, suite = looked(which, tree, roots, known)
        took_s = before_s if "bot.py" in tree.entries else after_s
        tried = tuple(TriedImport(path=path, error="", took_s=took_s) for path in tree.python_files)
        return replace(structure, activation=Activation(isolation=Isolation.GUARD, tried=tried)), suite

    found = verify_migration(desk_at(root), read_source_tree(root), timed).verification
    check = next(check for check in found.checks if check.name == "import time")
    assert str(check.answer) == answer
    assert ("core: " in "".join(check.details)) == (answer == "worse")
