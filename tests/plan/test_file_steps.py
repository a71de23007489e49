"""Steps on files: done as wanted, undone to the byte, refused with a reason, and never over what is somebody else's."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from magellan.adapters.local.file_tree import FileTree
from magellan.errors import FixInput
from magellan.plan.carry_out import Finished, Halted, TakenBack, carry_out, take_back
from magellan.plan.files.delete import Delete
from magellan.plan.files.keep_folder_times import KeepFolderTimes
from magellan.plan.files.make_folder import MakeFolder
from magellan.plan.files.move import Move
from magellan.plan.files.point_link import PointLink
from magellan.plan.files.set_mode import SetMode
from magellan.plan.files.tree import Tree
from magellan.plan.files.write_file import WriteFile
from magellan.plan.plan import OnFailure, Phase, Plan
from magellan.plan.preview import preview, preview_back
from magellan.plan.records import Head
from magellan.plan.step import Blocked, Done, NotDone, Step
from plan.file_lab import every_kind_of_step, file_plan, look_at, make_tree, without_times
from plan.memory import BEGAN, SOMEBODY, Clock, Killed, MemoryJournal
from rights import MAY_EVERYTHING


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_tree(tmp_path / "tree")
    return tmp_path / "tree"


def journal_of(plan: Plan[Tree]) -> MemoryJournal:
    return MemoryJournal(kept=[Head(at=BEGAN, by=SOMEBODY, plan=plan.description)])


def run(plan: Plan[Tree], root: Path, journal: MemoryJournal):
    return asyncio.run(carry_out(plan, FileTree(root), journal, now=Clock().now))


def run_back(plan: Plan[Tree], root: Path, journal: MemoryJournal, *, leaves_changed: bool = False):
    going_back = take_back(
        plan, FileTree(root), journal, why="asked", now=Clock().now, leaves_changed=leaves_changed
    )
    return asyncio.run(going_back)


def check(step: Step[Tree], root: Path):
    return asyncio.run(step.check(FileTree(root), None))


def plan_of(*steps: Step[Tree], on_failure: OnFailure = OnFailure.UNDO) -> Plan[Tree]:
    return file_plan(Phase(name="steps", steps=steps), on_failure=on_failure)


def test_every_kind_of_step_does_what_it_says_and_is_undone_to_the_byte(root: Path) -> None:
    before = look_at(root)
    plan = every_kind_of_step()
    journal = journal_of(plan)
    assert isinstance(run(plan, root, journal), Finished)
    after = look_at(root)
    for source, target in (
        ("a.py", "shop/a.py"),
        ("data.bin", "shop/data/data.bin"),
        ("broken", "shop/broken"),
        ("pack/inner/c.py", "shop/pack/inner/c.py"),
        ("pack/empty", "shop/pack/empty"),
        ("old.cfg", ".kept/old.cfg"),
        ("b.py", ".kept/b.py"),
    ):
        assert after[target] == before[source], "moved with every bit and time"
    assert without_times(after)["b.py"] == ("file", 0o644, b"print(1)\n")
    assert without_times(after)["shop"] == ("folder", 0o750, b"")
    assert without_times(after)["shop/__init__.py"] == ("file", 0o600, b"")
    assert without_times(after)["current"][2] == b"releases/2"
    assert without_times(after)["newest"][2] == b"current"
    assert after["empty.txt"][1] == 0o400
    assert not {"a.py", "data.bin", "pack", "empty", "old.cfg", "locked"} & after.keys()
    assert isinstance(run_back(plan, root, journal.reopened()), TakenBack)
    assert look_at(root) == before


@pytest.mark.skipif(MAY_EVERYTHING, reason="root may move everything")
def test_a_folder_that_its_owner_may_not_write_stays_and_what_came_before_is_taken_back(root: Path) -> None:
    (root / "locked").chmod(0o555)
    before = look_at(root)
    plan = every_kind_of_step()
    ended = run(plan, root, journal_of(plan))
    assert isinstance(ended, TakenBack)
    assert "delete locked: " in ended.status.why
    assert "this user may not do that" in ended.status.why
    assert look_at(root) == before


def test_a_dry_run_changes_nothing_and_says_what_depends_on_what(root: Path) -> None:
    before = look_at(root)
    found = asyncio.run(preview(every_kind_of_step(), FileTree(root)))
    assert look_at(root) == before
    assert found.refusals == ()
    words = {step.title: (step.word, step.note) for phase in found.status.phases for step in phase.steps}
    assert words["make the folder shop"] == ("would be done", "")
    assert words["make the folder shop/data"] == ("depends on another step", "on step 3")
    assert words["move a.py to shop/a.py"] == ("depends on another step", "on step 3")
    assert words["point current at releases/2"] == ("would be done", "")


def test_a_dry_run_of_the_way_back_names_what_was_changed_since(root: Path) -> None:
    plan = every_kind_of_step()
    journal = journal_of(plan)
    run(plan, root, journal)
    (root / "shop/a.py").write_bytes(b"a day's work")
    edited = look_at(root)
    found = asyncio.run(preview_back(plan, FileTree(root), journal.records))
    assert look_at(root) == edited
    assert [(each.title, each.word, each.note) for each in found.refusals] == [
        (
            "move a.py to shop/a.py",
            "cannot be undone",
            "shop/a.py was changed, removed or put there by somebody else meanwhile",
        )
    ]
    words = {step.title: step.word for phase in found.status.phases for step in phase.steps}
    assert words["point current at releases/2"] == "would be undone"
    assert words["make the folder shop"] == "would be undone"


def test_a_dry_run_of_the_way_back_knows_what_only_later_steps_hide(root: Path) -> None:
    plan = plan_of(
        Move(source="a.py", target="x"), Move(source="x", target="y"), Delete(path="no", backup="z")
    )
    journal = journal_of(plan)
    run(plan, root, journal)
    found = asyncio.run(preview_back(plan, FileTree(root), journal.records))
    assert [(step.word, step.note) for step in found.status.phases[1].steps] == [
        ("depends on another step", "on step 3"),
        ("would be undone", ""),
        ("nothing to undo", ""),
    ]


def test_a_dry_run_names_what_cannot_be_done_and_what_is_done_already(root: Path) -> None:
    plan = plan_of(
        PointLink(path="current", target="releases/1"),
        Move(source="nothing", target="b"),
        SetMode(path="empty.txt", mode=0o640),
    )
    found = asyncio.run(preview(plan, FileTree(root)))
    assert [(each.title, each.note) for each in found.refusals] == [
        ("move nothing to b", "nothing is not there")
    ]
    assert [step.word for step in found.status.phases[1].steps] == [
        "done already",
        "cannot be done",
        "done already",
    ]


BLOCKED = [
    (Move(source="nothing", target="x"), "nothing is not there"),
    (Move(source="a.py", target="b.py"), "b.py is there already"),
    (Move(source="a.py", target="nowhere/a.py"), "there is no folder nowhere"),
    (Move(source="a.py", target="b.py/a.py"), "there is no folder b.py"),
    (Delete(path="a.py", backup="b.py"), "b.py is there already"),
    (Delete(path="a.py", backup="nowhere/a.py"), "there is no folder nowhere"),
    (WriteFile(path="nowhere/x", content=b""), "there is no folder nowhere"),
    (WriteFile(path="a.py", content=b""), "a.py is there already, with other content or permission bits"),
    (WriteFile(path="pack", content=b""), "pack is a folder and not a file"),
    (WriteFile(path="current", content=b""), "current is a link and not a file"),
    (
        WriteFile(path="a.py", content=b"", backup="b.py"),
        "b.py, where the old file is to be kept, is there already",
    ),
    (
        WriteFile(path="a.py", content=b"", backup="nowhere/a"),
        "there is no folder nowhere to keep the old file in",
    ),
    (
        WriteFile(path="w", content=b""),
        "w.unfinished, under which the file is prepared, is there already",
    ),
    (
        PointLink(path="w", target="x"),
        "w.unfinished, under which the link is prepared, is there already",
    ),
    (MakeFolder(path="a.py"), "a.py is a file and not a folder"),
    (MakeFolder(path="nowhere/x"), "there is no folder nowhere"),
    (PointLink(path="a.py", target="x"), "a.py is a file and not a link"),
    (PointLink(path="nowhere/x", target="x"), "there is no folder nowhere"),
    (SetMode(path="current", mode=0o600), "there is no file and no folder current"),
]


@pytest.mark.parametrize(("step", "why"), BLOCKED, ids=lambda each: getattr(each, "title", None))
def test_what_cannot_be_done_is_refused_with_its_reason(root: Path, step: Step[Tree], why: str) -> None:
    (root / "w.unfinished").write_text("mine")
    before = look_at(root)
    assert check(step, root) == Blocked(why=why)
    assert isinstance(run(plan_of(step), root, journal_of(plan_of(step))), TakenBack)
    assert look_at(root) == before


DONE = [
    Move(source="nothing", target="a.py"),
    Delete(path="nothing", backup="x"),
    WriteFile(path="b.py", content=b"\xef\xbb\xbfprint()\n", mode=0o755),
    MakeFolder(path="pack"),
    PointLink(path="broken", target="nowhere/at all"),
    SetMode(path="pack", mode=0o711),
]


@pytest.mark.parametrize("step", DONE, ids=lambda each: each.title)
def test_what_is_as_wanted_already_is_left_alone(root: Path, step: Step[Tree]) -> None:
    (root / "b.py.unfinished").write_text("mine")
    before = look_at(root)
    assert isinstance(check(step, root), Done)
    plan = plan_of(step)
    journal = journal_of(plan)
    run(plan, root, journal)
    run_back(plan, root, journal.reopened())
    assert look_at(root) == before


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a/", "a\0b"])
def test_a_path_that_is_none_inside_the_tree_is_refused(path: str) -> None:
    for make in (
        lambda: Move(source=path, target="x"),
        lambda: Move(source="x", target=path),
        lambda: Delete(path="x", backup=path),
        lambda: WriteFile(path=path, content=b""),
        lambda: MakeFolder(path=path),
        lambda: PointLink(path=path, target="x"),
        lambda: SetMode(path=path, mode=0o600),
    ):
        if path:
            with pytest.raises(FixInput):
                make()


def test_a_link_among_the_folders_leads_nowhere_outside_the_tree(root: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (root / "way").symlink_to(tmp_path / "outside")
    plan = plan_of(WriteFile(path="way/x", content=b"x"))
    outcome = run(plan, root, journal_of(plan))
    assert isinstance(outcome, TakenBack)
    assert "leads out of" in outcome.why
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_link_among_the_folders_is_followed_inside_the_tree(root: Path) -> None:
    before = look_at(root)
    plan = plan_of(WriteFile(path="current/new", content=b"x"))
    journal = journal_of(plan)
    assert isinstance(run(plan, root, journal), Finished)
    assert (root / "releases/1/new").read_bytes() == b"x"
    run_back(plan, root, journal.reopened())
    assert without_times(look_at(root)) == without_times(before)


def test_below_a_link_to_itself_there_is_nothing(root: Path) -> None:
    (root / "loop").symlink_to("loop")
    before = look_at(root)
    assert check(MakeFolder(path="loop/inner"), root) == Blocked(why="there is no folder loop")
    # A file that is new needs no backup, wherever it would have been kept.
    plan = plan_of(WriteFile(path="new.py", content=b"new", backup="loop/kept"))
    journal = journal_of(plan)
    assert isinstance(run(plan, root, journal), Finished)
    assert isinstance(run_back(plan, root, journal.reopened()), TakenBack)
    assert look_at(root) == before


def test_a_failure_in_the_middle_restores_every_byte_bit_and_time(root: Path) -> None:
    before = look_at(root)
    plan = file_plan(
        *every_kind_of_step().phases[1:],
        Phase(name="too much", steps=(Move(source="never was", target="shop/x"),)),
    )
    assert isinstance(run(plan, root, journal_of(plan)), TakenBack)
    assert look_at(root) == before


def test_the_place_of_a_backup_that_was_not_needed_is_somebody_elses(root: Path) -> None:
    before = look_at(root)
    plan = plan_of(MakeFolder(path="kept"), WriteFile(path="new", content=b"", backup="kept"))
    journal = journal_of(plan)
    assert isinstance(run(plan, root, journal), Finished)
    assert isinstance(run_back(plan, root, journal.reopened()), TakenBack)
    assert look_at(root) == before


CHANGED_SINCE = [
    (Move(source="a.py", target="x"), "x"),
    (Delete(path="a.py", backup="x"), "x"),
    (WriteFile(path="x", content=b"new"), "x"),
    (WriteFile(path="a.py", content=b"new", backup="x"), "a.py"),
]


@pytest.mark.parametrize(("step", "path"), CHANGED_SINCE, ids=lambda each: getattr(each, "title", None))
def test_what_was_edited_since_is_not_overwritten_by_the_way_back(
    root: Path, step: Step[Tree], path: str
) -> None:
    plan = plan_of(step)
    journal = journal_of(plan)
    run(plan, root, journal)
    (root / path).chmod(0o644)
    (root / path).write_bytes(b"a day's work")
    edited = look_at(root)
    outcome = run_back(plan, root, journal.reopened())
    assert isinstance(outcome, Halted)
    assert f"{path} was changed" in outcome.why
    assert look_at(root) == edited


class Refusing(FileTree):
    """The system refuses the first change, in its own words."""

    def __init__(self, root: Path, number: int) -> None:
        super().__init__(root)
        self._number = number

    def _changed(self, path: str) -> str:
        raise OSError(self._number, os.strerror(self._number), self._at(path))


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "the disk is full; free some space"),
        (errno.EDQUOT, "the disk quota is used up; free some space"),
        (errno.EROFS, "the file system is read-only; mount it for writing"),
        (errno.EACCES, "this user may not do that; give it the right to write"),
        (errno.EPERM, "the system lets this user not do that; the file is somebody else's"),
    ],
)
def test_what_the_system_refuses_is_told_with_what_mends_it(root: Path, number: int, advice: str) -> None:
    plan = plan_of(MakeFolder(path="made"))
    outcome = asyncio.run(carry_out(plan, Refusing(root, number), journal_of(plan), now=Clock().now))
    assert isinstance(outcome, TakenBack)
    assert f"{root.resolve()}/made: {advice}" in outcome.why
    assert "Errno" not in outcome.why


class Dying(FileTree):
    """The process ends before the first change."""

    def _changed(self, path: str) -> str:
        raise Killed


def begun_and_killed(plan: Plan[Tree], root: Path) -> MemoryJournal:
    journal = journal_of(plan)
    with pytest.raises(Killed):
        asyncio.run(carry_out(plan, Dying(root), journal, now=Clock().now))
    return journal.reopened()


def chmod(path: Path) -> None:
    path.chmod(0o640)


def touch(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def edit_and_hide(path: Path) -> None:
    was = path.stat()
    path.write_bytes(b"X" * was.st_size)
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))


@pytest.mark.parametrize("change", [chmod, touch, edit_and_hide])
def test_a_file_that_somebody_changed_while_nobody_was_at_work_is_not_replaced(
    root: Path, change: Callable[[Path], None]
) -> None:
    plan = plan_of(MakeFolder(path="pack"), WriteFile(path="a.py", content=b"new", backup="kept"))
    journal = begun_and_killed(plan, root)
    change(root / "a.py")
    changed = look_at(root)
    for go_on in (run, run_back):
        outcome = go_on(plan, root, journal)
        assert isinstance(outcome, Halted)
        assert "a.py was changed by somebody else meanwhile" in outcome.why
        assert look_at(root) == changed
        journal = journal.reopened()


@pytest.mark.parametrize("change", [chmod, touch])
def test_a_file_that_somebody_changed_while_nobody_was_at_work_is_not_moved(
    root: Path, change: Callable[[Path], None]
) -> None:
    plan = plan_of(Move(source="a.py", target="x"))
    journal = begun_and_killed(plan, root)
    change(root / "a.py")
    assert isinstance(run(plan, root, journal), Halted)
    assert not (root / "x").exists()


def test_a_move_does_not_replace_what_appeared_since_the_check(root: Path) -> None:
    before = look_at(root)
    with pytest.raises(FileExistsError, match=r"b\.py has appeared meanwhile"):
        asyncio.run(Move(source="a.py", target="b.py").do(FileTree(root), {}))
    assert look_at(root) == before


def test_a_folder_into_which_somebody_put_something_is_not_removed(root: Path) -> None:
    plan = plan_of(MakeFolder(path="shop"))
    journal = journal_of(plan)
    run(plan, root, journal)
    (root / "shop/notes.txt").write_text("mine")
    outcome = run_back(plan, root, journal.reopened())
    assert isinstance(outcome, Halted)
    assert "shop holds notes.txt, which somebody else put there" in outcome.why
    assert (root / "shop/notes.txt").read_text() == "mine"
    (root / "shop/notes.txt").unlink()
    assert isinstance(run_back(plan, root, journal.reopened()), TakenBack)


def test_what_somebody_changed_is_left_when_a_person_says_so_and_the_rest_is_taken_back(root: Path) -> None:
    before = (root / "b.py").read_bytes()
    plan = plan_of(
        MakeFolder(path="shop"),
        Move(source="a.py", target="shop/a.py"),
        WriteFile(path="b.py", content=b"new", backup="kept"),
    )
    journal = journal_of(plan)
    run(plan, root, journal)
    (root / "shop/a.py").write_bytes(b"mine")
    assert isinstance(run_back(plan, root, journal.reopened()), Halted)
    outcome = run_back(plan, root, journal.reopened(), leaves_changed=True)
    assert isinstance(outcome, TakenBack)
    assert [each.partition(": ")[0] for each in outcome.left] == [
        "make the folder shop",
        "move a.py to shop/a.py",
    ]
    assert ((root / "shop/a.py").read_bytes(), (root / "b.py").read_bytes()) == (b"mine", before)


def test_what_python_compiled_in_a_folder_goes_with_it(root: Path) -> None:
    before = look_at(root)
    plan = plan_of(MakeFolder(path="shop"))
    journal = journal_of(plan)
    run(plan, root, journal)
    (root / "shop/__pycache__").mkdir()
    (root / "shop/__pycache__/a.cpython-311.pyc").write_bytes(b"compiled")
    assert isinstance(run_back(plan, root, journal.reopened()), TakenBack)
    assert look_at(root).keys() == before.keys()


def test_a_link_that_is_called_as_what_python_compiled_is_followed_nowhere(root: Path) -> None:
    plan = plan_of(MakeFolder(path="shop"))
    journal = journal_of(plan)
    run(plan, root, journal)
    (root / "shop/__pycache__").symlink_to("../pack")
    pack = look_at(root / "pack")
    assert isinstance(run_back(plan, root, journal.reopened()), Halted)
    assert look_at(root / "pack") == pack


def test_names_that_are_no_text_are_moved_and_come_back(root: Path) -> None:
    name = os.fsdecode(b"caf\xe9 \n.py")
    (root / name).write_bytes(b"x")
    before = look_at(root)
    plan = plan_of(Move(source=name, target=f"pack/{name}"))
    journal = journal_of(plan)
    assert isinstance(run(plan, root, journal), Finished)
    assert (root / "pack" / name).read_bytes() == b"x"
    run_back(plan, root, journal.reopened())
    assert look_at(root) == before


def test_whoever_follows_a_link_that_is_pointed_elsewhere_meets_the_old_or_the_new(root: Path) -> None:
    class Watching(FileTree):
        async def rename(self, path: str, to: str) -> None:
            met.append((root / "current/run").read_bytes())
            await super().rename(path, to)
            met.append((root / "current/run").read_bytes())

    met: list[bytes] = []
    plan = plan_of(PointLink(path="current", target="releases/2"))
    asyncio.run(carry_out(plan, Watching(root), journal_of(plan), now=Clock().now))
    assert met == [b"one", b"two"]


def test_a_file_keeps_its_other_names_through_a_change_and_back(root: Path) -> None:
    os.link(root / "a.py", root / "same.py")
    plan = plan_of(WriteFile(path="a.py", content=b"new", backup="kept.py"))
    journal = journal_of(plan)
    run(plan, root, journal)
    assert (root / "same.py").read_bytes() == b"import b\r\n"
    run_back(plan, root, journal.reopened())
    assert (root / "a.py").samefile(root / "same.py")


def test_a_batch_waits_once_for_every_folder_in_which_it_changed_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(300):
        folder = tmp_path / f"from {number % 3}"
        folder.mkdir(exist_ok=True)
        (folder / f"{number}.py").touch()
    (tmp_path / "to").mkdir()
    moves = tuple(Move(source=f"from {at % 3}/{at}.py", target=f"to/{at}.py") for at in range(300))
    plan = file_plan(Phase(name="moves", steps=moves, batch=True))
    waits: list[int] = []
    monkeypatch.setattr(os, "fsync", waits.append)
    assert isinstance(run(plan, tmp_path, journal_of(plan)), Finished)
    assert len(waits) == 4


NAMES = ("a", "a.unfinished", "b", "c", "d", "a/x", "b/x", "c/x", "d/x", "a/x/y")
MODES = (0o600, 0o644, 0o755)


@st.composite
def steps(draw: st.DrawFn) -> Step[Tree]:
    """Any step on a few names; many of them cannot be done."""
    name, other = draw(st.sampled_from(NAMES)), draw(st.sampled_from(NAMES))
    content = draw(st.sampled_from((b"", b"1", b"2")))
    mode = draw(st.sampled_from(MODES))
    kind = draw(st.integers(0, 5))
    if kind == 0:
        return Move(source=name, target=other)
    if kind == 1:
        return Delete(path=name, backup=other)
    if kind == 2:
        return WriteFile(path=name, content=content, mode=mode, backup=draw(st.sampled_from(("", other))))
    if kind == 3:
        return MakeFolder(path=name, mode=0o755)
    if kind == 4:
        return PointLink(path=name, target=other)
    return SetMode(path=name, mode=0o755)


@given(
    begin=st.lists(steps(), max_size=8),
    then=st.lists(steps(), min_size=1, max_size=8),
    on_failure=st.sampled_from(OnFailure),
)
@hypothesis_settings(max_examples=50)
def test_any_steps_on_any_tree_are_undone_to_the_byte(
    tmp_path_factory: pytest.TempPathFactory,
    begin: list[Step[Tree]],
    then: list[Step[Tree]],
    on_failure: OnFailure,
) -> None:
    root = tmp_path_factory.mktemp("tree")
    for step in begin:  # whichever of them can be done make the tree
        plan = plan_of(step)
        run(plan, root, journal_of(plan))
    before = look_at(root)
    plan = plan_of(*then, on_failure=on_failure)
    journal = journal_of(plan)
    outcome = run(plan, root, journal)
    if not isinstance(outcome, TakenBack):
        outcome = run_back(plan, root, journal.reopened())
    assert isinstance(outcome, TakenBack), outcome
    assert look_at(root) == before


def test_the_times_of_folders_are_noted_before_and_put_back_after_everything_else(root: Path) -> None:
    step = KeepFolderTimes.around([Move(source="a.py", target="pack/a.py"), MakeFolder(path="pack/new/x")])
    assert step.folders == (".", "pack", "pack/new")
    answer = check(step, root)
    assert isinstance(answer, NotDone)
    assert answer.before == {
        "mtimes_ns": {".": root.stat().st_mtime_ns, "pack": (root / "pack").stat().st_mtime_ns}
    }
