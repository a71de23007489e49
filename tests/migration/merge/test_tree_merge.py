"""Two trees made one: what becomes of each file, what waits for a person, and the way back."""

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeys.desk import run
from magellan.adapters.local.common_ancestor import common_ancestor
from magellan.errors import FixInput
from magellan.migration.merge.account import Outcome, Side, definitions_of
from magellan.migration.merge.merged_tree import FileRelation, MergedTree
from magellan.migration.merge.pieces import cut
from magellan.migration.merge.tree_merge import merge_trees
from magellan.migration.source_tree import SourceTree
from magellan.usecases.migrate_merge import REVIEWS, merge

BODY = b"def alike(a):\n    b = a + 1\n    return b\n"
SOURCE = {
    "pkg/new.py": b"def fresh(): return 1\n",
    "pkg/same.py": BODY,
    "pkg/spaced.py": b"def f(a,b): return a+b\n",
    "pkg/more.py": BODY + b"\n\ndef only_here(): return 2\n",
    "pkg/clash.py": b"LIMIT = 3\n",
    "pkg/apart.py": b"def one(): return 1\n",
    "pkg/moved_here.py": b"def moved(): return 'the same bytes'\n",
    "pkg/broken.py": b"def (:\n",
    "notes.md": b"# Ours\n",
}
TARGET = {
    "pkg/old.py": b"def old(): return 1\n",
    "pkg/same.py": BODY,
    "pkg/spaced.py": b"def f(a, b):\n    return a + b\n",
    "pkg/more.py": BODY,
    "pkg/clash.py": b"LIMIT = 4\n",
    "pkg/apart.py": b"def two(): return 2\n",
    "pkg/moved_there.py": b"def moved(): return 'the same bytes'\n",
    "pkg/broken.py": b"def fine(): ...\n",
    "notes.md": b"# Theirs\n",
    "pkg/caller.py": b"from pkg.clash import LIMIT\n\nprint(LIMIT)\n",
    "tests/test_clash.py": b"from pkg.clash import LIMIT\n\n\ndef test_limit(): assert LIMIT == 4\n",
}


_PARTS = (
    b"LIMIT = 1\n",
    b"LIMIT = 2\n",
    b"def run(a):\n    return a\n",
    b"def run(a):\n    print(a)\n    return a\n",
    b"class Bot:\n    def start(self): ...\n",
    b"class Bot:\n    def start(self): ...\n\n    def stop(self): ...\n",
    b"import json\n",
    b"print('hello')\n",
)


def trees() -> st.SearchStrategy[dict[str, bytes]]:
    """Up to three modules, each of a few parts."""
    module = st.lists(st.sampled_from(_PARTS), max_size=4, unique=True).map(b"".join)
    return st.dictionaries(st.sampled_from(["a.py", "b.py", "pkg/c.py"]), module, max_size=3)


@settings(max_examples=80, deadline=None)
@given(source=trees(), target=trees(), base=st.none() | trees())
def test_the_account_of_any_two_trees_names_every_definition_of_both(
    source: dict[str, bytes], target: dict[str, bytes], base: dict[str, bytes] | None
) -> None:
    found = merge_trees(SourceTree.of(source), SourceTree.of(target), ({} if base is None else base).get)
    assert found.lost == ()
    for file in found.files:
        for side, tree in ((Side.SOURCE, source), (Side.TARGET, target)):
            if file.path in tree:
                there = {key for key, _ in definitions_of(cut(tree[file.path].decode()))}
                assert {each.key for each in file.decisions if each.side is side} == there, file.path


def test_what_one_side_took_away_since_the_ancestor_is_not_taken_away_unasked() -> None:
    old, new = b"def first(): return 1\n\n\ndef second(): return 2\n", b"def first(): return 1\n"
    for source, target in ((old, new), (new, old)):
        found = merge_trees(
            SourceTree.of({"a.py": source}), SourceTree.of({"a.py": target}), {"a.py": old}.get
        )
        outcomes = {(each.side, each.key): each.outcome for each in found.files[0].decisions}
        kept_by = Side.SOURCE if source == old else Side.TARGET
        expected = Outcome.WAITING if kept_by is Side.SOURCE else Outcome.KEPT
        assert outcomes[kept_by, "second"] is expected


