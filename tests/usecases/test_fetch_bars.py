"""Fetching bars: only what is missing, only what is whole, and always saying what was kept."""

from datetime import UTC, date, datetime, timedelta
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magellan.adapters.exchange_calendar import load_calendar
from magellan.adapters.parquet.bar_archive import ParquetBarArchive
from magellan.archive.dataset import Adjustment, DateRange, SetId
from magellan.archive.generated.generate import generate
from magellan.archive.generated.market import Market
from magellan.archive.generated.style import Style
from magellan.errors import FixInput, Interrupted
from magellan.ports.vendor import VendorUnreachable
from magellan.trading.bar import Bars
from magellan.trading.session import ExchangeCalendar, Hours, day_number, session_columns
from magellan.trading.timeframe import DAY, HOUR, Timeframe
from magellan.usecases.fetch_bars import ShortRange, fetch_bars

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
LISTED_ON, LAST_ON = date(2025, 6, 2), date(2025, 12, 31)


def days(first_on: date, last_on: date) -> DateRange:
    return DateRange(first_on=first_on, last_on=last_on)


@cache
def xnys() -> ExchangeCalendar:
    return load_calendar(today=date(2026, 1, 15))


@cache
def true_bars(timeframe: Timeframe) -> Bars:
    market = Market(
        symbol="LIMPET", style=Style.THIN, first_on=LISTED_ON, last_on=LAST_ON, timeframe=timeframe
    )
    return generate(market, xnys(), seed=4).bars()


class FakeVendor:
    """Holds a market in memory; a test says what it leaves out, and when it breaks down."""

    name = "fake"

    def __init__(self, days_per_request: int = 30) -> None:
        self.asked: list[tuple[SetId, DateRange]] = []
        self.left_out: dict[Timeframe, set[date]] = {}
        self.breaks_at: int | None = None  # which request, counted from 1
        self.breaks_with: BaseException = VendorUnreachable("fake cannot be reached")
        self._days_per_request = days_per_request

    def set_id(self, symbol: str, timeframe: Timeframe, *, feed=None, adjustment=None, hours=None) -> SetId:
        return SetId(
            symbol=symbol,
            timeframe=timeframe,
            vendor=self.name,
            feed="all",
            adjustment=Adjustment.RAW,
            hours=Hours.REGULAR,
        )

    def days_per_request(self, timeframe: Timeframe) -> int:
        return 20_000 if timeframe.is_daily else self._days_per_request

    def bars(self, set_id: SetId, dates: DateRange) -> Bars:
        self.asked.append((set_id, dates))
        if len(self.asked) == self.breaks_at:
            raise self.breaks_with
        whole = true_bars(set_id.timeframe)
        day = session_columns(whole).day
        wanted = (day >= day_number(dates.first_on)) & (day <= day_number(dates.last_on))
        for each in self.left_out.get(set_id.timeframe, ()):
            wanted &= day != day_number(each)
        return whole.rows(wanted & (set_id.symbol == "LIMPET"))

    def leaves_out(self, dates: DateRange, *timeframes: Timeframe) -> None:
        span = (dates.last_on - dates.first_on).days + 1
        for timeframe in timeframes:
            gone = {dates.first_on + timedelta(days=day) for day in range(span)}
            self.left_out.setdefault(timeframe, set()).update(gone)

    def requests_for(self, timeframe: Timeframe) -> list[DateRange]:
        return [dates for set_id, dates in self.asked if set_id.timeframe == timeframe]


def fetch(
    vendor: FakeVendor, folder, dates: DateRange, timeframe: Timeframe = HOUR, symbol: str = "LIMPET", **terms
):
    return fetch_bars(
        vendor,
        ParquetBarArchive(folder),
        xnys(),
        vendor.set_id(symbol, timeframe),
        dates,
        now=NOW,
        **terms,
    )


def held(folder, timeframe: Timeframe = HOUR) -> Bars:
    return ParquetBarArchive(folder).read(FakeVendor().set_id("LIMPET", timeframe))


