"""Bad files: each is refused for its reason at its place, the good ones beside them go in, and nothing is lost."""

import json
import shutil
import stat
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from journeys.desk import Done, as_a_plain_user, kept, refused, run

HEADER = "timestamp,open,high,low,close,volume"
MINUTES_UTC = [f"{datetime(2024, 6, 3, 13, 30) + timedelta(minutes=i):%Y-%m-%dT%H:%M:%SZ}" for i in range(30)]


def text(rows: list[list[str]], header: str = HEADER) -> bytes:
    return "\n".join([header, *map(",".join, rows), ""]).encode()


def sound(times: list[str] = MINUTES_UTC) -> list[list[str]]:
    return [[at, "100", "101", "99", f"100.{i % 10}", str(1000 + i)] for i, at in enumerate(times)]


def spoilt(column: int, value: str) -> bytes:
    """A file whose ninth line has `value` in that column."""
    rows = sound()
    rows[7][column] = value
    return text(rows)


def session(on: str, opens: str = "09:30", minutes: int = 390) -> list[str]:
    """The wall clock's minutes of one session in New York, without a zone."""
    start = datetime.fromisoformat(f"{on} {opens}")
    return [f"{start + timedelta(minutes=i):%Y-%m-%d %H:%M:%S}" for i in range(minutes)]


def parquet(**columns: Any) -> bytes:
    at = np.datetime64("2024-06-03T13:30", "ns") + np.arange(30) * np.timedelta64(60, "s")
    prices = {name: np.full(30, price) for name, price in (("open", 100.0), ("high", 101.0), ("low", 99.0))}
    table = {"timestamp": pyarrow.array(at, pyarrow.timestamp("ns", tz="UTC")), **prices}
    table |= {"close": np.linspace(99.5, 100.5, 30), "volume": np.arange(30.0) + 1, **columns}
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.table(table), sink)
    return bytes(sink.getvalue())


WHOLE = parquet()

