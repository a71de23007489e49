"""What a scan says about a tree."""

import json
import os
from pathlib import Path

import jsonschema
import pytest

from journeys.desk import run
from magellan.adapters.local.processes import ProcessExecutor
from magellan.adapters.local.source_folder import read_source_tree
from magellan.adapters.local.threads import ThreadExecutor
from magellan.migration.categories.rules import read_rules
from magellan.migration.imports import Origin
from magellan.migration.scan.analysis import analysis_of, analysis_schema
from magellan.migration.scan.file_kind import FileKind
from magellan.migration.scan.report import report_text
from magellan.migration.scan.scan import Scan
from magellan.migration.source_tree import SourceTree
from magellan.usecases.migrate_page import scan_page
from magellan.usecases.migrate_scan import scan_tree

TREE = {
    "shop/__init__.py": b"",
    "shop/feed.py": b"import numpy\nfrom shop import clock\nimport nowhere.at_all\n\n\ndef load_bars(): ...\n",
    "shop/clock.py": b"from shop import feed\n\n\ndef now(): ...\n",
    "shop/broken.py": b"import os\n\n\ndef f(:\n",
    "shop/orphan.py": b"def unused(): ...\n",
    "run.py": b"from shop import feed\n\nif __name__ == '__main__':\n    feed.load_bars()\n",
    "deploy/bot.service": b"[Service]\nExecStart=/opt/bot/.venv/bin/python /opt/bot/job.py --fast\n",
    "job.py": b"import os\nos.makedirs('logs')\n\n\ndef go(): ...\n",
    "tests/test_feed.py": b"from shop.feed import load_bars\n\n\ndef test_it(): load_bars()\n",
    "config.json": b"{}\n",
    "notes.md": b"# Notes\n",
    "data/bars.csv": b"a,b\n",
    "logs/run.log": b"x\n",
    "picture": b"\x00\x01",
}


def scanned(files: dict[str, bytes] | SourceTree) -> Scan:
    tree = files if isinstance(files, SourceTree) else SourceTree.of(files)
    return scan_tree(
        tree, read_rules(None), executor=ThreadExecutor(1), is_installed=lambda name: name == "numpy"
    )


def test_every_file_has_a_kind() -> None:
    kinds = {file.path: file.kind for file in scanned(TREE).files}
    assert kinds == {
        "config.json": FileKind.CONFIG,
        "data/bars.csv": FileKind.DATA,
        "deploy/bot.service": FileKind.DEPLOYMENT,
        "job.py": FileKind.CODE,
        "logs/run.log": FileKind.LOG,
        "notes.md": FileKind.DOC,
        "picture": FileKind.COMPILED,
        "run.py": FileKind.CODE,
        "shop/__init__.py": FileKind.CODE,
        "shop/broken.py": FileKind.CODE,
        "shop/clock.py": FileKind.CODE,
        "shop/feed.py": FileKind.CODE,
        "shop/orphan.py": FileKind.CODE,
        "tests/test_feed.py": FileKind.TEST,
    }


def test_imports_resolve_to_a_file_a_library_or_nothing() -> None:
    feed = next(file for file in scanned(TREE).files if file.path == "shop/feed.py")
    found = {each.name: (each.origin, each.path) for each in feed.imports}
    assert found["numpy"] == (Origin.INSTALLED, None)
    assert found["shop.clock"] == (Origin.TREE, "shop/clock.py")
    assert found["nowhere.at_all"] == (Origin.MISSING, None)


def test_a_file_with_a_syntax_error_is_named_with_its_line_and_its_imports_are_read() -> None:
    (broken,) = scanned(TREE).broken
    assert (broken.path, broken.problem) == ("shop/broken.py", "line 4: invalid syntax")
    assert [each.name for each in broken.imports] == ["os"]


def test_circles_copies_and_dead_modules_are_found() -> None:
    found = scanned({**TREE, "shop/feed_copy.py": TREE["shop/feed.py"]})
    assert ("shop/clock.py", "shop/feed.py") in found.circles
    assert found.copies == (("shop/feed.py", "shop/feed_copy.py"),)
    assert "shop/orphan.py" in found.dead
    assert "shop/clock.py" not in found.dead


def test_what_a_unit_starts_is_an_entry_point_and_not_dead() -> None:
    found = scanned(TREE)
    assert ("job.py", "deploy/bot.service, line 2") in {(each.path, each.by) for each in found.entry_points}
    assert "job.py" not in found.dead


