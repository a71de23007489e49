"""`magellan compare`: kept runs on the terminal, as JSON, and as a page."""

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest

from magellan.adapters.run_store import RunFolders
from magellan.surfaces.cli.backtest_tables import show_run
from magellan.surfaces.cli.output import jsonable
from magellan.usecases.keep_run import keep_run, measured

HAND_MADE = Path(__file__).parents[2] / "backtest" / "conftest.py"


@pytest.fixture(scope="session")
def random_run():
    """The hand-made runs of the backtest's own tests."""
    spec = importlib.util.spec_from_file_location("hand_made_runs", HAND_MADE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module.random_hand_made_run


@pytest.fixture
def workspace(tmp_path: Path, random_run) -> Path:
    """A workspace with two kept runs; the second is on generated data and misleads."""
    (tmp_path / "magellan.toml").write_text("")
    store = RunFolders(tmp_path / ".magellan" / "runs")
    for result in (random_run(1), random_run(2, generated=True, misleading=("data.clock utc",))):
        keep_run(result, measured(result), store)
    return tmp_path


def ids(workspace: Path) -> list[str]:
    return sorted(path.name for path in (workspace / ".magellan/runs").iterdir() if path.is_dir())


def test_compare_shows_metrics_differences_and_what_they_come_from(magellan, workspace: Path) -> None:
    one, other = ids(workspace)
    run = magellan("compare", one, other, cwd=workspace)
    assert run.returncode == 0, run.stderr
    said = run.stdout.replace("\N{NO-BREAK SPACE}", " ")
    assert f"run {one}" in said and f"run {other}" in said
    assert "generated data, misleads" in said
    assert re.search(r"Sharpe ratio +−?\d+\.\d\d +−?\d+\.\d\d +[−+]\d+\.\d\d", said)
    assert "of redrawn histories" in said
    assert re.search(r"seed +[12] +[12]", said)
    assert "trades: 0 the same" in said


def test_compare_as_json_is_one_document(magellan, workspace: Path) -> None:
    one, other = ids(workspace)
    run = magellan("compare", one, other, "--json", cwd=workspace)
    document = json.loads(run.stdout)
    assert [each["run_id"] for each in document["runs"]] == [one, other]
    assert {"metrics", "config", "data", "identity", "against_base"} <= set(document)


def test_compare_writes_a_page_when_asked(magellan, workspace: Path) -> None:
    run = magellan("compare", *ids(workspace), "--html", workspace / "both.html", cwd=workspace)
    assert run.returncode == 0, run.stderr
    assert "both.html" in run.stderr
    assert "Runs side by side" in (workspace / "both.html").read_text()


def test_one_run_alone_is_compared_with_the_one_before_it(magellan, workspace: Path) -> None:
    listed = json.loads(magellan("compare", "--json", cwd=workspace).stdout)["runs"]
    newest, before = (each["run_id"] for each in listed)
    run = magellan("compare", "last", "--json", cwd=workspace)
    assert [each["run_id"] for each in json.loads(run.stdout)["runs"]] == [before, newest]
    first = magellan("compare", before, cwd=workspace)
    assert first.returncode == 1
    assert f"no run of by_hand was kept before {before}" in first.stderr


def test_compare_without_names_lists_the_kept_runs(magellan, workspace: Path) -> None:
    run = magellan("compare", cwd=workspace)
    assert all(run_id in run.stdout for run_id in ids(workspace))
    listed = json.loads(magellan("compare", "--json", cwd=workspace).stdout)
    assert {each["run_id"] for each in listed["runs"]} == set(ids(workspace))


def test_compare_in_a_workspace_without_runs_says_so(magellan, tmp_path: Path) -> None:
    (tmp_path / "magellan.toml").write_text("")
    run = magellan("compare", cwd=tmp_path)
    assert run.returncode == 0 and "no run is kept yet" in run.stderr


@pytest.mark.parametrize(
    ("names", "code", "message"),
    [
        (["last", "last"], 1, "'last' is named twice"),
        (["nope", "last"], 1, "no run 'nope' is kept"),
    ],
)
def test_compare_refuses_what_cannot_be_compared(
    magellan, workspace: Path, names, code: int, message: str
) -> None:
    run = magellan("compare", *names, cwd=workspace)
    assert run.returncode == code
    assert message in run.stderr and "Traceback" not in run.stderr


def test_a_run_on_the_terminal_says_what_it_is_and_what_speaks_against_it(random_run, capsys) -> None:
    result = random_run(1, trades=8, generated=True, misleading=("data.clock utc",), blocked={"no luck": 3})
    show_run(measured(result))
    said = capsys.readouterr().out.replace("\N{NO-BREAK SPACE}", " ")
    assert said.startswith(
        f"by_hand 1.0.0, run {result.manifest.run_id}\nAAA, BBB: 300 bars of 1Day, 2 Jan 2024 to "
    )
    assert "GENERATED DATA" in said and "MISLEADS: data.clock utc" in said
    assert re.search(r"no luck +3", said)
    assert "! 8 trades: fewer than 30 rarely tell skill from luck." in said


def test_incident_36_a_missing_number_on_the_terminal_has_its_reason(random_run, capsys) -> None:
    show_run(measured(random_run(1, trades=0)))
    said = capsys.readouterr().out
    assert re.search(r"Win rate +– +no trade was made", said)
    assert re.search(r"Sharpe ratio +– +returns do not vary", said)


def test_what_is_kept_of_a_run_has_a_json_form(random_run) -> None:
    from magellan.backtest.run_json import run_to_json

    document = run_to_json(measured(random_run(1)))
    assert jsonable(document) == document
