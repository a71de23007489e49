"""The spacing of bars against their timeframe (incident 9)."""

import numpy as np
import pytest

from magellan.archive.generated.small_market import small_market
from magellan.archive.spacing import contradicts, must_fit_timeframe, timeframe_seen
from magellan.errors import FixInput
from magellan.trading.bar import PRICE_COLUMNS, Bars
from magellan.trading.timeframe import DAY, HOUR, MINUTE, MINUTE_NS, Timeframe

TIMEFRAMES = [Timeframe.parse(text) for text in ("1Min", "5Min", "15Min", "30Min", "1Hour", "1Day")]


def at_minutes(*minutes: int) -> np.ndarray:
    return np.array(minutes, dtype=np.int64) * MINUTE_NS


def bars_at(at_ns: np.ndarray, timeframe: Timeframe) -> Bars:
    columns = {name: np.ones(len(at_ns)) for name in (*PRICE_COLUMNS, "volume")}
    return Bars(symbol="TEST", timeframe=timeframe, opened_at_ns=at_ns, **columns)


@pytest.mark.parametrize("timeframe", TIMEFRAMES, ids=str)
def test_bars_of_every_timeframe_fit_theirs_and_no_other(timeframe: Timeframe) -> None:
    bars = small_market(1, 200, timeframe=timeframe)
    assert must_fit_timeframe(bars) is bars
    assert timeframe_seen(bars.opened_at_ns) == timeframe
    for other in TIMEFRAMES:
        assert bool(contradicts(bars.opened_at_ns, other)) == (other != timeframe)


def test_thin_minutes_are_minutes_although_no_two_are_neighbours() -> None:
    minutes = np.cumsum(np.array([7, 3, 12, 5, 9, 4, 31, 8] * 6))
    assert timeframe_seen(at_minutes(*minutes.tolist())) == MINUTE
    assert contradicts(at_minutes(*minutes.tolist()), MINUTE) == ""


def test_a_few_bars_far_apart_show_nothing() -> None:
    assert timeframe_seen(at_minutes(0, 7, 18)) is None
    assert timeframe_seen(at_minutes(0)) is None
    assert contradicts(at_minutes(0), MINUTE) == ""


def test_weeks_are_no_days() -> None:
    weeks = at_minutes(*range(0, 10 * 7 * 1440, 7 * 1440))
    assert contradicts(weeks, DAY) == "bars stand 7 days apart"


@pytest.mark.parametrize(
    ("at_ns", "timeframe", "says"),
    [
        (at_minutes(0, 30), HOUR, "less than one bar apart"),
        (at_minutes(0, 60, 150), HOUR, "no whole number of bars later"),
        (at_minutes(0, 1440 + 240), DAY, "labelled 1970-01-02T04:00:00Z, not midnight UTC"),
        (at_minutes(0, 1, 2) + 500, MINUTE, ""),
        (at_minutes(30, 90), HOUR, ""),  # hours cut from half past nine on
        (at_minutes(0, 240, 420, 660), Timeframe.parse("2Hour"), ""),  # a clock change moves them by an hour
    ],
)
def test_a_bar_that_is_not_where_one_can_be_is_named(
    at_ns: np.ndarray, timeframe: Timeframe, says: str
) -> None:
    bars = bars_at(at_ns, timeframe)
    if not says:
        must_fit_timeframe(bars)
        return
    with pytest.raises(FixInput, match=says):
        must_fit_timeframe(bars)
