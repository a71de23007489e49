"""A mapping: what a hand-written one needs, and every mistake in one, named at its place."""

from __future__ import annotations

import json
from datetime import date

import jsonschema
import pytest

from magellan.errors import FixInput
from magellan.migration.change_set import Choices, migration_of
from magellan.migration.mapping import (
    FileMove,
    file_moves,
    inverse,
    mapping_schema,
    mapping_text,
    move_levels,
    parse_mapping,
)
from magellan.migration.rewrite.reference import RewriteOptions
from magellan.migration.source_tree import SourceTree

TREE = SourceTree.of(
    {"pkg/__init__.py": b"", "pkg/a.py": b"", "pkg/b.py": b"", "pkg/Case.py": b"", "data/x.csv": b""}
)


def text(*moves: tuple[str, str], **more: object) -> str:
    document = {"version": 1, "source_roots": ["", "src"], "moves": [{"from": a, "to": b} for a, b in moves]}
    return json.dumps({**document, **more})


def refused(content: str) -> str:
    with pytest.raises(FixInput) as caught:
        file_moves(parse_mapping(content, name="m.json"), TREE, name="m.json")
    return caught.value.message


def test_three_keys_are_enough() -> None:
    mapping = parse_mapping(text(("pkg/a.py", "pkg/sub/a.py")), name="m.json")
    assert file_moves(mapping, TREE, name="m.json") == (FileMove(source="pkg/a.py", target="pkg/sub/a.py"),)


def test_a_folder_stands_for_all_that_is_in_it() -> None:
    mapping = parse_mapping(text(("pkg", "lib/pkg")), name="m.json")
    found = file_moves(mapping, TREE, name="m.json")
    assert [each.target for each in found] == [
        "lib/pkg/Case.py", "lib/pkg/__init__.py", "lib/pkg/a.py", "lib/pkg/b.py",
    ]  # fmt: skip


def test_a_mapping_is_written_as_it_is_read_and_fits_its_schema() -> None:
    content = text(("pkg/a.py", "pkg/sub/a.py"), package_files={"pkg/sub/__init__.py": "'''Sub.'''\n"})
    mapping = parse_mapping(content, name="m.json")
    written = mapping_text(mapping)
    assert parse_mapping(written, name="m.json") == mapping
    jsonschema.validate(json.loads(written), mapping_schema())
    assert [each.source for each in inverse(mapping).moves] == ["pkg/sub/a.py"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "m.json, line 1, column 2"),
        (text(version=2), "version: found 2"),
        (text(extra=1), "extra"),
        (text(("pkg/a.py", "pkg/c.py"), source_roots=[]), "source_roots"),
        (text(("pkg/a.py", "pkg/c.py"), source_roots=["lib"]), "source_roots: none of them is a folder with files"),
        (text(("pkg/a.py", "../a.py")), r"moves[0].to: '../a.py' is no path inside the tree"),
        (text(("/etc/passwd", "a.py")), r"moves[0].from: '/etc/passwd' is no path inside the tree"),
        (text(("pkg/a.py", "pkg/./c.py")), "moves[0].to"),
        (text(("pkg/a.py", ".git/a.py")), "moves[0].to: .git/a.py lies in .git, which belongs to a tool"),
        (text(("pkg/a.py", "pkg/con.py")), "moves[0].to: pkg/con.py: con.py is a name that Windows keeps"),
        (text(("pkg/a.py", "pkg/class.py")), "moves[0].to: pkg/class.py: class is a word of Python's own"),
        (text(("pkg/a.py", "pkg/A.py")), "moves[0].to: pkg/A.py differs from pkg/a.py only by case"),
        (text(("pkg/a.py", "pkg/ a.py")), "begins or ends with a blank"),
        (text(("pkg/a.py", f"pkg/{'ü' * 127}.py")), "a name of more than 255 bytes is one that no disk keeps"),
        (text(("pkg/a.py", "d/" * 500 + "a.py")), f"moves[0].to: {'d/' * 20}... is a path of 1004 bytes"),
        (text(("data", "d/" * 497 + "data")), f"moves[0].to: {'d/' * 20}... is a path of 1004 bytes"),
        (text(("pkg/a.py", "a\nb.py")), r"moves[0].to: 'a\nb.py': 'a\nb.py' begins or ends with a blank"),
        (text(package_files={"d/" * 500 + "__init__.py": ""}), "package_files: d/d/"),
        (text(("pkg", "pkg/inner")), "moves[0].to: pkg/inner lies in pkg itself"),
        (text(("pkg/gone.py", "pkg/c.py")), "moves[0].from: there is no pkg/gone.py in the tree"),
        (text(("pkg/case.py", "pkg/c.py")), "pkg/case.py in the tree; pkg/Case.py is, which differs by case"),
        (text(("x.csv", "pkg/c.csv")), "there is no x.csv in the tree; data/x.csv is"),
        (text(("pkg/a.py", "c.py"), ("pkg/b.py", "c.py")), "pkg/b.py cannot go to c.py: pkg/a.py goes to c.py"),
        (text(("pkg/a.py", "c.py"), ("pkg/a.py", "d.py")), "moves[1].from: pkg/a.py is moved by moves[0] already"),
        (text(("pkg/a.py", "pkg/b.py")), "moves[0].to: pkg/a.py cannot go to pkg/b.py: there is pkg/b.py already"),
        (text(("pkg/a.py", "pkg/cASE.py")), "there is pkg/Case.py already, which differs only by case"),
        (text(("pkg/a.py", "data")), "moves[0].to: pkg/a.py cannot go to data: that is a folder"),
        (text(("pkg/a.py", "PKG/new.py")), "moves[0].to: the folder PKG differs from pkg only by case"),
        (text(("pkg/a.py", "pkg/b.py/a.py")), "moves[0].to: pkg/b.py/a.py cannot lie in pkg/b.py, which is a file"),
        (text(("pkg/a.py", "pkg/b.py"), ("pkg/b.py", "pkg/a.py")), "circle: pkg/a.py to pkg/b.py to pkg/a.py"),
        (text(package_files={"pkg/x.py": ""}), "package_files: pkg/x.py is no __init__.py"),
    ],
)  # fmt: skip
def test_each_mistake_is_named_with_its_place(content: str, told: str) -> None:
    assert told in refused(content)


