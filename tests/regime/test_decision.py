"""The decision layer: one dial, and limits that block. Nothing forces a switch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magellan.regime.config import DecisionConfig
from magellan.regime.decision import Decider, even_stay, expected_right

SOON = (0.9, 0.1)
LATER = (0.1, 0.9)
EVEN = (0.5, 0.5)


def labels(
    rows: list[tuple[float, ...]], config: DecisionConfig, **more: object
) -> tuple[list[int], list[int]]:
    """Labels and ages of these probabilities; `begins` and `size` per row where given."""
    n = len(rows)
    begins = np.array(more.get("begins", [False] * n), dtype=bool)
    size = np.array(more.get("size", [0.0] * n), dtype=np.float64)
    decider = Decider(config, alone_bars=10.0, reversal=more.get("reversal"))  # type: ignore[arg-type]
    probabilities = np.array(rows, dtype=np.float64)
    right = expected_right(even_stay(probabilities.shape[1], 50.0))
    out = decider.labels(probabilities, right, begins, size, alone=bool(more.get("alone")))
    return out[:, 0].astype(int).tolist(), out[:, 1].astype(int).tolist()


AT_ONCE = {"stability": 0.0}

# what the config says, probabilities, the labels that follow
CASES = {
    "the most probable class is followed at once where a switch costs nothing": (
        {**AT_ONCE}, [SOON, LATER, SOON], [0, 1, 0],
    ),
    "a small lead does not pay for a switch": ({"stability": 0.6}, [SOON, (0.4, 0.6), (0.4, 0.6)], [0, 0, 0]),
    "a large lead does": ({"stability": 0.6}, [SOON, LATER, LATER], [0, 1, 1]),
    "a label is not left before its minimum": (
        {**AT_ONCE, "minimum_bars": 3}, [SOON, LATER, LATER, LATER, LATER], [0, 0, 0, 1, 1],
    ),
    "after a switch there is none for a while": (
        {**AT_ONCE, "cooldown_bars": 2}, [SOON, LATER, SOON, SOON, SOON], [0, 1, 1, 1, 0],
    ),
    "a switch waits until it is confirmed": (
        {**AT_ONCE, "confirmation_bars": 2}, [SOON, LATER, SOON, LATER, LATER], [0, 0, 0, 0, 1],
    ),
    "below the least confidence the label is unknown": (
        {**AT_ONCE, "confidence_min": 0.6}, [SOON, (0.55, 0.45), SOON], [0, -1, 0],
    ),
    "without probabilities the label is unknown, and begins anew behind": (
        {**AT_ONCE}, [SOON, (np.nan, np.nan), LATER], [0, -1, 1],
    ),
    "an equal chance changes nothing": ({**AT_ONCE}, [LATER, EVEN, EVEN], [1, 1, 1]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_limit_blocks(case: str) -> None:
    config, rows, expected = CASES[case]
    assert labels(rows, DecisionConfig(**config))[0] == expected


def test_so_many_switches_a_session_and_no_more() -> None:
    rows = [SOON, LATER, SOON, LATER, SOON, LATER]
    begins = [True, False, False, False, True, False]
    config = DecisionConfig(stability=0.0, switches_per_session_max=1)
    assert labels(rows, config, begins=begins)[0] == [0, 1, 1, 1, 0, 0]


def test_no_switch_on_a_bar_beyond_noise() -> None:
    config = DecisionConfig(stability=0.0, noise_sigma=3.0)
    assert labels([SOON, LATER, LATER], config, size=[0.0, -5.0, 1.0])[0] == [0, 0, 1]


def test_a_direct_reversal_waits_for_the_middle_when_it_is_forbidden() -> None:
    down, middle, up = (0.9, 0.1, 0.0), (0.0, 0.9, 0.1), (0.0, 0.1, 0.9)
    rows = [down, up, up, middle, up]
    sides = ((0,), (2,))
    assert labels(rows, DecisionConfig(stability=0.0), reversal=sides)[0] == [0, 2, 2, 1, 2]
    config = DecisionConfig(stability=0.0, direct_reversals=False)
    assert labels(rows, config, reversal=sides)[0] == [0, 0, 0, 1, 2]


def test_an_age_counts_the_bars_of_a_label_its_first_included() -> None:
    assert labels([SOON, SOON, LATER, LATER], DecisionConfig(stability=0.0))[1] == [1, 2, 1, 2]


ALONE = {
    "the most probable class is followed at once where leads cost nothing": (
        {**AT_ONCE}, [SOON, LATER, SOON, EVEN], [0, 1, 0, 0],
    ),
    "a class that has led by the dial's bars follows, however it came to them": (
        {"stability": 0.42}, [SOON] + [LATER] * 2 + [EVEN] + [LATER] * 3 + [(0.3, 0.7)] * 2, [0] * 7 + [1] * 2,
    ),
    "bars in which the label leads are taken off": (
        {"stability": 0.42}, [SOON] + [LATER] * 4 + [SOON] * 4 + [LATER] * 6, [0] * 14 + [1],
    ),
    "and no more than there are": ({"stability": 0.42}, [SOON] * 50 + [LATER] * 6, [0] * 55 + [1]),
    "what another class leads by is not this one's": (
        {"stability": 0.42},
        [(0.8, 0.1, 0.1)] + [(0.0, 1.0, 0.0), (0.0, 0.0, 1.0)] * 4 + [(0.0, 1.0, 0.0)],
        [0] * 9 + [1],
    ),
    "a limit keeps the label, and its leads": (
        {"stability": 0.42, "minimum_bars": 8}, [SOON] + [LATER] * 8, [0] * 8 + [1],
    ),
    "where nothing is known all leads are forgotten": (
        {"stability": 0.42}, [SOON] + [LATER] * 5 + [(np.nan, np.nan), SOON] + [LATER] * 5, [0] * 6 + [-1] + [0] * 6,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ALONE)
def test_without_states_a_label_is_left_by_what_it_has_lost(case: str) -> None:
    config, rows, expected = ALONE[case]
    assert labels(rows, DecisionConfig(**config), alone=True)[0] == expected


@settings(max_examples=60)
@given(
    rows=st.lists(st.tuples(*[st.floats(0.01, 1.0)] * 3), min_size=2, max_size=80),
    stability=st.floats(0.0, 1.0),
)
def test_without_states_no_label_loses_more_than_the_dial_says(
    rows: list[tuple[float, ...]], stability: float
) -> None:
    shares = [tuple(each / sum(row) for each in row) for row in rows]
    found, _ = labels(shares, DecisionConfig(stability=stability), alone=True)
    for other in range(3):
        lost = 0.0
        for row in range(1, len(rows)):
            if found[row] != found[row - 1]:
                lost = 0.0
            lost = max(0.0, lost + shares[row][other] - shares[row][found[row]])
            leads = other == max(range(3), key=lambda each: shares[row][each])
            assert not leads or lost <= 10.0 * stability + 1e-9, "it would have been followed"


@settings(max_examples=60)
@given(
    chances=st.lists(st.floats(0.0, 1.0), min_size=2, max_size=60),
    stability=st.floats(0.0, 1.0),
    minimum=st.integers(1, 5),
    cooldown=st.integers(0, 5),
)
def test_nothing_forces_a_switch(chances: list[float], stability: float, minimum: int, cooldown: int) -> None:
    config = DecisionConfig(stability=stability, minimum_bars=minimum, cooldown_bars=cooldown)
    rows = [(1.0 - chance, chance) for chance in chances]
    found, _ = labels(rows, config)
    for row in range(1, len(rows)):
        if found[row] != found[row - 1]:
            assert rows[row][found[row]] > rows[row][found[row - 1]], "only towards what is more probable"
