"""Volatility that clusters in one state: its level follows returns, and wicks where they know better."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from magellan.regime.clustering import clustering, clustering_foretells, clustering_with_wicks
from magellan.regime.config import FilterConfig
from magellan.regime.day_profile import DayProfile
from magellan.regime.fitting import fit
from magellan.regime.frozen_filter import state_probabilities
from magellan.regime.observed import Observed, observed_of
from magellan.regime.quality.scenario import Scenario
from magellan.trading.session import session_columns

Made = Callable[..., Scenario]


def restless(keep: float = 0.97) -> tuple[Observed, np.ndarray]:
    """Bars whose volatility goes its own way, from day to day by a sixth, and its logarithm: a return says a little of
    it, wicks a lot. keep: of how far it is out, from bar to bar.
    """
    rng = np.random.default_rng(8)
    size = np.full(4000, np.log(0.01))
    for row, change in enumerate(0.15 * rng.standard_normal(3999)):
        size[row + 1] = size[0] + keep * (size[row] - size[0]) + change
    wicks = size + 0.5 * rng.standard_normal(4000)
    return Observed(np.exp(size) * rng.standard_t(6, 4000), wicks), size


@pytest.fixture
def seen() -> Observed:
    return restless()[0]


@pytest.mark.parametrize("first", [0, 1200])
def test_it_is_the_filter_with_a_single_state(seen: Observed, first: int) -> None:
    plain = clustering(seen)
    for found in (plain, clustering_with_wicks(seen, plain)):
        _, evidence = state_probabilities(found.model(0.0), seen)
        assert clustering_foretells(found, seen, first) == pytest.approx(evidence[first:].sum(), rel=1e-9)


def test_its_log_likelihood_is_of_the_bars_that_it_was_fitted_on(seen: Observed) -> None:
    found = clustering(seen)
    assert found.log_likelihood == pytest.approx(clustering_foretells(found, seen, 0), rel=1e-4)


@pytest.mark.parametrize("keep", [0.9, 0.97, 0.995])
def test_usual_is_the_volatility_around_which_the_level_moves(keep: float) -> None:
    seen, size = restless(keep)
    found = clustering_with_wicks(seen, clustering(seen))
    assert np.log(found.scale) == pytest.approx(size.mean(), abs=0.06)


def test_wicks_foretell_volatility_that_clusters(seen: Observed) -> None:
    half = len(seen) // 2
    past = seen.rows(slice(half))
    plain = clustering(past)
    by_wicks = clustering_with_wicks(past, plain)
    assert clustering_foretells(by_wicks, seen, half) > clustering_foretells(plain, seen, half) + 1.0


def test_a_market_without_regimes_is_read_by_its_wicks_where_they_know_better(seen: Observed) -> None:
    found = fit(seen, FilterConfig())
    assert found.states == 1
    assert found.wicks is not None
    rng = np.random.default_rng(6)
    of_chance = Observed(seen.returns, rng.permutation(seen.wicks))
    none = Observed(seen.returns, np.full(len(seen), np.nan))
    assert fit(of_chance, FilterConfig()).wicks is None
    assert fit(none, FilterConfig()).wicks is None


def test_wicks_are_left_where_returns_alone_make_volatility(made: Made) -> None:
    bars = made("null", 3).bars
    found = fit(observed_of(bars, session_columns(bars), DayProfile(flat_sessions=15.0)), FilterConfig())
    assert found.states == 1
    assert found.wicks is None, "they tell of the bar's own volatility, which was known before it"


def test_a_later_fit_goes_on_as_the_first_one_began(seen: Observed) -> None:
    first = fit(seen.rows(slice(2000)), FilterConfig())
    later = fit(seen, FilterConfig(), like=first)
    assert later.states == 1
    assert (later.wicks is None) == (first.wicks is None)
    assert later.evidence_for_regimes == first.evidence_for_regimes