def nothing(path: str) -> None:
    return None


def merged(source: dict[str, bytes] = SOURCE, target: dict[str, bytes] = TARGET) -> MergedTree:
    return merge_trees(SourceTree.of(source), SourceTree.of(target), nothing)


def test_every_file_stands_in_one_relation_to_its_twin() -> None:
    assert {file.path: file.relation for file in merged().files} == {
        "notes.md": FileRelation.CONFLICTING,
        "pkg/apart.py": FileRelation.DISJOINT,
        "pkg/broken.py": FileRelation.CONFLICTING,
        "pkg/caller.py": FileRelation.TARGET_ONLY,
        "pkg/clash.py": FileRelation.CONFLICTING,
        "pkg/more.py": FileRelation.SOURCE_CONTAINS,
        "pkg/moved_here.py": FileRelation.RENAMED,
        "pkg/moved_there.py": FileRelation.TARGET_ONLY,
        "pkg/new.py": FileRelation.SOURCE_ONLY,
        "pkg/old.py": FileRelation.TARGET_ONLY,
        "pkg/same.py": FileRelation.IDENTICAL,
        "pkg/spaced.py": FileRelation.SAME,
        "tests/test_clash.py": FileRelation.TARGET_ONLY,
    }


def test_the_account_counts_every_definition_of_both_sides_once() -> None:
    found = merged()
    counts = found.outcomes()
    by_side = {side: sum(counts[side, outcome] for outcome in Outcome) for side in Side}
    assert by_side == {Side.SOURCE: 8, Side.TARGET: 10}
    assert found.lost == ()


def test_review_pages_hold_both_versions_with_callers_and_tests() -> None:
    found = merge(SourceTree.of(SOURCE), SourceTree.of(TARGET), nothing)
    written = {each.path: each.after.decode() for each in found.changes.written}
    page = written[f"{REVIEWS}/pkg/clash.py.md"]
    assert "LIMIT = 3" in page and "LIMIT = 4" in page
    assert (
        "- target, `pkg/caller.py`, line 3: `print(LIMIT)`"
        in page.split("### Callers")[1].split("### Tests")[0]
    )
    assert "`tests/test_clash.py`, line 4" in page.split("### Tests")[1]
    assert written[f"{REVIEWS}/pkg/broken.py.source"] == "def (:\n"
    assert written[f"{REVIEWS}/notes.md.source"] == "# Ours\n"
    assert "| together | 8 | 10 |" in written[f"{REVIEWS}/merge_report.md"]


def test_an_earlier_merge_that_still_waits_is_not_merged_over() -> None:
    with pytest.raises(FixInput, match="an earlier merge left decisions"):
        merge(SourceTree.of(SOURCE), SourceTree.of({**TARGET, f"{REVIEWS}/a.md": b""}), nothing)


def test_a_source_file_in_the_place_of_a_folder_or_of_another_case_waits() -> None:
    found = merged({"a": b"x\n", "B.py": b"y = 1\n"}, {"a/b.py": b"", "b.py": b"y = 2\n"})
    waiting = {file.path for file in found.files if file.conflicts}
    assert waiting == {"a", "B.py"}


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True)


