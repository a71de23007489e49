"""A sweep's folder: every answer on disk when it is said to be, and nothing read back that was not written whole."""

import resource
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magellan.adapters.local.sweep_folder import SweepFolder
from magellan.errors import AskOperator

ANSWERS = {0: [1.5, 20, "nan"], 3: "it broke", 1: [0.1 + 0.2, -1, "inf"]}


def filled(root: Path) -> Path:
    with SweepFolder(root).open("id", "{}", resume=False) as record:
        for number, answer in ANSWERS.items():
            record.add(number, answer)
        return Path(record.place)


def read(root: Path) -> dict:
    with SweepFolder(root).open("id", "{}", resume=True) as record:
        return dict(record.finished)


def test_answers_come_back_equal_to_the_last_digit(tmp_path: Path) -> None:
    folder = filled(tmp_path)
    assert read(tmp_path) == ANSWERS
    assert (folder / "manifest.json").read_text() == "{}\n"


def test_an_answer_is_on_disk_before_the_next_trial_ends(tmp_path: Path) -> None:
    with SweepFolder(tmp_path).open("id", "{}", resume=False) as record:
        record.add(0, [1.0])
        assert (tmp_path / "id" / "finished.jsonl").read_text() == "[0,[1.0]]\n"


def test_nothing_of_an_earlier_sweep_is_left_without_resume(tmp_path: Path) -> None:
    filled(tmp_path)
    with SweepFolder(tmp_path).open("id", "{}", resume=False) as record:
        assert record.finished == {}
    assert read(tmp_path) == {}


@given(cut=st.integers(0, 100))
def test_wherever_a_kill_cuts_the_file_whole_lines_come_back_and_the_rest_is_cut_off(
    cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("sweeps")
    path = filled(root) / "finished.jsonl"
    content = path.read_bytes()[:cut]
    path.write_bytes(content)
    whole = content.count(b"\n")
    assert list(read(root)) == list(ANSWERS)[:whole]
    assert path.read_bytes() == content[: content.rfind(b"\n") + 1]


def test_a_full_disk_stops_the_sweep_and_keeps_what_was_finished(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with SweepFolder(tmp_path).open("id", "{}", resume=False) as record:
        record.add(0, [1.0])
        size = (tmp_path / "id" / "finished.jsonl").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 3, hard))
        try:
            with pytest.raises(AskOperator, match=r"finished\.jsonl cannot be written") as raised:
                record.add(1, [2.0])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert raised.value.kept == "the answers that were finished before"
    assert read(tmp_path) == {0: [1.0]}


def test_finished_files_are_whole(tmp_path: Path) -> None:
    with SweepFolder(tmp_path).open("id", "{}", resume=False) as record:
        record.complete("result.json", b"one")
        record.complete("result.json", b"another")
    assert sorted(path.name for path in (tmp_path / "id").iterdir()) == [
        "finished.jsonl",
        "manifest.json",
        "result.json",
    ]
    assert (tmp_path / "id" / "result.json").read_bytes() == b"another"
