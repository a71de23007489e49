"""From a foreign file to bars: what is taken for granted is said, and what would be a guess is refused."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pytest

from magellan.adapters.exchange_calendar import load_calendar
from magellan.adapters.parquet.foreign_file import read_foreign
from magellan.archive.dataset import Adjustment, DateRange
from magellan.archive.declared import Declared, Label, RangePolicy
from magellan.archive.foreign_table import ForeignColumn, ForeignTable, Kind
from magellan.archive.generated.generate import generate
from magellan.archive.generated.market import Market
from magellan.archive.generated.style import Style
from magellan.archive.interpretation import Interpreted, interpreted
from magellan.archive.layout import NotBars
from magellan.errors import FixInput
from magellan.trading.bar import PRICE_COLUMNS, Bars, instant
from magellan.trading.session import ExchangeCalendar, Hours, exchange_offset_ns
from magellan.trading.timeframe import DAY, HOUR, MINUTE, Timeframe

COLUMNS = (*PRICE_COLUMNS, "volume")


@cache
def calendar(name: str) -> ExchangeCalendar:
    return load_calendar(name, today=date(2026, 1, 15))


@cache
def market(timeframe: Timeframe = MINUTE, first: str = "2025-03-03", last: str = "2025-03-14") -> Bars:
    """Two weeks around the clock change of spring, with the hours around the session."""
    return generate(
        Market(
            symbol="TSLA",
            style=Style.LARGE_CAP,
            first_on=date.fromisoformat(first),
            last_on=date.fromisoformat(last),
            timeframe=timeframe,
            hours=Hours.REGULAR if timeframe.is_daily else Hours.ALL,
        ),
        calendar("XNYS"),
        seed=3,
    ).bars()


def same(found: Interpreted, bars: Bars) -> bool:
    return np.array_equal(found.bars.opened_at_ns, bars.opened_at_ns) and all(
        np.array_equal(getattr(found.bars, name), getattr(bars, name)) for name in COLUMNS
    )


def table_of(
    bars: Bars,
    name: str,
    *,
    time: str = "timestamp",
    kind: Kind = Kind.WALL,
    shift_ns: Any = 0,
    is_text: bool = False,
    **more: ForeignColumn,
) -> ForeignTable:
    """The bars as a foreign table; `shift_ns` is added to the times."""
    nothing = np.zeros(len(bars), dtype=bool)
    columns = [ForeignColumn(name=time, kind=kind, values=bars.opened_at_ns + shift_ns, missing=nothing)]
    columns += [
        ForeignColumn(name=each, kind=Kind.NUMBER, values=getattr(bars, each), missing=nothing)
        for each in COLUMNS
    ]
    return ForeignTable(
        file_name=name,
        columns=(*columns, *more.values()),
        rows=len(bars),
        first_line=2 if is_text else 1,
        is_text=is_text,
    )


def numbers(name: str, rows: int) -> ForeignColumn:
    return ForeignColumn(
        name=name, kind=Kind.NUMBER, values=np.ones(rows), missing=np.zeros(rows, dtype=bool)
    )


def read(table: ForeignTable, **declared: Any) -> Interpreted:
    (found,) = interpreted(table, Declared(**declared), calendar)
    return found


def refusal(table: ForeignTable, **declared: Any) -> str:
    with pytest.raises(FixInput) as refused:
        interpreted(table, Declared(**declared), calendar)
    assert table.file_name in refused.value.message
    assert refused.value.next_step or "line" in refused.value.message or "row" in refused.value.message
    return str(refused.value)


def csv(
    *lines: str, header: str = "timestamp,open,high,low,close,volume", name: str = "TSLA.csv"
) -> ForeignTable:
    return read_foreign("\n".join([header, *lines, ""]).encode(), name)


ROW = "10,11,9,10.5,100"
DAYS = [f"2025-03-0{day},{ROW}" for day in (3, 4, 5, 6, 7)]
MINUTES = [f"2025-03-03T14:3{minute}Z,{ROW}" for minute in range(5)]


# The layouts that files in the wild come in.


def test_naive_utc_minutes_with_trade_count_are_read_as_utc_and_held_against_the_volume() -> None:
    bars = market()
    table = table_of(
        bars,
        "TSLA_1min_20250303_20250314.parquet",
        trade_count=numbers("trade_count", len(bars)),
        vwap=numbers("vwap", len(bars)),
    )
    found = read(table)
    assert same(found, bars)
    assert found.set_id.slug == "unknown/unknown/raw/all/TSLA/1Min"
    assert found.requested == DateRange(first_on=date(2025, 3, 3), last_on=date(2025, 3, 14))
    told = " | ".join(found.assumptions)
    assert "the symbol is TSLA, from the file's name" in told
    assert "the timeframe is 1Min, from the file's name; the spacing of the bars agrees" in told
    assert "times without a zone are UTC (layout 'stock bars with trade count'); 9" in told
    assert "% of the volume then falls into XNYS sessions" in told
    assert "bars are labelled with their start" in told
    assert "trade_count, vwap: not kept" in told
    assert found.warnings == ()


@pytest.mark.parametrize("timeframe", [HOUR, DAY], ids=str)
def test_plain_naive_bars_of_hours_and_days_are_read(timeframe: Timeframe) -> None:
    bars = market(timeframe)
    found = read(table_of(bars, f"TSLA_{'1hour' if timeframe == HOUR else '1day'}_20250303_20250314.parquet"))
    assert same(found, bars)
    assert found.calendar == "XNYS"


def test_an_aware_column_and_a_symbol_column_are_believed() -> None:
    bars = market()
    symbol = ForeignColumn(
        name="symbol",
        kind=Kind.TEXT,
        values=np.array(["TSLA"] * len(bars), dtype=object),
        missing=np.zeros(len(bars), dtype=bool),
    )
    found = read(table_of(bars, "TSLA_2025-03-03_2025-03-14.parquet", kind=Kind.INSTANT, symbol=symbol))
    assert same(found, bars)
    assert "the symbol is TSLA, from column 'symbol'" in found.assumptions
    assert (
        "the timeframe is 1Min, from the distance between its bars; the spacing of the bars agrees"
        in found.assumptions
    )
    assert "times carry a zone" in found.assumptions


def test_futures_hours_are_read_as_wall_time_of_new_york_and_days_as_trade_dates() -> None:
    hours = market(HOUR)
    eastern = table_of(
        hours,
        "CLUSD_1hour_20250303_20250314.parquet",
        time="date",
        shift_ns=exchange_offset_ns(hours.opened_at_ns),
    )
    found = read(eastern)
    assert np.array_equal(found.bars.opened_at_ns, hours.opened_at_ns)
    assert found.calendar == "CMES"
    assert any("America/New_York (layout 'futures by trade date')" in each for each in found.assumptions)
    days = market(DAY)
    found = read(table_of(days, "CLUSD_1day_20250303_20250314.parquet", time="date"))
    assert np.array_equal(found.bars.opened_at_ns, days.opened_at_ns)
    assert "a bar's label is the date of its session" in found.assumptions


def test_events_are_not_bars() -> None:
    table = csv(
        "A,2025-03-03,1,2",
        header="symbol,date,epsActual,revenueActual",
        name="AAPL_earnings_20220101_20231231.csv",
    )
    with pytest.raises(NotBars, match=r"holds no bars: .*they look like earnings events"):
        interpreted(table, Declared(), calendar)


@pytest.mark.parametrize(
    ("header", "lines", "first", "timeframe"),
    [
        pytest.param(
            "Date,Open,High,Low,Close,Volume", DAYS, "2025-03-03T00:00", DAY, id="a spreadsheet's days"
        ),
        pytest.param(
            "Datetime,Open,High,Low,Close,Volume",
            [f"2025-03-03 {hour}:30:00-05:00,{ROW}" for hour in ("09", "10", "11", "12")],
            "2025-03-03T14:30",
            HOUR,
            id="Yahoo's hours",
        ),
        pytest.param(
            "Date,Open,High,Low,Close,Volume",
            [
                f"2025-03-{day} 00:00:00-0{5 if day == '07' else 4}:00,{ROW}"
                for day in ("07", "10", "11", "12")
            ],
            "2025-03-07T00:00",
            DAY,
            id="days labelled with New York's midnight, across a clock change",
        ),
        pytest.param(
            "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>",
            [f"TSLA,1,20250303,{time},{ROW},0" for time in ("143000", "143100", "143200", "143300")],
            "2025-03-03T14:30",
            MINUTE,
            id="date and time in two columns",
        ),
        pytest.param(
            "date;time;open;high;low;close;volume",
            [f"03/03/2025;{time};{ROW.replace(',', ';')}" for time in ("2:30 PM", "2:31 PM", "2:32 PM")]
            + [f"03/13/2025;09:30;{ROW.replace(',', ';')}"],
            "2025-03-03T14:30",
            MINUTE,
            id="American dates",
        ),
        pytest.param(
            "t,o,h,l,c,v,n,vw",
            [f"{1741012200000 + 60000 * minute},{ROW},5,10.1" for minute in range(4)],
            "2025-03-03T14:30",
            MINUTE,
            id="milliseconds",
        ),
        pytest.param(
            "ticker,volume,open,close,high,low,window_start,transactions",
            [f"TSLA,100,10,10.5,11,9,{1741012200 + 60 * minute}000000000,5" for minute in range(4)],
            "2025-03-03T14:30",
            MINUTE,
            id="nanoseconds",
        ),
    ],
)
def test_csv_of_many_vendors_is_read(header: str, lines: list[str], first: str, timeframe: Timeframe) -> None:
    found = read(csv(*lines, header=header), timezone="UTC")
    assert found.bars.bar(0).opened_at == datetime.fromisoformat(first).replace(tzinfo=UTC)
    assert found.set_id.timeframe == timeframe
    assert len(found.bars) == len(lines)
    assert [getattr(found.bars, name)[0] for name in COLUMNS] == [10, 11, 9, 10.5, 100]


# Zone, label and clock changes.


def test_naive_times_of_an_unknown_layout_are_refused_with_the_evidence_for_each_zone() -> None:
    bars = market()
    eastern = table_of(bars, "TSLA.csv", shift_ns=exchange_offset_ns(bars.opened_at_ns), is_text=True)
    text = refusal(eastern)
    assert "its times carry no zone (read as UTC, " in text
    assert "read as America/New_York, 9" in text
    assert "--timezone" in text
    assert same(read(eastern, timezone="America/New_York"), bars)


def test_incident_6_a_known_layout_whose_volume_contradicts_its_zone_is_refused() -> None:
    bars = market()
    wrong = table_of(
        bars, "TSLA_1min_20250303_20250314.parquet", shift_ns=exchange_offset_ns(bars.opened_at_ns)
    )
    assert "times in this layout are UTC, but its volume contradicts that" in refusal(wrong)
    assert same(read(wrong, timezone="America/New_York"), bars)
    insisted = read(wrong, timezone="UTC")
    assert any("the volume contradicts --timezone" in each for each in insisted.warnings)


def test_bars_labelled_with_their_end_are_noticed_and_moved_on_request() -> None:
    bars = market()
    late = table_of(bars, "TSLA_1min_20250303_20250314.parquet", shift_ns=MINUTE.span_ns)
    assert "labelled with their end" in refusal(late)
    assert same(read(late, label=Label.END), bars)
    assert len(read(late, label=Label.START).bars) == len(bars)


@pytest.mark.parametrize(
    ("times", "says"),
    [
        (
            ["2025-03-09 01:59", "2025-03-09 02:00"],
            r"line 3: 2025-03-09 02:00 did not exist in America/New_York",
        ),
        (
            ["2025-11-02 00:59", "2025-11-02 01:00"],
            r"line 3: 2025-11-02 01:00 happened twice in America/New_York",
        ),
    ],
)
def test_a_wall_time_that_a_clock_change_makes_meaningless_is_refused(times: list[str], says: str) -> None:
    table = csv(*(f"{each},{ROW}" for each in times), name="TSLA_1min.csv")
    with pytest.raises(FixInput, match=says):
        read(table, timezone="America/New_York")


def test_a_repeated_hour_that_stands_twice_is_read_in_its_order() -> None:
    times = [f"2025-11-02 0{hour}:30" for hour in (0, 1, 1, 2)]
    found = read(
        csv(*(f"{each},{ROW}" for each in times), name="BTCUSD_1hour.csv"),
        timezone="America/New_York",
        calendar="24/7",
    )
    assert np.diff(found.bars.opened_at_ns).tolist() == [HOUR.span_ns] * 3
    assert any("2 times appear twice" in each for each in found.assumptions)


def test_half_days_and_clock_changes_leave_utc_bars_alone() -> None:
    bars = market(MINUTE, "2024-10-31", "2024-12-02")
    assert same(read(table_of(bars, "TSLA_1min_20241031_20241202.parquet")), bars)


# Symbol, timeframe and range.


@pytest.mark.parametrize(
    ("name", "declared", "says"),
    [
        ("bars.csv", {}, "neither its name nor a column says which symbol"),
        ("bars.csv", {"symbol": "not a symbol"}, "is not a symbol"),
    ],
)
def test_a_symbol_is_never_made_up(name: str, declared: dict[str, Any], says: str) -> None:
    with pytest.raises(FixInput, match=says):
        interpreted(csv(*MINUTES, name=name), Declared(**declared), calendar)


def test_the_symbol_can_be_declared() -> None:
    found = read(csv(*MINUTES, name="bars.csv"), symbol="AMC")
    assert (found.set_id.symbol, found.assumptions[0]) == ("AMC", "the symbol is AMC, as the options say")


MIXED = [f"2025-03-03T14:3{minute}Z,{ROW},{symbol}" for minute in range(5) for symbol in ("AMC", "GME")]
WITH_SYMBOL = "timestamp,open,high,low,close,volume,symbol"


def test_a_file_of_several_symbols_becomes_one_set_for_each() -> None:
    found = interpreted(csv(*MIXED, header=WITH_SYMBOL, name="bars.csv"), Declared(), calendar)
    assert [(each.set_id.symbol, len(each.bars)) for each in found] == [("AMC", 5), ("GME", 5)]


@pytest.mark.parametrize(
    ("name", "declared", "says"),
    [
        ("AMC_1min.csv", {}, "its name says AMC, but its column 'symbol' holds AMC, GME"),
        ("bars.csv", {"symbol": "AMC"}, "--symbol says AMC, but its column 'symbol' holds AMC, GME"),
        ("TSLA_1min.csv", {}, "its name says TSLA, but"),
    ],
)
def test_incident_21_a_vendor_that_ignored_the_symbol_asked_for_is_noticed(
    name: str, declared: dict[str, Any], says: str
) -> None:
    assert says in refusal(csv(*MIXED, header=WITH_SYMBOL, name=name), **declared)


@pytest.mark.parametrize(
    ("lines", "name", "declared", "says"),
    [
        (MINUTES, "TSLA_1hour.csv", {}, "bars of 1Hour from the file's name, but bars stand 1 min apart"),
        (
            MINUTES,
            "TSLA.csv",
            {"timeframe": HOUR},
            "bars of 1Hour as the options say, but bars stand 1 min apart",
        ),
        (MINUTES, "TSLA_1hour.csv", {"timeframe": MINUTE}, "its name says 1Hour, --timeframe says 1Min"),
        (
            MINUTES,
            "TSLA_1day.csv",
            {},
            "bars of 1Day from the file's name, but several of them fall on one date",
        ),
        (DAYS, "TSLA_1hour.csv", {}, "every bar is labelled with midnight, so they are days and not 1Hour"),
        (MINUTES[:1], "TSLA.csv", {}, "1 bars are too few to see how long each is"),
        (
            [f"2025-{month:02}-03,{ROW}" for month in range(1, 8)],
            "TSLA_1day.csv",
            {},
            "bars of 1Day from the file's name, but bars stand 30.5 days apart",
        ),
        (
            [f"2025-03-{3 + n // 7:02}T{13 + n % 7}:30Z,{ROW}" for n in range(35)],
            "TSLA_1min.csv",
            {},
            "but no two of 35 bars stand closer than 1Hour",
        ),
    ],
)
def test_incident_9_a_timeframe_that_the_spacing_contradicts_is_refused(
    lines: list[str], name: str, declared: dict[str, Any], says: str
) -> None:
    assert says in refusal(csv(*lines, name=name), **declared)


def test_incident_21_a_file_that_holds_less_than_its_name_asks_for_is_told_and_recorded() -> None:
    bars = market(HOUR)
    table = table_of(bars, "TSLA_1hour_20250103_20250331.parquet")
    found = read(table)
    says = (
        "asked for 2025-01-03..2025-03-31, holds 2025-03-03..2025-03-14: of 59 sessions 38 before the first bar"
        " and 11 after the last bar are missing"
    )
    assert found.warnings == (says,)
    assert found.requested == DateRange(first_on=date(2025, 1, 3), last_on=date(2025, 3, 31))
    assert says in refusal(table, range_policy=RangePolicy.REFUSE)
    accepted = read(table, range_policy=RangePolicy.ACCEPT)
    assert accepted.requested == DateRange(first_on=date(2025, 3, 3), last_on=date(2025, 3, 14))
    assert any("is all that was asked for" in each for each in accepted.assumptions)


def test_a_weekend_at_the_end_of_a_range_is_nothing_missing() -> None:
    assert read(table_of(market(HOUR), "TSLA_1hour_20250301_20250316.parquet")).warnings == ()


# Rows.


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("2025-03-03T14:35Z,10,11,,10.5,100", "line 7: no low, though the row has other values"),
        ("2025-03-03T14:35Z,10,11,9,10.5,", "line 7: no volume"),
        ("2025-03-03T14:35Z,10,11,9,nan,100", "line 7: no close"),
        ("2025-03-03T14:35Z,10,11,9,ten,100", "line 7: 'ten' in column 'close' is not a number"),
        ("2025-03-03T14:35Z,10,inf,9,10.5,100", "line 7: a value is infinite"),
        ("2025-03-03T14:35Z,10,9,11,10.5,100", "line 7: high lies below low"),
        ("2025-03-03T14:35Z,12,11,9,10.5,100", "line 7: open or close lies outside low to high: open 12"),
        ("2025-03-03T14:35Z,10,11,9,10.5,-1", "line 7: the volume is negative"),
        ("2025-03-03T14:35Z,-1,11,-1,10.5,100", "line 7: a price is not above zero"),
        ("2025-03-03T14:35Z,0,11,0,10.5,100", "line 7: a price is not above zero"),
        (f"2025-03-03T14:34Z,{ROW}.5", "line 7: 2025-03-03T14:34Z also stands in row 6, with other values"),
        (f",{ROW}", "line 7: no timestamp"),
        (f"yesterday,{ROW}", "line 7: 'yesterday' in column 'timestamp' is no time"),
        (
            f"2025-03-03T14:35:30Z,{ROW}",
            "no whole number of bars later|less than one bar apart|bars stand 0.5 min",
        ),
    ],
)
def test_a_broken_row_is_refused_by_its_line(line: str, says: str) -> None:
    with pytest.raises(FixInput, match=says):
        read(csv(*MINUTES, line, name="TSLA_1min.csv"))


def test_rows_that_repeat_are_dropped_and_counted() -> None:
    found = read(csv(*MINUTES, *MINUTES[:2], name="TSLA_1min.csv"))
    assert (len(found.bars), found.repeated_rows, found.rows_in_file) == (5, 2, 7)
    assert "2 rows repeat an earlier row, value for value, and were dropped" in found.assumptions


def test_rows_out_of_order_are_sorted_and_it_is_said() -> None:
    found = read(csv(*MINUTES[::-1], name="TSLA_1min.csv"))
    assert np.all(np.diff(found.bars.opened_at_ns) > 0)
    assert "rows were not in the order of time and were sorted" in found.assumptions


def test_rows_without_any_price_are_dropped_and_counted() -> None:
    found = read(csv(*DAYS, "2025-03-10,,,,,", "2025-03-11,null,null,null,null,0", name="TSLA_1day.csv"))
    assert (len(found.bars), found.empty_rows) == (5, 2)
    assert "2 rows without any price were dropped" in found.assumptions
    with pytest.raises(NotBars, match="every row is empty"):
        read(csv("2025-03-10,,,,,", name="TSLA_1day.csv"))


def test_negative_prices_are_kept_where_the_instrument_allows_them() -> None:
    found = read(
        csv(*DAYS, "2025-03-10,17.73,17.85,-40.32,17.73,100", name="CL_1day.csv"), negative_prices=True
    )
    assert found.bars.low[-1] == -40.32


def test_volume_may_be_whole_or_not() -> None:
    found = read(csv(*DAYS, "2025-03-10,10,11,9,10.5,100.5", name="TSLA_1day.csv"))
    assert found.bars.volume.tolist() == [100.0] * 5 + [100.5]


# Columns.


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("timestamp,open,high,low,close", "has no column for volume"),
        ("timestamp,open,high,low,close,volume,color", "unknown column color"),
        ("open,high,low,close,volume,when", "unknown column when"),
        ("timestamp,open,high,low,close,Close,volume", "the columns close, Close could each be the close"),
        ("timestamp,datetime,open,high,low,close,volume", "could each be the time"),
        ("2025-03-03T14:30Z,10,11,9.5,10.5,100", "has no header line: its first line is"),
    ],
)
def test_columns_that_we_do_not_know_or_cannot_tell_apart_are_refused(header: str, says: str) -> None:
    line = ",".join(
        ["2025-03-03T14:30Z", "2025-03-03T14:30Z", "1", "1", "1", "1", "1"][: header.count(",") + 1]
    )
    with pytest.raises(FixInput, match=says):
        read(csv(line, header=header, name="TSLA_1min.csv"))


def test_an_unknown_column_can_be_passed_over() -> None:
    lines = [f"{line},blue" for line in MINUTES]
    table = csv(*lines, header="timestamp,open,high,low,close,volume,color", name="TSLA_1min.csv")
    assert len(read(table, ignored_columns=frozenset({"color"})).bars) == 5


ADJUSTED = [f"2025-03-0{day},10,11,9,10,5,100" for day in (3, 4, 5)]
WITH_ADJUSTED = "Date,Open,High,Low,Close,Adj Close,Volume"


def test_a_file_with_adjusted_closes_has_to_be_declared() -> None:
    table = csv(*ADJUSTED, header=WITH_ADJUSTED, name="TSLA_1day.csv")
    assert "its other prices may be adjusted as well" in refusal(table)
    as_they_stand = read(table, adjustment=Adjustment.SPLIT)
    assert as_they_stand.bars.close.tolist() == [10.0] * 3
    assert any("'Adj Close' is not kept" in each for each in as_they_stand.assumptions)
    scaled = read(table, adjustment=Adjustment.ALL)
    assert [getattr(scaled.bars, name)[0] for name in COLUMNS] == [5, 5.5, 4.5, 5, 100]
    assert scaled.set_id.adjustment is Adjustment.ALL


def test_splits_that_a_file_lists_are_pointed_out() -> None:
    lines = [f"{DAYS[0]},0", f"{DAYS[1]},10"]
    found = read(csv(*lines, header="Date,Open,High,Low,Close,Volume,Stock Splits", name="NVDA_1day.csv"))
    assert "'Stock Splits' lists 1: 2025-03-04 (10 for 1)" in found.warnings[0]


@pytest.mark.parametrize("hours", [Hours.REGULAR, Hours.ALL])
def test_hours_that_are_declared_are_checked(hours: Hours) -> None:
    bars = market()
    table = table_of(bars, "TSLA_1min_20250303_20250314.parquet")
    if hours is Hours.REGULAR:
        assert "bars lie outside the sessions of XNYS" in refusal(table, hours=hours)
        inside = bars.rows(calendar("XNYS").regular(bars))
        assert same(read(table_of(inside, "TSLA_1min_20250303_20250314.parquet"), hours=hours), inside)
    else:
        assert read(table, hours=hours).set_id.hours is Hours.ALL


def test_what_is_declared_is_not_assumed() -> None:
    found = read(
        csv(*DAYS, name="TSLA_1day.csv"),
        vendor="alpaca",
        feed="sip",
        adjustment=Adjustment.RAW,
        hours=Hours.ALL,
        calendar="XNYS",
    )
    assert found.set_id.slug == "alpaca/sip/raw/all/TSLA/1Day"
    assert not [each for each in found.assumptions if "no --" in each]


def test_a_file_without_rows_holds_no_bars() -> None:
    with pytest.raises(NotBars, match="holds no rows"):
        read(csv(name="TSLA_1day.csv"))


@pytest.mark.parametrize(
    "made",
    [
        lambda table: replace(table, file_name="TSLA_1min.parquet"),
        lambda table: replace(table, columns=table.columns[::-1]),
    ],
)
def test_neither_the_name_nor_the_order_of_columns_changes_the_bars(
    made: Callable[[ForeignTable], ForeignTable],
) -> None:
    bars = market()
    assert same(read(made(table_of(bars, "TSLA_1min_20250303_20250314.parquet"))), bars)


def test_days_labelled_with_a_time_of_day_keep_their_date() -> None:
    lines = [f"2025-03-0{day} 16:00:00,{ROW}" for day in (3, 4, 5)]
    found = read(csv(*lines, name="TSLA_1day.csv"))
    assert [instant(int(at)).isoformat() for at in found.bars.opened_at_ns] == [
        f"2025-03-0{day}T00:00:00+00:00" for day in (3, 4, 5)
    ]
    assert any("only the exchange's date counts" in each for each in found.assumptions)


def test_bars_before_the_calendar_begins_are_read_all_the_same() -> None:
    lines = [f"1962-01-{day:02},{ROW}" for day in range(2, 6)]
    found = read(csv(*lines, name="IBM_1day_19620101_19620105.csv"))
    assert found.bars.bar(0).opened_at == datetime(1962, 1, 2, tzinfo=UTC)
    assert found.bars.bar(3).opened_at - found.bars.bar(0).opened_at == timedelta(days=3)