BAD = {
    # file name: (content, what is said of it)
    "CUTOFF_1Min.parquet": (WHOLE[: len(WHOLE) // 2], "is truncated or damaged"),
    "HEADLS_1Min.parquet": (WHOLE[4:], "is not Parquet: it begins with"),
    "BYTESX_1Min.csv": (bytes(range(128, 256)) * 9, "line 1: not UTF-8 text, so neither CSV nor Parquet"),
    "NOBYTE_1Min.csv": (b"", "is empty: 0 bytes"),
    "NOBYTE_1Min.parquet": (b"", "is empty: 0 bytes"),
    "NOROWS_1Min.csv": (text([]), "holds no rows"),
    "OTHERS_1Min.csv": (b"name,age\nann,7\n", "holds no bars: its columns are name, age"),
    "RAGGED_1Min.csv": (text(sound()) + b"2024-06-03T14:00:00Z,100\n", "line 32: 2 fields, not 6"),
    "WORDSX_1Min.csv": (spoilt(4, "ten"), "line 9: 'ten' in column 'close' is not a number"),
    "TYPESX_1Min.parquet": (parquet(open=["ten"] * 30), "row 1: 'ten' in column 'open' is not a number"),
    "TIMESX_1Min.parquet": (parquet(timestamp=np.full(30, 1.5)), "row 1: '1.5' in column 'timestamp'"),
    "NODATE_1Min.csv": (spoilt(0, "2024-06-31T13:37:00Z"), "line 9: '2024-06-31T13:37:00Z' in column"),
    "NANSXX_1Min.csv": (spoilt(4, "nan"), "line 9: no close, though the row has other values"),
    "NANSXX_1Min.parquet": (
        parquet(close=np.append(np.nan, np.full(29, 100.0))),
        "row 1: no close, though the row has other values",
    ),
    "MINUSX_1Min.csv": (spoilt(3, "-3"), "line 9: a price is not above zero: open 100"),
    "MINUSV_1Min.csv": (spoilt(5, "-1"), "line 9: the volume is negative"),
    "ENDLES_1Min.csv": (spoilt(2, "inf"), "line 9: a value is infinite"),
    "UPSIDE_1Min.csv": (spoilt(2, "1"), "line 9: high lies below low"),
    "TWICEX_1Min.csv": (text([*sound(), ["2024-06-03T13:35:00Z", "7", "7", "7", "7", "7"]]), "also stands in row 7"),
    "HOURLY_1Hour.csv": (text(sound()), "bars of 1Hour from the file's name, but bars stand 1 min apart"),
    # Nobody says which zone these are in; the volume is told as evidence, and the user decides.
    "NAIVEX_1Min.csv": (
        text(sound(session("2024-06-03", minutes=60))),
        "its times carry no zone (read as UTC, 0% of the volume falls into XNYS sessions; read as "
        "America/New_York, 100% of the volume falls into XNYS sessions)",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def imported(furnished: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Done, Path]:
    """One import of all the bad files and a good one, into a workspace that had bars; and that workspace."""
    workspace = tmp_path_factory.mktemp("bad files") / "desk"
    shutil.copytree(furnished, workspace)
    folder = workspace.parent / "files from my vendör"
    folder.mkdir()
    for name, (content, _) in BAD.items():
        (folder / name).write_bytes(content)
    (folder / "SOUNDX_1Min.csv").write_bytes(text(sound()))
    before = kept(workspace)
    done = run("data", "import", folder, "--json", cwd=workspace)
    after = kept(workspace)
    assert {name: after[name] for name in before} == before
    return done, workspace


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_at_its_place_and_says_what_to_do(
    name: str, imported: tuple[Done, Path]
) -> None:
    files = {Path(each["file"]).name: each for each in json.loads(imported[0].stdout)["files"]}
    assert files[name]["status"] == "refused"
    assert files[name]["reason"].startswith(name)
    assert BAD[name][1] in files[name]["reason"]
    assert files[name]["next_step"]


def test_the_good_file_among_the_bad_ones_is_in_the_archive(imported: tuple[Done, Path]) -> None:
    done, workspace = imported
    assert done.returncode == 1
    assert json.loads(done.stdout)["counts"] == {"imported": 1, "refused": len(BAD)}
    listed = json.loads(run("data", "list", "SOUNDX", "--json", cwd=workspace).stdout)
    assert [each["rows"] for each in listed["sets"]] == [30]


def test_a_file_that_may_not_be_read_is_refused_by_its_path_and_the_others_go_in(workspace: Path) -> None:
    files = workspace / "files"
    files.mkdir()
    for name in ("ALOUDX_1Min.csv", "SECRET_1Min.csv"):
        (files / name).write_bytes(text(sound()))
    (files / "SECRET_1Min.csv").chmod(0)
    done = run("data", "import", "files", cwd=workspace, limits=as_a_plain_user)
    refused(done, f"refused: {files / 'SECRET_1Min.csv'} cannot be read: Permission denied")
    refused(done, "next: give this user the right to read it", "1 imported, 1 refused")
    (files / "SECRET_1Min.csv").chmod(stat.S_IRUSR)


CLOCKS = {
    # file name: (wall times in New York, UTC of the first and the last bar; or what is said)
    "SPRING_1Min.csv": (
        [*session("2024-03-08"), *session("2024-03-11")],
        ("2024-03-08T14:30:00+00:00", "2024-03-11T19:59:00+00:00"),
    ),
    "AUTUMN_1Min.csv": (
        [*session("2024-11-01"), *session("2024-11-04")],
        ("2024-11-01T13:30:00+00:00", "2024-11-04T20:59:00+00:00"),
    ),
    "HALFDY_1Min.csv": (
        [*session("2024-11-27"), *session("2024-11-29", minutes=210)],
        ("2024-11-27T14:30:00+00:00", "2024-11-29T17:59:00+00:00"),
    ),
    "SKIPPD_1Min.csv": (
        [*session("2024-03-08"), *session("2024-03-10", "01:58", 5)],
        "SKIPPD_1Min.csv, line 394: 2024-03-10 02:00 did not exist in America/New_York",
    ),
    "DOUBLE_1Min.csv": (
        [*session("2024-11-01"), *session("2024-11-03", "00:58", 5)],
        "DOUBLE_1Min.csv, line 394: 2024-11-03 01:00 happened twice in America/New_York",
    ),
}


def test_clock_changes_and_half_days_are_read_to_the_minute_or_refused_at_their_line(workspace: Path) -> None:
    files = workspace / "files"
    files.mkdir()
    for name, (times, _) in CLOCKS.items():
        (files / name).write_bytes(text(sound(times)))
    done = run(
        "data",
        "import",
        "files",
        "--timezone",
        "America/New_York",
        "--vendor",
        "desk",
        "--json",
        cwd=workspace,
    )
    assert done.returncode == 1
    found = {Path(each["file"]).name: each for each in json.loads(done.stdout)["files"]}
    for name, (times, expected) in CLOCKS.items():
        if isinstance(expected, str):
            assert expected in found[name]["reason"]
        else:
            (read,) = found[name]["sets"]
            assert (read["first_at"], read["last_at"]) == expected
            assert read["rows_added"] == len(times)
    checked = json.loads(run("data", "check", "HALFDY", "SPRING", "AUTUMN", "--json", cwd=workspace).stdout)
    kinds = {each["set"].split("/")[-2]: {found["kind"] for found in each["findings"]} for each in checked}
    # Two sessions are too few to judge by; nothing is missing from them, and nothing lies outside of them.
    assert kinds == {
        "SPRING": {"few-sessions"},
        "AUTUMN": {"few-sessions"},
        "HALFDY": {"few-sessions", "half-days"},
    }


def test_what_is_no_file_at_all_is_refused(workspace: Path) -> None:
    (workspace / "FOLDER_1Min.csv").mkdir()
    refused(run("data", "import", "FOLDER_1Min.csv", cwd=workspace), "holds no files that end with")
    refused(
        run("data", "import", "nowhere.csv", cwd=workspace), "nowhere.csv does not exist", "check the path"
    )
