"""Stops: Ctrl-C, kill, a full disk, no rights, two commands at once. What was there stays; the same command goes on."""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from journeys.desk import as_a_plain_user, bars_of, csv_of, kept, reached, refused, run, started

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Three files of bars; the second is a pipe, at which an import stands still until a test lets it go on."""
    folder = tmp_path / "new files"
    folder.mkdir()
    for symbol in ("CONVOY", "MARINA"):
        (folder / f"{symbol}_1Day.csv").write_text(csv_of(bars_of(symbol, last_on=date(2022, 12, 30))))
    os.mkfifo(folder / "HARBOR_1Day.csv")
    return folder


def import_of(files: Path) -> list[str]:
    names = ("CONVOY", "HARBOR", "MARINA")
    return ["data", "import", *(str(files / f"{name}_1Day.csv") for name in names), "--vendor", "desk"]


def replace_the_pipe(files: Path) -> None:
    (files / "HARBOR_1Day.csv").unlink()
    (files / "HARBOR_1Day.csv").write_text(csv_of(bars_of("HARBOR", last_on=date(2022, 12, 30))))


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_an_import_that_is_stopped_keeps_what_is_done_and_goes_on_from_there(
    stop: signal.Signals, workspace: Path, files: Path
) -> None:
    before = kept(workspace)
    with started(*import_of(files), cwd=workspace) as process:
        end = reached(files / "HARBOR_1Day.csv", process)
        process.send_signal(stop)
        if stop is signal.SIGKILL:
            process.wait(timeout=60)
        os.close(end)
        answer, told = process.communicate(timeout=60)
    if stop is signal.SIGINT:
        assert process.returncode == 130
        assert answer == ""
        assert told == (
            "interrupted; kept: 1 of 3 files are done; the archive holds them whole\n"
            "next: run the same command again; it goes on from there\n"
        )
    after = kept(workspace)
    assert {name: after[name] for name in before} == before
    listed = json.loads(run("data", "list", "--json", cwd=workspace).stdout)
    assert [each["symbol"] for each in listed["sets"]] == ["ANCHOR", "BRIDGE", "CONVOY", "GALLEY"]
    assert [(each["done"], each["files"]) for each in listed["unfinished_imports"]] == [(1, 3)]

    replace_the_pipe(files)
    again = run(*import_of(files), cwd=workspace)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "2 imported, 1 already there (1 of them by the import that was interrupted)" in again.stdout
    listed = json.loads(run("data", "list", "--json", cwd=workspace).stdout)
    assert len(listed["sets"]) == 6
    assert listed["unfinished_imports"] == []


def test_ctrl_c_in_a_backtest_keeps_no_half_run_and_the_same_command_completes(workspace: Path) -> None:
    pipe = workspace / "pipe"
    os.mkfifo(pipe)
    before = kept(workspace)
    with started("backtest", "moods", cwd=workspace, WAIT_AT=str(pipe)) as process:
        end = reached(pipe, process)
        process.send_signal(signal.SIGINT)
        os.close(end)
        answer, told = process.communicate(timeout=60)
    assert (process.returncode, answer) == (130, "")
    assert told == (
        "interrupted; kept: all that was finished before; a file is replaced whole or not at all\n"
        "next: run the same command again\n"
    )
    assert kept(workspace) == before
    assert run("backtest", "moods", cwd=workspace).returncode == 0


def test_a_second_writer_waits_for_the_first_and_both_are_in_the_archive(
    workspace: Path, tmp_path: Path
) -> None:
    years = [(date(2022, 1, 3), date(2022, 12, 30)), (date(2023, 1, 3), date(2023, 12, 29))]
    for number, (first_on, last_on) in enumerate(years):
        folder = tmp_path / str(number)
        folder.mkdir()
        whole = bars_of("HARBOR", last_on=date(2023, 12, 29))
        rows = [line for line in csv_of(whole).splitlines() if str(first_on) <= line[:10] <= str(last_on)]
        (folder / "HARBOR_1Day.csv").write_text("\n".join(["Date,Open,High,Low,Close,Volume", *rows, ""]))
    both = [
        started("data", "import", tmp_path / str(number), "--vendor", "desk", "--json", cwd=workspace)
        for number in (0, 1)
    ]
    answers = [json.loads(process.communicate(timeout=60)[0]) for process in both]
    assert [answer["counts"] for answer in answers] == [{"imported": 1}] * 2
    (held,) = json.loads(run("data", "list", "HARBOR", "--json", cwd=workspace).stdout)["sets"]
    assert held["rows"] == sum(answer["files"][0]["sets"][0]["rows_added"] for answer in answers) == 501


def test_two_backtests_at_once_keep_one_whole_run(workspace: Path) -> None:
    both = [started("backtest", "moods", "--json", "-", cwd=workspace) for _ in range(2)]
    answers = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    assert answers[0][0] == answers[1][0]
    replayed = run("replay", "last", cwd=workspace)
    assert "identical, byte for byte" in replayed.stdout


def files_of_at_most(size: int) -> Callable[[], None]:
    """A limit under which the system refuses to let a file grow; like a disk that is full at that point."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def test_an_import_that_finds_no_room_leaves_the_archive_as_it_was(workspace: Path, files: Path) -> None:
    replace_the_pipe(files)
    before = kept(workspace)
    done = run(*import_of(files), cwd=workspace, limits=files_of_at_most(6_000))
    refused(done, "cannot be written: the file would be larger than is allowed")
    refused(
        done, "kept: 0 of 3 files are done; the archive holds them whole; the archive, as it was", "next: "
    )
    after = kept(workspace)
    assert {name: after.get(name) for name in before} == before
    assert not [name for name in after if name not in before and name.startswith("data/")]
    again = run(*import_of(files), cwd=workspace)
    assert again.returncode == 0, again.stdout + again.stderr


