"""Time columns that cannot be read, or could be read in two ways."""

import re

import pytest

from magellan.adapters.parquet.foreign_file import read_foreign
from magellan.archive.layout import roles_of
from magellan.archive.time_column import Times, times_of
from magellan.errors import FixInput
from magellan.trading.bar import instant

PRICES = "1;1;1;1;1"


def times(*cells: str, header: str = "date") -> Times:
    text = "\n".join([f"{header};open;high;low;close;volume", *(f"{cell};{PRICES}" for cell in cells), ""])
    table = read_foreign(text.encode(), "x.csv")
    return times_of(table, roles_of(table).times)


@pytest.mark.parametrize(
    ("cells", "header", "expected"),
    [
        (["2025-03-04"], "date", "2025-03-04 00:00:00"),
        (["20250304"], "date", "2025-03-04 00:00:00"),
        (["13/03/2025", "04/03/2025"], "date", "2025-03-13 00:00:00"),
        (["3/4/2025 9:30 AM", "3/14/2025 12:05 AM"], "date", "2025-03-04 09:30:00"),
        (["3/14/2025 12:05 AM"], "date", "2025-03-14 00:05:00"),
        (["3/14/2025 12:05:07 PM"], "date", "2025-03-14 12:05:07"),
        (["14.03.2025 16:00"], "date", "2025-03-14 16:00:00"),
        (["20250304;93000"], "date;time", "2025-03-04 09:30:00"),
        (["20250304;930", "20250304;1600"], "date;time", "2025-03-04 09:30:00"),
        (["2025-03-04;9:30:15"], "date;time", "2025-03-04 09:30:15"),
        (["1741080600"], "t", "2025-03-04 09:30:00"),
        (["1741080600.0"], "t", "2025-03-04 09:30:00"),
        (["1741080600000000"], "t", "2025-03-04 09:30:00"),
    ],
)
def test_a_time_is_read_however_it_is_written(cells: list[str], header: str, expected: str) -> None:
    assert f"{instant(int(times(*cells, header=header).values_ns[0])):%Y-%m-%d %H:%M:%S}" == expected


@pytest.mark.parametrize(
    ("cells", "header", "says"),
    [
        (["03/04/2025", "05/06/2025"], "date", "do not show which number is the month"),
        (["13/04/2025", "04/13/2025"], "date", "do not show which number is the month"),
        (["31.02.2025"], "date", "line 2: '31.02.2025' in column 'date' is no date"),
        (["20250231"], "date", "line 2: '20250231' in column 'date' is no date"),
        (["2025-03-04", "whenever"], "date", "line 3: 'whenever' in column 'date' is no time"),
        (["whenever", "2025-03-04"], "date", "line 2: 'whenever' in column 'date' is no time"),
        (
            ["2025-03-04T09:30Z", "2025-03-04T09:31"],
            "date",
            "line 3: '2025-03-04T09:31' lacks a zone, unlike x.csv, line 2",
        ),
        (
            ["2025-03-04 09:30", "2025-03-04 09:31+01:00"],
            "date",
            "line 3: '2025-03-04 09:31+01:00' has a zone",
        ),
        (["2025-02-28", "2025-02-30"], "date", "'2025-02-30' in column 'date' does not exist"),
        (
            ["2025-02-28T09:30Z", "2025-02-28T25:30Z"],
            "date",
            "'2025-02-28T25:30Z' in column 'date' does not exist",
        ),
        (["1500-02-28", "2025-02-28"], "date", "holds times before 1677"),
        (["13/03/2025", "2025-03-14"], "date", "line 3: '2025-03-14' in column 'date' is no time"),
        (["17"], "t", "numbers in 't' (17 to 17) are no times"),
        (["1741080600.5"], "t", "line 2: '1741080600.5' in column 't' is no time"),
        (["1741080600", "1741080600000"], "t", "are no times"),
        (["2025-03-04 09:30;9:30"], "date;time", "holds more than dates beside 'time'"),
        (["2025-03-04T09:30Z;9:30"], "date;time", "holds more than dates beside 'time'"),
        (["20250304;2460"], "date;time", "2460 is no time of day"),
        (["20250304;25:00"], "date;time", "'25:00' in column 'time' is no time"),
        (["20250304;late"], "date;time", "'late' in column 'time' is no time"),
        (["2025-03-04", ""], "date", "line 3: no date"),
    ],
)
def test_a_time_that_would_be_a_guess_is_refused(cells: list[str], header: str, says: str) -> None:
    with pytest.raises(FixInput, match=re.escape(says)):
        times(*cells, header=header)


def test_what_was_taken_for_granted_is_said() -> None:
    assert times("1741080600", header="t").said == ("the numbers in 't' are seconds after 1970-01-01 UTC",)
    assert times("13/03/2025").said == (
        "dates in 'date' are written day, month, year, as days above 12 show",
    )
