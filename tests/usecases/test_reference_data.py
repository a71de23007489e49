"""The real bars with published remarks: every file is imported or refused for the right reason, every remark found.

Runs where MAGELLAN_REFERENCE_DATA names the folder that holds `cache/`; skips, saying so, elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from magellan.adapters.corporate_action_file import CorporateActionFile
from magellan.adapters.exchange_calendar import load_calendar
from magellan.adapters.import_journal import JsonLinesImportJournal
from magellan.adapters.parquet.bar_archive import ParquetBarArchive
from magellan.adapters.parquet.foreign_file import ENDINGS, read_foreign
from magellan.archive.adjust import adjusted
from magellan.archive.declared import Declared, RangePolicy
from magellan.archive.discontinuity import discontinuities
from magellan.archive.interpretation import interpreted
from magellan.archive.layout import NotBars
from magellan.archive.quality.finding import Finding, Kind, QualityReport, Severity, Verdict
from magellan.archive.quality.halts import halt_runs
from magellan.archive.quality.session_grid import session_grid
from magellan.trading.session import ExchangeCalendar, day_date
from magellan.trading.timeframe import DAY_NS
from magellan.usecases.check_bars import check_bars
from magellan.usecases.import_bars import ImportResult, Status, import_bars

NOW = datetime(2026, 2, 1, tzinfo=UTC)

# Dates and ratios as the companies announced them; a date is the first one on the new basis.
SPLITS = """kind,symbol,at,new,old,amount_usd,reason,confirmed_by
split,AAPL,2020-08-31,4,1,,,
split,TSLA,2020-08-31,5,1,,,
split,TSLA,2022-08-25,3,1,,,
split,NVDA,2021-07-20,4,1,,,
split,NVDA,2024-06-10,10,1,,,
split,AMZN,2022-06-06,20,1,,,
split,GOOGL,2022-07-18,20,1,,,
split,WKHS,2024-06-17,1,20,,,
split,SPCE,2024-06-17,1,20,,,
split,FCEL,2024-11-11,1,30,,,
split,MULN,2025-04-11,1,100,,,
split,MULN,2025-06-02,1,100,,,
"""
CONFIRMED = """confirmed-move,SAVA,2024-11-25T13:00Z,,,,trial failed,the test
confirmed-move,GME,2024-06-03T08:00Z,,,,a tweet,the test
"""


@cache
def calendar(name: str) -> ExchangeCalendar:
    return load_calendar(name, today=NOW.date())


@dataclass(frozen=True)
class Imported:
    archive: ParquetBarArchive
    store: CorporateActionFile
    first: ImportResult
    with_negative_prices: ImportResult
    reports: Mapping[str, QualityReport]

    def report(self, name: str) -> QualityReport:
        """Of the set called for example 'TSLA 1Day'."""
        return self.reports[name]

    def finding(self, name: str, kind: Kind) -> Finding:
        found = self.reports[name].of(kind)
        assert found is not None, (
            f"{name} has no {kind}: {[each.kind for each in self.reports[name].findings]}"
        )
        return found


@pytest.fixture(scope="module")
def imported(reference_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Imported:
    folder = tmp_path_factory.mktemp("workspace")
    archive = ParquetBarArchive(folder / "data")
    store = CorporateActionFile(folder / "corporate_actions.csv")
    (folder / "corporate_actions.csv").write_text(SPLITS)
    results = [
        import_bars(
            [reference_data / "cache"],
            Declared(negative_prices=negative),
            archive=archive,
            journal=JsonLinesImportJournal(folder / "imports"),
            read_foreign=read_foreign,
            endings=ENDINGS,
            calendar_named=calendar,
            now=NOW,
        )
        for negative in (False, True)
    ]
    reports = check_bars(archive, store, calendar)
    named = {f"{each.set_id.symbol} {each.set_id.timeframe}": each for each in reports}
    assert len(named) == len(reports)
    return Imported(archive, store, results[0], results[1], named)


def test_every_file_is_imported_or_refused_for_the_right_reason(imported: Imported) -> None:
    assert imported.first.counts == {Status.IMPORTED: 93, Status.REFUSED: 3}
    reasons = {outcome.file.name: outcome.reason for outcome in imported.first.refused}
    assert sorted(reasons) == [
        "AAPL_earnings_20220101_20231231.parquet",
        "AAPL_earnings_20240101_20251231.parquet",
        "CLUSD_1day_20200101_20211231.parquet",
    ]
    assert all(
        "look like earnings events" in reason for name, reason in reasons.items() if "earnings" in name
    )
    below_zero = reasons["CLUSD_1day_20200101_20211231.parquet"]
    assert "a price is not above zero" in below_zero
    assert "low -40.32" in below_zero
    assert imported.with_negative_prices.counts == {
        Status.IMPORTED: 1,
        Status.ALREADY_THERE: 93,
        Status.REFUSED: 2,
    }


def test_every_row_arrived_but_those_that_repeat(imported: Imported, reference_data: Path) -> None:
    manifest = (reference_data / "manifest-bars.csv").read_text().splitlines()[1:]
    rows = {line.split(",")[0]: int(line.split(",")[2]) for line in manifest}
    expected = sum(count for file, count in rows.items() if not file.startswith("earnings/"))
    overlaps = sum(each.rows_already_there for outcome in imported.first.files for each in outcome.sets)
    overlaps += sum(each.repeated_rows for outcome in imported.first.files for each in outcome.sets)
    held = sum(record.rows for record in imported.archive.sets())
    assert held == expected - overlaps
    assert overlaps > 30_000, "AMC's two winter files share two and a half months"


def test_overlapping_files_agree_bar_for_bar(imported: Imported) -> None:
    shared = {
        outcome.file.name: outcome.sets[0].rows_already_there
        for outcome in imported.first.files
        if outcome.sets and outcome.sets[0].rows_already_there
    }
    assert shared == {
        "AMC_2024-11-01_2025-01-31.parquet": 33_977,
        "NQUSD_1day_20240101_20251231.parquet": 261,
    }


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("AMC_2024-11-01_2025-01-31.parquet", 5),
        ("MARA_2024-11-01_2025-01-31.parquet", 9),
        ("PLUG_2024-11-01_2025-01-31.parquet", 5),
        ("RIOT_2024-11-01_2025-01-31.parquet", 4),
    ],
)
def test_duplicated_timestamps_are_dropped_and_counted(imported: Imported, name: str, count: int) -> None:
    (outcome,) = (each for each in imported.first.files if each.file.name == name)
    assert outcome.sets[0].repeated_rows == count
    symbol = name.split("_")[0]
    assert f"{name}: {count}" in imported.finding(f"{symbol} 1Min", Kind.DUPLICATES).examples


@pytest.mark.parametrize(
    ("name", "sessions", "spans"),
    [
        ("CLUSD 1Hour", 453, ["2024-01-02..2025-10-02 (453)"]),
        ("GCUSD 1Hour", 905, ["2022-01-03..2023-10-02 (452)", "2024-01-02..2025-10-02 (453)"]),
        ("NGUSD 1Hour", 905, ["2022-01-03..2023-10-02 (452)", "2024-01-02..2025-10-02 (453)"]),
    ],
)
def test_incident_21_hours_that_the_vendor_cut_off_are_unfit(
    imported: Imported, name: str, sessions: int, spans: list[str]
) -> None:
    finding = imported.finding(name, Kind.SHORT_RANGE)
    assert (finding.count, list(finding.examples), finding.severity) == (sessions, spans, Severity.REFUSE)
    assert imported.report(name).verdict is Verdict.UNFIT


def test_incident_21_the_strict_range_refuses_them_at_the_door(reference_data: Path, tmp_path: Path) -> None:
    result = import_bars(
        [reference_data / "cache" / "futures"],
        Declared(range_policy=RangePolicy.REFUSE, negative_prices=True),
        archive=ParquetBarArchive(tmp_path / "data"),
        journal=JsonLinesImportJournal(tmp_path / "imports"),
        read_foreign=read_foreign,
        endings=ENDINGS,
        calendar_named=calendar,
        now=NOW,
        dry_run=True,
    )
    assert len(result.refused) == 5
    assert all("1hour" in outcome.file.name for outcome in result.refused)


@pytest.mark.parametrize(
    ("symbol", "phantoms"),
    [
        *((symbol, 5 + 9 + 39) for symbol in ("AAPL", "AMZN", "IWM", "META", "MSFT", "NVDA", "QQQ", "TSLA")),
        ("GOOGL", 2 + 9 + 39),
        ("SPY", 5 + 9 + 40),
    ],
)
def test_phantom_days_of_stocks_are_found(imported: Imported, symbol: str, phantoms: int) -> None:
    assert imported.finding(f"{symbol} 1Day", Kind.PHANTOM_DAYS).count == phantoms
    assert imported.report(f"{symbol} 1Day").of(Kind.MISSING_SESSIONS) is None, "no real session is missing"


@pytest.mark.parametrize("symbol", ["CLUSD", "ESUSD", "GCUSD", "NQUSD", "SIUSD"])
def test_sunday_rows_of_futures_are_found(imported: Imported, symbol: str) -> None:
    finding = imported.finding(f"{symbol} 1Day", Kind.PHANTOM_DAYS)
    assert ": 8 on weekends" in finding.measured


@pytest.mark.parametrize(
    ("name", "first", "last", "count"),
    [
        ("ESUSD 1Day", "2020-01-01", "2021-12-31", 12),
        ("ESUSD 1Day", "2022-01-01", "2023-12-31", 14),
        ("ESUSD 1Day", "2024-01-01", "2025-12-31", 13),
        ("CLUSD 1Day", "2020-01-01", "2025-12-31", 2),
        ("NQUSD 1Day", "2022-01-01", "2025-12-31", 5),
        ("NGUSD 1Hour", "2022-01-01", "2023-12-31", 50),
        ("NGUSD 1Hour", "2024-01-01", "2025-12-31", 34),
    ],
)
def test_repeated_rows_are_counted(imported: Imported, name: str, first: str, last: str, count: int) -> None:
    finding = imported.finding(name, Kind.REPEATED_ROWS)
    assert finding.severity is Severity.WARN
    record = next(each for each in imported.archive.sets() if f"{each.id.symbol} {each.id.timeframe}" == name)
    bars = imported.archive.read(record.id)
    same = np.logical_and.reduce(
        [np.diff(getattr(bars, column)) == 0 for column in ("open", "high", "low", "close")]
    )
    days = [day_date(int(at // DAY_NS)) for at in bars.opened_at_ns[1:][same]]
    assert sum(date.fromisoformat(first) <= day <= date.fromisoformat(last) for day in days) == count
    assert finding.count == len(days)


@pytest.mark.parametrize(
    ("name", "count"),
    [("CLUSD 1Hour", 52), ("GCUSD 1Hour", 23), ("NGUSD 1Hour", 51), ("CLUSD 1Day", 1), ("SIUSD 1Day", 1)],
)
def test_rows_without_volume_are_counted(imported: Imported, name: str, count: int) -> None:
    assert imported.finding(name, Kind.ZERO_VOLUME).count >= count


def test_negative_crude_oil_is_kept_marked_and_warned_of(imported: Imported) -> None:
    finding = imported.finding("CLUSD 1Day", Kind.NOT_ABOVE_ZERO)
    assert (finding.count, finding.measured) == (2, "lowest -40.32")
    assert finding.examples[0].startswith("2020-04-20: ")
    assert [each.id.symbol for each in imported.archive.sets() if each.negative_prices] == ["CLUSD"]


@pytest.mark.parametrize(
    ("name", "ratios"),
    [
        ("AAPL 1Day", [1 / 4]),
        ("TSLA 1Day", [1 / 5, 1 / 3]),
        ("TSLA 1Hour", [1 / 3]),
        ("NVDA 1Day", [1 / 4, 1 / 10]),
        ("NVDA 1Hour", [1 / 10]),
        ("AMZN 1Day", [1 / 20]),
        ("AMZN 1Hour", [1 / 20]),
        ("GOOGL 1Day", [1 / 20]),
        ("GOOGL 1Hour", [1 / 20]),
        ("WKHS 1Min", [20]),
        ("SPCE 1Min", [20]),
        ("FCEL 1Min", [30]),
        ("MULN 1Min", [100, 100]),
    ],
)
def test_incident_10_every_split_is_explained_by_the_table_and_gone_from_the_adjusted_view(
    imported: Imported, name: str, ratios: list[float]
) -> None:
    finding = imported.finding(name, Kind.EXPLAINED_JUMPS)
    seen = [float(told.split(": x")[1].removesuffix(" seen")) for told in finding.examples]
    assert seen == pytest.approx(ratios, rel=0.35), "prices miss the ratio, but not by far"
    assert imported.report(name).of(Kind.UNEXPLAINED_JUMPS) is None
    record = next(each for each in imported.archive.sets() if f"{each.id.symbol} {each.id.timeframe}" == name)
    bars, actions = imported.archive.read(record.id), imported.store.read().of(record.id.symbol)
    assert discontinuities(bars, ()) != ()
    left = discontinuities(adjusted(bars, actions, "split"), ())
    # What moved while the set has no bars stays: nobody knows by what.
    assert all((jump.at - jump.before_at).days > 30 for jump in left)


def test_incident_10_news_stays_unexplained_until_a_person_has_looked(
    imported: Imported, tmp_path: Path
) -> None:
    for name, place in (("SAVA 1Min", "2024-11-25T13:00Z"), ("GME 1Min", "2024-06-03T08:00Z")):
        finding = imported.finding(name, Kind.UNEXPLAINED_JUMPS)
        assert finding.count == 1
        assert finding.examples[0].startswith(place)
        assert imported.report(name).verdict is Verdict.UNFIT
    (tmp_path / "table.csv").write_text(SPLITS + CONFIRMED)
    confirmed = CorporateActionFile(tmp_path / "table.csv")
    for report in check_bars(imported.archive, confirmed, calendar, ("SAVA", "GME")):
        assert report.of(Kind.UNEXPLAINED_JUMPS) is None
        assert report.verdict is Verdict.FIT_WITH_WARNINGS


def test_bad_prints_are_found(imported: Imported) -> None:
    finding = imported.finding("CTMX 1Min", Kind.BAD_PRINTS)
    assert finding.examples[0].startswith("2024-11-21T09:01Z")


@pytest.mark.parametrize(
    ("name", "days"),
    [
        ("GME 1Min", ["2024-05-13", "2024-05-14", "2024-05-15", "2024-06-06", "2024-06-07"]),
        ("AMC 1Min", ["2024-05-14", "2024-05-15", "2024-06-07"]),
    ],
)
def test_halts_of_the_wild_days_are_found(imported: Imported, name: str, days: list[str]) -> None:
    record = next(each for each in imported.archive.sets() if f"{each.id.symbol} {each.id.timeframe}" == name)
    bars = imported.archive.read(record.id)
    grid = session_grid(bars, calendar("XNYS"), record.requested, record.fetched_at)
    found = {str(day_date(run.begins_ns // DAY_NS)) for run in halt_runs(bars, grid)}
    assert set(days) <= found
    assert imported.finding(name, Kind.HALTS).severity is Severity.WARN


@pytest.mark.parametrize("symbol", ["EBON", "LCFY", "TNMG"])
def test_thin_symbols_are_unfit_for_minutes(imported: Imported, symbol: str) -> None:
    assert imported.finding(f"{symbol} 1Min", Kind.THIN_SYMBOL).severity is Severity.REFUSE
    assert imported.report(f"{symbol} 1Min").of(Kind.HALTS) is None


@pytest.mark.parametrize(
    ("name", "percent"),
    [
        ("ACB 1Min", 8),
        ("BTCS 1Min", 16),
        ("CGC 1Min", 28),
        ("EBON 1Min", 6),
        ("ONDS 1Min", 36),
        ("SPCE 1Min", 32),
    ],
)
def test_extended_hours_are_measured(imported: Imported, name: str, percent: int) -> None:
    assert imported.finding(name, Kind.EXTENDED_HOURS).measured.startswith(f"{percent}% of the bars")


def test_what_is_sound_is_called_fit(imported: Imported) -> None:
    fit = {name for name, report in imported.reports.items() if report.verdict is Verdict.FIT}
    assert {"AAPL 1Hour", "AMZN 1Hour", "GOOGL 1Hour", "NVDA 1Hour", "TSLA 1Hour", "SPCE 1Min"} <= fit


def test_earnings_are_no_bars(imported: Imported, reference_data: Path) -> None:
    for path in (reference_data / "cache" / "earnings").glob("*.parquet"):
        with pytest.raises(NotBars):
            interpreted(read_foreign(path.read_bytes(), path.name), Declared(), calendar)