def test_a_fetch_brings_every_bar_of_its_dates_in_parts(tmp_path):
    vendor = FakeVendor(days_per_request=30)
    told = []
    fetched = fetch(
        vendor,
        tmp_path,
        days(date(2025, 9, 1), date(2025, 11, 30)),
        report=lambda *each: told.append(each),
    )
    assert [str(each) for each in vendor.requests_for(HOUR)] == [
        "2025-09-01..2025-09-30",
        "2025-10-01..2025-10-30",
        "2025-10-31..2025-11-29",
    ]  # and nobody was asked for the Sunday that is left
    bars = held(tmp_path)
    assert len(bars) == fetched.rows_added == fetched.record.rows
    wanted = true_bars(HOUR).between(datetime(2025, 9, 1, tzinfo=UTC), datetime(2025, 12, 1, tzinfo=UTC))
    assert np.array_equal(bars.close, wanted.close)
    assert told[-1] == ("LIMPET", 63, 63)
    (source, *_) = fetched.record.sources
    assert source.fetched_at == NOW
    assert fetched.notes == ()


def test_a_second_fetch_asks_for_nothing(tmp_path):
    dates = days(date(2025, 9, 2), date(2025, 11, 28))
    fetch(FakeVendor(), tmp_path, dates)
    vendor = FakeVendor()
    again = fetch(vendor, tmp_path, dates)
    assert vendor.asked == []
    assert (again.requests, again.rows_added) == (0, 0)


def test_a_wider_range_asks_for_both_ends_only(tmp_path):
    fetch(FakeVendor(), tmp_path, days(date(2025, 9, 2), date(2025, 9, 26)))
    vendor = FakeVendor()
    fetched = fetch(vendor, tmp_path, days(date(2025, 8, 4), date(2025, 10, 17)))
    assert [str(each) for each in vendor.requests_for(HOUR)] == [
        "2025-08-04..2025-09-01",
        "2025-09-27..2025-10-17",
    ]
    assert fetched.record.requested == (days(date(2025, 8, 4), date(2025, 10, 17)),)


@pytest.mark.parametrize("breaks_at", [1, 2, 4])
def test_what_arrived_before_a_breakdown_is_kept_and_said(tmp_path, breaks_at):
    vendor = FakeVendor()
    vendor.breaks_at = breaks_at
    dates = days(date(2025, 8, 4), date(2025, 12, 31))
    with pytest.raises(VendorUnreachable) as broken:
        fetch(vendor, tmp_path, dates)
    if breaks_at == 1:
        assert "holds no fake/all" in broken.value.kept
    else:
        assert f"{len(held(tmp_path)):,} bars of fake/all" in broken.value.kept
    whole = FakeVendor()
    fetched = fetch(whole, tmp_path, dates)
    assert len(whole.requests_for(HOUR)) == 5 - (breaks_at - 1)
    assert fetched.record.requested == (dates,)


def test_ctrl_c_says_what_was_kept(tmp_path):
    vendor = FakeVendor()
    vendor.breaks_at, vendor.breaks_with = 3, KeyboardInterrupt()
    with pytest.raises(Interrupted) as stopped:
        fetch(vendor, tmp_path, days(date(2025, 8, 4), date(2025, 12, 31)))
    assert "2025-08-04..2025-10-02" in stopped.value.kept
    assert "fetches only what is missing" in stopped.value.next_step


@given(cuts=st.lists(st.integers(1, 9), max_size=5), days_per_request=st.sampled_from([7, 20, 31, 400]))
@settings(max_examples=8, deadline=None)
def test_however_often_a_fetch_breaks_it_ends_with_the_same_bars(tmp_path_factory, cuts, days_per_request):
    folder = tmp_path_factory.mktemp("archive")
    dates = days(date(2025, 8, 4), date(2025, 11, 3))
    for breaks_at in cuts:
        vendor = FakeVendor(days_per_request)
        vendor.breaks_at = breaks_at
        try:
            fetch(vendor, folder, dates)
        except VendorUnreachable:
            continue
    fetch(FakeVendor(days_per_request), folder, dates)
    wanted = true_bars(HOUR).between(datetime(2025, 8, 4, tzinfo=UTC), datetime(2025, 11, 4, tzinfo=UTC))
    assert np.array_equal(held(folder).opened_at_ns, wanted.opened_at_ns)


