"""Time as a session lives it, when somebody sets the machine's clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from magellan.adapters.local.real_time import RealTime
from magellan.trading.timeframe import SECOND_NS

NOON = datetime(2024, 3, 4, 12, tzinfo=UTC)
HOUR_S = 3600


@dataclass
class Machine:
    """A machine with two clocks, of which anybody may set one."""

    wall_ns: int = int(NOON.timestamp()) * SECOND_NS
    steady_ns: int = 17

    def __post_init__(self) -> None:
        self.time = RealTime(lambda: self.wall_ns, lambda: self.steady_ns)

    def passes(self, seconds: int) -> None:
        self.wall_ns += seconds * SECOND_NS
        self.steady_ns += seconds * SECOND_NS

    def is_set(self, seconds: int) -> None:
        self.wall_ns += seconds * SECOND_NS


def test_time_goes_on_where_the_clock_is_set_back() -> None:
    machine = Machine()
    machine.passes(10)
    assert machine.time.now() == NOON + timedelta(seconds=10)
    machine.is_set(-HOUR_S)
    machine.passes(10)
    assert machine.time.now() == NOON + timedelta(seconds=20)


def test_a_clock_that_is_set_forward_is_followed() -> None:
    machine = Machine()
    machine.is_set(HOUR_S)
    machine.passes(10)
    assert machine.time.now() == NOON + timedelta(hours=1, seconds=10)


@given(steps=st.lists(st.tuples(st.integers(0, 5000), st.integers(-5000, 5000)), max_size=20))
def test_time_never_runs_slower_than_it_passes_and_never_lags_behind_the_clock(
    steps: list[tuple[int, int]],
) -> None:
    machine = Machine()
    before = machine.time.now()
    for passed_s, set_s in steps:
        machine.passes(passed_s)
        machine.is_set(set_s)
        now = machine.time.now()
        assert now - before >= timedelta(seconds=passed_s)
        assert now >= datetime.fromtimestamp(machine.wall_ns // SECOND_NS, UTC)
        before = now
