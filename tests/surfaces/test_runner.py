"""`python runner.py`: a strategy started from its own folder, with the old switch USE_ARCHIVED_DATA."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from journeys.desk import Done, kept, reached, refused, run

# No key, no proxy, no home: what it reads is the workspace.
BARE = {
    name: os.environ[name]
    for name in ("PATH", "HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME")
    if name in os.environ
}
ARCHIVED = {"USE_ARCHIVED_DATA": "true"}
NO_NETWORK = """
import sys

def refuse(event, arguments):
    if event.startswith("socket."):
        raise AssertionError(f"the network was asked: {event} {arguments}")

sys.addaudithook(refuse)
sys.argv = sys.argv[1:]
exec(compile(open(sys.argv[0]).read(), sys.argv[0], "exec"), {"__name__": "__main__", "__file__": sys.argv[0]})
"""


def runner(workspace: Path, *arguments: str, cwd: Path | None = None, **env: str) -> Done:
    file = workspace / "dev" / "moods" / "runner.py"
    return subprocess.run(
        [sys.executable, "-c", NO_NETWORK, str(file), *arguments],
        cwd=cwd or file.parent,
        env={**BARE, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_old_switch_gives_the_run_that_the_command_gives(workspace: Path) -> None:
    old = runner(workspace, **ARCHIVED)
    assert old.returncode == 0, old.stderr
    files = kept(workspace, ".magellan/runs")
    assert len(files) == 5
    new = run("backtest", "moods", cwd=workspace)
    assert kept(workspace, ".magellan/runs") == files
    assert (old.stdout, old.stderr) == (new.stdout, new.stderr)


def test_options_mean_what_they_mean_to_the_command(workspace: Path) -> None:
    options = ["--symbols", "BRIDGE", "--from", "2022-06-01", "--to", "2023-06-30", "--set", "fast=6"]
    old = json.loads(runner(workspace, *options, "--json", **ARCHIVED).stdout)
    new = json.loads(run("backtest", "moods", *options, "--json", "-", cwd=workspace).stdout)
    assert old == new
    assert new["manifest"]["config"]["symbols"] == ["BRIDGE"]


def test_it_runs_from_any_folder(workspace: Path, tmp_path: Path) -> None:
    assert runner(workspace, "--json", cwd=tmp_path, **ARCHIVED).returncode == 0


def test_help_needs_neither_keys_nor_network_nor_data(workspace: Path) -> None:
    done = runner(workspace, "--help")
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    for told in ("Run the strategy moods", "USE_ARCHIVED_DATA=true", "--validate", "Example: "):
        assert told in text


def test_validate_looks_at_everything_and_trades_nothing(workspace: Path) -> None:
    before = kept(workspace)
    done = runner(workspace, "--validate", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["passed"]
    found = {check["name"]: check["found"] for check in answer["checks"]}
    assert list(found) == ["code", "config", "data", "indicators", "decisions"]
    assert found["data"] == "1,503 bars of 3 symbols, the first's from 2022-01-03 to 2023-12-29"
    assert found["indicators"] == "fast, slow"
    assert kept(workspace) == before


def test_the_command_validates_as_the_runner_does(workspace: Path) -> None:
    by_command = run("run", "moods", "--validate", "--json", cwd=workspace)
    assert by_command.returncode == 0, by_command.stderr
    assert json.loads(by_command.stdout) == json.loads(runner(workspace, "--validate", "--json").stdout)


def test_validate_looks_at_what_was_asked_for(workspace: Path) -> None:
    answer = json.loads(
        runner(workspace, "--validate", "--json", "--symbols", "BRIDGE", "--to", "2022-12-30").stdout
    )
    assert "1 symbol," in answer["checks"][1]["found"]
    assert "to 2022-12-30" in answer["checks"][2]["found"]


BROKEN = {
    # file: (what is replaced, by what, exit code, what is said)
    "config.json": ('"slow"', '"slwo"', "parameters.slwo: unknown key (did you mean 'slow'?)"),
    "strategy.py": ("def features(self, bars, p):", "def features(self, bars, p:", "SyntaxError"),
}


@pytest.mark.parametrize("file", BROKEN)
def test_validate_refuses_what_cannot_be_loaded(file: str, workspace: Path) -> None:
    before, after, told = BROKEN[file]
    path = workspace / "dev/moods" / file
    path.write_text(path.read_text().replace(before, after))
    refused(runner(workspace, "--validate"), str(path), told, "next: ")


def test_validate_names_the_check_that_fails(workspace: Path) -> None:
    shown = runner(workspace, "--validate", "--symbols", "NOSUCH")
    refused(shown, "FAILED", "the archive holds no NOSUCH 1Day")
    strategy = workspace / "dev/moods/strategy.py"
    strategy.write_text(strategy.read_text().replace("ema(bars.close, p.slow)", "bars.close * float('nan')"))
    refused(runner(workspace, "--validate"), "FAILED", "never defined: ANCHOR slow")
    strategy.write_text(strategy.read_text().replace("bars.close * float('nan')", "1 / 0"))
    refused(runner(workspace, "--validate"), f"{strategy}, line 21", "ZeroDivisionError")


def test_a_jump_that_nothing_explains_fails_validation_incident_10(workspace: Path) -> None:
    table = workspace / "data/corporate_actions.csv"
    table.write_text(table.read_text().splitlines()[0] + "\n")
    refused(runner(workspace, "--validate"), "data", "FAILED", "GALLEY 2023-06-12")


def test_without_the_switch_it_trades_and_says_when_nothing_says_where(workspace: Path) -> None:
    before = kept(workspace)
    refused(runner(workspace), "nothing says where orders go", "next: ")
    refused(runner(workspace, USE_ARCHIVED_DATA="false"), "nothing says where orders go")
    assert kept(workspace) == before


def test_two_pairs_of_keys_that_differ_are_told_with_what_mends_them(workspace: Path) -> None:
    two = {
        "ALPACA_API_KEY": "a",
        "ALPACA_API_SECRET": "s",
        "APCA_API_KEY_ID": "b",
        "APCA_API_SECRET_KEY": "s",
    }
    refused(runner(workspace, "--dry-run", **two), "hold different keys", "next: unset one of them")


def test_a_session_trades_the_config_as_it_stands(workspace: Path) -> None:
    refused(runner(workspace, "--set", "fast=6"), "--set would change it")
    refused(runner(workspace, "--account", "local", **ARCHIVED), "--account asks for a session")


CONTRADICTIONS = {
    "archived bars in production": (
        {**ARCHIVED, "ENVIRONMENT": "production"},
        "USE_ARCHIVED_DATA is true and ENVIRONMENT is production: production never reads the archive",
    ),
    "archived bars and a live account": (
        {**ARCHIVED, "ALPACA_PAPER": "false"},
        "USE_ARCHIVED_DATA is true and ALPACA_PAPER is false: archived bars never reach a live account",
    ),
    "production on paper": (
        {"ENVIRONMENT": "prod", "ALPACA_PAPER": "true"},
        "ENVIRONMENT is prod and ALPACA_PAPER is true: one of them is wrong",
    ),
    "neither true nor false": (
        {"USE_ARCHIVED_DATA": "maybe"},
        "USE_ARCHIVED_DATA is 'maybe': it should be true or false",
    ),
    "no stage that we know": ({"ENVIRONMENT": "moon"}, "ENVIRONMENT is 'moon': it should be 'dev'"),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
@pytest.mark.parametrize("arguments", [[], ["--validate"]], ids=["run", "validate"])
def test_what_contradicts_itself_refuses_to_start(case: str, arguments: list[str], workspace: Path) -> None:
    variables, told = CONTRADICTIONS[case]
    before = kept(workspace)
    done = runner(workspace, *arguments, **variables)
    refused(done, told, "next: correct the environment variable, or unset it")
    assert done.stdout == ""
    assert kept(workspace) == before


def test_wrong_usage_points_to_the_runners_own_help(workspace: Path) -> None:
    refused(
        runner(workspace, "--valdate"), "No such option: --valdate", "see `python runner.py --help`", code=2
    )
    refused(runner(workspace, "--from", "June"), "'June' is no date", code=2)
    told = runner(workspace, "--valdate", "--json")
    assert json.loads(told.stdout)["error"]["code"] == "wrong-usage"


def test_a_runner_outside_of_a_workspace_says_what_it_misses(workspace: Path, tmp_path: Path) -> None:
    (workspace / "dev").rename(tmp_path / "dev")
    refused(runner(tmp_path, **ARCHIVED), f"no magellan.toml in {tmp_path / 'dev' / 'moods'}", "next: ")


def test_ctrl_c_says_what_was_kept(workspace: Path) -> None:
    pipe = workspace / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(
        [sys.executable, str(workspace / "dev/moods/runner.py")],
        env={**BARE, **ARCHIVED, "WAIT_AT": str(pipe)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        end = reached(pipe, process)
        process.send_signal(signal.SIGINT)
        os.close(end)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told.startswith("interrupted; kept: all that was finished before")
