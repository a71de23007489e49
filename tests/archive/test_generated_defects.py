"""Every defect on demand: each does what it says, nothing else, and never passes unnoticed."""

from datetime import date
from functools import cache

import numpy as np
import pytest

from magellan.adapters.exchange_calendar import load_calendar
from magellan.archive.discontinuity import discontinuities
from magellan.archive.generated.defect import (
    BadPrint,
    BrokenValue,
    Defect,
    DuplicateRows,
    GenuineJump,
    Halt,
    MissingRows,
    MissingSession,
    OtherInstrument,
    PhantomDay,
    RepeatedRows,
    Truncated,
    UnadjustedSplit,
    ZeroVolumeRows,
)
from magellan.archive.generated.generate import Generated, generate
from magellan.archive.generated.market import Market
from magellan.archive.generated.rows import COLUMNS, Rows
from magellan.archive.generated.style import Style
from magellan.errors import FixInput
from magellan.trading.corporate_action import ConfirmedMove, Split
from magellan.trading.session import ExchangeCalendar, Hours, day_number, session_columns
from magellan.trading.timeframe import DAY, MINUTE, Timeframe

FIRST, LAST = date(2025, 10, 20), date(2025, 11, 28)
TUESDAY, SATURDAY, THANKSGIVING = date(2025, 11, 11), date(2025, 11, 8), date(2025, 11, 27)


@cache
def xnys() -> ExchangeCalendar:
    return load_calendar(today=date(2026, 1, 15))


def made(*defects: Defect, timeframe: Timeframe = MINUTE, style: Style = Style.LARGE_CAP) -> Generated:
    market = Market(
        symbol="URCHIN", style=style, first_on=FIRST, last_on=LAST, timeframe=timeframe, defects=defects
    )
    return generate(market, xnys(), seed=5)


def on(rows: Rows, day: date) -> np.ndarray:
    return np.asarray(rows.session_day == day_number(day))


def differing(rows: Rows, sound: Rows) -> np.ndarray:
    return np.flatnonzero(np.any([getattr(rows, name) != getattr(sound, name) for name in COLUMNS], axis=0))


@pytest.mark.parametrize(("new", "old"), [(10, 1), (1, 20), (3, 2)])
def test_an_unadjusted_split_moves_price_and_volume_from_its_day_on(new, old):
    sound, split = (
        made(timeframe=DAY).rows,
        made(UnadjustedSplit(on=TUESDAY, new_shares=new, old_shares=old), timeframe=DAY).rows,
    )
    after = sound.session_day >= day_number(TUESDAY)
    assert np.allclose(split.close[after], sound.close[after] * old / new, atol=0.006)
    assert np.allclose(split.volume[after], sound.volume[after] * new / old, atol=1)
    assert np.array_equal(split.close[~after], sound.close[~after])


@pytest.mark.parametrize("timeframe", [DAY, MINUTE])
def test_a_recorded_split_explains_its_jump_and_an_unrecorded_one_does_not(timeframe):
    recorded = made(UnadjustedSplit(on=TUESDAY, new_shares=4, old_shares=1), timeframe=timeframe)
    assert [type(action) for action in recorded.actions] == [Split]
    assert discontinuities(recorded.bars(), recorded.actions) == ()
    silent = made(
        UnadjustedSplit(on=TUESDAY, new_shares=4, old_shares=1, recorded=False), timeframe=timeframe
    )
    assert silent.actions == ()
    (jump,) = discontinuities(silent.bars(), silent.actions)
    assert jump.factor == pytest.approx(0.25, rel=0.1)


def test_a_split_holds_for_the_hours_before_its_first_session():
    market = Market(
        symbol="URCHIN",
        style=Style.LARGE_CAP,
        first_on=FIRST,
        last_on=LAST,
        hours=Hours.ALL,
        defects=(UnadjustedSplit(on=TUESDAY, new_shares=4, old_shares=1),),
    )
    made_ = generate(market, xnys(), seed=5)
    assert discontinuities(made_.bars(), made_.actions) == ()


@pytest.mark.parametrize("timeframe", [DAY, MINUTE])
def test_a_genuine_jump_moves_the_price_alone_and_can_be_confirmed(timeframe):
    sound = made(timeframe=timeframe)
    confirmed = made(GenuineJump(on=TUESDAY, factor=0.2), timeframe=timeframe)
    assert [type(action) for action in confirmed.actions] == [ConfirmedMove]
    assert discontinuities(confirmed.bars(), confirmed.actions) == ()
    assert np.array_equal(confirmed.rows.volume, sound.rows.volume)
    unexplained = made(GenuineJump(on=TUESDAY, factor=0.2, confirmed=False), timeframe=timeframe)
    assert len(discontinuities(unexplained.bars(), unexplained.actions)) == 1


@pytest.mark.parametrize("timeframe", [DAY, MINUTE])
def test_a_missing_session_has_no_row_and_the_others_stay(timeframe):
    sound, rows = made(timeframe=timeframe).rows, made(MissingSession(on=TUESDAY), timeframe=timeframe).rows
    assert not on(rows, TUESDAY).any()
    assert len(rows) == len(sound) - np.count_nonzero(on(sound, TUESDAY))


def test_a_halt_leaves_its_minutes_without_rows():
    halted = made(Halt(on=TUESDAY, after_open_minutes=100, minutes=25)).bars()
    columns = session_columns(halted)
    minutes = columns.minute[columns.day == day_number(TUESDAY)] - (9 * 60 + 30)
    assert set(range(390)) - set(minutes.tolist()) == set(range(100, 125))
    assert len(halted) == len(made().bars()) - 25


