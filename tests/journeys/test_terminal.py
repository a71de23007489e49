"""Where the answer goes: pipes, terminals, JSON, odd encodings, odd paths."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from journeys.desk import bars_of, csv_of, refused, run
from magellan.surfaces.cli.app import commands
from magellan.surfaces.cli.commands import Command

COLOUR = "\x1b[3"  # how every colour of the foreground begins


def on_a_terminal(*arguments: str, cwd: Path, **env: str) -> str:
    """What a person sees: standard output and error on one terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "magellan", *arguments],
        cwd=cwd,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", **env},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        close_fds=True,
    ) as process:
        os.close(theirs)
        seen = b""
        try:
            while chunk := os.read(ours, 65536):
                seen += chunk
        except OSError:  # the terminal's other end is closed: the process has ended
            pass
        os.close(ours)
        assert process.wait(timeout=60) == 0, seen.decode()
    return seen.decode()


def test_a_terminal_gets_colours_and_progress_and_a_pipe_gets_neither(workspace: Path) -> None:
    seen = on_a_terminal("backtest", "moods", cwd=workspace)
    assert COLOUR in seen
    assert "read bars" in seen
    piped = run("backtest", "moods", cwd=workspace)
    assert "\x1b" not in piped.stdout + piped.stderr
    assert "read bars" not in piped.stderr


def test_no_color_is_respected_on_a_terminal(workspace: Path) -> None:
    assert COLOUR not in on_a_terminal("backtest", "moods", "--no-report", cwd=workspace, NO_COLOR="1")


