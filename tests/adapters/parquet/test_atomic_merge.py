"""A merge has happened or has not, whatever is killed when and however full the disk is."""

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from magellan.adapters.parquet.bar_archive import ParquetBarArchive
from magellan.adapters.parquet.write_lock import sole_writer
from magellan.archive.checksum import content_sha256
from magellan.archive.dataset import Adjustment, Provenance, SetId, Source
from magellan.archive.generated.small_market import small_market
from magellan.errors import TryAgain
from magellan.trading.session import Hours
from magellan.trading.timeframe import MINUTE

SET_ID = SetId(
    symbol="TEST", timeframe=MINUTE, vendor="v", feed="f", adjustment=Adjustment.RAW, hours=Hours.ALL
)
SOURCE = Source(
    name="a", sha256="0" * 64, rows=1, requested=None, fetched_at=datetime(2026, 1, 1, tzinfo=UTC)
)


@pytest.mark.parametrize(
    ("how", "code"),
    [
        pytest.param("kill", -9, id="killed at every step on disk"),
        pytest.param("interrupt", 4, id="Ctrl-C at every step on disk"),
        pytest.param("full", 3, id="no room for one file or another"),
    ],
)
def test_a_merge_that_is_stopped_leaves_the_old_set_or_the_new_one_and_goes_through_the_next_time(
    how: str, code: int, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("killed_merge.py"), tmp_path, how],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    runs = [json.loads(line) for line in done.stdout.splitlines()]
    *stopped, through = runs
    assert (through["code"], through["stopped"]) == (0, {"holds": "new", "files": 3})
    assert len(stopped) >= 8, "the merge takes several steps"
    for run in stopped:
        assert run["code"] == code, run
        assert run["stopped"]["holds"] in ("old", "new"), run
        assert run["again"] == {"holds": "new", "files": 3}, "what the stop left behind is swept up"
    held = [run["stopped"]["holds"] for run in stopped]
    assert held == sorted(held, key=("old", "new").index), (
        "there is one moment at which the merge has happened"
    )
    if how == "full":
        assert all(run["stopped"] == {"holds": "old", "files": 2} for run in stopped), (
            "no rubbish fills the disk"
        )


def test_whoever_reads_while_another_writes_sees_whole_merges(tmp_path: Path) -> None:
    bars = small_market(1, 400)
    archive = ParquetBarArchive(tmp_path)
    archive.merge(SET_ID, bars.rows(slice(0, 20)), Provenance(source=SOURCE))
    finished = threading.Event()

    def lengths_read() -> set[int]:
        seen: set[int] = set()
        while not finished.is_set():
            held = ParquetBarArchive(tmp_path).read(SET_ID)
            assert content_sha256(held) == content_sha256(bars.rows(slice(0, len(held))))
            seen.add(len(held))
        return seen

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(lengths_read)
        for end in range(40, 401, 20):
            archive.merge(SET_ID, bars.rows(slice(0, end)), Provenance(source=SOURCE))
        finished.set()
        assert reading.result() <= set(range(20, 401, 20))


def test_a_second_writer_waits_and_then_is_told_to_try_again(tmp_path: Path) -> None:
    lock = tmp_path / "data" / ".writing"
    with (
        sole_writer(lock),
        pytest.raises(TryAgain, match="has been writing") as told,
        sole_writer(lock, wait_s=0),
    ):
        pass
    assert told.value.kept
    with sole_writer(lock, wait_s=0):
        pass  # the first has given it back


def test_an_import_that_is_killed_anywhere_loses_nothing_and_goes_on(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("killed_import.py"), tmp_path],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    runs = [json.loads(line) for line in done.stdout.splitlines()]
    *killed, through = runs
    assert through["code"] == 0
    assert {run["code"] for run in killed} == {-9}
    for run in runs:
        assert set(run["whole"]) <= {5}, "a set is there whole or not at all"
        assert (run["symbols"], run["rows"], run["refused"]) == (["AMC", "GME", "PLUG"], [5, 5, 5], 0), run
        assert run["resumed"] <= len(run["whole"])
        assert run["journals"] == 0
    assert {run["resumed"] for run in killed} >= {0, 1, 2}, "what was done is not done again"
