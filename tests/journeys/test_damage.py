"""Damage: a broken table, a torn run, a lost catalogue. What is wrong is named, the rest stays usable."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from journeys.desk import kept, refused, run

Command = Callable[..., tuple[int, str, str]]
HEADER = "kind,symbol,at,new,old,amount_usd,reason,confirmed_by\n"

BROKEN_TABLES = {
    # what the third line holds: what is said of it
    "split,GALLEY,2023-06-31,4,1,,,": "line 3, column 'at': '2023-06-31' is neither a date nor an instant",
    "split,GALLEY,2023-06-13T10:00,4,1,,,": "line 3, column 'at': '2023-06-13T10:00' has no zone",
    "split,GALLEY,2023-06-13,four,1,,,": "line 3, column 'new': 'four' is not a whole number",
    "split,GALLEY,2023-06-13,4,-1,,,": "line 3, column 'new': GALLEY: a split of 4 for -1 is none",
    "split,GALLEY,2023-06-13,4,1,,": "line 3: 7 fields, not 8",
    "spilt,GALLEY,2023-06-13,4,1,,,": "line 3, column 'kind': 'spilt' is not one of split, dividend",
    "split,galley!,2023-06-13,4,1,,,": "line 3, column 'symbol': 'galley!' is not a symbol",
    "split,GALLEY,2023-06-12,4,1,,,": "line 3: line 2 already holds GALLEY split 2023-06-12, 4 for 1",
    "dividend,GALLEY,2023-06-13,,,much,,": "line 3, column 'amount_usd': 'much' is not an amount",
    "dividend,GALLEY,2023-06-13,,,-1,,": "line 3, column 'amount_usd': GALLEY: a dividend of -1 USD",
    "dividend,GALLEY,2023-06-13,4,1,0.2,,": "line 3, column 'new': a dividend has none, so '4'",
    "confirmed-move,GALLEY,2023-06-13,,,,,ann": "line 3, column 'reason': GALLEY: a confirmed move names",
    'split,"GALLEY,2023': "line 3: ",
}


@pytest.mark.parametrize("row", BROKEN_TABLES)
def test_a_broken_row_of_corporate_actions_is_named_with_its_column(
    row: str, workspace: Path, command: Command
) -> None:
    table = workspace / "data/corporate_actions.csv"
    table.write_text(f"{HEADER}split,GALLEY,2023-06-12,4,1,,,\n{row}\n")
    before = kept(workspace)
    for line in ("backtest moods", "data check GALLEY", "data dividend GALLEY --on 2023-05-02 --amount 0.2"):
        code, _, notes = command(*line.split(), at=workspace)
        assert code == 1
        assert f"{table}, {BROKEN_TABLES[row]}" in notes
        assert "\nnext: " in notes
        assert "defect" not in notes
    assert kept(workspace) == before


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "line 1: the columns are none, not kind, symbol, at"),
        (b"symbol,date\n", "line 1: the columns are symbol, date, not kind, symbol, at"),
        (b"\xff\xfe", "is not UTF-8 text"),
    ],
    ids=["empty", "other columns", "not text"],
)
def test_a_table_that_is_none_is_refused(
    content: bytes, told: str, workspace: Path, command: Command
) -> None:
    table = workspace / "data/corporate_actions.csv"
    table.write_bytes(content)
    code, _, notes = command("backtest", "moods", at=workspace)
    assert code == 1
    assert str(table) in notes and told in notes and "\nnext: " in notes


@pytest.fixture(scope="module")
def two_runs(furnished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with two kept runs; nobody changes it."""
    copied = tmp_path_factory.mktemp("two runs") / "desk"
    shutil.copytree(furnished, copied)
    for changes in ([], ["--set", "fast=6"]):
        assert run("backtest", "moods", *changes, cwd=copied).returncode == 0
    return copied


@pytest.mark.parametrize("damage", ["cut off", "missing", "edited"])
@pytest.mark.parametrize("file", ["manifest.json", "metrics.json", "trades.csv", "equity.parquet"])
def test_a_damaged_run_is_named_the_other_one_stays_and_running_again_mends_it(
    file: str, damage: str, two_runs: Path, tmp_path: Path, command: Command
) -> None:
    desk = tmp_path / "desk"
    shutil.copytree(two_runs, desk)
    good, bad = sorted((desk / ".magellan/runs").glob("[0-9a-f]*"))
    path = bad / file
    match damage:
        case "cut off":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        case "missing":
            path.unlink()
        case "edited":
            path.write_bytes(path.read_bytes().replace(b"1", b"7", 1))
    before = kept(desk)
    for line in (f"compare {good.name} {bad.name}", f"replay {bad.name}"):
        code, answer, notes = command(*line.split(), at=desk)
        assert (code, answer) == (1, "")
        assert bad.name in notes and "\nnext: " in notes
        assert "defect" not in notes
    assert kept(desk) == before
    for changes in ([], ["--set", "fast=6"]):
        assert command("backtest", "moods", *changes, at=desk)[0] == 0
    assert command("compare", good.name, bad.name, at=desk)[0] == 0


def test_a_damaged_part_of_the_archive_is_named_and_the_others_stay_usable(
    workspace: Path, command: Command
) -> None:
    part = next((workspace / "data/bars").rglob("BRIDGE/1Day/*.parquet"))
    part.write_bytes(part.read_bytes()[:-100])
    code, _, notes = command("backtest", "moods", at=workspace)
    assert code == 1
    assert f"{part} is damaged" in notes
    assert "kept: every other part of the archive" in notes
    assert "next: restore the file from a backup; or delete it" in notes
    assert command("backtest", "moods", "--symbols", "ANCHOR", "--no-report", at=workspace)[0] == 0


def test_a_catalogue_that_is_gone_is_never_taken_for_an_empty_archive(workspace: Path) -> None:
    shutil.rmtree(workspace / "data/catalogue")
    for line in ("data list", "backtest moods", "data check"):
        refused(
            run(*line.split(), cwd=workspace),
            "holds bars, and its catalogue is gone",
            "kept: the bars",
            "next: run `magellan data rebuild`",
        )
    assert run("data", "rebuild", cwd=workspace).returncode == 0
    assert run("backtest", "moods", cwd=workspace).returncode == 0


def test_settings_of_a_workspace_that_cannot_be_read_are_named_at_their_line(
    workspace: Path, command: Command
) -> None:
    file = workspace / "magellan.toml"
    for content, told in (
        ("format = \n", "line 1"),
        ("format = 9\n", "format: found 9; allowed: 1"),
        ("format = 1\nformt = 2\n", "formt: unknown key (did you mean 'format'?)"),
    ):
        file.write_text(content)
        code, _, notes = command("data", "list", at=workspace)
        assert code == 1
        assert str(file) in notes and told in notes and "\nnext: " in notes