def test_a_vendor_that_leaves_out_the_first_months_fails(tmp_path):
    """Incident 21: the file said two years and held three months. The vendor's daily bars are the witness."""
    vendor = FakeVendor(days_per_request=400)
    vendor.leaves_out(days(date(2025, 7, 1), date(2025, 9, 30)), HOUR)
    with pytest.raises(ShortRange, match="left out 64 sessions from 2025-07-01 to 2025-09-30") as short:
        fetch(vendor, tmp_path, days(date(2025, 7, 1), date(2025, 12, 31)))
    assert "its own daily bars say that it traded" in short.value.message
    assert "--from 2025-10-01" in short.value.next_step
    assert ParquetBarArchive(tmp_path).sets() == ()
    fetch(vendor, tmp_path, days(date(2025, 10, 1), date(2025, 12, 31)))


def test_a_vendor_that_leaves_out_the_last_days_fails(tmp_path):
    vendor = FakeVendor(days_per_request=30)
    vendor.leaves_out(days(date(2025, 12, 30), date(2025, 12, 31)), HOUR)
    with pytest.raises(ShortRange, match="left out 2 sessions from 2025-12-30 to 2025-12-31") as short:
        fetch(vendor, tmp_path, days(date(2025, 10, 1), date(2025, 12, 31)))
    assert "2025-10-01..2025-12-29" in short.value.kept
    assert "--to 2025-12-29" in short.value.next_step


def test_a_vendor_that_leaves_out_days_in_the_middle_fails(tmp_path):
    vendor = FakeVendor()
    vendor.leaves_out(days(date(2025, 10, 14), date(2025, 10, 14)), HOUR)
    with pytest.raises(ShortRange, match="left out 2025-10-14"):
        fetch(vendor, tmp_path, days(date(2025, 10, 1), date(2025, 10, 31)))


def test_days_without_a_trade_in_the_middle_are_no_fault(tmp_path):
    """A halt of a week: there is no daily bar either, so nothing was left out."""
    vendor = FakeVendor(days_per_request=7)
    halt = days(date(2025, 10, 6), date(2025, 10, 17))
    vendor.leaves_out(halt, HOUR, DAY)
    dates = days(date(2025, 10, 1), date(2025, 10, 31))
    fetched = fetch(vendor, tmp_path, dates)
    assert fetched.record.requested == (dates,)
    assert all("no bar on" in each and "no trade either" in each for each in fetched.notes)
    assert vendor.requests_for(DAY) == [dates]  # the witness was asked once
    again = FakeVendor()
    fetch(again, tmp_path, dates)
    assert again.asked == []


@pytest.mark.parametrize("timeframe", [HOUR, DAY])
def test_a_range_that_begins_long_before_the_listing_needs_a_persons_word(tmp_path, timeframe):
    """Before the listing and before the vendor's history look the same; so the user says which it is."""
    vendor = FakeVendor(days_per_request=400)
    with pytest.raises(ShortRange, match="left out 102 sessions from 2025-01-02 to 2025-05-30") as short:
        fetch(vendor, tmp_path, days(date(2025, 1, 2), date(2025, 12, 31)), timeframe)
    assert "if it was listed later, fetch with --from 2025-06-02" in short.value.next_step
    fetch(vendor, tmp_path, days(LISTED_ON, LAST_ON), timeframe)


def test_a_range_that_ends_long_after_the_last_trade_needs_a_persons_word(tmp_path):
    vendor = FakeVendor()
    vendor.leaves_out(days(date(2025, 11, 15), LAST_ON), HOUR, DAY)
    with pytest.raises(ShortRange, match="left out") as short:
        fetch(vendor, tmp_path, days(date(2025, 9, 2), LAST_ON))
    assert "if it was delisted before, fetch with --to 2025-11-14" in short.value.next_step