@pytest.mark.parametrize(
    ("folder", "told"),
    [
        ("locked", "the folder locked cannot be looked into: Permission denied"),
        ("empty", "the folder empty has no files"),
    ],
)
def test_a_folder_of_which_no_files_are_known_is_not_called_gone(folder: str, told: str) -> None:
    tree = SourceTree(
        entries=SourceTree.of({}, folders=["locked", "empty"]).entries,
        content_of={}.__getitem__,
        unreadable={"locked": "Permission denied"},
    )
    with pytest.raises(FixInput, match=told):
        file_moves(parse_mapping(text((folder, "pkg/new")), name="m.json"), tree, name="m.json")


def test_a_folder_with_a_name_in_it_whose_bytes_are_no_text_does_not_move() -> None:
    tree = SourceTree.of({"data/x.csv": b"", "data/caf\udce9.csv": b""})
    with pytest.raises(
        FixInput, match=r"moves\[0\]: the bytes of the name 'data/caf\\udce9.csv' are not UTF-8"
    ):
        file_moves(parse_mapping(text(("data", "new")), name="m.json"), tree, name="m.json")


def test_all_mistakes_are_named_at_once() -> None:
    told = refused(text(("pkg/gone.py", "c.py"), ("pkg/a.py", "data")))
    assert "m.json: 2 problems" in told and "moves[0]" in told and "moves[1]" in told


def test_moves_that_follow_each_other_are_done_from_the_end() -> None:
    chain = (
        FileMove(source="a", target="b"),
        FileMove(source="b", target="c"),
        FileMove(source="x", target="y"),
    )
    assert [[each.source for each in level] for level in move_levels(chain)] == [["b", "x"], ["a"]]


def test_packages_are_made_where_modules_go_and_nowhere_else() -> None:
    tree = SourceTree.of(
        {
            "a.py": b"",
            "scripts/tool.py": b"",
            "notes.md": b"",
            "old/b.py": b"",
            "src/p/__init__.py": b"",
            "src/p/c.py": b"",
        }
    )
    moves = (("a.py", "core/deep/a.py"), ("scripts/tool.py", "tools/tool.py"), ("notes.md", "docs/notes.md"),
             ("src/p/c.py", "src/p/inner/c.py"))  # fmt: skip
    mapping = parse_mapping(text(*moves, package_files={"core/__init__.py": "X = 1\n"}), name="m.json")
    choices = Choices(rewriting=RewriteOptions(), shims=False, shims_expire_on=date(2027, 1, 1))
    changes = migration_of(tree, mapping, choices, name="m.json").changes
    assert {each.path: each.after for each in changes.written} == {
        "core/__init__.py": b"X = 1\n",
        "core/deep/__init__.py": b"",
        "src/p/inner/__init__.py": b"",
    }
