"""What a file's name says."""

from datetime import date

import pytest

from magellan.archive.dataset import DateRange
from magellan.archive.file_name import NameSays, name_says
from magellan.errors import FixInput
from magellan.trading.timeframe import DAY, HOUR, MINUTE, Timeframe


def dates(first: str, last: str) -> DateRange:
    return DateRange(first_on=date.fromisoformat(first), last_on=date.fromisoformat(last))


Q2 = dates("2024-04-01", "2024-06-30")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("TSLA_1min_20240401_20240630.parquet", NameSays(symbol="TSLA", timeframe=MINUTE, requested=Q2)),
        ("TSLA_1hour_20240401_20240630.parquet", NameSays(symbol="TSLA", timeframe=HOUR, requested=Q2)),
        ("TSLA_1day_20240401_20240630.csv", NameSays(symbol="TSLA", timeframe=DAY, requested=Q2)),
        ("MULN_2024-04-01_2024-06-30.parquet", NameSays(symbol="MULN", requested=Q2)),
        ("BRK.B_5Min.csv.gz", NameSays(symbol="BRK.B", timeframe=Timeframe.parse("5Min"))),
        ("spy_daily.csv", NameSays(symbol="SPY", timeframe=DAY)),
        ("BTC-USD_60m.csv", NameSays(symbol="BTC-USD", timeframe=HOUR)),
        ("^VIX.csv", NameSays(symbol="^VIX")),
        ("AAPL.csv", NameSays(symbol="AAPL")),
        (
            "IBRX_1min_20241101.parquet",
            NameSays(symbol="IBRX", timeframe=MINUTE, requested=dates("2024-11-01", "2024-11-01")),
        ),
        ("data.csv", NameSays()),
        ("prices.parquet", NameSays()),
        ("AAPL_earnings_20220101_20231231.parquet", NameSays()),
        ("AAPL_1min_1hour.parquet", NameSays()),
        ("AAPL_20240230_20240301.parquet", NameSays()),
        ("AAPL_20240101_20240102_20240103.parquet", NameSays()),
        ("2024-06-10.csv", NameSays()),
        ("AAPL_0min.csv", NameSays()),
        (".csv", NameSays()),
    ],
)
def test_a_name_says_what_can_be_read_from_it_and_nothing_more(name: str, says: NameSays) -> None:
    assert name_says(name) == says


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(FixInput, match="ends before it begins"):
        name_says("TSLA_1day_20251231_20240101.parquet")
