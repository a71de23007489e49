"""Exchange calendars and their cache: the cache may be slow or absent, and is never wrong."""

import logging
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from magellan.adapters.exchange_calendar import load_calendar
from magellan.errors import FixInput
from magellan.trading.session import ExchangeCalendar

TODAY = date(2026, 1, 15)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "magellan" / "calendars"


def equal(left: ExchangeCalendar, right: ExchangeCalendar) -> bool:
    return left.name == right.name and all(
        np.array_equal(getattr(left, column), getattr(right, column))
        for column in ("session_on", "opens_at_ns", "closes_at_ns")
    )


def test_the_calendar_knows_holidays_half_days_and_clock_changes(cache: Path) -> None:
    calendar = load_calendar("XNYS", today=TODAY)
    assert calendar.hours(date(2024, 11, 28)) is None  # Thanksgiving
    assert calendar.hours(date(2025, 1, 9)) is None  # a day of mourning
    half_day = calendar.hours(date(2024, 11, 29))
    assert half_day == (datetime(2024, 11, 29, 14, 30, tzinfo=UTC), datetime(2024, 11, 29, 18, tzinfo=UTC))
    summer = calendar.hours(date(2024, 7, 1))
    assert summer == (datetime(2024, 7, 1, 13, 30, tzinfo=UTC), datetime(2024, 7, 1, 20, tzinfo=UTC))
    assert len(calendar.sessions(date(2024, 1, 1), date(2024, 12, 31))) == 252
    assert calendar.sessions(date(2027, 12, 1), date(2027, 12, 31))


def test_a_cached_calendar_equals_the_computed_one_and_needs_no_pandas(cache: Path) -> None:
    computed = load_calendar("XNYS", today=TODAY)
    assert len(list(cache.iterdir())) == 1
    program = (
        "import sys; from datetime import date; from magellan.adapters.exchange_calendar import load_calendar;"
        "calendar = load_calendar('XNYS', today=date(2026, 1, 15));"
        "print(len(calendar.session_on), 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(len(computed.session_on)), "False"]
    assert equal(load_calendar("XNYS", today=TODAY), computed)


def test_names_that_look_alike_in_a_file_name_have_files_of_their_own(cache: Path) -> None:
    always, stocks = load_calendar("24/7", today=TODAY), load_calendar("XNYS", today=TODAY)
    assert len(list(cache.iterdir())) == 2
    assert equal(load_calendar("24/7", today=TODAY), always)
    assert equal(load_calendar("XNYS", today=TODAY), stocks)


def test_another_year_is_computed_anew(cache: Path) -> None:
    load_calendar("XNYS", today=TODAY)
    later = load_calendar("XNYS", today=date(2027, 1, 1))
    assert later.sessions(date(2028, 12, 1), date(2028, 12, 29))


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def other_arrays(path: Path) -> None:
    with np.load(path) as columns:
        kept = dict(columns)
    kept["opens_at_ns"] = kept["opens_at_ns"] + 3_600_000_000_000
    np.savez(path, **kept)


def a_calendar_of_another_name(path: Path) -> None:
    load_calendar("XLON", today=TODAY)
    other = next(each for each in path.parent.iterdir() if each.name.startswith("XLON"))
    path.write_bytes(other.read_bytes())


def empty(path: Path) -> None:
    path.write_bytes(b"")


def pickled(path: Path) -> None:
    np.savez(path, session_on=np.array([object()], dtype=object), sha256=np.array("x"))


@pytest.mark.parametrize(
    "damage", [cut_off, flip_a_bit, other_arrays, a_calendar_of_another_name, empty, pickled]
)
def test_a_damaged_cache_is_never_believed(
    cache: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    sound = load_calendar("XNYS", today=TODAY)
    (path,) = cache.iterdir()
    damage(path)
    with caplog.at_level(logging.DEBUG):
        assert equal(load_calendar("XNYS", today=TODAY), sound)
    assert "will be written anew" in caplog.text
    caplog.clear()
    assert equal(load_calendar("XNYS", today=TODAY), sound)
    assert caplog.text == "", "the cache was mended"


def test_a_cache_that_cannot_be_written_costs_time_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert load_calendar("XNYS", today=TODAY).hours(date(2024, 11, 28)) is None


@pytest.mark.parametrize("name", ["NOWHERE", "", "../XNYS"])
def test_an_unknown_calendar_is_refused_naming_examples(cache: Path, name: str) -> None:
    with pytest.raises(FixInput, match=f"no exchange calendar is called '{name}'") as refused:
        load_calendar(name, today=TODAY)
    assert "XNYS" in refused.value.next_step
