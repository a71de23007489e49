"""Importing several files: each on its own, whole, once, and on from where a kill stopped it."""

import hashlib
import io
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from magellan.adapters.exchange_calendar import load_calendar
from magellan.adapters.import_journal import JsonLinesImportJournal
from magellan.adapters.parquet.bar_archive import ParquetBarArchive
from magellan.adapters.parquet.foreign_file import ENDINGS, read_foreign
from magellan.archive.dataset import Adjustment, DateRange, SetId
from magellan.archive.declared import Declared, RangePolicy
from magellan.archive.foreign_table import ForeignTable
from magellan.archive.generated.small_market import small_market
from magellan.errors import AskOperator, FixInput, Interrupted
from magellan.trading.bar import PRICE_COLUMNS, Bars
from magellan.trading.session import ExchangeCalendar, Hours
from magellan.trading.timeframe import HOUR, MINUTE
from magellan.usecases.import_bars import ImportResult, Status, import_bars

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
COLUMNS = (*PRICE_COLUMNS, "volume")


@cache
def calendar(name: str) -> ExchangeCalendar:
    return load_calendar(name, today=NOW.date())


def csv_of(bars: Bars) -> str:
    times = np.datetime_as_string(bars.opened_at_ns.astype("datetime64[ns]").astype("datetime64[s]"))
    rows = [
        f"{time}Z,{','.join(repr(float(getattr(bars, name)[row])) for name in COLUMNS)}"
        for row, time in enumerate(times)
    ]
    return "\n".join(["timestamp,open,high,low,close,volume", *rows, ""])


def parquet_of(bars: Bars) -> bytes:
    sink = io.BytesIO()
    columns = {"timestamp": pa.array(bars.opened_at_ns, pa.timestamp("ns", tz="UTC"))}
    pq.write_table(pa.table(columns | {name: pa.array(getattr(bars, name)) for name in COLUMNS}), sink)
    return sink.getvalue()


class Desk:
    """A folder of files to import, and an archive to import them into."""

    def __init__(self, folder: Path) -> None:
        self.files = folder / "files"
        self.files.mkdir()
        self.archive = ParquetBarArchive(folder / "data")
        self.journal = JsonLinesImportJournal(folder / "imports")
        self.read_foreign: Callable[[bytes, str], ForeignTable] = read_foreign
        self.was_read: list[str] = []

    def put(self, name: str, content: str | bytes) -> Path:
        path = self.files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def take(self, *paths: Path, dry_run: bool = False, **declared: object) -> ImportResult:
        self.was_read = []

        def reading(content: bytes, name: str) -> ForeignTable:
            self.was_read.append(name)
            return self.read_foreign(content, name)

        return import_bars(
            paths or (self.files,),
            Declared(**declared),  # type: ignore[arg-type]
            archive=self.archive,
            journal=self.journal,
            read_foreign=reading,
            endings=ENDINGS,
            calendar_named=calendar,
            now=NOW,
            dry_run=dry_run,
        )


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def statuses(result: ImportResult) -> dict[str, Status]:
    return {outcome.file.name: outcome.status for outcome in result.files}


def set_id(symbol: str, **others: object) -> SetId:
    fields = {
        "timeframe": MINUTE,
        "vendor": "unknown",
        "feed": "unknown",
        "adjustment": Adjustment.RAW,
        "hours": Hours.ALL,
    } | others
    return SetId(symbol=symbol, **fields)  # type: ignore[arg-type]