def test_the_common_ancestor_is_found_in_two_clones_of_one_history(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    git(one, "init", "-q", "-b", "main")
    git(one, "config", "user.name", "ada")
    git(one, "config", "user.email", "ada@example.com")
    (one / "a.py").write_text("x = 1\n")
    git(one, "add", "-A")
    git(one, "commit", "-q", "-m", "first")
    git(tmp_path, "clone", "-q", str(one), str(other))
    (one / "a.py").write_text("x = 2\n")
    git(one, "commit", "-q", "-a", "-m", "second")
    base_of = common_ancestor(other, one)
    assert base_of("a.py") == b"x = 1\n"
    assert base_of("nowhere.py") is None
    assert common_ancestor(tmp_path / "other", tmp_path)("a.py") is None

    # Neither has the other's newest commit.
    git(other, "config", "user.name", "bob")
    git(other, "config", "user.email", "bob@example.com")
    (other / "b.py").write_text("y = 1\n")
    git(other, "add", "-A")
    git(other, "commit", "-q", "-m", "third")
    for source, target in ((one, other), (other, one)):
        found = common_ancestor(source, target)
        assert (found("a.py"), found("b.py")) == (b"x = 1\n", None)
    git(other, "tag", "ours")
    assert common_ancestor(other, one, "ours")("b.py") == b"y = 1\n"


def test_a_commit_that_nobody_has_is_refused(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.py").write_text(f"x = '{name}'\n")
    with pytest.raises(FixInput, match="is in no git repository that can be read"):
        common_ancestor(tmp_path / "one", tmp_path / "other", "v1")
    git(tmp_path / "other", "init", "-q")
    done = run("migrate", "merge", "one", "other", "--base", "v1", cwd=tmp_path)
    assert done.returncode == 1
    assert "there is no commit v1 in the history of other" in done.stderr
    assert "`git -C other log`" in done.stderr


def test_the_command_shows_does_and_takes_back(tmp_path: Path) -> None:
    for name, files in (("source", SOURCE), ("target", TARGET)):
        for path, content in files.items():
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path).write_bytes(content)
    shown = run("migrate", "merge", "source", "target", "--json", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    told = json.loads(shown.stdout)
    assert (told["outcome"], told["lost"], len(told["conflicts"])) == ("dry run", 0, 3)
    assert not (tmp_path / "target" / REVIEWS).exists()
    done = run("migrate", "merge", "../source", ".", "--yes", cwd=tmp_path / "target")
    assert done.returncode == 0, done.stderr
    journals = tmp_path / "target/.magellan/journals/finished"
    assert [each.name.partition("-")[2][:24] for each in journals.iterdir()] == ["merge-source-into-target"]
    assert (tmp_path / "target/pkg/new.py").read_bytes() == SOURCE["pkg/new.py"]
    assert (tmp_path / "target/pkg/apart.py").read_bytes() == b"def one(): return 1\ndef two(): return 2\n"
    back = run("migrate", "rollback", "target", "--yes", cwd=tmp_path)
    assert back.returncode == 0, back.stderr
    kept = {
        str(path.relative_to(tmp_path / "target")): path.read_bytes()
        for path in (tmp_path / "target").rglob("*")
        if path.is_file() and ".magellan" not in path.parts
    }
    assert kept == TARGET
    nested = run("migrate", "merge", "target/pkg", "target", cwd=tmp_path)
    assert nested.returncode == 1 and "one lies in the other" in nested.stderr


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ({"risk/__init__.py": b"", "risk/a.py": b"A = 1\n"}, {"risk.py": b"B = 1\n"}),
        ({"risk/a.py": b"A = 1\n"}, {"risk.py": b"B = 1\n"}),
        ({"risk.py": b"B = 1\n"}, {"risk/__init__.py": b"# one\n"}),
    ],
)
def test_a_package_and_a_module_of_one_name_wait_for_a_person(
    source: dict[str, bytes], target: dict[str, bytes]
) -> None:
    merged = merge_trees(SourceTree.of(source), SourceTree.of(target), {}.get)
    assert {file.path for file in merged.files if file.conflicts} == set(source)
    assert all(file.result is None for file in merged.files)
    beside = {**source, **target}
    both = merge_trees(SourceTree.of(beside), SourceTree.of(target), {}.get)
    assert not [file for file in both.files if file.conflicts]
