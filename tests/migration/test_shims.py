"""Shims: old names that stand for the very modules that moved."""

from __future__ import annotations

import ast
import hashlib
import json
import subprocess
import sys
import textwrap
from datetime import date
from pathlib import Path

import pytest

from magellan.adapters.local.source_folder import read_source_tree
from magellan.errors import FixInput
from magellan.migration.shims import wants_shim
from magellan.plan.carry_out import Finished
from magellan.usecases.migrate_apply import apply_recorded
from magellan.usecases.migrate_rollback import roll_back, way_back
from magellan.usecases.migrate_shims import list_shims, removal_of
from migration.tree_lab import desk_at, look_at, make_tree, prepared_at

FILES = {
    "shop/__init__.py": b"",
    "shop/old/__init__.py": b"NAME = 'package'\n",
    "shop/old/regime.py": (
        b"STATE = 0\n\nclass Label:\n    pass\n\ndef state():\n    return STATE\n\n"
        b"def _hidden():\n    return 7\n"
    ),
    "run.py": b"import sys\nif __name__ == '__main__':\n    print('ran as', __name__, sys.argv[1:])\n",
}
MOVES = {
    "shop/old/__init__.py": "shop/new/__init__.py",
    "shop/old/regime.py": "shop/new/regime.py",
    "run.py": "programs/run.py",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    make_tree(folder, FILES)
    outcome = apply_recorded(prepared_at(folder, MOVES).recorded, desk_at(folder))
    assert isinstance(outcome, Finished)
    return folder


def python(root: Path, code: str, *flags: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-B", *flags, "-c", textwrap.dedent(code)]
    return subprocess.run(words, cwd=root, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    "code",
    [
        "import shop.old.regime as old, shop.new.regime as new; old.STATE = 5; assert new.state() == 5",
        "import shop.old.regime as old, shop.new.regime as new; new.STATE = 5; assert old.STATE == 5 == old.state()",
        "from shop.old.regime import Label as a; from shop.new.regime import Label as b; assert a is b",
        "from shop.old import regime; assert regime._hidden() == 7",
        "from shop.old.regime import *; assert state() == 0",
        "import shop.old; assert shop.old.NAME == 'package'",
        "from unittest.mock import patch\nimport shop.new.regime as new\n"
        "with patch('shop.old.regime.state', lambda: 9):\n    assert new.state() == 9\nassert new.state() == 0",
        "import shop.old.regime as old, shop.new.regime as new\ndel old.STATE\nassert not hasattr(new, 'STATE')",
        "import pickle, shop.new.regime as new\n"
        "assert type(pickle.loads(b'cshop.old.regime\\nLabel\\n)R.')) is new.Label",
        "import importlib; m = importlib.import_module('shop.old.regime'); assert m.__name__ == 'shop.new.regime'",
        "import shop.old.regime, shop.new; assert type(shop.new.regime).__name__ == 'module'",
        "import shop.old.regime, importlib; importlib.reload(shop.old.regime); assert shop.old.regime.state() == 0",
        "import shop.old.regime as old; assert 'Label' in dir(old)",
    ],
)
def test_whoever_uses_the_old_name_meets_the_module_itself(root: Path, code: str) -> None:
    done = python(root, code)
    assert done.returncode == 0, done.stderr


def test_each_place_that_uses_an_old_name_is_warned_once_with_the_new_one(root: Path) -> None:
    (root / "one.py").write_text("from shop.old.regime import state\nfrom shop.old.regime import Label\n")
    (root / "two.py").write_text("import shop.old.regime\nfor _ in range(3):\n    shop.old.regime.state()\n")
    done = python(root, "import one, two", "-W", "always::DeprecationWarning")
    told = sorted(line.replace(f"{root}/", "") for line in done.stderr.splitlines() if "Deprecation" in line)
    assert [line.split(" ")[0] for line in told] == [
        "one.py:1:",
        "one.py:1:",
        "one.py:2:",
        "two.py:3:",
    ]
    assert "shop.old.regime is shop.new.regime now; the old name works until 2026-07-22" in told[1]


def test_pytest_imports_shims_for_their_doctests_and_tells_that_they_are_old(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-B", "-m", "pytest", "-q", "--doctest-modules", "-p", "no:cacheprovider", "shop"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "error" not in done.stdout, done.stdout
    assert "DeprecationWarning: shop.old.regime is shop.new.regime now" in done.stdout


def test_a_shim_is_read_by_every_python_that_a_project_may_still_support(root: Path) -> None:
    for path in ("shop/old/__init__.py", "shop/old/regime.py", "run.py"):
        ast.parse((root / path).read_bytes(), feature_version=(3, 6))


def test_a_program_can_still_be_started_by_its_old_path(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-B", "run.py", "--fast"], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout == "ran as __main__ ['--fast']\n"


def test_shims_are_listed_with_their_users_and_their_end(root: Path) -> None:
    (root / "user.py").write_text("import os\nfrom shop.old import regime\n")
    found = {each.shim.old: each for each in list_shims(read_source_tree(root), on=date(2026, 1, 21))}
    assert sorted(found) == ["run", "shop.old", "shop.old.regime"]
    assert found["shop.old.regime"].used_by == ("user.py:2",)
    assert found["run"].shim.expires_on == date(2026, 7, 22)
    later = list_shims(read_source_tree(root), on=date(2026, 7, 23))
    assert all(each.is_expired for each in later)


def test_shims_that_have_expired_are_taken_away_and_brought_back(root: Path) -> None:
    tree, desk = read_source_tree(root), desk_at(root)
    before = look_at(root)
    with pytest.raises(FixInput, match="no shim has expired"):
        removal_of(list_shims(tree, on=date(2026, 1, 21)), tree, desk, paths=(), uses_git=False)
    recorded = removal_of(list_shims(tree, on=date(2026, 7, 23)), tree, desk, paths=(), uses_git=False)
    assert isinstance(apply_recorded(recorded, desk), Finished)
    assert not (root / "run.py").exists() and not (root / "shop/old").exists()
    roll_back(way_back(desk), desk)
    assert look_at(root) == before


def test_a_shim_that_the_project_itself_still_uses_stays(root: Path) -> None:
    (root / "user.py").write_text("import shop.old.regime\n")
    tree = read_source_tree(root)
    with pytest.raises(FixInput, match=r"still used: shop/old/.* by user\.py:1"):
        removal_of(list_shims(tree, on=date(2030, 1, 1)), tree, desk_at(root), paths=(), uses_git=False)


def test_a_shim_that_somebody_changed_is_none_any_more(root: Path) -> None:
    path = root / "run.py"
    path.write_bytes(path.read_bytes() + b"# mine\n")
    assert "run" not in {each.shim.old for each in list_shims(read_source_tree(root), on=date(2026, 1, 21))}


def test_a_shim_that_another_version_wrote_in_its_own_words_is_one(root: Path) -> None:
    """Its mark says what the rest of the file is, so that nobody has to know the words."""
    head, mark, below = b'"""Moved, in other words."""\n', b"# magellan shim: ", b"\nimport sys\n"
    facts = {"old": "run", "new": "programs.run", "expires_on": "2026-07-22"}
    facts["rest"] = hashlib.sha256(head + below).hexdigest()[:16]
    (root / "run.py").write_bytes(head + mark + json.dumps(facts).encode() + below)
    assert "run" in {each.shim.old for each in list_shims(read_source_tree(root), on=date(2026, 1, 21))}


@pytest.mark.parametrize(
    ("path", "wanted"),
    [("a.py", True), ("p/__init__.py", True), ("test_a.py", False), ("a_test.py", False), ("conftest.py", False),
     ("setup.py", False), ("a.pyi", False), ("a.toml", False)],
)  # fmt: skip
def test_what_nobody_imports_gets_no_shim(path: str, wanted: bool) -> None:
    assert wants_shim(path) is wanted
