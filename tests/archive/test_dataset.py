"""Sets of bars: identity, names in paths, ranges."""

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magellan.archive.dataset import Adjustment, DateRange, SetId, Source, joined
from magellan.errors import FixInput
from magellan.trading.session import Hours
from magellan.trading.timeframe import Timeframe

SYMBOLS = st.from_regex(r"[A-Z0-9^][A-Z0-9.\-/^=:_]{0,31}", fullmatch=True)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,39}", fullmatch=True)
SET_IDS = st.builds(
    SetId,
    symbol=SYMBOLS,
    timeframe=st.sampled_from([Timeframe.parse(text) for text in ("1Min", "5Min", "1Hour", "1Day")]),
    vendor=NAMES,
    feed=NAMES,
    adjustment=st.sampled_from(Adjustment),
    hours=st.sampled_from(Hours),
)
DAYS = st.integers(0, 60).map(lambda day: date(2024, 1, 1) + timedelta(days=day))
RANGES = st.tuples(DAYS, DAYS).map(lambda two: DateRange(first_on=min(two), last_on=max(two)))


@given(set_id=SET_IDS)
def test_a_set_is_found_again_by_its_name(set_id: SetId) -> None:
    assert SetId.parse(set_id.slug) == set_id


@given(set_id=SET_IDS)
def test_the_name_of_a_set_never_leaves_its_folder(set_id: SetId) -> None:
    parts = set_id.slug.split("/")
    assert len(parts) == 6
    assert not {"", ".", ".."} & set(parts)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("symbol", ""),
        ("symbol", "tsla"),
        ("symbol", "../TSLA"),
        ("symbol", "TSLA 1"),
        ("symbol", "A" * 33),
        ("vendor", "Alpaca"),
        ("vendor", ".."),
        ("vendor", ""),
        ("feed", "sip/iex"),
    ],
)
def test_a_name_that_could_be_taken_for_another_is_refused(field: str, value: str) -> None:
    fields = {"symbol": "TSLA", "vendor": "alpaca", "feed": "sip"} | {field: value}
    with pytest.raises(FixInput, match="is not"):
        SetId(timeframe=Timeframe.parse("1Min"), adjustment=Adjustment.RAW, hours=Hours.ALL, **fields)


@pytest.mark.parametrize(
    "slug",
    [
        "TSLA",
        "alpaca/sip/raw/all/TSLA",
        "alpaca/sip/raw/all/TSLA/1Min/x",
        "alpaca/sip/cooked/all/TSLA/1Min",
        "alpaca/sip/raw/night/TSLA/1Min",
        "alpaca/sip/raw/all/TSLA/1Sec",
    ],
)
def test_what_names_no_set_is_refused(slug: str) -> None:
    with pytest.raises(FixInput):
        SetId.parse(slug)


@given(ranges=st.lists(RANGES, max_size=8).map(tuple))
def test_joined_ranges_hold_the_same_dates_and_neither_touch_nor_overlap(
    ranges: tuple[DateRange, ...],
) -> None:
    def dates(of: tuple[DateRange, ...]) -> set[date]:
        return {
            each.first_on + timedelta(days=day)
            for each in of
            for day in range((each.last_on - each.first_on).days + 1)
        }

    result = joined(ranges)
    assert dates(result) == dates(ranges)
    gaps = [(after.first_on - before.last_on).days for before, after in itertools.pairwise(result)]
    assert all(gap > 1 for gap in gaps)


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(FixInput, match="ends before it begins"):
        DateRange(first_on=date(2024, 2, 1), last_on=date(2024, 1, 1))


def test_a_source_is_stamped_in_utc() -> None:
    naive = datetime(2024, 1, 1)
    with pytest.raises(ValueError, match="not in UTC"):
        Source(name="x", sha256="0", rows=1, requested=None, fetched_at=naive)
    assert (
        Source(name="x", sha256="0", rows=1, requested=None, fetched_at=naive.replace(tzinfo=UTC)).rows == 1
    )
