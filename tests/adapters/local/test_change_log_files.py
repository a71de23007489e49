"""The audit log of changes: nothing that was recorded can be changed, removed, moved or cut off without being found."""

import multiprocessing
import os
import random
import shutil
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from magellan.adapters.local.change_log_files import ChangeLogFiles
from magellan.audit.change import Change, Result
from magellan.errors import AskOperator
from magellan.ledger.chain import Broken, Head, Sound
from magellan.ledger.known_secrets import KnownSecrets
from magellan.plan.actor import Actor

BY = Actor(person="jane", host="desk", pid=41)
START = datetime(2026, 1, 20, 14, 31, tzinfo=UTC)
# The campaign is `MAGELLAN_TAMPERINGS=10000 pytest tests/adapters/local/test_change_log_files.py`.
TAMPERINGS = int(os.environ.get("MAGELLAN_TAMPERINGS", "300"))


def change(number: int, result: Result = Result.DONE) -> Change:
    return Change(
        at=START + timedelta(minutes=number),
        by=BY,
        action="deploy",
        subject="prod/bear_trap",
        where="local",
        why=f"the gap at the open was mended, attempt {number}",
        result=result,
        release="ab" * 32,
        evidence=("gate verdict 7f3e", "journal 20260120T143100Z"),
        note="first bar after 2 s",
    )


def filled(folder: Path, count: int, segment_bytes: int = 3_000) -> ChangeLogFiles:
    log = ChangeLogFiles(folder, segment_bytes=segment_bytes)
    for number in range(1, count + 1):
        log.append(change(number))
    return log


def newest(folder: Path) -> Path:
    return sorted(folder.glob("changes-*"))[-1]


def test_what_was_recorded_reads_back_as_it_was(tmp_path: Path) -> None:
    log = filled(tmp_path / "audit", 20)
    assert [each.change for each in log.changes()] == [change(number) for number in range(1, 21)]
    assert [each.number for each in log.changes(after=18)] == [19, 20]
    assert log.verify() == Sound(head=log.head)


def test_a_log_that_was_never_written_is_empty_and_sound(tmp_path: Path) -> None:
    log = ChangeLogFiles(tmp_path / "audit")
    assert list(log.changes()) == []
    assert log.head.number == 0
    assert isinstance(log.verify(), Sound)
    assert not (tmp_path / "audit").exists(), "looking makes nothing"


def test_a_full_file_is_followed_by_another_and_becomes_read_only(tmp_path: Path) -> None:
    filled(tmp_path, 20)
    *closed, last = sorted(tmp_path.glob("changes-*"))
    assert closed
    assert all(not stat.S_IMODE(path.stat().st_mode) & 0o222 for path in closed)
    assert stat.S_IMODE(last.stat().st_mode) & 0o200


def _append_some(folder: Path, count: int) -> None:
    log = ChangeLogFiles(folder, segment_bytes=3_000)
    for number in range(count):
        log.append(change(number))


