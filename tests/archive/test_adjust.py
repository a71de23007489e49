"""Adjusted views and the row at which a corporate action begins to count."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magellan.archive.adjust import adjusted, first_row_from, still_in_prices
from magellan.archive.dataset import Adjustment
from magellan.errors import FixInput
from magellan.trading.bar import PRICE_COLUMNS, Bars, nanoseconds
from magellan.trading.corporate_action import CashDividend, ConfirmedMove, Split
from magellan.trading.timeframe import DAY, DAY_NS, HOUR, MINUTE, Timeframe

START = datetime(2024, 6, 7, tzinfo=UTC)


def bars_of(closes: list[float], timeframe: Timeframe = DAY, start: datetime = START) -> Bars:
    close = np.array(closes, dtype=float)
    at = nanoseconds(start) + np.arange(len(closes), dtype=np.int64) * timeframe.span_ns
    return Bars(
        symbol="NVDA",
        timeframe=timeframe,
        opened_at_ns=at,
        open=close,
        high=close * 1.01,
        low=close * 0.99,
        close=close,
        volume=np.full(len(close), 1000.0),
    )


def split(new: int, old: int, at: datetime, symbol: str = "NVDA") -> Split:
    return Split(symbol=symbol, effective_at=at, new_shares=new, old_shares=old)


def test_incident_10_a_ten_for_one_split_leaves_no_trace_in_the_adjusted_view() -> None:
    bars = bars_of([1200.0, 1207.75, 120.8, 121.0])
    view = adjusted(bars, [split(10, 1, START + timedelta(days=2, hours=4))], "split")
    assert view.close.tolist() == [120.0, 120.775, 120.8, 121.0]
    assert view.volume.tolist() == [10_000.0, 10_000.0, 1000.0, 1000.0]
    assert adjusted(bars, [split(10, 1, START + timedelta(days=2, hours=4))], "raw") is bars


def test_incident_10_a_reverse_split_raises_the_prices_before_it() -> None:
    bars = bars_of([0.15, 2.69])
    view = adjusted(bars, [split(1, 20, START + timedelta(days=1, hours=4))], "split")
    assert view.close.tolist() == [3.0, 2.69]
    assert view.volume.tolist() == [50.0, 1000.0]


def test_two_splits_multiply() -> None:
    bars = bars_of([300.0, 60.0, 30.0])
    table = [split(5, 1, START + timedelta(days=1, hours=4)), split(2, 1, START + timedelta(days=2, hours=4))]
    assert adjusted(bars, table, "split").close.tolist() == [30.0, 30.0, 30.0]


def test_only_splits_inside_the_bars_count() -> None:
    bars = bars_of([100.0, 101.0, 102.0])
    table = [
        split(2, 1, START - timedelta(days=9)),
        split(3, 1, START),  # the first bar is already on the new basis
        split(4, 1, START + timedelta(days=9)),
        split(5, 1, START + timedelta(days=1), symbol="AMD"),
        CashDividend(symbol="NVDA", ex_at=START + timedelta(days=1), amount_usd=Decimal(1)),
        ConfirmedMove(symbol="NVDA", at=START + timedelta(days=1), reason="news", confirmed_by="jane"),
    ]
    assert adjusted(bars, table, "split") is bars


def test_an_unknown_view_is_refused() -> None:
    with pytest.raises(FixInput, match="'dividends' is not a view"):
        adjusted(bars_of([1.0]), [], "dividends")  # type: ignore[arg-type]


@given(
    steps=st.lists(st.floats(0.9, 1.1), min_size=2, max_size=30),
    splits=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 5), st.integers(6, 9)), max_size=3),
)
def test_the_last_bar_is_as_traded_and_money_traded_is_the_same(
    steps: list[float], splits: list[tuple[int, int, int]]
) -> None:
    bars = bars_of([float(close) for close in 100 * np.cumprod(steps)])
    table = [split(new, old, START + timedelta(days=day, hours=4)) for day, new, old in splits]
    view = adjusted(bars, table, "split")
    for name in PRICE_COLUMNS:
        assert getattr(view, name)[-1] == getattr(bars, name)[-1]
        np.testing.assert_allclose(getattr(view, name) * view.volume, getattr(bars, name) * bars.volume)


@pytest.mark.parametrize(
    ("timeframe", "label", "at", "row"),
    [
        # A daily bar is labelled at 00:00 UTC, before the split's instant, and yet it is on the new basis.
        (DAY, datetime(2024, 6, 10, tzinfo=UTC), datetime(2024, 6, 10, 8, tzinfo=UTC), 0),
        (DAY, datetime(2024, 6, 10, tzinfo=UTC), datetime(2024, 6, 10, 4, tzinfo=UTC), 0),
        # 02:00 UTC is still the evening before in New York.
        (DAY, datetime(2024, 6, 10, tzinfo=UTC), datetime(2024, 6, 11, 2, tzinfo=UTC), 0),
        (DAY, datetime(2024, 6, 10, tzinfo=UTC), datetime(2024, 6, 11, 4, tzinfo=UTC), 1),
        (HOUR, datetime(2024, 6, 10, 8, tzinfo=UTC), datetime(2024, 6, 10, 4, tzinfo=UTC), 0),
        (HOUR, datetime(2024, 6, 10, 8, tzinfo=UTC), datetime(2024, 6, 10, 8, tzinfo=UTC), 0),
        (HOUR, datetime(2024, 6, 10, 8, tzinfo=UTC), datetime(2024, 6, 10, 8, 30, tzinfo=UTC), 1),
        # The winter evening session of the day before spills past midnight UTC and stays on the old basis.
        (MINUTE, datetime(2024, 12, 10, 0, 30, tzinfo=UTC), datetime(2024, 12, 10, 5, tzinfo=UTC), 3),
    ],
)
def test_an_action_counts_from_the_first_bar_of_its_date_or_instant(
    timeframe: Timeframe, label: datetime, at: datetime, row: int
) -> None:
    assert first_row_from(bars_of([1.0, 1.0, 1.0], timeframe, label), at) == row


def test_what_the_vendor_removed_is_not_expected_in_prices() -> None:
    at = START
    actions = (
        split(2, 1, at),
        CashDividend(symbol="NVDA", ex_at=at, amount_usd=Decimal(1)),
        ConfirmedMove(symbol="NVDA", at=at, reason="news", confirmed_by="jane"),
    )
    assert still_in_prices(actions, Adjustment.RAW) == actions
    assert still_in_prices(actions, Adjustment.SPLIT) == actions[1:]
    assert still_in_prices(actions, Adjustment.ALL) == actions[2:]


def test_daily_labels_are_dates() -> None:
    assert bars_of([1.0]).opened_at_ns[0] % DAY_NS == 0