def test_near_duplicates_share_most_of_their_lines() -> None:
    body = "".join(f"def f{number}(a):\n    return a + {number}\n\n" for number in range(20))
    found = scanned(
        {"a.py": body.encode(), "b.py": (body + "# said more\nx = 1\n").encode(), "c.py": b"y = 2\n"}
    )
    assert [(pair.one, pair.other) for pair in found.near] == [("a.py", "b.py")]
    assert found.near[0].share > 0.9


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("import requests\nrequests.get('http://x')\n", "speaks to the network"),
        ("open('a').read()\n", "reads or writes files"),
        ("import sys\nsys.path.append('.')\n", "changes where modules are looked for"),
        ("import logging\nlogging.basicConfig()\n", "changes settings of other modules"),
        ("import os\nos.environ['A'] = 'b'\n", "changes settings of other modules"),
        ("exit(1)\n", "ends the process"),
        ("train()\n", "does work"),
        ("def f():\n    open('a')\n", None),
        ("if __name__ == '__main__':\n    open('a')\n", None),
        ("X = frozenset({1})\n", None),
    ],
)
def test_what_an_import_does_is_told_from_the_source(source: str, kind: str | None) -> None:
    (file,) = scanned({"a.py": source.encode()}).files
    assert [str(each.kind) for each in file.effects] == ([] if kind is None else [kind])


def test_a_folder_that_explains_imports_is_a_source_root() -> None:
    files = {f"app/lib/user{n}.py": b"from core_things.a import x\n" for n in range(3)}
    found = scanned({**files, "deep/down/core_things/a.py": b"x = 1\n"})
    assert found.source_roots == ("", "deep/down")
    assert found.origins[Origin.MISSING] == 0


def test_what_pythons_own_library_has_makes_no_source_root() -> None:
    files = {f"tests/test_{n}.py": b"import typing\nfrom .helpers import x\n" for n in range(3)}
    held = {"tests/__init__.py": b"", "tests/helpers.py": b"x = 1\n", "tests/typing/api.py": b""}
    found = scanned({**files, **held})
    assert found.source_roots == ("",)
    assert found.origins[Origin.MISSING] == 0


def test_odd_files_are_findings_and_never_a_crash(tmp_path: Path) -> None:
    (tmp_path / "zero.py").write_bytes(b"a = 1\0")
    (tmp_path / "latin.py").write_bytes("name = 'wählt'\n".encode("latin-1"))
    (tmp_path / "huge.py").write_bytes(b"x = 1\n" * 800_000)
    (tmp_path / "deep.py").write_text("x = " + "(" * 5000 + ")" * 5000)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "away").symlink_to("/nowhere")
    (tmp_path / "Same.py").write_text("a = 1\n")
    (tmp_path / "same.py").write_text("a = 2\n")
    os.mkfifo(tmp_path / "pipe")
    found = {each.path: each.what for each in scanned(read_source_tree(tmp_path)).findings}
    assert found["zero.py"].startswith("it holds zero bytes")
    assert found["latin.py"] == "it is no text in the encoding that it declares"
    assert found["huge.py"].startswith("it is too long")
    assert found["deep.py"].startswith("line 1")
    assert found["loop"] == "is a link to itself"
    assert found["away"] == "is a link out of the tree, to /nowhere"
    assert found["Same.py"] == "differs only by case from same.py"
    assert found["pipe"].startswith("is a socket, a pipe or a device")


def test_several_processes_find_what_one_does(tmp_path: Path) -> None:
    for path, content in TREE.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    tree = read_source_tree(tmp_path)
    rules = read_rules(None)
    found = [
        scan_tree(tree, rules, executor=executor, is_installed="numpy".__eq__).files
        for executor in (ThreadExecutor(1), ProcessExecutor(2))
    ]
    assert found[0] == found[1]


def test_a_file_that_cannot_be_read_is_told() -> None:
    def refuse(path: str) -> bytes:
        raise PermissionError(13, "Permission denied")

    tree = SourceTree(entries=SourceTree.of({"a.py": b""}).entries, content_of=refuse)
    (file,) = scanned(tree).files
    assert (file.kind, file.problem) == (FileKind.UNREADABLE, "Permission denied")


def test_the_analysis_keeps_to_its_schema_and_the_report_is_the_same_every_time() -> None:
    found = scanned(TREE)
    jsonschema.validate(json.loads(analysis_of(found).model_dump_json()), analysis_schema())
    assert report_text(found) == report_text(scanned(TREE))
    page = scan_page(found)
    assert page == scan_page(scanned(TREE))
    assert "http://" not in page.replace("http://www.w3.org", "").split("<script>")[0]


def test_the_command_writes_its_reports_and_nothing_else(tmp_path: Path) -> None:
    for path, content in TREE.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    done = run("migrate", "scan", str(tmp_path), "--no-imports", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["files"], told["python_files"], told["broken"]) == (14, 8, ["shop/broken.py"])
    written = {path.name for path in (tmp_path / ".magellan/scan").iterdir()}
    assert {"file_categorization_report.md", "file_analysis.json", "scan.html"} <= written
    kept = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {path for path in kept if not path.startswith(".magellan/")} == set(TREE)


def test_the_shipped_rules_can_be_printed_and_given_back(tmp_path: Path) -> None:
    printed = run("migrate", "scan", "--print-rules", cwd=tmp_path)
    assert printed.returncode == 0, printed.stderr
    (tmp_path / "mine.toml").write_text(printed.stdout)
    assert read_rules(tmp_path / "mine.toml") == read_rules(None)