def test_a_reader_that_has_seen_enough_is_no_error(workspace: Path) -> None:
    for line in ("data list --json", "backtest moods --json -"):
        with subprocess.Popen(
            [sys.executable, "-m", "magellan", *line.split()],
            cwd=workspace, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert process.stdout is not None and process.stderr is not None
            process.stdout.read(1)
            process.stdout.close()
            told = process.stderr.read()
            process.wait(timeout=60)
        assert "Traceback" not in told and "BrokenPipe" not in told and "error" not in told


def test_an_old_encoding_keeps_every_sign(workspace: Path) -> None:
    done = run("backtest", "moods", cwd=workspace, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "run " in done.stderr and "is kept" in done.stderr


# What a command needs before it can begin.
NEEDED = {
    "host serve": ["tokyo"],
    "host prepare": ["tokyo"],
    "host check": ["tokyo"],
    "new": ["strategy", "gap"],
    "data import": ["a.csv"],
    "data fetch": ["AMC", "--vendor", "yahoo", "--from", "2024-01-02"],
    "data split": ["AMC", "--on", "2024-01-02", "--ratio", "2:1"],
    "data dividend": ["AMC", "--on", "2024-01-02", "--amount", "0.2"],
    "data confirm": ["AMC", "--at", "2024-01-02", "--reason", "news", "--by", "ann"],
    "data forget": ["split", "AMC", "--on", "2024-01-02"],
    "backtest": ["moods"],
    "sweep": ["moods", "--grid", "fast=3"],
    "walkforward": ["moods", "--grid", "fast=3"],
    "replay": ["last"],
    "gate": ["moods"],
    "run": ["moods"],
    "broker login": ["robinhood"],
    "broker logout": ["robinhood"],
    "regime show": ["moods"],
    "regime analyze": ["moods"],
    "regime evaluate": ["moods"],
    "token issue": ["dashboard"],
    "token revoke": ["dashboard"],
    "regime workbook new": ["regime.xlsx"],
    "regime workbook check": ["regime.xlsx"],
    "regime workbook import": ["old.xlsx", "--out", "regime.xlsx"],
    "regime workbook diff": ["a.xlsx", "b.xlsx"],
    "release build": ["moods"],
    "release show": ["moods"],
    "release diff": ["moods"],
    "release prune": ["moods"],
    "soak": ["moods"],
    "pipeline run": ["moods"],
    "freeze check": ["moods"],
    "freeze override": ["moods", "--by", "ann", "--reason", "a hot fix"],
    "host files": ["aws1"],
    "host document": ["aws1"],
    "host call": [
        *("aws1", "armed", "--id", "0" * 32, "--before", "1700000000"),
        *("--question", "e30x", "--content", "none"),
    ],
    "host health": ["test-moods-1f3a90c2d4e5"],
    "deploy": ["moods", "--to", "test"],
    "promote": ["moods"],
    "drill rollback": ["moods"],
    "rollback": ["moods", "--to", "test"],
    "instance": ["test-moods-1f3a90c2d4e5"],
    "halt": ["--by", "ann", "--reason", "odd fills"],
    "resume": ["--by", "ann", "--reason", "looked at it"],
    "flatten": ["--by", "ann", "--reason", "leaving"],
    "secrets rotate": ["POLYGON_API_KEY"],
    "restore": ["--into", "somewhere"],
    "backup schedule": ["--out", "units"],
    "metrics files": ["--out", "monitoring"],
    "audit day": ["2024-01-02"],
    "audit export": ["trades", "--out", "a.csv"],
    "audit script": ["--out", "verify_audit.py"],
}
NEEDS_NO_WORKSPACE = (
    "demo",
    "init",
    "doctor",
    "exchange",
    "release key",
    "audit script",
    "regime workbook new",
    "regime workbook check",
    "regime workbook import",
    "regime workbook diff",
    "regime workbook schema",
    "migrate scan",
    "migrate plan",
    "migrate merge",
    "migrate workspace",
    "migrate apply",
    "migrate verify",
    "migrate rollback",
    "migrate shims list",
    "migrate shims remove",
)


@pytest.mark.parametrize("row", commands(), ids=lambda row: row.words)
def test_json_is_one_document_also_when_a_command_fails(
    row: Command, tmp_path: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    asked = ["--json", "-"] if row.words == "backtest" else ["--json"]
    arguments = [*row.words.split(), *NEEDED.get(row.words, [])]
    code, answer, notes = command(*arguments, "--nonsense", *asked, at=tmp_path)
    assert code == 2
    assert json.loads(answer)["error"]["code"] == "wrong-usage"
    assert notes.startswith("error: No such option: --nonsense")
    if row.words in NEEDS_NO_WORKSPACE:
        return
    code, answer, notes = command(*arguments, *asked, at=tmp_path)
    told = json.loads(answer)["error"]
    assert (code, told["code"]) == (1, "fix-input")
    assert "no magellan.toml in" in told["message"]
    assert told["next_step"]
    assert notes.startswith("error: ")


# In this order: some need what others leave. "first" is the id of the first run.
SUCCEEDS = (
    "doctor --json",
    "data list --json",
    "data check --json",
    "data actions --json",
    "data rebuild --json",
    "backtest moods --json -",
    "backtest moods --set fast=6 --json -",
    "compare --json",
    "compare first last --json",
    "sweep moods --grid fast=3,4 --json",
    "walkforward moods --grid fast=3,4 --train 200 --test 60 --json",
    "replay last --json",
    "replay moods --check-lookahead --json",
    "new strategy gap --json",
    "init . --no-sample --json",
)


def not_json(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def test_json_is_one_document_when_a_command_succeeds(
    workspace: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    first = ""
    for line in SUCCEEDS:
        code, answer, _ = command(*(line.replace("first", first).split()), at=workspace)
        assert code == 0, f"{line}: {answer}"
        document = json.loads(answer, parse_constant=not_json)
        if "run_id" in document and not first:
            first = document["run_id"]


def test_nothing_is_asked_where_nobody_can_answer(tmp_path: Path) -> None:
    for line in ("init . --no-sample", "init . --no-sample", "new strategy gap --symbols AMC"):
        done = run(*line.split(), cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_file_whose_name_is_no_text_is_told_in_a_way_that_can_be_read(workspace: Path) -> None:
    odd = os.fsencode(workspace) + b"/files/CONVOY \xff_1Day.csv"
    (workspace / "files").mkdir()
    with open(odd, "w") as file:
        file.write(csv_of(bars_of("CONVOY", last_on=date(2022, 3, 31))))
    done = run("data", "import", "files", "--symbol", "CONVOY", "--vendor", "desk", cwd=workspace)
    refused(done, "CONVOY \\udcff_1Day.csv: its name or folder is not text in UTF-8", "next: rename it")


def test_a_workspace_whose_path_the_locale_cannot_write_is_refused_with_the_way_out(workspace: Path) -> None:
    done = run("data", "list", cwd=workspace, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    refused(done, "is not text in UTF-8, which stored files need", "LC_ALL=C.UTF-8")
    assert run("data", "list", cwd=workspace, LC_ALL="C.UTF-8").returncode == 0


def test_a_hundred_symbols_are_imported_run_and_shown_in_a_readable_length(
    workspace: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    whole = csv_of(bars_of("ANCHOR", last_on=date(2022, 3, 31)))
    files = workspace / "many files"
    files.mkdir()
    names = [f"S{number:03d}X" for number in range(100)]
    for name in names:
        (files / f"{name}_1Day.csv").write_text(whole)
    code, answer, _ = command("data", "import", str(files), "--vendor", "many", at=workspace)
    assert code == 0
    assert answer.splitlines()[-1] == "100 imported"
    code, answer, notes = command(
        "backtest", "moods", "--symbols", ",".join(names), "--no-report", at=workspace
    )
    assert code == 0, notes
    head = answer.splitlines()[1]
    assert "and 94 more" in head and len(head) < 200
    code, _, notes = command("data", "check", "S999X", at=workspace)
    assert code == 1
    assert "the archive holds no set of S999X" in notes and "and 83 more" in notes
    assert len(notes) < 600