def test_files_and_folders_are_imported_whatever_their_format(desk: Desk) -> None:
    bars = small_market(1, 50)
    desk.put("AMC_1min.csv", csv_of(bars.rows(slice(0, 30))))
    desk.put("deep/er/AMC_1min_more.parquet", b"")
    desk.put("deep/AMC_1min.parquet", parquet_of(bars.rows(slice(20, 50))))
    desk.put("notes.md", "not bars")
    desk.put(".hidden/AMC_1min.csv", "nothing")
    result = desk.take()
    assert statuses(result) == {
        "AMC_1min.csv": Status.IMPORTED,
        "AMC_1min.parquet": Status.IMPORTED,
        "AMC_1min_more.parquet": Status.REFUSED,
    }
    held = desk.archive.read(set_id("AMC"))
    assert np.array_equal(held.close, bars.close)
    (first,) = result.files[0].sets
    assert (first.rows_added, first.rows_already_there) == (30, 0)


def test_a_bad_file_spoils_no_other_and_says_why(desk: Desk) -> None:
    good = csv_of(small_market(1, 20))
    desk.put("AMC_1min.csv", good)
    desk.put("BAD_1min.csv", good.replace("Z,", "Z,x", 1))
    desk.put("GME_1min.csv", good)
    desk.put("PLUG_1min.parquet", parquet_of(small_market(2, 20))[:-30])
    result = desk.take()
    assert result.counts == {Status.IMPORTED: 2, Status.REFUSED: 2}
    assert all(outcome.reason and outcome.next_step for outcome in result.refused)
    assert [record.id.symbol for record in desk.archive.sets()] == ["AMC", "GME"]


def test_importing_twice_is_importing_once(desk: Desk) -> None:
    desk.put("AMC_1min.csv", csv_of(small_market(1, 20)))
    desk.take()
    before = desk.archive.sets()
    assert statuses(desk.take()) == {"AMC_1min.csv": Status.ALREADY_THERE}
    assert desk.archive.sets() == before


def test_a_dry_run_says_what_would_happen_and_leaves_no_trace(desk: Desk, tmp_path: Path) -> None:
    desk.put("AMC_1min.csv", csv_of(small_market(1, 20)))
    desk.put("BAD.csv", "x")
    result = desk.take(dry_run=True)
    assert statuses(result) == {"AMC_1min.csv": Status.WOULD_IMPORT, "BAD.csv": Status.REFUSED}
    assert result.files[0].sets[0].rows_added == 20
    assert sorted(path.name for path in tmp_path.iterdir()) == ["files"]


def test_a_record_names_the_file_its_checksum_and_what_was_assumed(desk: Desk) -> None:
    path = desk.put("AMC_1min_20240101_20240105.csv", csv_of(small_market(1, 700)))
    (outcome,) = desk.take(vendor="polygon", feed="sip").files
    record = desk.archive.record(set_id("AMC", vendor="polygon", feed="sip"))
    (source,) = record.sources
    assert source.name == path.name
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert source.requested == DateRange(first_on=date(2024, 1, 1), last_on=date(2024, 1, 5))
    assert source.fetched_at == NOW
    assert source.assumptions == outcome.sets[0].assumptions
    assert "times carry a zone" in source.assumptions


def test_incident_21_a_range_that_was_cut_off_can_be_accepted_afterwards(desk: Desk) -> None:
    desk.put("AMC_1min_20230101_20240105.csv", csv_of(small_market(1, 700)))
    (outcome,) = desk.take().files
    assert "asked for 2023-01-01..2024-01-05, holds 2024-01-01..2024-01-02" in outcome.sets[0].warnings[0]
    asked = DateRange(first_on=date(2023, 1, 1), last_on=date(2024, 1, 5))
    assert desk.archive.record(set_id("AMC")).requested == (asked,)
    desk.take(range_policy=RangePolicy.ACCEPT)
    held = DateRange(first_on=date(2024, 1, 1), last_on=date(2024, 1, 2))
    assert desk.archive.record(set_id("AMC")).requested == (held,)