def test_a_backtest_that_finds_no_room_for_its_report_keeps_no_half_run(workspace: Path) -> None:
    assert run("backtest", "moods", cwd=workspace).returncode == 0
    before = kept(workspace)
    done = run("backtest", "moods", "--set", "fast=6", cwd=workspace, limits=files_of_at_most(200_000))
    refused(
        done,
        "cannot be written: the file would be larger than is allowed",
        "kept: every run that was kept before",
    )
    assert kept(workspace) == before
    # The numbers need no room at all.
    shown = run("backtest", "moods", "--no-report", cwd=workspace, limits=files_of_at_most(200_000))
    assert shown.returncode == 0


def test_a_disk_that_is_really_full_is_told_as_such(workspace: Path, files: Path) -> None:
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode != 0:
        pytest.skip("this system lets nobody mount a small disk")
    replace_the_pipe(files)
    before = kept(workspace)
    magellan = [sys.executable, "-m", "magellan", *import_of(files)]
    script = 'mount -t tmpfs -o size=8k none data/bars/desk/unknown && shift && exec "$@"'
    (workspace / "data/bars/desk/unknown").mkdir(parents=True)
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", "-", *magellan],
        cwd=workspace, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    refused(
        done, "cannot be written: the disk is full", "next: free some space, then run the same command again"
    )
    after = kept(workspace)
    assert {name: after.get(name) for name in before} == before


def test_an_answer_that_cannot_be_written_is_told(workspace: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "magellan", "data", "list"],
            cwd=workspace, stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "error: the disk is full\nnext: free some space, then run the same command again\n"


def test_a_workspace_that_may_not_be_written_can_be_read_and_is_left_alone(
    workspace: Path, files: Path
) -> None:
    replace_the_pipe(files)
    before = kept(workspace)
    for folder, _, _ in os.walk(workspace):
        Path(folder).chmod(0o555)
    try:
        asked = run(*import_of(files), cwd=workspace, limits=as_a_plain_user)
        refused(asked, f"{workspace}", "may not write", "next: give this user the right to write there")
        kept_run = run("backtest", "moods", cwd=workspace, limits=as_a_plain_user)
        refused(kept_run, f"{workspace}/.magellan", "may not write", "kept: every run that was kept before")
        for line in ("backtest moods --no-report", "data list", "compare"):
            shown = run(*line.split(), cwd=workspace, limits=as_a_plain_user)
            assert shown.returncode == 0, f"{line}: {shown.stderr}"
    finally:
        for folder, _, _ in os.walk(workspace):
            Path(folder).chmod(0o755)
    assert kept(workspace) == before