def test_missing_rows_are_scattered():
    sound, rows = made().rows, made(MissingRows(share=0.05)).rows
    assert 0.03 < 1 - len(rows) / len(sound) < 0.07
    lost = np.flatnonzero(~np.isin(sound.opened_at_ns, rows.opened_at_ns))
    assert len(set(sound.session_day[lost].tolist())) > 20


@pytest.mark.parametrize(("timeframe", "factor"), [(MINUTE, 3.0), (MINUTE, 0.3), (DAY, 4.0)])
def test_a_bad_print_is_one_wrong_row(timeframe, factor):
    sound, rows = (
        made(timeframe=timeframe).rows,
        made(BadPrint(on=TUESDAY, factor=factor), timeframe=timeframe).rows,
    )
    (row,) = differing(rows, sound)
    assert on(rows, TUESDAY)[row]
    assert rows.close[row] / sound.close[row] == pytest.approx(factor, rel=1e-3)
    assert len(discontinuities(rows.bars(), ())) == 2  # there and back


@pytest.mark.parametrize("day", [SATURDAY, THANKSGIVING])
@pytest.mark.parametrize("timeframe", [DAY, MINUTE])
def test_a_phantom_day_is_thin_and_no_session(timeframe, day):
    sound, rows = made(timeframe=timeframe).rows, made(PhantomDay(on=day), timeframe=timeframe).rows
    assert xnys().hours(day) is None
    phantom = on(rows, day)
    assert phantom.any()
    assert np.array_equal(rows.chosen(~phantom).close, sound.close)
    typical = sound.volume.sum() / len(set(sound.session_day.tolist()))
    assert rows.volume[phantom].sum() < 0.01 * typical
    bars = rows.bars()
    assert not xnys().regular(bars)[phantom].any()


def test_duplicate_rows_are_no_bars():
    broken = made(DuplicateRows(rows=3))
    assert np.count_nonzero(np.diff(broken.rows.opened_at_ns) == 0) == 3
    with pytest.raises(FixInput, match="does not lie after"):
        broken.bars()


def test_repeated_rows_say_the_same_under_their_own_time():
    sound, rows = made(timeframe=DAY).rows, made(RepeatedRows(rows=3), timeframe=DAY).rows
    changed = differing(rows, sound)
    assert len(changed) == 3
    assert all(
        getattr(rows, name)[row] == getattr(sound, name)[row - 1] for row in changed for name in COLUMNS
    )
    rows.bars()


def test_zero_volume_rows_keep_their_prices():
    sound, rows = made().rows, made(ZeroVolumeRows(rows=7)).rows
    assert np.count_nonzero(rows.volume == 0) == 7
    assert np.array_equal(rows.close, sound.close)


def test_rows_of_another_instrument_lie_near_its_price():
    """Incident 12: 1.8 % of the rows at prices near 250 caused almost half of all signals."""
    sound, rows = made().rows, made(OtherInstrument(share=0.018, price_usd=25.0)).rows
    changed = differing(rows, sound)
    assert 0.012 < len(changed) / len(rows) < 0.025
    assert np.allclose(rows.close[changed], 25.0, rtol=0.02)
    assert len(discontinuities(rows.bars(), ())) > len(changed)


def test_a_truncated_range_holds_only_what_the_vendor_returned():
    """Incident 21."""
    rows = made(Truncated(first_on=TUESDAY, last_on=LAST)).rows
    assert rows.session_day.min() == day_number(TUESDAY)
    assert rows.session_day.max() == day_number(LAST)


@pytest.mark.parametrize(
    ("column", "value"), [("close", np.nan), ("low", -3.0), ("volume", np.inf), ("open", 1e9)]
)
def test_a_broken_value_is_no_bar(column, value):
    broken = made(BrokenValue(on=TUESDAY, column=column, value=value))
    with pytest.raises(FixInput, match="2025-11-11"):
        broken.bars()


def test_defects_add_up_in_their_order():
    rows = made(
        MissingSession(on=TUESDAY), ZeroVolumeRows(rows=2), PhantomDay(on=SATURDAY), timeframe=DAY
    ).rows
    assert not on(rows, TUESDAY).any()
    assert on(rows, SATURDAY).any()
    assert np.count_nonzero(rows.volume == 0) == 2


@pytest.mark.parametrize(
    "defect",
    [
        UnadjustedSplit(on=FIRST, new_shares=2, old_shares=1),
        GenuineJump(on=date(2026, 1, 5), factor=2.0),
        MissingSession(on=SATURDAY),
        Halt(on=SATURDAY, after_open_minutes=0, minutes=5),
        Halt(on=TUESDAY, after_open_minutes=390, minutes=5),
        MissingRows(share=0.0),
        BadPrint(on=SATURDAY),
        BadPrint(on=TUESDAY, after_open_minutes=400),
        PhantomDay(on=TUESDAY),
        PhantomDay(on=date(2025, 10, 19)),
        DuplicateRows(rows=0),
        RepeatedRows(rows=10**9),
        OtherInstrument(share=0.0),
        Truncated(first_on=FIRST, last_on=LAST),
        BrokenValue(on=SATURDAY, column="close", value=1.0),
        BrokenValue(on=TUESDAY, column="vwap", value=1.0),
    ],
    ids=repr,
)
def test_a_defect_that_finds_no_place_is_refused(defect):
    with pytest.raises(FixInput):
        made(defect)