def test_files_that_contradict_each_other_are_refused_by_the_second_of_them(desk: Desk) -> None:
    bars = small_market(1, 20)
    desk.put("AMC_1min.csv", csv_of(bars))
    desk.put("AMC_1min_20240101.csv", csv_of(bars).replace(f"{float(bars.volume[7])!r}", "3.0"))
    result = desk.take()
    assert statuses(result) == {"AMC_1min.csv": Status.IMPORTED, "AMC_1min_20240101.csv": Status.REFUSED}
    assert "disagree about 1 of 20 common bars" in result.refused[0].reason
    assert "AMC_1min_20240101.csv" in result.refused[0].reason


def test_incident_5_bars_of_two_feeds_never_mix(desk: Desk) -> None:
    bars = small_market(1, 20)
    desk.put("AMC_1min.csv", csv_of(bars))
    desk.take(vendor="alpaca", feed="sip")
    thinner = csv_of(bars).replace(f"{float(bars.volume[7])!r}", "3.0")
    desk.put("AMC_1min.csv", thinner)
    desk.take(vendor="alpaca", feed="iex")
    sip, iex = (desk.archive.read(set_id("AMC", vendor="alpaca", feed=feed)) for feed in ("sip", "iex"))
    assert (sip.volume[7], iex.volume[7]) == (bars.volume[7], 3.0)


def test_incident_12_one_instant_with_two_prices_is_refused_at_the_door(desk: Desk) -> None:
    # Calendar spreads came in under the timestamps of the contract itself.
    bars = small_market(1, 20)
    rows = csv_of(bars).splitlines()
    strange = rows[5].split(",")[0] + ",250,251,249,250,12"
    desk.put("MNQ_1min.csv", "\n".join([*rows, strange, ""]))
    (refused,) = desk.take().refused
    assert "line 22" in refused.reason
    assert "with other values" in refused.reason


def test_negative_prices_that_are_allowed_mark_only_the_sets_that_have_them(desk: Desk) -> None:
    desk.put("AMC_1min.csv", csv_of(small_market(1, 5)))
    desk.put("CL_1min.csv", csv_of(small_market(2, 5)) + "2024-01-03T14:30:00Z,17.73,17.85,-40.32,17.73,5\n")
    desk.take(negative_prices=True)
    assert [record.negative_prices for record in desk.archive.sets()] == [False, True]


@pytest.mark.parametrize(
    ("paths", "says"),
    [((), "no file was named"), (("empty",), r"empty holds no files that end with \.parquet")],
)
def test_nothing_to_import_is_said(desk: Desk, tmp_path: Path, paths: tuple[str, ...], says: str) -> None:
    (tmp_path / "empty").mkdir()
    given = [tmp_path / path for path in paths]
    with pytest.raises(FixInput, match=says):
        import_bars(
            given,
            Declared(),
            archive=desk.archive,
            journal=desk.journal,
            read_foreign=read_foreign,
            endings=ENDINGS,
            calendar_named=calendar,
            now=NOW,
        )


def test_a_file_that_is_not_there_is_refused_and_the_others_go_on(desk: Desk) -> None:
    path = desk.put("AMC_1min.csv", csv_of(small_market(1, 5)))
    result = desk.take(path, desk.files / "missing.csv")
    assert statuses(result) == {"AMC_1min.csv": Status.IMPORTED, "missing.csv": Status.REFUSED}
    assert "missing.csv does not exist" in result.refused[0].reason


# Stopped in the middle.


def stop_at(desk: Desk, name: str, error: BaseException) -> None:
    def reading(content: bytes, file_name: str) -> ForeignTable:
        if file_name == name:
            raise error
        return read_foreign(content, file_name)

    desk.read_foreign = reading


SYMBOLS = ("AMC", "BTCS", "CGC", "GME", "PLUG")


@pytest.fixture
def five_files(desk: Desk) -> Desk:
    for number, symbol in enumerate(SYMBOLS):
        desk.put(f"{symbol}_1min.csv", csv_of(small_market(number, 20)))
    return desk


