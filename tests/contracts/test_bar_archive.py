"""What every archive of bars keeps, whichever adapter it is."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magellan.adapters.parquet.bar_archive import ParquetBarArchive
from magellan.archive.checksum import content_sha256
from magellan.archive.dataset import (
    Adjustment,
    BarsDisagree,
    DateRange,
    Provenance,
    SetId,
    SetNotFound,
    Source,
)
from magellan.archive.generated.small_market import small_market
from magellan.errors import FixInput
from magellan.ports.bars import BarArchive
from magellan.trading.bar import PRICE_COLUMNS, Bars, instant
from magellan.trading.session import Hours
from magellan.trading.timeframe import DAY, DAY_NS, HOUR, MINUTE, Timeframe

COLUMNS = (*PRICE_COLUMNS, "volume")
FETCHED_AT = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture(params=[ParquetBarArchive])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> BarArchive:
    made: BarArchive = request.param(tmp_path / "data")
    return made


def set_id(symbol: str = "TEST", timeframe: Timeframe = MINUTE, **others: object) -> SetId:
    fields = {"vendor": "alpaca", "feed": "sip", "adjustment": Adjustment.RAW, "hours": Hours.ALL} | others
    return SetId(symbol=symbol, timeframe=timeframe, **fields)  # type: ignore[arg-type]


def given_by(name: str, *, sha256: str | None = None, **others: object) -> Provenance:
    source = Source(
        name=name,
        sha256=sha256 or name.encode().hex().ljust(64, "0")[:64],
        rows=1,
        requested=None,
        fetched_at=FETCHED_AT,
    )
    return Provenance(source=source, **others)  # type: ignore[arg-type]


def equal(left: Bars, right: Bars) -> bool:
    return np.array_equal(left.opened_at_ns, right.opened_at_ns) and all(
        np.array_equal(getattr(left, name), getattr(right, name)) for name in COLUMNS
    )


def changed(bars: Bars, row: int, **values: float) -> Bars:
    columns = {name: getattr(bars, name).copy() for name in COLUMNS}
    for name, value in values.items():
        columns[name][row] = value
    return Bars(symbol=bars.symbol, timeframe=bars.timeframe, opened_at_ns=bars.opened_at_ns, **columns)


@pytest.mark.parametrize("timeframe", [MINUTE, HOUR, DAY])
def test_what_was_merged_is_read_back_to_the_last_digit(archive: BarArchive, timeframe: Timeframe) -> None:
    bars = small_market(1, 800, timeframe=timeframe)
    outcome = archive.merge(set_id(timeframe=timeframe), bars, given_by("a"))
    assert equal(archive.read(set_id(timeframe=timeframe)), bars)
    assert (outcome.rows_added, outcome.rows_already_there, outcome.record.rows) == (800, 0, 800)


def test_bars_that_were_read_can_be_written_to(archive: BarArchive) -> None:
    # Numba compiles a kernel once more for read-only arrays.
    archive.merge(set_id(), small_market(1, 10), given_by("a"))
    bars = archive.read(set_id())
    assert all(getattr(bars, name).flags.writeable for name in ("opened_at_ns", *COLUMNS))


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (0, 50),
        (10, 20),
        (49, 50),
        (None, 20),
        (20, None),
        (None, None),
        (20, 20),
        (30, 20),
        (-99, 0),
        (50, 99),
    ],
)
def test_a_sub_range_is_what_lies_between_its_ends(
    archive: BarArchive, first: int | None, last: int | None
) -> None:
    bars = small_market(2, 50, timeframe=HOUR)
    archive.merge(set_id(timeframe=HOUR), bars, given_by("a"))
    begin = bars.bar(0).opened_at

    def at(hours: int | None) -> datetime | None:
        return None if hours is None else begin + timedelta(hours=hours)

    assert equal(archive.read(set_id(timeframe=HOUR), at(first), at(last)), bars.between(at(first), at(last)))


@pytest.fixture(scope="module")
def several_parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[BarArchive, Bars]:
    """An archive with a set that lies in several parts, and its bars."""
    archive = ParquetBarArchive(tmp_path_factory.mktemp("several"))
    bars = spread_over_years(small_market(3, 60))
    archive.merge(set_id(), bars, given_by("a"))
    return archive, bars


@settings(max_examples=60)
@given(data=st.data())
def test_reading_a_part_equals_a_part_of_reading_all(
    several_parts: tuple[BarArchive, Bars], data: st.DataObject
) -> None:
    archive, bars = several_parts
    everywhere = st.tuples(st.integers(0, 59), st.integers(-2, 2)).map(
        lambda two: instant(int(bars.opened_at_ns[two[0]])) + timedelta(minutes=two[1])
    )
    ends = data.draw(st.tuples(st.none() | everywhere, st.none() | everywhere))
    assert equal(archive.read(set_id(), *ends), archive.read(set_id()).between(*ends))


def spread_over_years(bars: Bars) -> Bars:
    """The same bars, with a year between one dozen and the next: so they lie in several parts."""
    at = bars.opened_at_ns + np.arange(len(bars), dtype=np.int64) // 12 * 366 * DAY_NS
    return Bars(
        symbol=bars.symbol,
        timeframe=bars.timeframe,
        opened_at_ns=at,
        **{name: getattr(bars, name) for name in COLUMNS},
    )


@settings(max_examples=15)
@given(
    pieces=st.lists(
        st.tuples(st.integers(0, 39), st.integers(1, 40)).map(lambda two: slice(two[0], two[0] + two[1])),
        min_size=1,
        max_size=5,
    ),
    data=st.data(),
)
def test_merging_in_any_order_and_overlap_equals_merging_at_once(
    pieces: list[slice], data: st.DataObject
) -> None:
    bars = spread_over_years(small_market(4, 40))
    whole = bars.rows(np.unique(np.concatenate([np.arange(40)[piece] for piece in pieces])))
    with TemporaryDirectory() as folder:
        by_parts, at_once = ParquetBarArchive(Path(folder, "a")), ParquetBarArchive(Path(folder, "b"))
        for number, piece in enumerate(data.draw(st.permutations(pieces))):
            by_parts.merge(set_id(), bars.rows(piece), given_by(f"piece {number}"))
        at_once.merge(set_id(), whole, given_by("whole"))
        assert equal(by_parts.read(set_id()), at_once.read(set_id()))
        assert by_parts.record(set_id()).sha256 == at_once.record(set_id()).sha256 == content_sha256(whole)


def test_merging_the_same_again_changes_nothing(archive: BarArchive) -> None:
    bars = small_market(5, 500)
    before = archive.merge(set_id(), bars, given_by("a"))
    again = archive.merge(set_id(), bars, given_by("a"))
    assert (again.rows_added, again.rows_already_there, again.changed) == (0, 500, False)
    assert again.record == before.record


def test_the_same_source_with_another_range_replaces_what_was_said_before(archive: BarArchive) -> None:
    bars = small_market(5, 20, timeframe=DAY)
    ours = set_id(timeframe=DAY)
    held = DateRange(first_on=date(2024, 1, 1), last_on=date(2024, 1, 26))
    asked = DateRange(first_on=date(2023, 1, 1), last_on=date(2024, 1, 26))
    source = Source(name="a.csv", sha256="1" * 64, rows=20, requested=asked, fetched_at=FETCHED_AT)
    archive.merge(ours, bars, Provenance(source=source))
    assert archive.record(ours).requested == (asked,)
    accepted = replace(source, requested=held)
    archive.merge(ours, bars, Provenance(source=accepted))
    assert archive.record(ours).requested == (held,)
    assert archive.record(ours).sources == (accepted,)


def test_bars_that_disagree_are_refused_by_the_first_of_them_and_nothing_changes(archive: BarArchive) -> None:
    bars = spread_over_years(small_market(6, 30))
    archive.merge(set_id(), bars.rows(slice(0, 20)), given_by("first.csv"))
    before = archive.record(set_id())
    other = changed(bars, 12, close=float(bars.close[12]), volume=1.0)
    with pytest.raises(BarsDisagree) as refused:
        archive.merge(set_id(), other, given_by("second.csv"))
    assert f"{bars.bar(12).opened_at:%Y-%m-%dT%H:%M}Z" in refused.value.message
    assert "second.csv" in refused.value.message
    assert f"volume {bars.volume[12]:.10g} and 1" in refused.value.message
    assert archive.record(set_id()) == before
    assert equal(archive.read(set_id()), bars.rows(slice(0, 20)))


def test_a_dry_run_says_what_would_happen_and_writes_nothing(archive: BarArchive) -> None:
    bars = small_market(7, 100)
    would = archive.merge(set_id(), bars, given_by("a"), dry_run=True)
    assert (would.rows_added, would.record.rows) == (100, 100)
    with pytest.raises(SetNotFound):
        archive.record(set_id())
    archive.merge(set_id(), bars.rows(slice(0, 60)), given_by("a"))
    would = archive.merge(set_id(), bars, given_by("b"), dry_run=True)
    assert (would.rows_added, would.rows_already_there) == (40, 60)
    assert archive.record(set_id()).rows == 60
    with pytest.raises(BarsDisagree):
        archive.merge(set_id(), changed(bars, 3, volume=1e9), given_by("c"), dry_run=True)


def test_sets_that_differ_in_anything_never_mix(archive: BarArchive) -> None:
    ids = [
        set_id(),
        set_id(symbol="OTHER"),
        set_id(timeframe=HOUR),
        set_id(vendor="polygon"),
        set_id(feed="iex"),
        set_id(adjustment=Adjustment.SPLIT),
        set_id(hours=Hours.REGULAR),
        set_id(symbol="BTC/USD"),
    ]
    for number, each in enumerate(ids):
        market = small_market(number, 20 + number, symbol=each.symbol, timeframe=each.timeframe)
        archive.merge(each, market, given_by("a"))
    assert [record.id for record in archive.sets()] == sorted(ids)
    for number, each in enumerate(ids):
        expected = small_market(number, 20 + number, symbol=each.symbol, timeframe=each.timeframe)
        assert equal(archive.read(each), expected)


def test_a_record_tells_where_its_bars_came_from(archive: BarArchive) -> None:
    bars = small_market(8, 40, timeframe=DAY)
    asked = DateRange(first_on=date(2024, 1, 1), last_on=date(2024, 1, 31))
    first = Source(
        name="january.csv",
        sha256="1" * 64,
        rows=23,
        requested=asked,
        fetched_at=FETCHED_AT,
        assumptions=("prices are raw",),
        repeated_rows=2,
    )
    second = Source(
        name="download", sha256="2" * 64, rows=17, requested=None, fetched_at=FETCHED_AT + timedelta(days=1)
    )
    ours = set_id(timeframe=DAY)
    archive.merge(ours, bars.rows(slice(0, 23)), Provenance(source=first, calendar="CMES", point_value=50.0))
    archive.merge(
        ours, bars.rows(slice(23, 40)), Provenance(source=second, calendar="CMES", point_value=50.0)
    )
    record = archive.record(ours)
    assert record.sources == (first, second)
    assert record.requested == (DateRange(first_on=date(2024, 1, 1), last_on=date(2024, 2, 23)),)
    assert (record.first_at, record.last_at) == (bars.bar(0).opened_at, bars.bar(39).opened_at)
    assert (record.calendar, record.point_value, record.generated) == ("CMES", 50.0, False)
    assert (record.fetched_at, record.assumptions) == (second.fetched_at, ("prices are raw",))


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ({"calendar": "CMES"}, "calendar XNYS.*comes with CMES"),
        ({"point_value": 50.0}, "point value 1.0.*comes with 50.0"),
        ({"generated": True}, "generated False.*comes with True"),
    ],
)
def test_generated_bars_and_other_terms_never_join_a_set(
    archive: BarArchive, terms: dict[str, object], says: str
) -> None:
    bars = small_market(9, 20)
    archive.merge(set_id(), bars.rows(slice(0, 10)), given_by("a"))
    with pytest.raises(FixInput, match=says):
        archive.merge(set_id(), bars, given_by("b", **terms))
    assert archive.record(set_id()).rows == 10


def test_negative_prices_are_refused_until_the_set_has_them(archive: BarArchive) -> None:
    bars = small_market(10, 20)
    below = changed(bars, 5, open=-1.0, low=-40.0)
    with pytest.raises(FixInput, match="not above zero"):
        archive.merge(set_id(), below, given_by("a"))
    archive.merge(set_id(), below.rows(slice(0, 10)), given_by("a", negative_prices=True))
    assert archive.merge(set_id(), below, given_by("b")).record.negative_prices
    assert archive.record(set_id()).instrument.negative_prices


BROKEN: list[tuple[str, Callable[[Bars], Bars]]] = [
    ("close is nan", lambda bars: changed(bars, 3, close=float("nan"))),
    ("outside low..high", lambda bars: changed(bars, 3, close=1e6)),
    ("volume is -1.0", lambda bars: changed(bars, 3, volume=-1.0)),
    ("does not lie after", lambda bars: bars.rows(np.array([0, 2, 1]))),
    ("holds no bars", lambda bars: bars.rows(slice(0, 0))),
]


@pytest.mark.parametrize(("says", "broken"), BROKEN, ids=[says for says, _ in BROKEN])
def test_unsound_bars_never_enter(archive: BarArchive, says: str, broken: Callable[[Bars], Bars]) -> None:
    with pytest.raises(FixInput, match=says):
        archive.merge(set_id(), broken(small_market(11, 20)), given_by("a"))
    assert archive.sets() == ()


def test_incident_9_bars_of_another_timeframe_are_refused(archive: BarArchive) -> None:
    minutes = small_market(12, 100)
    with pytest.raises(FixInput, match="TEST 1Min do not belong into"):
        archive.merge(set_id(timeframe=DAY), minutes, given_by("a"))
    relabelled = Bars(
        symbol="TEST",
        timeframe=HOUR,
        opened_at_ns=minutes.opened_at_ns,
        **{name: getattr(minutes, name) for name in COLUMNS},
    )
    with pytest.raises(FixInput, match="less than one bar apart"):
        archive.merge(set_id(timeframe=HOUR), relabelled, given_by("a"))
    days = Bars(
        symbol="TEST",
        timeframe=DAY,
        opened_at_ns=minutes.opened_at_ns,
        **{name: getattr(minutes, name) for name in COLUMNS},
    )
    with pytest.raises(FixInput, match="not midnight UTC"):
        archive.merge(set_id(timeframe=DAY), days, given_by("a"))


def test_an_unknown_set_is_answered_with_what_there_is(archive: BarArchive) -> None:
    archive.merge(set_id(), small_market(13, 5), given_by("a"))
    for ask in (archive.record, archive.read):
        with pytest.raises(SetNotFound, match="of TEST it holds alpaca/sip/raw/all/TEST/1Min"):
            ask(set_id(feed="iex"))
        with pytest.raises(SetNotFound, match="of NONE it holds nothing"):
            ask(set_id(symbol="NONE"))


def test_a_range_without_bars_is_empty_and_no_error(archive: BarArchive) -> None:
    archive.merge(set_id(), small_market(14, 5), given_by("a"))
    later = datetime(2030, 1, 1, tzinfo=UTC)
    assert len(archive.read(set_id(), later)) == 0
    assert len(archive.read(set_id(), None, datetime(2000, 1, 1, tzinfo=UTC))) == 0


def test_naive_ends_of_a_range_are_refused(archive: BarArchive) -> None:
    archive.merge(set_id(), small_market(15, 5), given_by("a"))
    with pytest.raises(FixInput, match="no time zone"):
        archive.read(set_id(), datetime(2024, 1, 2))


def test_a_rebuilt_catalogue_knows_what_the_old_one_knew(archive: BarArchive) -> None:
    bars = spread_over_years(small_market(16, 40))
    for number, piece in enumerate((slice(0, 10), slice(5, 30), slice(30, 40))):
        archive.merge(set_id(), bars.rows(piece), given_by(f"piece {number}"))
    archive.merge(set_id(symbol="OTHER"), small_market(17, 50, symbol="OTHER"), given_by("other"))
    before = archive.sets()
    rebuilt = archive.rebuild()
    assert rebuilt.records == archive.sets() == before
    assert rebuilt.damaged == ()


@pytest.fixture(autouse=True)
def no_leftovers(tmp_path: Path) -> Iterator[None]:
    yield
    assert list(tmp_path.rglob("*.unfinished")) == []
