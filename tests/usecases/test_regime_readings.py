"""The newest readings of markets: kept while nothing has changed, and never longer."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from magellan.archive.dataset import Adjustment, SetId, SetNotFound, SetRecord
from magellan.regime.config import RegimeConfig
from magellan.regime.quality.scenario import scenario
from magellan.trading.session import Hours
from magellan.trading.timeframe import DAY, Timeframe
from magellan.usecases.regime_bars import RegimeBars, of_bars
from magellan.usecases.regime_readings import LOOKS_AT_ALL_EVERY_S, LOOKS_EVERY_S, RegimeReadings


class Archive:
    """One set in memory, whose looks are counted."""

    def __init__(self) -> None:
        at = datetime(2026, 1, 20, tzinfo=UTC)
        of = SetId(
            symbol="SPY",
            timeframe=DAY,
            vendor="desk",
            feed="one",
            adjustment=Adjustment.RAW,
            hours=Hours.REGULAR,
        )
        self.held: SetRecord | None = SetRecord(
            id=of,
            calendar="XNYS",
            requested=(),
            first_at=at,
            last_at=at,
            rows=60,
            sha256="a" * 64,
            sources=(),
        )
        self.looks = self.looks_at_all = 0

    def sets(self) -> tuple[SetRecord, ...]:
        self.looks_at_all += 1
        return () if self.held is None else (self.held,)

    def record(self, set_id: SetId) -> SetRecord:
        self.looks += 1
        if self.held is None:
            raise SetNotFound("it is gone")
        return self.held


class Desk:
    """Readings over that archive, by a clock that stands still."""

    def __init__(self) -> None:
        self.archive, self.now_s, self.reads = Archive(), 100.0, 0
        self.config = RegimeConfig()
        self.readings = RegimeReadings(
            self.archive,  # type: ignore[arg-type]
            self.bars_of,
            lambda: self.config,
            lambda: self.now_s,
        )

    def bars_of(self, symbol: str, timeframe: Timeframe) -> RegimeBars:
        self.reads += 1
        made = replace(scenario("vol2", self.reads, bars=60).bars, symbol=symbol)
        return of_bars(made, "generated", generated=True)


@pytest.fixture
def desk() -> Desk:
    made = Desk()
    made.readings.reading("spy", DAY)
    return made


def test_thousands_who_ask_at_once_look_at_the_archive_once(desk: Desk) -> None:
    desk.now_s += LOOKS_EVERY_S
    assert len({id(desk.readings.kept_reading("SPY", DAY)) for _ in range(1000)}) == 1
    assert (desk.archive.looks, desk.archive.looks_at_all, desk.reads) == (1, 1, 1)


def test_bars_that_have_changed_are_read_again(desk: Desk) -> None:
    before = desk.readings.kept_reading("SPY", DAY)
    assert before is not None and desk.archive.held is not None
    desk.archive.held = replace(desk.archive.held, sha256="b" * 64)
    desk.now_s += LOOKS_EVERY_S
    assert desk.readings.kept_reading("SPY", DAY) is None
    after = desk.readings.reading("SPY", DAY)
    assert desk.reads == 2 and desk.readings.kept_reading("SPY", DAY) is after
    assert desk.readings.known() == (after,)


def test_another_config_is_another_reading_at_once(desk: Desk) -> None:
    desk.config = RegimeConfig(view="12")
    assert desk.readings.kept_reading("SPY", DAY) is None
    desk.readings.reading("SPY", DAY)
    assert desk.reads == 2


def test_one_of_many_looks_whether_another_set_is_to_be_read_and_nobody_waits_for_it(desk: Desk) -> None:
    desk.now_s += LOOKS_AT_ALL_EVERY_S
    told = [desk.readings.kept_reading("SPY", DAY) for _ in range(10)]
    assert told[0] is None and None not in told[1:]
    desk.readings.reading("SPY", DAY)
    assert (desk.archive.looks_at_all, desk.reads) == (2, 1)


def test_a_set_that_is_gone_is_not_read_from_memory(desk: Desk) -> None:
    desk.archive.held = None
    desk.now_s += LOOKS_EVERY_S
    with pytest.raises(SetNotFound):
        desk.readings.kept_reading("SPY", DAY)
