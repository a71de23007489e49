"""`magellan migrate apply`, `verify`, `shims` and `rollback`, as they are typed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from journeys.desk import as_a_plain_user
from magellan.surfaces.cli.app import run
from magellan.surfaces.cli.migrate_scan_options import interpreter_named
from migration.tree_lab import MOVES, git, look_at, make_tree, under_git


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    make_tree(folder)
    moves = [{"from": source, "to": target} for source, target in MOVES.items()]
    mapping = {"version": 1, "source_roots": [""], "moves": moves}
    (tmp_path / "mapping.json").write_text(json.dumps(mapping))
    return folder


def told(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    assert run(["migrate", *words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_a_project_there_and_back(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    under_git(root)
    mapping, before, head = str(root.parent / "mapping.json"), look_at(root), git(root, "rev-parse", "main")
    dry = told(capsys, "apply", str(root), "--mapping", mapping)
    assert (dry["outcome"], dry["moves"], dry["refusals"], look_at(root)) == ("dry run", 3, [], before)
    assert "rename to core/bot.py" in dry["diff"].splitlines()
    done = told(capsys, "apply", str(root), "--mapping", mapping, "--yes", "--commit", "phases")
    assert (done["outcome"], done["shims"]) == ("done", 2)
    assert git(root, "rev-list", "--count", f"{head}..main") == "2"
    checked = told(capsys, "verify", str(root), "--no-imports")
    assert (checked["is_sound"], checked["migration"]) == (True, done["migration"])
    assert [each["old"] for each in told(capsys, "shims", "list", str(root))] == ["bot", "shop.regime"]
    assert told(capsys, "rollback", str(root))["outcome"] == "dry run"
    assert told(capsys, "rollback", str(root), "--yes")["outcome"] == "taken back"
    assert look_at(root) == before
    assert (git(root, "rev-parse", "main"), git(root, "status", "--porcelain")) == (head, "")


def test_an_interpreter_is_the_same_one_for_tests_that_run_in_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert interpreter_named("venv/bin/python") == str(tmp_path / "venv/bin/python")
    assert (interpreter_named("python3.12"), interpreter_named(None)) == ("python3.12", None)


@pytest.mark.parametrize(
    ("settings", "is_listed"),
    [
        ('[tool.setuptools]\npackages = ["shop"]\n', True),
        ('[tool.hatch.build.targets.wheel]\npackages = ["shop"]\n', False),  # with all that is in it
    ],
)
def test_new_packages_are_to_be_added_where_a_builder_takes_each_by_itself(
    root: Path, capsys: pytest.CaptureFixture[str], settings: str, *, is_listed: bool
) -> None:
    (root / "pyproject.toml").write_text(settings)
    dry = told(capsys, "apply", str(root), "--mapping", str(root.parent / "mapping.json"), "--no-git")
    places = [each["places"] for each in dry["risks"] if each["what"].startswith("packages are listed")]
    assert places == ([['pyproject.toml:2: packages = ["shop"]']] if is_listed else [])


@pytest.mark.parametrize(
    ("file", "settings", "words", "line"),
    [
        ("pytest.ini", "[pytest]\naddopts = --doctest-modules\nfilterwarnings = error\n", (), 2),
        ("pytest.ini", "[pytest]\naddopts = --doctest-modules\nfilterwarnings =\n    error\n", (), 2),
        (
            "pyproject.toml",
            '[tool.pytest.ini_options]\nfilterwarnings = ["error"]\naddopts = ["-q", "--doctest-modules"]\n',
            (),
            3,
        ),
        ("pytest.ini", "[pytest]\naddopts = --doctest-modules\nfilterwarnings = ignore\n", (), None),
        ("pytest.ini", "[pytest]\nfilterwarnings = error\n", (), None),
        (
            "pytest.ini",
            "[pytest]\naddopts = --doctest-modules\nfilterwarnings = error\n",
            ("--no-shims",),
            None,
        ),
    ],
)
def test_shims_that_pytest_would_import_and_fail_on_are_told_beforehand(
    root: Path,
    capsys: pytest.CaptureFixture[str],
    file: str,
    settings: str,
    words: tuple[str, ...],
    line: int | None,
) -> None:
    (root / file).write_text(settings)
    dry = told(capsys, "apply", str(root), "--mapping", str(root.parent / "mapping.json"), "--no-git", *words)
    places = [
        each["places"] for each in dry["risks"] if each["what"].startswith("pytest imports every module")
    ]
    assert [place[0].split(": ")[0] for place in places] == ([] if line is None else [f"{file}:{line}"])


def test_a_heading_that_becomes_longer_than_its_line_is_told(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heads = f"shop.regime\n{'=' * 11}\n\nAbout shop.regime\n{'~' * 40}\n\nToo long before\n------\n"
    (root / "api.rst").write_text(heads + "\nshop.regime\n...\n")
    dry = told(capsys, "apply", str(root), "--mapping", str(root.parent / "mapping.json"), "--no-git")
    places = [each["places"] for each in dry["risks"] if each["what"].startswith("headings are longer")]
    assert [place.partition(" ")[0] for place in places[0]] == ["api.rst:1:"]


def test_machine_code_that_says_a_name_that_moves_is_to_be_built_anew(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "fast.so").write_bytes(b"\x7fELF\0shop.regime\0shop.regimes\0")
    (root / "slow.so").write_bytes(b"\x7fELF\0my.shop.regime\0shop.regimes\0")
    dry = told(capsys, "apply", str(root), "--mapping", str(root.parent / "mapping.json"), "--no-git")
    places = [each["places"] for each in dry["risks"] if each["what"].startswith("compiled modules")]
    assert places == [["fast.so: shop.regime"]]


@pytest.mark.parametrize("options", [("--no-shims",), ()])
def test_who_wants_no_shims_gets_none_whatever_the_mapping_asks_for(
    root: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    mapping = root.parent / "mapping.json"
    asked = json.loads(mapping.read_text())
    asked["moves"] = [{**each, "shim": each["from"] == "bot.py"} for each in asked["moves"]]
    mapping.write_text(json.dumps(asked))
    told(capsys, "apply", str(root), "--mapping", str(mapping), "--no-git", "--yes", *options)
    assert (root / "bot.py").exists() is (not options)


def test_uncommitted_changes_are_refused_and_can_be_left_out(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    under_git(root)
    (root / "notes.md").write_text("mine\n")
    words = ("apply", str(root), "--mapping", str(root.parent / "mapping.json"), "--yes")
    assert "not committed: notes.md" in told(capsys, *words, code=1)["error"]["message"]
    assert told(capsys, *words, "--no-git", "--no-shims")["outcome"] == "done"
    assert (root / "notes.md").read_text() == "mine\n"


def test_what_was_edited_since_refuses_the_way_back_and_merge_goes_around_it(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told(capsys, "apply", str(root), "--mapping", str(root.parent / "mapping.json"), "--yes")
    bot = root / "core/bot.py"
    bot.write_bytes(bot.read_bytes() + b"\n\nMINE = 1\n")
    refused = told(capsys, "rollback", str(root), "--yes", code=1)
    assert refused["outcome"] == "refused" and "core/bot.py was changed" in " ".join(refused["refusals"])
    merged = told(capsys, "rollback", str(root), "--merge", "--yes")
    assert (merged["outcome"], merged["merged"]) == ("done", ["core/bot.py"])
    assert (root / "bot.py").read_bytes().endswith(b"MINE = 1\n")


def test_what_was_edited_since_can_be_left_and_the_rest_taken_back(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = look_at(root)
    told(capsys, "apply", str(root), "--mapping", str(root.parent / "mapping.json"), "--yes")
    (root / "core/bot.py").write_bytes(b"mine\n")
    dry = told(capsys, "rollback", str(root), "--leave-edited")
    assert dry["outcome"] == "dry run" and "core/bot.py was changed" in " ".join(dry["refusals"])
    back = told(capsys, "rollback", str(root), "--leave-edited", "--yes")
    assert back["outcome"] == "taken back"
    assert all("core" in each or "/kept" in each for each in back["left"])
    assert (root / "core/bot.py").read_bytes() == b"mine\n"
    now = look_at(root)
    assert {path for path in before if now.get(path) != before[path]} <= {"bot.py", ""}
    assert [path.read_bytes() for path in (root / ".magellan").glob("migrations/*/kept/*")]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("apply",), 2, "give either `--mapping FILE` or `--resume`"),
        (("apply", "--mapping", "m.json", "--commit", "soon"), 2, "'soon' is no way to commit"),
        (("apply", "--mapping", "m.json", "--leave", "hearsay"), 2, "'hearsay' is no kind of reference"),
        (("apply", "--mapping", "m.json"), 1, "m.json does not exist"),
        (("apply", "--resume"), 1, "no migration of . is unfinished"),
        (("rollback",), 1, "no migration stands in ."),
        (("rollback", "--only", "half"), 2, "'half' is no part of a migration"),
        (("rollback", "--file", "a.py", "--merge"), 2, "`--file` goes with neither"),
        (("rollback", "--leave-edited", "--merge"), 2, "`--leave-edited` goes with none of"),
        (("verify", "--no-imports"), 1, "no migration of . is applied as a whole"),
        (("shims", "remove"), 1, "no shim has expired"),
        (("shims", "remove", "a.py"), 1, "a.py is no shim"),
    ],
)
def test_wrong_words_are_told_and_nothing_happens(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in told(capsys, *words, code=code)["error"]["message"]
    assert list(tmp_path.iterdir()) == []


def told_to_a_plain_user(*words: str) -> tuple[int, Any]:
    """What the command ends with, and says, where a file's rights hold for the user who runs it."""
    done = subprocess.run(
        [sys.executable, "-m", "magellan", "migrate", *words, "--json"],
        preexec_fn=as_a_plain_user,
        capture_output=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def test_a_folder_that_may_not_be_written_is_told_before_anything_is_begun(root: Path) -> None:
    (root / "shop").chmod(0o555)
    before, words = look_at(root), ("apply", str(root), "--mapping", str(root.parent / "mapping.json"))
    code, dry = told_to_a_plain_user(*words)
    assert (code, dry["refusals"]) == (1, ["in shop this user may change nothing"])
    code, refused = told_to_a_plain_user(*words, "--yes")
    assert (code, refused["error"]["code"]) == (1, "fix-input")
    assert refused["error"]["message"] == "in 1 of the folders this user may change nothing: shop"
    assert "ls -ld" in refused["error"]["next_step"]
    assert (look_at(root), (root / ".magellan").exists()) == (before, False)


def test_a_folder_that_may_not_be_written_any_more_is_told_before_the_way_back_is_begun(root: Path) -> None:
    mapping = str(root.parent / "mapping.json")
    assert told_to_a_plain_user("apply", str(root), "--mapping", mapping, "--yes", "--no-git")[0] == 0
    (root / "core").chmod(0o555)
    applied = look_at(root)
    for words in ((), ("--yes",)):
        code, refused = told_to_a_plain_user("rollback", str(root), *words)
        assert (code, refused["error"]["message"]) == (
            1,
            "in 1 of the folders this user may change nothing: core",
        )
    assert look_at(root) == applied
    (root / "core").chmod(0o755)
    assert told_to_a_plain_user("rollback", str(root), "--yes")[0] == 0


def test_where_git_may_not_be_written_everything_comes_back_in_the_same_run(root: Path) -> None:
    under_git(root)
    before, index = look_at(root), (root / ".git/index").read_bytes()
    (root / ".git").chmod(0o555)
    code, told_back = told_to_a_plain_user(
        "apply", str(root), "--mapping", str(root.parent / "mapping.json"), "--yes"
    )
    (root / ".git").chmod(0o755)
    assert (code, told_back["outcome"]) == (1, "taken back")
    assert "index.unfinished: this user may not do that; give it the right" in told_back["why"]
    assert (look_at(root), (root / ".git/index").read_bytes()) == (before, index)
