"""Checksums of bars."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magellan.archive.checksum import combined_sha256, content_sha256, year_checksums
from magellan.archive.generated.small_market import small_market
from magellan.trading.bar import PRICE_COLUMNS, Bars
from magellan.trading.timeframe import DAY

MARKET = small_market(1, 600, timeframe=DAY)  # from 2024-01-01 on, weekdays: into 2026


@given(cut=st.integers(0, 600))
def test_a_checksum_can_be_put_together_from_those_of_the_years(cut: int) -> None:
    year = np.array([2024, 2025, 2026])[np.searchsorted([262, 523], np.arange(600), side="right")]
    parts = [MARKET.rows(year == each) for each in (2024, 2025, 2026)]
    assert combined_sha256(check for part in parts for check in year_checksums(part)) == content_sha256(
        MARKET
    )
    whole_and_cut = content_sha256(MARKET.rows(slice(0, cut)))
    assert (whole_and_cut == content_sha256(MARKET)) == (cut == 600)


@pytest.mark.parametrize("column", ["opened_at_ns", *PRICE_COLUMNS, "volume"])
@pytest.mark.parametrize("row", [0, 300, 599])
def test_the_smallest_change_anywhere_is_another_checksum(column: str, row: int) -> None:
    columns = {name: getattr(MARKET, name).copy() for name in ("opened_at_ns", *PRICE_COLUMNS, "volume")}
    values = columns[column]
    values[row] = values[row] + 1 if column == "opened_at_ns" else np.nextafter(values[row], np.inf)
    assert content_sha256(Bars(symbol="TEST", timeframe=DAY, **columns)) != content_sha256(MARKET)


def test_the_checksum_of_a_known_bar_never_changes() -> None:
    # Run manifests and catalogues on users' disks hold such checksums: a new way to compute them breaks both.
    one = np.array([100.25])
    bars = Bars(
        symbol="ANY",
        timeframe=DAY,
        opened_at_ns=np.array([1_704_067_200_000_000_000], dtype=np.int64),
        open=one,
        high=one + 1,
        low=one - 1,
        close=one,
        volume=np.array([5000.0]),
    )
    assert content_sha256(bars) == "cf05e90b73b586477c0517907eb8b49e02807d6bc4f30dbc9282f02ca20543ab"
    assert (
        content_sha256(bars.rows(slice(0, 0)))
        == "b1875d44fa84f212a3ab7fdd00d7038c21ab93165821cfdf8d73fdbfd0915d70"
    )
