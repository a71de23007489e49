"""Reproducibility: the same command gives the same run, byte for byte, wherever and however it is typed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from journeys.desk import kept, run

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def two_desks(furnished: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same workspace in two folders, with other names and from other days."""
    one, other = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("other") / "désk 2"
    shutil.rmtree(one)
    shutil.copytree(furnished, one)
    shutil.copytree(furnished, other)
    done = run("backtest", "moods", cwd=one, PYTHONHASHSEED="0", TZ="UTC")
    assert done.returncode == 0, done.stderr
    return one, other


WORLDS = {
    "another hash seed": {"PYTHONHASHSEED": "4711"},
    "another time zone": {"TZ": "Asia/Tokyo"},
    "another locale": {"LC_ALL": "de_DE.UTF-8", "LANG": "de_DE.UTF-8"},
    "no locale": {"LC_ALL": "C"},
    "a wide terminal": {"COLUMNS": "300"},
    # Libraries choose their code by the processor they find; these switches make them choose as on another one.
    "another processor": {"OPENBLAS_CORETYPE": "Prescott"},
    "an older processor": {
        "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR AVX2 FMA3 AVX512F"
    },
    "one thread": {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
}


@pytest.mark.parametrize("world", WORLDS)
def test_a_run_does_not_depend_on(world: str, two_desks: tuple[Path, Path]) -> None:
    shutil.rmtree(two_desks[1] / ".magellan" / "runs", ignore_errors=True)
    done = run("backtest", "moods", cwd=two_desks[1], **WORLDS[world])
    assert done.returncode == 0, done.stderr
    runs = [kept(desk, ".magellan/runs") for desk in two_desks]
    assert len(runs[0]) == 5
    assert runs[0] == runs[1]


def test_two_commands_of_one_meaning_are_one_run(two_desks: tuple[Path, Path], command: Command) -> None:
    """A default that is written out, small letters, a path for a name: the same run."""
    desk = two_desks[0]
    lines = (
        ("moods", "--set", "fast=5", "--symbols", "ANCHOR,BRIDGE"),
        ("dev/moods", "--symbols", "anchor, bridge", "--fill", "next-open"),
        (str(desk / "dev" / "moods"), "--symbols", "ANCHOR,BRIDGE", "--session", "regular"),
    )
    assert len({run_id(command, desk, *line) for line in lines}) == 1


def test_what_changes_a_result_changes_the_run(two_desks: tuple[Path, Path], command: Command) -> None:
    changes = ("", "--cash 50000", "--to 2023-06-30", "--adjust raw", "--set execution.slippage_bps=3")
    ids = {run_id(command, two_desks[1], "moods", *change.split()) for change in changes}
    assert len(ids) == len(changes)


def run_id(command: Command, desk: Path, *line: str) -> str:
    code, answer, _ = command("backtest", *line, "--no-report", "--json", "-", at=desk)
    assert code == 0
    found: str = json.loads(answer)["run_id"]
    return found


def test_a_sweep_gives_the_same_bytes_on_one_core_and_on_two(two_desks: tuple[Path, Path]) -> None:
    grid = ["sweep", "moods", "--grid", "fast=3:8", "--json"]
    answers = [run(*grid, "--workers", str(workers), cwd=two_desks[0]).stdout for workers in (1, 2)]
    first, second = (json.loads(answer) for answer in answers)
    assert first == second
