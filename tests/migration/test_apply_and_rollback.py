"""A mapping applied to a folder, and taken back: whole, in part, and after somebody edited what it made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from magellan.adapters.local.processes import ProcessExecutor
from magellan.adapters.local.source_folder import read_source_tree
from magellan.adapters.local.three_way import merged
from magellan.errors import FixInput
from magellan.migration.apply_plan import Commits
from magellan.migration.change_set import Written, WrittenFor
from magellan.migration.content_changes import content_changes
from magellan.migration.reverse import EVERY_PART, Part
from magellan.plan.carry_out import Finished, TakenBack
from magellan.usecases.migrate_apply import apply_recorded, dry_run, record_of, refuse_unsafe
from magellan.usecases.migrate_rollback import reverse, reverse_files, roll_back, way_back
from migration.tree_lab import MOVES, desk_at, git, look_at, make_tree, prepared_at, under_git, without_times


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    make_tree(folder)
    return folder


def apply(root: Path, **wishes: object) -> None:
    outcome = apply_recorded(prepared_at(root, **wishes).recorded, desk_at(root))  # type: ignore[arg-type]
    assert isinstance(outcome, Finished), outcome


def take_back(root: Path) -> None:
    desk = desk_at(root)
    assert isinstance(roll_back(way_back(desk), desk), TakenBack)


def test_a_dry_run_changes_nothing_and_refuses_nothing(root: Path) -> None:
    before = look_at(root)
    assert dry_run(prepared_at(root).recorded, desk_at(root)).refusals == ()
    assert look_at(root) == before


def test_processes_that_share_the_files_decide_the_same(root: Path) -> None:
    alone, shared = prepared_at(root), prepared_at(root, executor=ProcessExecutor(2))
    assert shared.recorded.changes == alone.recorded.changes
    assert shared.migration.rewriting == alone.migration.rewriting


def test_what_is_applied_is_what_was_decided(root: Path) -> None:
    apply(root, shims=False)
    assert (root / "core/bot.py").read_bytes().startswith(b"from shop.labels.regime import label\n")
    assert (root / "shop/__init__.py").read_bytes() == b"from .labels import regime\r\n"
    assert (
        (root / "shop/rules.py")
        .read_bytes()
        .decode("latin-1")
        .endswith("import shop.labels.regime  # wählt\n")
    )
    assert (root / "notes.md").read_bytes() == b"\xef\xbb\xbfSee `shop.labels.regime`.\n"
    assert (root / "settings/bot.toml").read_bytes() == b'run = "core.bot:run"\n'
    assert (root / "core/__init__.py").read_bytes() == b""
    assert os.readlink(root / "link.py") == "core/bot.py"
    assert (root / "core/bot.py").stat().st_mode & 0o777 == 0o755
    assert not (root / "config").exists()


@pytest.mark.parametrize("shims", [True, False])
def test_taken_back_every_byte_bit_time_link_and_folder_is_as_before(root: Path, shims: bool) -> None:
    before = look_at(root)
    apply(root, shims=shims)
    assert look_at(root) != before
    take_back(root)
    assert look_at(root) == before


@pytest.mark.parametrize(
    ("link", "goes_to", "says"),
    [
        ("../data", "far/away/link", "../../../data"),  # out of the tree
        ("..", "away/link", "../.."),
        (".", "away/link", ".."),
        ("not/there.csv", "away/link", "../not/there.csv"),
        ("/etc/hosts", "away/link", "/etc/hosts"),
        ("link", "away/link", "link"),  # to itself
    ],
)
def test_a_link_that_moves_leads_to_where_it_led(tmp_path: Path, link: str, goes_to: str, says: str) -> None:
    make_tree(tmp_path, {"bot.py": b"A = 1\n"})
    (tmp_path / "link").symlink_to(link)
    before = look_at(tmp_path)
    outcome = apply_recorded(prepared_at(tmp_path, {"link": goes_to}).recorded, desk_at(tmp_path))
    assert isinstance(outcome, Finished)
    assert os.readlink(tmp_path / goes_to) == says
    take_back(tmp_path)
    assert look_at(tmp_path) == before


def test_a_file_whose_name_begins_with_a_dot_is_moved_and_named_anew(tmp_path: Path) -> None:
    make_tree(tmp_path, {".env": b"LIMIT=1\n", "notes.md": b"Settings are in `.env`.\n"})
    outcome = apply_recorded(prepared_at(tmp_path, {".env": "settings/.env"}).recorded, desk_at(tmp_path))
    assert isinstance(outcome, Finished)
    assert (tmp_path / "settings/.env").read_bytes() == b"LIMIT=1\n"
    assert (tmp_path / "notes.md").read_bytes() == b"Settings are in `settings/.env`.\n"


@pytest.mark.parametrize("commits", [Commits.UNTOUCHED, Commits.PHASES])
def test_a_file_whose_name_is_no_text_is_rewritten_and_taken_back(tmp_path: Path, commits: Commits) -> None:
    odd = os.fsdecode(b"caf\xe9.py")
    make_tree(tmp_path, {"bot.py": b"A = 1\n", odd: b"import bot\n"})
    under_git(tmp_path)
    before = look_at(tmp_path)
    apply(tmp_path, moves={"bot.py": "core/bot.py"}, commits=commits)
    assert (tmp_path / odd).read_bytes() == b"from core import bot\n"
    take_back(tmp_path)
    assert look_at(tmp_path) == before


@pytest.mark.parametrize("commits", [Commits.STAGED, Commits.ONE, Commits.PHASES])
def test_git_follows_and_its_index_and_branch_come_back(root: Path, commits: Commits) -> None:
    under_git(root)
    before, index, head = look_at(root), (root / ".git/index").read_bytes(), git(root, "rev-parse", "main")
    apply(root, commits=commits, shims=False)
    assert git(root, "diff", "--name-only") == git(root, "ls-files", "--others", "--exclude-standard") == ""
    commits_made = {Commits.STAGED: 0, Commits.ONE: 1, Commits.PHASES: 2}[commits]
    assert git(root, "rev-list", "--count", f"{head}..main") == str(commits_made)
    if commits is Commits.PHASES:
        renames = git(root, "show", "--name-status", "--format=", "-M100%", "main~1").splitlines()
        assert sorted(each.split("\t")[0] for each in renames) == ["R100"] * len(MOVES)
    take_back(root)
    assert look_at(root) == before
    assert (root / ".git/index").read_bytes() == index
    assert (git(root, "rev-parse", "main"), git(root, "status", "--porcelain")) == (head, "")


def test_changes_that_are_not_committed_are_refused(root: Path) -> None:
    under_git(root)
    (root / "shop/rules.py").write_bytes(b"x = 1\n")
    prepared = prepared_at(root, commits=Commits.STAGED)
    with pytest.raises(FixInput, match=r"1 files have changes that are not committed: shop/rules\.py"):
        refuse_unsafe(prepared.recorded, desk_at(root))


def test_commits_that_somebody_made_since_are_never_thrown_away(root: Path) -> None:
    under_git(root)
    apply(root, commits=Commits.ONE)
    git(root, "commit", "-q", "--allow-empty", "-m", "later")
    desk = desk_at(root)
    refusals = way_back(desk).preview.refusals
    assert [each.note for each in refusals] == ["there are other commits on refs/heads/main since"]


@pytest.mark.parametrize("shims", [True, False])
@pytest.mark.parametrize("path", ["core/bot.py", "shop/labels/regime.py"], ids=["rewritten", "only moved"])
def test_an_edit_made_since_is_named_and_left_alone(root: Path, path: str, shims: bool) -> None:
    apply(root, shims=shims)
    (root / path).write_bytes(b"mine\n")
    before = look_at(root)
    refusals = [each.note for each in way_back(desk_at(root)).preview.refusals]
    assert any(f"{path} was changed" in note for note in refusals)
    assert look_at(root) == before


@pytest.mark.parametrize("shims", [True, False])
def test_a_moved_file_that_is_gone_since_is_named(root: Path, shims: bool) -> None:
    apply(root, shims=shims)
    (root / "shop/labels/regime.py").unlink()
    refusals = " ".join(each.note for each in way_back(desk_at(root)).preview.refusals)
    assert "shop/labels/regime.py is not there" in refusals or "shop/labels/regime.py was changed" in refusals


def test_what_python_compiled_since_stands_in_no_way(root: Path) -> None:
    before = look_at(root)
    apply(root)
    for folder in ("core", "shop/labels"):
        (root / folder / "__pycache__").mkdir()
        (root / folder / "__pycache__/module.cpython-311.pyc").write_bytes(b"compiled")
    assert way_back(desk_at(root)).refusals == ()
    take_back(root)
    assert look_at(root) == before


def test_what_somebody_put_into_a_new_folder_is_named_and_merge_goes_around_it(root: Path) -> None:
    apply(root)
    (root / "core/mine.py").write_bytes(b"mine\n")
    desk = desk_at(root)
    assert way_back(desk).refusals == ("core/mine.py was put into a folder that was made",)
    found, recorded = reverse(way_back(desk), read_source_tree(root), desk, EVERY_PART, merge=merged)
    assert found.conflicts == ()
    assert isinstance(apply_recorded(recorded, desk), Finished)
    assert (root / "bot.py").exists() and not (root / "core/bot.py").exists()
    assert (root / "core/mine.py").read_bytes() == b"mine\n"


def test_with_merge_edits_on_other_lines_travel_back(root: Path) -> None:
    before = without_times(look_at(root))
    apply(root)
    bot = root / "core/bot.py"
    bot.write_bytes(bot.read_bytes() + b"\n\nMINE = 1\n")
    (root / "shop/labels/regime.py").write_bytes(b"MINE = 2\n")  # moved, and not rewritten
    desk = desk_at(root)
    found, recorded = reverse(way_back(desk), read_source_tree(root), desk, EVERY_PART, merge=merged)
    assert (found.conflicts, found.merged) == ((), ("core/bot.py",))
    assert isinstance(apply_recorded(recorded, desk), Finished)
    now = without_times(look_at(root))
    assert now["bot.py"][2] == before["bot.py"][2] + b"\n\nMINE = 1\n"
    assert {path for path in before.keys() | now.keys() if before.get(path) != now.get(path)} == {
        "bot.py",
        "shop/regime.py",
    }
    take_back(root)
    assert bot.read_bytes().endswith(b"MINE = 1\n")


def test_with_merge_an_edit_on_a_line_that_was_rewritten_is_refused(root: Path) -> None:
    apply(root)
    (root / "notes.md").write_bytes(b"\xef\xbb\xbfSee `shop.labels.regime` and more.\n")
    desk = desk_at(root)
    found, _ = reverse(way_back(desk), read_source_tree(root), desk, EVERY_PART, merge=merged)
    assert found.conflicts == ("notes.md was edited since, on lines that name what moved",)


def test_names_alone_are_taken_back_and_files_stay_where_they_went(root: Path) -> None:
    apply(root)
    desk = desk_at(root)
    found, recorded = reverse(way_back(desk), read_source_tree(root), desk, [Part.NAMES], merge=None)
    assert found.conflicts == ()
    assert isinstance(apply_recorded(recorded, desk), Finished)
    assert (root / "core/bot.py").read_bytes().startswith(b"from shop.regime import label\n")
    take_back(root)
    assert (root / "core/bot.py").read_bytes().startswith(b"from shop.labels.regime import label\n")


def take_back_part(root: Path, migration: str, *parts: Part) -> None:
    desk = desk_at(root)
    found, recorded = reverse(way_back(desk, migration), read_source_tree(root), desk, parts, merge=None)
    assert found.conflicts == ()
    assert isinstance(apply_recorded(recorded, desk), Finished)


@pytest.mark.parametrize(
    "groups",
    [
        [[Part.SHIMS], [Part.NAMES], [Part.LINKS], [Part.MOVES], [Part.PACKAGES]],
        [[Part.NAMES, Part.LINKS], [Part.SHIMS, Part.MOVES, Part.PACKAGES]],
    ],
)
def test_phases_taken_back_one_after_the_other_lead_to_where_it_began(
    root: Path, groups: list[list[Part]]
) -> None:
    before = without_times(look_at(root))
    apply(root)
    applied = without_times(look_at(root))
    first = way_back(desk_at(root)).recorded.id
    for parts in groups:
        take_back_part(root, first, *parts)
    assert without_times(look_at(root)) == before
    for _ in groups:
        take_back(root)
    assert without_times(look_at(root)) == applied
    take_back_part(root, first, Part.SHIMS)
    desk = desk_at(root)
    with pytest.raises(FixInput, match=rf"of the shims of {first} nothing is left to be taken back"):
        reverse(way_back(desk, first), read_source_tree(root), desk, [Part.SHIMS], merge=None)


def test_a_file_does_not_go_back_to_where_a_shim_lies(root: Path) -> None:
    apply(root)
    desk = desk_at(root)
    found, _ = reverse(way_back(desk), read_source_tree(root), desk, [Part.MOVES], merge=None)
    assert "bot.py is there: core/bot.py cannot go back to it" in found.conflicts


def test_a_package_file_stays_as_long_as_a_module_needs_it(root: Path) -> None:
    apply(root)
    desk = desk_at(root)
    (root / "core/mine.py").write_bytes(b"")
    parts = [Part.SHIMS, Part.MOVES, Part.PACKAGES]
    found, _ = reverse(way_back(desk), read_source_tree(root), desk, parts, merge=None)
    assert (found.kept, found.conflicts) == (("core/__init__.py",), ())


def test_with_merge_files_of_new_content_get_the_old_one_around_later_edits(root: Path) -> None:
    path, old = "shop/rules.py", (root / "shop/rules.py").read_bytes()
    new = Written(path=path, before=old, after=b"# united\n" + old, mode=0o644, why=WrittenFor.CONTENT)
    desk = desk_at(root)
    changes = content_changes(read_source_tree(root), written=[new])
    recorded = record_of(changes, desk, name="unite", source_roots=("",), commits=Commits.UNTOUCHED)
    assert isinstance(apply_recorded(recorded, desk), Finished)
    (root / path).write_bytes(new.after + b"MINE = 1\n")
    found, back = reverse(way_back(desk), read_source_tree(root), desk, EVERY_PART, merge=merged)
    assert (found.conflicts, found.merged) == ((), (path,))
    assert isinstance(apply_recorded(back, desk), Finished)
    assert (root / path).read_bytes() == old + b"MINE = 1\n"


def test_with_merge_what_was_taken_away_is_refused_and_not_lost(root: Path) -> None:
    apply(root)
    desk = desk_at(root)
    prepared = reverse_files(
        way_back(desk), read_source_tree(root), desk, ["bot.py"], is_installed=lambda _: False
    )
    assert isinstance(apply_recorded(prepared.recorded, desk), Finished)
    found, _ = reverse(way_back(desk), read_source_tree(root), desk, EVERY_PART, merge=merged)
    assert found.conflicts == ("bot.py was taken away, and comes back only with the whole",)


def test_one_file_goes_back_with_every_name_of_it(root: Path) -> None:
    before = without_times(look_at(root))
    apply(root)
    desk = desk_at(root)
    prepared = reverse_files(
        way_back(desk), read_source_tree(root), desk, ["bot.py"], is_installed=lambda _: False
    )
    assert isinstance(apply_recorded(prepared.recorded, desk), Finished)
    assert (root / "bot.py").read_bytes().startswith(b"from shop.labels.regime import label\n")
    assert (root / "settings/bot.toml").read_bytes() == b'run = "bot:run"\n'
    assert os.readlink(root / "link.py") == "bot.py"
    take_back(root)
    take_back(root)
    assert without_times(look_at(root)) == before


def test_nothing_to_take_back_is_said(root: Path) -> None:
    with pytest.raises(FixInput, match="no migration stands in"):
        way_back(desk_at(root))
    apply(root)
    take_back(root)
    with pytest.raises(FixInput, match="no migration stands in"):
        way_back(desk_at(root))
