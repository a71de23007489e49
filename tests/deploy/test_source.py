"""A promotion puts the release's own files into the stage's folder, and takes them back as a whole."""

import asyncio
import os
from pathlib import Path

import pytest

from magellan.adapters.local.source_folders import SourceFolders
from magellan.deploy.host import Fleet
from magellan.deploy.source import PutSource, files_digest, strategy_files
from magellan.errors import AskOperator
from magellan.plan.step import Answer, Before, Begun, Blocked, Done, NotDone
from magellan.release.artifact import packed
from release.conftest import Bench

RELEASE = Bench().release()
STEP = PutSource(
    strategy="moods",
    stage="prod",
    release_id=RELEASE.release_id,
    files_sha256=files_digest(strategy_files(RELEASE.files)),
    label="moods-1",
)
OLD = {"strategy.py": b"FAST = 5\n", "tests/test_moods.py": b"", ".hidden": b"kept"}


@pytest.fixture
def world(tmp_path: Path) -> Fleet:
    return Fleet(
        hosts={},
        content={RELEASE.release_id: packed(RELEASE)},
        sources=SourceFolders(tmp_path, kept=tmp_path / ".magellan/replaced"),
    )


def with_old(tmp_path: Path) -> None:
    for name, content in OLD.items():
        path = tmp_path / "prod/moods" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def check(world: Fleet, before: Before | None) -> Answer:
    return asyncio.run(STEP.check(world, before))


def begun(world: Fleet) -> Before:
    answer = check(world, None)
    assert isinstance(answer, NotDone)
    return answer.before


def test_the_folder_holds_exactly_the_release_and_then_what_it_held_before(
    world: Fleet, tmp_path: Path
) -> None:
    with_old(tmp_path)
    before = begun(world)
    asyncio.run(STEP.do(world, before))
    assert isinstance(check(world, before), Done)
    assert files(tmp_path / "prod/moods") == strategy_files(RELEASE.files)
    asyncio.run(STEP.undo(world, before))
    assert isinstance(check(world, before), NotDone)
    assert files(tmp_path / "prod/moods") == OLD


def test_where_there_was_no_folder_there_is_none_afterwards(world: Fleet, tmp_path: Path) -> None:
    before = begun(world)
    asyncio.run(STEP.do(world, before))
    asyncio.run(STEP.undo(world, before))
    assert not (tmp_path / "prod/moods").exists()


def test_a_folder_that_holds_it_already_is_left_alone(world: Fleet, tmp_path: Path) -> None:
    asyncio.run(STEP.do(world, begun(world)))
    (tmp_path / "prod/moods/reports").mkdir()
    (tmp_path / "prod/moods/reports/a.html").write_text("mine")
    assert isinstance(check(world, None), Done)


def test_what_somebody_wrote_there_meanwhile_is_not_overwritten(world: Fleet, tmp_path: Path) -> None:
    with_old(tmp_path)
    before = begun(world)
    (tmp_path / "prod/moods/strategy.py").write_text("FAST = 6\n")
    assert isinstance(check(world, before), Blocked)


@pytest.mark.parametrize("way", ["do", "undo"])
def test_a_kill_between_the_two_renames_is_finished_either_way(
    world: Fleet, tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_old(tmp_path)
    before = begun(world)
    real, calls = os.rename, 0

    def killed(source: Path, target: Path) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(os, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(STEP.do(world, before))
    monkeypatch.setattr(os, "rename", real)
    assert isinstance(check(world, before), Begun)
    asyncio.run(STEP.do(world, before) if way == "do" else STEP.undo(world, before))
    expected = strategy_files(RELEASE.files) if way == "do" else OLD
    assert files(tmp_path / "prod/moods") == expected


def test_a_full_disk_leaves_the_old_folder(
    world: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_old(tmp_path)
    before = begun(world)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AskOperator):
        asyncio.run(STEP.do(world, before))
    assert files(tmp_path / "prod/moods") == OLD
