"""Exchange time under every clock."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magellan.errors import FixInput
from magellan.exchange.server.clock import ClockMode, ExchangeClock
from magellan.trading.timeframe import SECOND_NS


class Wall:
    """A wall clock that a test sets."""

    def __init__(self, at_ns: int = 1_000 * SECOND_NS) -> None:
        self.at_ns = at_ns

    def __call__(self) -> int:
        return self.at_ns


def test_a_shifted_clock_is_the_wall_clock_and_never_goes_back() -> None:
    wall = Wall()
    clock = ExchangeClock(ClockMode.SHIFTED, wall_ns=wall)
    assert clock.now_ns() == wall.at_ns
    wall.at_ns -= 5 * SECOND_NS  # somebody set the machine's clock
    assert clock.now_ns() == 1_000 * SECOND_NS


def test_a_paced_clock_runs_so_many_times_as_fast() -> None:
    wall = Wall()
    clock = ExchangeClock(ClockMode.PACED, wall_ns=wall, at_ns=70, speed=60.0)
    wall.at_ns += SECOND_NS
    assert clock.now_ns() == 70 + 60 * SECOND_NS
    assert clock.wall_seconds_until(70 + 180 * SECOND_NS) == pytest.approx(2.0)


@pytest.mark.parametrize("mode", [ClockMode.STEPPED, ClockMode.FROZEN, ClockMode.FAST])
def test_clocks_that_do_not_run_stand_still_whatever_the_wall_clock_does(mode: ClockMode) -> None:
    wall = Wall()
    clock = ExchangeClock(mode, wall_ns=wall, at_ns=70)
    wall.at_ns += 3_600 * SECOND_NS
    assert clock.now_ns() == 70
    assert clock.wall_seconds_until(100) is None


def test_time_cannot_be_stepped_back() -> None:
    clock = ExchangeClock(ClockMode.STEPPED, wall_ns=Wall(), at_ns=70)
    clock.move_to(90)
    with pytest.raises(FixInput, match="cannot go back"):
        clock.move_to(89)


def test_an_exchange_cannot_become_shifted_after_its_start() -> None:
    clock = ExchangeClock(ClockMode.STEPPED, wall_ns=Wall(), at_ns=70)
    with pytest.raises(FixInput, match="only at its start"):
        clock.change(ClockMode.SHIFTED)


@settings(max_examples=50)
@given(
    moves=st.lists(
        st.tuples(
            st.integers(0, 10 * SECOND_NS),
            st.sampled_from([ClockMode.PACED, ClockMode.FROZEN]),
            st.floats(0.1, 1000),
        ),
        max_size=8,
    )
)
def test_a_change_of_mode_never_makes_time_jump(moves: list[tuple[int, ClockMode, float]]) -> None:
    wall = Wall()
    clock = ExchangeClock(ClockMode.PACED, wall_ns=wall, at_ns=70)
    for passed_ns, mode, speed in moves:
        wall.at_ns += passed_ns
        before = clock.now_ns()
        clock.change(mode, speed=speed)
        assert clock.now_ns() == before
