"""Merging columns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magellan.archive.checksum import content_sha256
from magellan.archive.dataset import BarsDisagree
from magellan.archive.generated.small_market import small_market
from magellan.archive.merge import merged
from magellan.trading.bar import PRICE_COLUMNS, Bars

MARKET = small_market(1, 30)
ROWS = st.sets(st.integers(0, 29)).map(lambda rows: np.array(sorted(rows), dtype=np.intp))


@given(held=ROWS, given_rows=ROWS)
def test_merging_holds_every_row_of_both_once_in_order(held: np.ndarray, given_rows: np.ndarray) -> None:
    result = merged(MARKET.rows(held), MARKET.rows(given_rows))
    assert content_sha256(result.bars) == content_sha256(MARKET.rows(np.union1d(held, given_rows)))
    assert result.rows_added == len(np.setdiff1d(given_rows, held))
    assert result.rows_already_there == len(np.intersect1d(held, given_rows))


@given(
    held=ROWS, given_rows=ROWS, wrong=st.integers(0, 29), column=st.sampled_from((*PRICE_COLUMNS, "volume"))
)
def test_merging_refuses_exactly_when_a_common_row_differs(
    held: np.ndarray, given_rows: np.ndarray, wrong: int, column: str
) -> None:
    columns = {name: getattr(MARKET, name).copy() for name in (*PRICE_COLUMNS, "volume")}
    columns[column][wrong] += 0.5
    other = Bars(symbol="TEST", timeframe=MARKET.timeframe, opened_at_ns=MARKET.opened_at_ns, **columns)
    if wrong in np.intersect1d(held, given_rows):
        with pytest.raises(BarsDisagree, match=f"{MARKET.bar(wrong).opened_at:%Y-%m-%dT%H:%M}Z.*{column}"):
            merged(MARKET.rows(held), other.rows(given_rows))
    else:
        merged(MARKET.rows(held), other.rows(given_rows))


def test_minus_zero_is_zero() -> None:
    columns = {name: np.zeros(1) for name in (*PRICE_COLUMNS, "volume")}
    plus = Bars(symbol="X", timeframe=MARKET.timeframe, opened_at_ns=MARKET.opened_at_ns[:1], **columns)
    minus = Bars(
        symbol="X",
        timeframe=MARKET.timeframe,
        opened_at_ns=MARKET.opened_at_ns[:1],
        **{name: -column for name, column in columns.items()},
    )
    assert merged(plus, minus).rows_already_there == 1
    assert content_sha256(plus) == content_sha256(minus)
