"""The `data` commands as a person types them."""

import json
import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from magellan.adapters.exchange_calendar import load_calendar
from magellan.archive.generated.defect import UnadjustedSplit
from magellan.archive.generated.generate import generate
from magellan.archive.generated.market import Market
from magellan.archive.generated.style import Style
from magellan.surfaces.cli.app import run
from magellan.trading.bar import PRICE_COLUMNS
from magellan.trading.timeframe import DAY

Call = Callable[..., subprocess.CompletedProcess[str]]
InProcess = Callable[..., tuple[int, str, str]]
SPLIT = UnadjustedSplit(on=date(2025, 2, 10), new_shares=4, old_shares=1)


def csv_of_days(symbol: str) -> str:
    market = Market(
        symbol=symbol,
        style=Style.LARGE_CAP,
        first_on=date(2025, 1, 2),
        last_on=date(2025, 3, 31),
        timeframe=DAY,
        defects=(SPLIT,),
    )
    bars = generate(market, load_calendar("XNYS"), seed=1).bars()
    days = np.datetime_as_string(bars.opened_at_ns.astype("datetime64[ns]").astype("datetime64[D]"))
    rows = [
        f"{day},{','.join(repr(float(getattr(bars, name)[row])) for name in (*PRICE_COLUMNS, 'volume'))}"
        for row, day in enumerate(days)
    ]
    return "\n".join(["Date,Open,High,Low,Close,Volume", *rows, ""])


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "magellan.toml").write_text("")
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "GALLEY_1day_20250102_20250331.csv").write_text(csv_of_days("GALLEY"))
    return tmp_path


