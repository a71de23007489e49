"""Bars: what comes in from outside is read row by row, and the first wrong row is named."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magellan.errors import FixInput
from magellan.trading.bar import Bars, instant, nanoseconds
from magellan.trading.timeframe import DAY, HOUR, MINUTE, Timeframe


def three_bars(**changes) -> Bars:
    columns = {
        "open": [10.0, 11.0, 12.0],
        "high": [11.0, 12.0, 13.0],
        "low": [9.0, 10.0, 11.0],
        "close": [10.5, 11.5, 12.5],
        "volume": [1.0, 0.0, 5.0],
        **changes,
    }
    times = columns.pop("opened_at_ns", [0, 60_000_000_000, 120_000_000_000])
    return Bars(
        symbol="ALFA",
        timeframe=MINUTE,
        opened_at_ns=np.array(times, dtype=np.int64),
        **{name: np.array(values, dtype=np.float64) for name, values in columns.items()},
    )


@pytest.mark.parametrize(
    ("changes", "row", "why"),
    [
        ({"opened_at_ns": [0, 120_000_000_000, 60_000_000_000]}, 2, "does not lie after"),
        ({"opened_at_ns": [0, 0, 60_000_000_000]}, 1, "does not lie after"),
        ({"close": [10.5, float("nan"), 12.5]}, 1, "close is nan"),
        ({"high": [11.0, float("inf"), 13.0]}, 1, "high is inf"),
        ({"low": [9.0, 10.0, 12.2]}, 2, "outside low..high"),
        ({"high": [10.2, 12.0, 13.0]}, 0, "outside low..high"),
        ({"low": [9.0, 10.0, -1.0]}, 2, "not above zero"),
        ({"volume": [1.0, 2.0, -5.0]}, 2, "volume is -5"),
    ],
)
def test_the_first_wrong_row_is_named(changes, row, why):
    with pytest.raises(FixInput, match=why) as refused:
        three_bars(**changes).checked()
    assert f"row {row} " in refused.value.message


def test_negative_prices_pass_where_the_instrument_can_have_them():
    below_zero = three_bars(open=[-38, -10, 9], low=[-40, -14, 8], high=[-30, 13, 13], close=[-37, 11, 12])
    assert below_zero.checked(allow_negative_prices=True) is below_zero


def test_columns_of_another_type_or_length_are_refused_at_birth():
    with pytest.raises(FixInput, match="column 'volume'"):
        three_bars(volume=[1.0, 2.0])


def test_a_range_includes_its_start_and_not_its_end():
    bars = three_bars()
    first, last = instant(int(bars.opened_at_ns[0])), instant(int(bars.opened_at_ns[2]))
    assert len(bars.between(first, last)) == 2
    assert len(bars.between(None, None)) == 3
    assert len(bars.between(last, first)) == 0


@given(st.datetimes(datetime(1700, 1, 1), datetime(2250, 1, 1), timezones=st.just(UTC)))
def test_instants_survive_the_way_to_nanoseconds_and_back(at):
    assert instant(nanoseconds(at)) == at


def test_a_naive_time_has_no_nanoseconds():
    with pytest.raises(FixInput, match="no time zone"):
        nanoseconds(datetime(2024, 1, 2))


@pytest.mark.parametrize(
    ("text", "value"), [("1Min", MINUTE), ("1Hour", HOUR), ("1Day", DAY), ("60Min", HOUR)]
)
def test_timeframes_are_read(text, value):
    assert Timeframe.parse(text) == value
    assert Timeframe.parse(str(value)) == value


@pytest.mark.parametrize("text", ["", "1", "min", "0Min", "1 Min", "1Week", "2Day", "1.5Hour", "-1Min"])
def test_what_is_no_timeframe_is_refused(text):
    with pytest.raises(FixInput):
        Timeframe.parse(text)