def test_processes_that_append_at_once_make_one_chain(tmp_path: Path) -> None:
    spawned = multiprocessing.get_context("spawn")
    workers = [spawned.Process(target=_append_some, args=(tmp_path, 12)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    found = ChangeLogFiles(tmp_path).verify()
    assert isinstance(found, Sound)
    assert found.head.number == 36


@pytest.mark.parametrize("lost", [1, 30, 200])
def test_a_line_that_a_kill_cut_short_is_recognised_and_the_next_one_takes_its_place(
    tmp_path: Path, lost: int
) -> None:
    log = filled(tmp_path, 3)
    whole = newest(tmp_path).read_bytes()
    head = (tmp_path / "head.json").read_bytes()
    log.append(change(4))
    cut = newest(tmp_path).read_bytes()[:-lost]
    newest(tmp_path).write_bytes(cut)
    (tmp_path / "head.json").write_bytes(head)
    assert len(cut) > len(whole)
    assert log.verify() == Sound(head=log.head)
    assert log.append(change(5)).number == 4
    assert [each.change for each in log.changes()][-1] == change(5)
    assert isinstance(log.verify(), Sound)


def test_a_line_that_a_kill_kept_from_the_head_counts(tmp_path: Path) -> None:
    log = filled(tmp_path, 3)
    head = (tmp_path / "head.json").read_bytes()
    log.append(change(4))
    (tmp_path / "head.json").write_bytes(head)
    assert log.head.number == 4
    assert log.append(change(5)).number == 5
    assert isinstance(log.verify(), Sound)


def test_a_kill_at_any_byte_of_an_append_loses_nothing_that_was_recorded(tmp_path: Path) -> None:
    log = filled(tmp_path / "before", 8)
    before = newest(tmp_path / "before")
    shutil.copytree(tmp_path / "before", tmp_path / "after")
    ChangeLogFiles(tmp_path / "after", segment_bytes=3_000).append(change(9))
    added = newest(tmp_path / "after").read_bytes()
    kept = before.read_bytes() if before.name == newest(tmp_path / "after").name else b""
    for cut in range(len(kept), len(added) + 1, 7):
        (tmp_path / "before" / newest(tmp_path / "after").name).write_bytes(added[:cut])
        found = log.verify()
        assert isinstance(found, Sound), f"cut at {cut}"
        assert found.head.number in (8, 9)


def test_a_secret_is_hidden_wherever_it_stands(tmp_path: Path) -> None:
    key = "canary-0123456789"
    log = ChangeLogFiles(tmp_path, secrets=KnownSecrets([key]))
    log.append(replace(change(1), why=f"because of {key}", evidence=(key,), note=f"x{key}x"))
    assert key.encode() not in newest(tmp_path).read_bytes()
    assert next(log.changes()).change.note == "x[hidden]x"


def test_a_noted_head_shows_a_log_that_was_written_anew(tmp_path: Path) -> None:
    noted = filled(tmp_path / "old", 6).head
    anew = ChangeLogFiles(tmp_path / "new")
    for number in range(1, 9):
        anew.append(replace(change(number), by=Actor(person="john", host="desk", pid=1)))
    assert isinstance(anew.verify(), Sound)
    assert anew.verify([noted]) == Broken(
        number=6,
        reason="it had another hash when the head was noted: it was changed, or the chain was written anew",
    )
    assert isinstance(anew.verify([Head(number=9, hash="0" * 64)]), Broken)


def test_nothing_is_recorded_after_a_break(tmp_path: Path) -> None:
    log = filled(tmp_path, 8)
    newest(tmp_path).write_bytes(newest(tmp_path).read_bytes().replace(b"jane", b"john", 1))
    with pytest.raises(AskOperator, match="damaged"):
        log.append(change(9))


# -- the campaign of tampering --------------------------------------------------------------------------------


def _edit(rng: random.Random, folder: Path) -> None:
    path = rng.choice(sorted(folder.glob("changes-*")))
    content = bytearray(path.read_bytes())
    at = rng.randrange(len(content))
    content[at] = (content[at] + rng.randrange(1, 256)) % 256
    path.write_bytes(content)


def _delete(rng: random.Random, folder: Path) -> None:
    path, lines = _some_lines(rng, folder)
    del lines[rng.randrange(len(lines))]
    path.write_bytes(b"".join(lines))


def _reorder(rng: random.Random, folder: Path) -> None:
    path, lines = _some_lines(rng, folder, least=2)
    one, other = rng.sample(range(len(lines)), 2)
    lines[one], lines[other] = lines[other], lines[one]
    path.write_bytes(b"".join(lines))


def _truncate(rng: random.Random, folder: Path) -> None:
    path = newest(folder)
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content))])


def _drop_a_file(rng: random.Random, folder: Path) -> None:
    rng.choice(sorted([*folder.glob("changes-*"), folder / "head.json"])).unlink()


def _double(rng: random.Random, folder: Path) -> None:
    path, lines = _some_lines(rng, folder)
    at = rng.randrange(len(lines))
    lines.insert(at, lines[at])
    path.write_bytes(b"".join(lines))


def _add_rubbish(rng: random.Random, folder: Path) -> None:
    path = rng.choice(sorted(folder.glob("changes-*")))
    path.write_bytes(path.read_bytes() + rng.randbytes(rng.randrange(1, 50)))


def _some_lines(rng: random.Random, folder: Path, least: int = 1) -> tuple[Path, list[bytes]]:
    choice = [
        (path, path.read_bytes().splitlines(keepends=True)) for path in sorted(folder.glob("changes-*"))
    ]
    return rng.choice([each for each in choice if len(each[1]) >= least])


TAMPERS: tuple[Callable[[random.Random, Path], None], ...] = (
    _edit, _delete, _reorder, _truncate, _drop_a_file, _double, _add_rubbish,
)  # fmt: skip


def test_every_edit_deletion_reordering_and_truncation_is_found(tmp_path: Path) -> None:
    filled(tmp_path / "sound", 25)
    contents = {path.name: path.read_bytes() for path in (tmp_path / "sound").iterdir()}
    log = ChangeLogFiles(tmp_path / "tampered")
    (tmp_path / "tampered").mkdir()
    for seed in range(TAMPERINGS):
        for path in (tmp_path / "tampered").iterdir():
            path.unlink()
        for name, content in contents.items():
            (tmp_path / "tampered" / name).write_bytes(content)
        TAMPERS[seed % len(TAMPERS)](random.Random(seed), tmp_path / "tampered")
        assert isinstance(log.verify(), Broken), f"seed {seed}"
