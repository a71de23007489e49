"""Before and after compared: nothing is claimed that was not looked at, and what is worse is named."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from magellan.adapters.local.project_tests import run_tests
from magellan.adapters.local.source_folder import read_source_tree
from magellan.adapters.local.threads import ThreadExecutor
from magellan.adapters.local.tree_copy import write_copy
from magellan.errors import FixInput
from magellan.migration.categories.rules import read_rules
from magellan.migration.scan.scan import Scan
from magellan.migration.source_tree import SourceTree
from magellan.migration.verify.comparison import SuiteRun, compare_tests
from magellan.plan.carry_out import Finished
from magellan.usecases.migrate_apply import apply_recorded
from magellan.usecases.migrate_scan import scan_tree
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


def looked(which: str, tree: SourceTree, roots: tuple[str, ...]) -> tuple[Scan, SuiteRun | None]:
    scan = scan_tree(
        tree, read_rules(None), executor=ThreadExecutor(1), is_installed=lambda _: False, roots=roots
    )
    return scan, None


def verified(root: Path) -> Verified:
    return verify_migration(desk_at(root), read_source_tree(root), looked)


def test_what_could_not_be_resolved_before_is_not_held_against_it(root: Path) -> None:
    found = verified(root).verification
    assert {check.name: str(check.answer) for check in found.checks} == {
        "imports": "same",
        "modules that can be imported": "not known",
        "public names": "same",
        "old names": "same",
        "entry points": "same",
        "circles of imports": "same",
        "import time": "not known",
    }
    assert found.is_sound


def test_the_tree_before_is_looked_at_as_it_was(root: Path) -> None:
    seen: dict[str, dict[str, bytes]] = {}

    def look(which: str, tree: SourceTree, roots: tuple[str, ...]) -> tuple[Scan, SuiteRun | None]:
        seen[which] = {path: tree.read(path) for path in tree.files}
        return looked(which, tree, roots)

    verify_migration(desk_at(root), read_source_tree(root), look)
    assert seen["before"] == FILES
    assert "core/bot.py" in seen["after"]


def test_an_import_that_no_longer_resolves_and_a_name_that_is_gone_are_named(root: Path) -> None:
    (root / "core/bot.py").write_bytes(b"import os\nimport bot\n")
    checks = {check.name: check for check in verified(root).verification.checks}
    assert checks["imports"].details == ("core/bot.py:2: bot does not resolve",)
    assert checks["public names"].details == ("core/bot.py no longer defines run",)


def test_a_new_circle_is_named(root: Path) -> None:
    (root / "shop/labels/regime.py").write_bytes(b"import core.bot\n\ndef label(): ...\n")
    checks = {check.name: check for check in verified(root).verification.checks}
    assert checks["circles of imports"].details == ("core/bot.py imports shop/labels/regime.py",)


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
    assert (str(unknown.answer), unknown.details) == ("not known", ("pytest is not there",))


def test_the_projects_own_tests_run_in_a_copy(root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    (root / "shop/labels/regime.py").write_bytes(b"def label(): ...\n")
    write_copy(read_source_tree(root), copy)
    ran = run_tests(copy, python=sys.executable, arguments=["tests"], source_roots=("",), timeout_s=60)
    assert ran == SuiteRun(outcomes={"tests.test_bot::test_run": "passed"})
    none = run_tests(copy, python=sys.executable, arguments=["nowhere"], source_roots=("",), timeout_s=60)
    assert none.outcomes == {}


def test_the_page_holds_every_point_and_needs_nothing_else(root: Path) -> None:
    (root / "shop/labels/regime.py").write_bytes(b"import gone\nimport bot\n")
    page = verification_page(verified(root))
    assert "something is worse" in page and "bot does not resolve" in page
    assert "http" not in page and "<script" not in page


def test_a_tree_without_a_migration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FixInput, match=r"no migration of \. is applied"):
        verify_migration(desk_at(tmp_path), read_source_tree(tmp_path), looked)
