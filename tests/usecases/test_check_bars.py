"""Checking and listing what the archive holds."""

from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

import pytest

from magellan.adapters.corporate_action_file import CorporateActionFile
from magellan.adapters.exchange_calendar import load_calendar
from magellan.adapters.import_journal import JsonLinesImportJournal
from magellan.adapters.parquet.bar_archive import ParquetBarArchive
from magellan.archive.actions import CorporateActionTable
from magellan.archive.dataset import (
    Adjustment,
    DateRange,
    Provenance,
    SetId,
    SetNotFound,
    SetRecord,
    Source,
    find_set,
)
from magellan.archive.generated.defect import UnadjustedSplit
from magellan.archive.generated.generate import generate
from magellan.archive.generated.market import Market
from magellan.archive.generated.style import Style
from magellan.archive.quality.finding import Kind, Verdict
from magellan.errors import FixInput
from magellan.trading.corporate_action import CorporateAction
from magellan.trading.session import ExchangeCalendar, Hours
from magellan.trading.timeframe import DAY, HOUR, MINUTE, Timeframe
from magellan.usecases.check_bars import check_bars
from magellan.usecases.corporate_actions import forget_action, list_actions, record_action
from magellan.usecases.list_bars import list_bars

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
SPLIT_ON = date(2025, 2, 10)


@cache
def calendar(name: str) -> ExchangeCalendar:
    return load_calendar(name, today=NOW.date())


class Desk:
    """An archive with a stock that splits, in hours and days, and one that does not."""

    def __init__(self, folder: Path) -> None:
        self.archive = ParquetBarArchive(folder)
        self.store = CorporateActionFile(folder / "corporate_actions.csv")
        self.journal = JsonLinesImportJournal(folder / "imports")
        self.split: CorporateAction | None = None
        for symbol, timeframe, vendor in (
            ("GALLEY", HOUR, "a"),
            ("GALLEY", DAY, "a"),
            ("GALLEY", DAY, "b"),
            ("OCEANS", DAY, "a"),
        ):
            self.fill(symbol, timeframe, vendor)

    def fill(self, symbol: str, timeframe: Timeframe, vendor: str) -> None:
        split = UnadjustedSplit(on=SPLIT_ON, new_shares=4, old_shares=1)
        market = generate(
            Market(
                symbol=symbol,
                style=Style.LARGE_CAP,
                first_on=date(2025, 1, 2),
                last_on=date(2025, 3, 31),
                timeframe=timeframe,
                defects=(split,) if symbol == "GALLEY" else (),
            ),
            calendar("XNYS"),
            seed=1,
        )
        for action in market.actions:
            self.split = action
        asked = DateRange(first_on=date(2025, 1, 2), last_on=date(2025, 3, 31))
        source = Source(name="x", sha256="0" * 64, rows=1, requested=asked, fetched_at=NOW)
        self.archive.merge(set_id(symbol, timeframe, vendor), market.bars(), Provenance(source=source))

    def verdicts(self, *wanted: str) -> dict[str, Verdict]:
        reports = check_bars(self.archive, self.store, calendar, wanted)
        return {report.set_id.slug: report.verdict for report in reports}


def set_id(symbol: str, timeframe: Timeframe, vendor: str) -> SetId:
    return SetId(
        symbol=symbol,
        timeframe=timeframe,
        vendor=vendor,
        feed="f",
        adjustment=Adjustment.RAW,
        hours=Hours.ALL,
    )


@pytest.fixture(scope="module")
def archived(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("data"))


@pytest.fixture
def desk(archived: Desk) -> Desk:
    archived.store.write(CorporateActionTable())
    return archived


ALL = [
    "a/f/raw/all/GALLEY/1Hour",
    "a/f/raw/all/GALLEY/1Day",
    "b/f/raw/all/GALLEY/1Day",
    "a/f/raw/all/OCEANS/1Day",
]


@pytest.mark.parametrize(
    ("wanted", "sets"),
    [
        ((), ALL),
        (("GALLEY",), ALL[:3]),
        (("galley",), ALL[:3]),
        (("b/f/raw/all/GALLEY/1Day",), ALL[2:3]),
        (("OCEANS", "a/f/raw/all/OCEANS/1Day"), ALL[3:]),
        (("OCEANS", "GALLEY"), ALL),
    ],
)
def test_sets_are_chosen_by_symbol_or_by_name(desk: Desk, wanted: tuple[str, ...], sets: list[str]) -> None:
    assert list(desk.verdicts(*wanted)) == sets
    assert [each.id.slug for each in list_bars(desk.archive, desk.journal, wanted).sets] == sets


@pytest.mark.parametrize("wanted", ["TSLA", "a/f/raw/all/TSLA/1Day"])
def test_a_name_that_fits_no_set_is_answered_with_what_there_is(desk: Desk, wanted: str) -> None:
    with pytest.raises(SetNotFound, match=f"no set of {wanted}") as told:
        desk.verdicts(wanted)
    assert "GALLEY, OCEANS" in told.value.next_step


