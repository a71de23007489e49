"""The filter is Bayes' rule: held against the same in logarithms, with SciPy's densities."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import t as student

from magellan.regime.frozen_filter import state_probabilities
from magellan.regime.hidden_markov import MOMENTS, backward, emissions, forward
from magellan.regime.markov_model import STILL, Level, MarkovModel, aligned
from magellan.regime.observed import Observed
from magellan.regime.wick_density import WickDensity, wick_terms

WICKS = WickDensity(offset=-0.2, width=0.5, slope=0.8)


def model(*, level: Level = STILL, states: int = 3, wicks: WickDensity | None = WICKS) -> MarkovModel:
    stay = np.full((states, states), 0.04 / (states - 1))
    np.fill_diagonal(stay, 0.96)
    return MarkovModel(
        mean=np.linspace(0.001, -0.001, states),
        scale=np.linspace(0.005, 0.02, states),
        m=3,
        stay=stay,
        wicks=wicks,
        level=level,
        level_at_start=0.1,
        log_likelihood=0.0,
        bars=300,
        evidence_for_regimes=10.0,
    )


def observed(seed: int, n: int = 300) -> Observed:
    rng = np.random.default_rng(seed)
    values = 0.01 * rng.standard_t(4, n)
    wicks = -4.8 + 0.7 * rng.standard_normal(n)
    return Observed(values, np.where(rng.random(n) < 0.1, np.nan, wicks))


def in_logarithms(of: MarkovModel, seen: Observed) -> tuple[np.ndarray, np.ndarray]:
    """Written down a second time: normalised in logarithms, the level from the definition of its score."""
    belief = np.log(np.full(of.states, 1.0 / of.states))
    level = of.level_at_start
    beliefs, evidence = [], []
    for value, wick in zip(seen.returns, seen.wicks, strict=True):
        scale = of.scale * np.exp(level)
        z = (value - of.mean * np.exp(level)) / scale
        predicted = logsumexp(belief[:, None] + np.log(of.stay), axis=0)
        joint = predicted + student.logpdf(z, of.freedom) - np.log(scale)
        evidence.append(logsumexp(joint))
        score = (of.freedom + 1) * z**2 / (of.freedom + z**2) - 1
        variance = 2 * of.freedom / (of.freedom + 3)
        if of.wicks is not None:
            variance += 8 / 10 / of.wicks.width**2
            if np.isfinite(wick):
                far = z**2 / (of.freedom + z**2)
                y = (wick - np.log(scale) - of.wicks.offset - of.wicks.slope * far) / of.wicks.width
                joint = joint + student.logpdf(y, 7) - np.log(of.wicks.width)
                score = score + 8 * y / (7 + y**2) / of.wicks.width
        belief = joint - logsumexp(joint)
        beliefs.append(np.exp(belief))
        level = of.level.pull * level + of.level.gain * (np.exp(belief) @ score) / variance
    return np.array(beliefs), np.array(evidence)


@pytest.mark.parametrize("level", [STILL, Level(half_life_bars=50.0), Level(half_life_bars=5.0, pull=0.9)])
@pytest.mark.parametrize("states", [1, 2, 3, 5])
@pytest.mark.parametrize("wicks", [None, WICKS], ids=["returns", "wicks"])
def test_the_filter_is_bayes_rule(wicks: WickDensity | None, level: Level, states: int) -> None:
    if states == 1:
        of = MarkovModel(
            mean=np.array([0.0]), scale=np.array([0.01]), m=3, stay=np.ones((1, 1)), wicks=wicks, level=level,
            level_at_start=0.1, log_likelihood=0.0, bars=300, evidence_for_regimes=0.0,
        )  # fmt: skip
    else:
        of = model(level=level, states=states, wicks=wicks)
    values = observed(1)
    beliefs, evidence = state_probabilities(of, values)
    expected_beliefs, expected_evidence = in_logarithms(of, values)
    np.testing.assert_allclose(beliefs, expected_beliefs, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(evidence, expected_evidence, rtol=1e-9, atol=1e-9)


@settings(max_examples=25)
@given(cuts=st.lists(st.integers(0, 300), max_size=6))
def test_the_filter_goes_on_from_any_row_as_if_nothing_had_been_between(cuts: list[int]) -> None:
    of, values = model(level=Level(half_life_bars=60.0)), observed(2)
    whole, _ = state_probabilities(of, values)
    belief, level = np.full(3, 1 / 3), np.array([of.level_at_start])
    parts = np.empty((300, 3))
    edges = [0, *sorted(cuts), 300]
    for start, end in itertools.pairwise(edges):
        n = end - start
        forward(
            values.returns[start:end], values.wicks[start:end], of.mean, *emissions(of.scale, of.m), of.m,
            *wick_terms(of.wicks, of.scale), of.stay, of.level.gain, of.level.pull, belief, level, parts[start:end],
            np.empty((n, 3)), np.empty(n), np.empty(n), np.empty(n),
        )  # fmt: skip
    assert (parts == whole).all()


def test_what_rows_say_of_parameters_is_seen_from_all_of_them() -> None:
    """By probabilities of all rows together, in logarithms, and by definition of what is summed."""
    of, seen = model(), observed(4)
    n, states = len(seen), of.states
    filtered, density, joint, scores = np.empty((n, states)), np.empty((n, states)), np.empty(n), np.empty(n)
    (inverse, height), (centre, by_wick) = emissions(of.scale, of.m), wick_terms(of.wicks, of.scale)
    forward(
        seen.returns, seen.wicks, of.mean, inverse, height, of.m, centre, by_wick, of.stay, 0.0, 1.0,
        np.full(states, 1.0 / states), np.zeros(1), filtered, density, joint, np.empty(n), np.empty(n),
    )  # fmt: skip
    moments, moves = np.empty((states, MOMENTS)), np.empty((states, states))
    backward(
        seen.returns, seen.wicks, of.mean, inverse, of.m, centre, by_wick, of.stay, filtered, density, joint, moments,
        moves, scores, np.empty(states), np.empty(states),
    )  # fmt: skip

    x, wick = seen.returns[:, None], seen.wicks[:, None]
    z = (x - of.mean) / of.scale
    far = z**2 / (of.freedom + z**2)
    y = (wick - np.log(of.scale) - WICKS.offset - WICKS.slope * far) / WICKS.width
    has = np.isfinite(wick)
    said = student.logpdf(z, of.freedom) - np.log(of.scale)
    said += np.where(has, student.logpdf(y, 7) - np.log(WICKS.width), 0.0)
    before, after = np.empty((n, states)), np.zeros((n, states))
    before[0] = said[0] - np.log(states)
    for row in range(1, n):
        before[row] = said[row] + logsumexp(before[row - 1][:, None] + np.log(of.stay), axis=0)
    for row in range(n - 2, -1, -1):
        after[row] = logsumexp(np.log(of.stay) + said[row + 1] + after[row + 1], axis=1)
    share = np.exp(before + after - logsumexp(before[-1]))
    moved = before[:-1, :, None] + np.log(of.stay) + (said + after)[1:, None, :] - logsumexp(before[-1])

    weight, seen_share = share * (of.freedom + 1) / (of.freedom + z**2), np.where(has, share, 0.0)
    weight_wick = np.where(has, seen_share * 8 / (7 + y**2), 0.0)
    values = np.where(has, wick, 0.0)
    sums = [
        share, weight, weight * x, weight * x**2, seen_share, weight_wick, weight_wick * values, weight_wick * far,
        weight_wick * values**2, weight_wick * values * far, weight_wick * far**2,
    ]  # fmt: skip
    np.testing.assert_allclose(moments, np.array([each.sum(axis=0) for each in sums]).T, rtol=1e-9)
    np.testing.assert_allclose(moves, np.exp(moved).sum(axis=0), rtol=1e-9)
    by_return = (of.freedom + 1) * far - 1
    by_wick_too = np.where(has, 8 * y / (7 + y**2) / WICKS.width, 0.0)
    variance = 2 * of.freedom / (of.freedom + 3) + 8 / 10 / WICKS.width**2
    expected = (share * (by_return + by_wick_too)).sum(axis=1) / variance
    np.testing.assert_allclose(scores, expected, rtol=1e-9, atol=1e-12)


def test_a_return_far_out_leaves_probabilities_that_sum_to_one() -> None:
    values = observed(3)
    values.returns[100], values.returns[200] = 50.0, -1e6
    values.wicks[100], values.wicks[201], values.wicks[202] = 40.0, 60.0, -60.0
    beliefs, evidence = state_probabilities(model(), values)
    assert np.isfinite(evidence).all()
    np.testing.assert_allclose(beliefs.sum(axis=1), 1.0, rtol=1e-12)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
def test_states_keep_their_places_whatever_order_a_new_fit_finds_them_in(order: tuple[int, ...]) -> None:
    before = model()
    shuffled = before.in_order(np.array(order))
    again = aligned(shuffled, before)
    np.testing.assert_array_equal(again.scale, before.scale)
    np.testing.assert_array_equal(again.stay, before.stay)


def test_a_first_fit_has_its_quietest_state_first() -> None:
    assert list(aligned(model().in_order(np.array([2, 0, 1])), None).scale) == sorted(model().scale)


def test_the_usual_share_of_a_state_does_not_change_with_a_step_of_the_chain() -> None:
    of = model()
    np.testing.assert_allclose(of.usual_share @ of.stay, of.usual_share, rtol=1e-9)