def test_an_interrupted_import_keeps_what_is_done_and_says_so(five_files: Desk) -> None:
    stop_at(five_files, "CGC_1min.csv", KeyboardInterrupt())
    with pytest.raises(Interrupted) as stopped:
        five_files.take()
    assert stopped.value.kept.startswith("2 of 5 files are done")
    assert [record.id.symbol for record in five_files.archive.sets()] == ["AMC", "BTCS"]


def test_an_import_goes_on_where_it_was_stopped(five_files: Desk) -> None:
    stop_at(five_files, "GME_1min.csv", RuntimeError("the process is killed here"))
    with pytest.raises(RuntimeError):
        five_files.take()
    (unfinished,) = five_files.journal.unfinished()
    assert (unfinished.files, unfinished.done, unfinished.begun_at) == (5, 3, NOW)
    five_files.read_foreign = read_foreign
    result = five_files.take()
    assert result.resumed == 3
    assert five_files.was_read == ["GME_1min.csv", "PLUG_1min.csv"]
    assert [record.id.symbol for record in five_files.archive.sets()] == list(SYMBOLS)
    assert five_files.journal.unfinished() == ()
    five_files.take()
    assert len(five_files.was_read) == 5, "a finished import is no reason to skip anything"


def test_a_file_that_changed_since_the_stop_is_read_again(five_files: Desk) -> None:
    stop_at(five_files, "GME_1min.csv", RuntimeError("killed"))
    with pytest.raises(RuntimeError):
        five_files.take()
    five_files.read_foreign = read_foreign
    five_files.put("AMC_1min.csv", csv_of(small_market(0, 25)))
    five_files.take()
    assert five_files.was_read == ["AMC_1min.csv", "GME_1min.csv", "PLUG_1min.csv"]
    assert five_files.archive.record(set_id("AMC")).rows == 25


def test_other_options_are_another_import(five_files: Desk) -> None:
    stop_at(five_files, "GME_1min.csv", RuntimeError("killed"))
    with pytest.raises(RuntimeError):
        five_files.take()
    five_files.read_foreign = read_foreign
    assert five_files.take(vendor="alpaca").resumed == 0
    assert len(five_files.archive.sets()) == 8


def test_a_journal_does_not_outlive_the_data_it_tells_of(five_files: Desk, tmp_path: Path) -> None:
    stop_at(five_files, "GME_1min.csv", RuntimeError("killed"))
    with pytest.raises(RuntimeError):
        five_files.take()
    five_files.read_foreign = read_foreign
    five_files.archive = ParquetBarArchive(tmp_path / "another")
    assert five_files.take().resumed == 0
    assert len(five_files.archive.sets()) == 5


def test_a_torn_line_of_the_journal_costs_one_file_and_nothing_else(five_files: Desk, tmp_path: Path) -> None:
    stop_at(five_files, "GME_1min.csv", RuntimeError("killed"))
    with pytest.raises(RuntimeError):
        five_files.take()
    (journal,) = (tmp_path / "imports").iterdir()
    journal.write_bytes(journal.read_bytes()[:-40])
    five_files.read_foreign = read_foreign
    assert five_files.take().resumed == 2
    assert [record.id.symbol for record in five_files.archive.sets()] == list(SYMBOLS)


def test_an_archive_that_cannot_be_written_ends_the_import_and_says_how_far_it_came(five_files: Desk) -> None:
    stop_at(five_files, "CGC_1min.csv", AskOperator("the disk is full", kept="the archive, as it was"))
    with pytest.raises(AskOperator) as stopped:
        five_files.take()
    assert stopped.value.kept == "2 of 5 files are done; the archive holds them whole; the archive, as it was"


def test_hours_of_another_spacing_go_into_a_set_of_their_own(desk: Desk) -> None:
    desk.put("AMC_1hour.csv", csv_of(small_market(1, 40, timeframe=HOUR)))
    desk.put("AMC_1min.csv", csv_of(small_market(1, 40)))
    desk.take()
    assert [str(record.id.timeframe) for record in desk.archive.sets()] == ["1Min", "1Hour"]