def test_incident_10_a_split_is_unfit_until_the_table_explains_it(desk: Desk) -> None:
    assert set(desk.verdicts("GALLEY").values()) == {Verdict.UNFIT}
    assert desk.verdicts("OCEANS") == {ALL[3]: Verdict.FIT}
    assert desk.split is not None
    sightings = record_action(desk.store, desk.archive, desk.split)
    assert [(each.set, each.explained) for each in sightings] == [(name, True) for name in ALL[:3]]
    assert all(0.2 < each.factor < 0.3 for each in sightings)
    assert set(desk.verdicts("GALLEY").values()) == {Verdict.FIT}


def test_a_split_that_no_price_shows_is_recorded_and_said_to_be_unexplained(desk: Desk) -> None:
    assert desk.split is not None
    wrong = type(desk.split)(  # a week late
        symbol="GALLEY", effective_at=datetime(2025, 2, 18, 5, tzinfo=UTC), new_shares=4, old_shares=1
    )
    assert [each.explained for each in record_action(desk.store, desk.archive, wrong)] == [False] * 3
    (report,) = check_bars(desk.archive, desk.store, calendar, (ALL[1],))
    finding = report.of(Kind.UNEXPLAINED_JUMPS)
    assert finding is not None
    assert finding.count == 2


def test_an_action_can_be_forgotten_again(desk: Desk) -> None:
    assert desk.split is not None
    record_action(desk.store, desk.archive, desk.split)
    with pytest.raises(FixInput, match="already holds GALLEY split 2025-02-10, 4 for 1"):
        record_action(desk.store, desk.archive, desk.split)
    assert list_actions(desk.store, ["galley"]) == (desk.split,)
    assert list_actions(desk.store, ["OCEANS"]) == ()
    at = datetime(2025, 2, 10, 5, tzinfo=UTC)
    with pytest.raises(FixInput, match="holds no dividend of GALLEY"):
        forget_action(desk.store, "dividend", "GALLEY", at)
    with pytest.raises(FixInput, match="'merger' is not one of"):
        forget_action(desk.store, "merger", "GALLEY", at)
    forget_action(desk.store, "split", "GALLEY", at)
    assert list_actions(desk.store) == ()


def test_a_damaged_set_is_unfit_and_the_others_are_judged_all_the_same(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    (part,) = tmp_path.glob("bars/a/f/raw/all/OCEANS/1Day/*.parquet")
    part.write_bytes(part.read_bytes()[:100])
    reports = {each.set_id.slug: each for each in check_bars(desk.archive, desk.store, calendar)}
    assert list(reports) == ALL
    finding = reports[ALL[3]].of(Kind.UNREADABLE)
    assert finding is not None
    assert part.name in finding.measured
    assert reports[ALL[3]].verdict is Verdict.UNFIT
    assert reports[ALL[0]].of(Kind.UNEXPLAINED_JUMPS) is not None


def records(desk: Desk) -> tuple[SetRecord, ...]:
    return desk.archive.sets()


def test_the_one_set_that_fits_is_found(desk: Desk) -> None:
    assert find_set(records(desk), "GALLEY", HOUR).id.slug == ALL[0]
    assert find_set(records(desk), "GALLEY", DAY, vendor="b").id.slug == ALL[2]


@pytest.mark.parametrize(
    ("symbol", "timeframe", "vendor", "says"),
    [
        ("GALLEY", DAY, None, r"2 sets are called GALLEY 1Day: a/f/raw/all/GALLEY/1Day, b/f/"),
        ("GALLEY", MINUTE, None, r"holds no GALLEY 1Min; of GALLEY it holds a/f/raw/all/GALLEY/1Hour, "),
        ("GALLEY", HOUR, "b", r"holds no GALLEY 1Hour vendor=b"),
        ("TSLA", DAY, None, r"holds no TSLA 1Day; of TSLA it holds nothing"),
    ],
)
def test_a_set_is_never_guessed(
    desk: Desk, symbol: str, timeframe: Timeframe, vendor: str | None, says: str
) -> None:
    with pytest.raises(SetNotFound, match=says):
        find_set(records(desk), symbol, timeframe, vendor=vendor)


def test_where_several_sets_fit_it_is_said_how_one_is_chosen(desk: Desk) -> None:
    with pytest.raises(SetNotFound) as by_vendor:
        find_set(records(desk), "GALLEY", DAY)
    assert by_vendor.value.next_step == (
        "say which as data.vendor in config.json (a, b); for one run: --set data.vendor=a"
    )
    (hourly,) = (each for each in records(desk) if each.id.timeframe == HOUR)
    adjusted = replace(hourly, id=replace(hourly.id, adjustment=Adjustment.SPLIT))
    with pytest.raises(SetNotFound) as alike:
        find_set((hourly, adjusted), "GALLEY", HOUR)
    assert "no config tells these apart: move the folder" in alike.value.next_step
