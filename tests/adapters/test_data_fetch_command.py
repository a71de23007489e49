"""`magellan data fetch` as a trader runs it: a process, a workspace, and a vendor on loopback."""

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import date
from pathlib import Path

import pytest

from magellan.adapters.parquet.bar_archive import ParquetBarArchive
from magellan.archive.dataset import DateRange
from magellan.surfaces.cli.app import run

FROM, TO = "2025-09-02", "2025-12-31"
WHOLE = DateRange(first_on=date(2025, 9, 2), last_on=date(2025, 12, 31))


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "trading"
    folder.mkdir()
    (folder / "magellan.toml").touch()
    return folder


@pytest.fixture
def alpaca(worlds, sites):
    return sites(worlds["alpaca"])


@pytest.fixture
def here(workspace, monkeypatch, capsys):
    """The command line in this process, which starts a second sooner than one of its own."""

    def call(*arguments: str, **env: str) -> tuple[int, str]:
        monkeypatch.chdir(workspace)
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        code = run(arguments)
        return code, capsys.readouterr().err

    return call


def environment(site) -> dict[str, str]:
    return {
        "APCA_API_KEY_ID": site.key_id,
        "APCA_API_SECRET_KEY": site.secret_key,
        "ALPACA_DATA_URL": site.url,
    }


def words(*options: str, vendor: str = "alpaca", symbol: str = "LIMPET") -> tuple[str, ...]:
    return ("data", "fetch", symbol, "--vendor", vendor, "--from", FROM, "--to", TO, *options)


def test_bars_are_fetched_into_the_workspace_and_shown(magellan, workspace, alpaca):
    done = magellan(*words("--timeframe", "1Hour", "--json"), cwd=workspace, **environment(alpaca))
    assert done.returncode == 0, done.stderr
    (fetched,) = json.loads(done.stdout)
    assert fetched["set"] == "alpaca/sip/raw/all/LIMPET/1Hour"
    assert fetched["asked"] == {"first_on": FROM, "last_on": TO}
    (record,) = ParquetBarArchive(workspace / "data").sets()
    assert (record.id.slug, record.rows) == (fetched["set"], fetched["rows_added"])
    assert not record.generated
    assert alpaca.secret_key not in done.stdout + done.stderr

    again = magellan(*words("--timeframe", "1Hour"), cwd=workspace, **environment(alpaca))
    assert again.returncode == 0, again.stderr
    assert "alpaca/sip/raw/all/LIMPET/1Hour" in again.stdout
    assert len(alpaca.data_requests) == 1


def test_the_feed_is_part_of_the_set(here, workspace, alpaca):
    """Incident 5: bars of the free feed never mix with those of the consolidated tape."""
    for feed in ("sip", "iex"):
        code, said = here(*words("--feed", feed), **environment(alpaca))
        assert code == 0, said
    held = {record.id.slug for record in ParquetBarArchive(workspace / "data").sets()}
    assert held == {"alpaca/sip/raw/regular/LIMPET/1Day", "alpaca/iex/raw/regular/LIMPET/1Day"}


def test_a_process_that_is_killed_loses_no_part_that_it_had(magellan, workspace, alpaca, reply):
    third_is_asked, over = threading.Event(), threading.Event()

    def hang(request, truth):
        third_is_asked.set()
        over.wait(30)
        return truth

    alpaca.troubles.extend([None, None, hang])
    arguments = words("--timeframe", "1Min")
    process = subprocess.Popen(
        [sys.executable, "-m", "magellan", *arguments],
        cwd=workspace,
        env={**os.environ, **environment(alpaca)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert third_is_asked.wait(60)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    over.set()
    asked_before = len(alpaca.data_requests)
    (kept,) = ParquetBarArchive(workspace / "data").sets()
    assert kept.requested == (DateRange(first_on=date(2025, 9, 2), last_on=date(2025, 10, 2)),)

    done = magellan(*arguments, "--json", cwd=workspace, **environment(alpaca))
    assert done.returncode == 0, done.stderr
    (fetched,) = json.loads(done.stdout)
    assert fetched["requests"] == 3
    first_again = alpaca.data_requests[asked_before]
    assert first_again.query["start"].startswith("2025-10-03")
    (record,) = ParquetBarArchive(workspace / "data").sets()
    assert record.requested == (WHOLE,)
    assert record.rows == kept.rows + fetched["rows_added"]


@pytest.mark.parametrize(
    ("arguments", "change", "code", "said"),
    [
        (words(), {"APCA_API_SECRET_KEY": ""}, 1, "APCA_API_SECRET_KEY is not set"),
        (words(), {"APCA_API_SECRET_KEY": "wrong"}, 1, "does not accept the key"),
        (words(), {"ALPACA_DATA_URL": "http://vendor.example"}, 1, "only sent over https"),
        (words("--feed", "psychic"), {}, 1, "no feed 'psychic'"),
        (words("--timeframe", "fortnight"), {}, 1, "not a timeframe"),
        (words(symbol="N O"), {}, 1, "not a symbol"),
        (words(symbol="NOSUCH"), {}, 1, "no bar of NOSUCH"),
        (words("--to", "2025-08-01"), {}, 1, "ends before it begins"),
        (words("--to", "tomorrow"), {}, 2, "--to"),
        (words(vendor="bloomberg"), {}, 2, "bloomberg"),
        (("data", "fetch", "LIMPET"), {}, 2, "--vendor"),
    ],
)
def test_what_cannot_be_fetched_is_told_in_plain_lines(
    here, workspace, alpaca, arguments, change, code, said
):
    ended_with, told = here(*arguments, **(environment(alpaca) | change))
    assert ended_with == code
    assert said in told
    assert "Traceback" not in told
    assert not (workspace / "data" / "bars").exists()