@pytest.fixture
def data(workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> InProcess:
    """`data("list")`: the same command line within this process, which is faster; (exit code, answer, notes)."""
    monkeypatch.chdir(workspace)

    def call(*arguments: str) -> tuple[int, str, str]:
        code = run(["data", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_a_set_is_imported_listed_checked_explained_and_checked_again(
    workspace: Path, magellan: Call
) -> None:
    (workspace / "files" / "broken.csv").write_text("Date,Open\n")
    imported = magellan("data", "import", "files", "--vendor", "yahoo", "--feed", "consolidated")
    assert imported.returncode == 1, "one file was refused"
    assert "yahoo/consolidated/raw/all/GALLEY/1Day" in imported.stdout
    assert "refused: broken.csv" in imported.stdout
    assert (
        "assumed of GALLEY_1day_20250102_20250331.csv: a bar's label is the date of its session"
        in imported.stdout
    )
    assert "1 imported, 1 refused" in imported.stdout

    listed = magellan("data", "list", "galley", "--json")
    assert listed.returncode == 0, listed.stderr
    (found,) = json.loads(listed.stdout)["sets"]
    assert found["set"] == "yahoo/consolidated/raw/all/GALLEY/1Day"
    assert found["requested"] == [{"first_on": "2025-01-02", "last_on": "2025-03-31"}]
    assert found["sources"][0]["name"] == "GALLEY_1day_20250102_20250331.csv"

    checked = magellan("data", "check")
    assert checked.returncode == 1
    assert "unfit" in checked.stdout
    assert "magellan data split GALLEY --on 2025-02-10 --ratio NEW:OLD" in checked.stdout

    split = magellan("data", "split", "GALLEY", "--on", "2025-02-10", "--ratio", "4:1")
    assert split.returncode == 0, split.stderr
    assert "recorded: GALLEY split 2025-02-10, 4 for 1" in split.stdout
    assert "explained" in split.stdout

    again = magellan("data", "check", "--json")
    assert again.returncode == 0, again.stdout
    (report,) = json.loads(again.stdout)
    assert report["verdict"] == "fit"
    assert [finding["kind"] for finding in report["findings"]] == ["explained-jumps"]


def test_a_dry_run_writes_nothing(workspace: Path, data: InProcess) -> None:
    code, answer, _ = data("import", "files", "--dry-run", "--json")
    document = json.loads(answer)
    assert code == 0
    assert document["counts"] == {"would be imported": 1}
    assert document["files"][0]["sets"][0]["rows_added"] == 60
    assert sorted(path.name for path in workspace.iterdir()) == ["files", "magellan.toml"]


def test_the_table_of_corporate_actions_is_kept_by_commands(workspace: Path, data: InProcess) -> None:
    for arguments in (
        ("split", "NVDA", "--on", "2024-06-10", "--ratio", "10:1"),
        ("dividend", "AAPL", "--on", "2024-02-09", "--amount", "0.24"),
        ("confirm", "SAVA", "--at", "2024-11-25T13:00Z", "--reason", "trial failed", "--by", "jane"),
    ):
        code, answer, _ = data(*arguments)
        assert code == 0
        assert "no archived bars lie around it" in answer
    assert (workspace / "data" / "corporate_actions.csv").read_text() == (
        "kind,symbol,at,new,old,amount_usd,reason,confirmed_by\n"
        "dividend,AAPL,2024-02-09,,,0.24,,\n"
        "split,NVDA,2024-06-10,10,1,,,\n"
        "confirmed-move,SAVA,2024-11-25T13:00:00Z,,,,trial failed,jane\n"
    )
    _, shown, _ = data("actions")
    assert "10 for 1" in shown
    assert "trial failed (confirmed by jane)" in shown
    assert data("forget", "split", "NVDA", "--on", "2024-06-10")[0] == 0
    left = json.loads(data("actions", "--json")[1])
    assert [(each["kind"], each["at"]) for each in left] == [
        ("dividend", "2024-02-09T05:00:00+00:00"),
        ("confirmed-move", "2024-11-25T13:00:00+00:00"),
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("split", "NVDA", "--on", "2024-06-10", "--ratio", "ten"), 2, "'ten' is not NEW:OLD"),
        (("split", "NVDA", "--on", "2024-06-10", "--ratio", "1:1"), 2, "a split of 1 for 1 is none"),
        (("split", "NVDA", "--on", "soon", "--ratio", "10:1"), 1, "'soon' is neither a date nor an instant"),
        (("dividend", "AAPL", "--on", "2024-02-09", "--amount", "-1"), 2, "a dividend of -1"),
        (("confirm", "SAVA", "--at", "2024-11-25T13:00", "--reason", "x", "--by", "y"), 1, "has no zone"),
        (("confirm", "SAVA", "--at", "2024-11-25", "--reason", " ", "--by", "y"), 2, "names its reason"),
        (("forget", "split", "NVDA", "--on", "2024-06-10"), 1, "holds no split of NVDA"),
        (("forget", "merger", "NVDA", "--on", "2024-06-10"), 2, "merger"),
        (("import", "files", "--strict-range", "--accept-range"), 2, "contradict each other"),
        (("import", "files", "--timeframe", "1Week"), 1, "'1Week' is not a timeframe"),
        (("import", "files", "--calendar", "NOWHERE"), 1, "no exchange calendar is called 'NOWHERE'"),
        (("import", "nothing-there.csv"), 1, "nothing-there.csv does not exist"),
        (("check", "TSLA"), 1, "the archive holds no set of TSLA"),
        (("list", "not a symbol"), 1, "the archive holds no set of not a symbol"),
    ],
)
def test_a_mistake_is_told_in_plain_lines(
    workspace: Path, data: InProcess, arguments: tuple[str, ...], code: int, says: str
) -> None:
    ended_with, answer, notes = data(*arguments)
    assert ended_with == code
    assert says in " ".join((notes + answer).split())
    assert "Traceback" not in notes
    assert not (workspace / "data" / "catalogue").exists()


@pytest.mark.parametrize("command", ["list", "check"])
def test_an_empty_archive_says_how_to_fill_it(data: InProcess, command: str) -> None:
    code, answer, _ = data(command)
    assert code == 0
    assert "the archive is empty; `magellan data import` and `magellan data fetch` fill it" in answer


def test_a_lost_catalogue_is_made_again(workspace: Path, data: InProcess) -> None:
    data("import", "files")
    before = data("list", "--json")
    for path in (workspace / "data" / "catalogue").rglob("*.json"):
        path.write_text("{")
    code, _, notes = data("list")
    assert code == 1
    assert "next: run `magellan data rebuild`" in notes
    assert data("rebuild")[:2] == (0, "the catalogue names 1 set with 60 bars\n")
    assert data("list", "--json") == before