def test_a_thin_symbol_may_miss_a_few_days_at_an_edge_which_are_asked_for_again(tmp_path):
    vendor = FakeVendor()
    vendor.leaves_out(days(date(2025, 10, 29), date(2025, 10, 31)), HOUR, DAY)
    fetched = fetch(vendor, tmp_path, days(date(2025, 10, 6), date(2025, 10, 31)))
    assert "3 sessions from 2025-10-29 to 2025-10-31" in fetched.notes[0]
    assert fetched.record.requested == (days(date(2025, 10, 6), date(2025, 10, 28)),)
    later = FakeVendor()  # by now the vendor has published them
    assert fetch(later, tmp_path, days(date(2025, 10, 6), date(2025, 10, 31))).rows_added > 0
    assert [str(each) for each in later.requests_for(HOUR)] == ["2025-10-29..2025-10-31"]


def test_daily_bars_have_no_witness_so_not_one_day_may_be_absent_at_an_edge(tmp_path):
    vendor = FakeVendor()
    vendor.leaves_out(days(date(2025, 12, 31), date(2025, 12, 31)), DAY)
    with pytest.raises(ShortRange, match="left out 2025-12-31"):
        fetch(vendor, tmp_path, days(date(2025, 9, 2), LAST_ON), DAY)


def test_a_daily_bar_absent_in_the_middle_is_left_to_the_quality_report(tmp_path):
    vendor = FakeVendor()
    vendor.leaves_out(days(date(2025, 10, 14), date(2025, 10, 14)), DAY)
    fetched = fetch(vendor, tmp_path, days(date(2025, 9, 2), LAST_ON), DAY)
    assert "2025-10-14: `magellan data check` judges that" in fetched.notes[0]


def test_days_before_those_held_are_not_taken_for_the_listing(tmp_path):
    """The archive already holds later bars, so a gap before them is at the edge of nothing new."""
    fetch(FakeVendor(), tmp_path, days(date(2025, 6, 2), date(2025, 8, 1)))
    vendor = FakeVendor(days_per_request=400)
    vendor.leaves_out(days(date(2025, 8, 4), date(2025, 8, 20)), HOUR, DAY)
    fetched = fetch(vendor, tmp_path, days(date(2025, 8, 2), date(2025, 9, 30)))
    assert "13 sessions from 2025-08-04 to 2025-08-20" in fetched.notes[0]


@pytest.mark.parametrize("timeframe", [HOUR, DAY])
def test_a_symbol_of_which_the_vendor_has_nothing_is_said(tmp_path, timeframe):
    with pytest.raises(FixInput, match="fake has no bar of NOSUCH in 2025-09-02") as nothing:
        fetch(FakeVendor(), tmp_path, days(date(2025, 9, 2), date(2025, 10, 31)), timeframe, symbol="NOSUCH")
    assert "symbol" in nothing.value.next_step


@pytest.mark.parametrize(
    ("dates", "said"),
    [
        (days(date(2026, 1, 5), date(2026, 1, 15)), "still being made"),
        (days(date(2026, 1, 5), date(2026, 2, 15)), "still being made"),
        (days(date(2025, 11, 1), date(2025, 11, 2)), "no session"),
        (days(date(1850, 1, 1), date(1850, 2, 1)), "calendar XNYS covers"),
    ],
)
def test_a_range_that_cannot_be_is_refused_before_anybody_is_asked(tmp_path, dates, said):
    vendor = FakeVendor()
    with pytest.raises(FixInput, match=said):
        fetch(vendor, tmp_path, dates)
    assert vendor.asked == []


def test_just_after_midnight_in_utc_the_exchange_still_has_yesterday(tmp_path):
    vendor = FakeVendor()
    late = datetime(2025, 12, 31, 2, tzinfo=UTC)  # 21:00 on the 30th in New York
    with pytest.raises(FixInput, match="2025-12-30"):
        fetch_bars(
            vendor,
            ParquetBarArchive(tmp_path),
            xnys(),
            vendor.set_id("LIMPET", HOUR),
            days(date(2025, 12, 1), date(2025, 12, 30)),
            now=late,
        )
