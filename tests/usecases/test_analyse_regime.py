"""A history is labelled in memory that does not grow with it, and says what a model of all its bars says."""

from __future__ import annotations

import numpy as np

from magellan.regime.axes import Axis
from magellan.regime.config import DecisionConfig, FilterConfig, RegimeConfig
from magellan.regime.quality.scenario import scenario
from magellan.usecases.analyse_regime import analyse_regime, label_history, run_model
from magellan.usecases.regime_bars import of_bars

QUICK = RegimeConfig(filter=FilterConfig(states_max=2, level_half_lives=()))


def test_a_labelled_history_is_what_a_model_that_keeps_all_bars_says() -> None:
    data = of_bars(scenario("intra4", 3, bars=17_000).bars, "intra4", generated=True)
    others = np.random.default_rng(1).standard_normal((17_000, 1))
    whole = run_model(data, QUICK, others=others)
    history = label_history(data, QUICK, others=others)
    assert 0 < len(history.model) < 9_000
    assert history.model.reading() == whole.reading()
    np.testing.assert_array_equal(history.regimes, whole.regimes)
    np.testing.assert_array_equal(history.states, whole.states)
    for axis in Axis:
        np.testing.assert_array_equal(history.labels[axis], whole.labels(axis))
        shares = whole.probabilities(axis)
        known = ~np.isnan(shares).any(axis=1)
        np.testing.assert_array_equal(history.likeliest[axis][known], shares[known].argmax(axis=1))
        assert (history.likeliest[axis][~known] == -1).all()


def test_what_the_dial_costs_an_honest_label_is_told_by_the_reading_and_of_the_whole_history() -> None:
    data = of_bars(scenario("null", 9001, bars=3_000).bars, "null", generated=True)
    follows, rests = (
        analyse_regime(data, QUICK.model_copy(update={"decision": DecisionConfig(stability=stability)}))
        for stability in (0.0, 1.0)
    )
    assert set(follows.held_against.values()) == {0.0}
    assert all(axis.label == axis.likeliest for axis in follows.now.axes)
    # At the far end of the dial nothing is left: the labels say so themselves.
    assert min(rests.held_against.values()) > 0.2
    for axis in rests.now.axes:
        shares = {name: share or 0.0 for name, share in axis.probabilities.items()}
        assert shares[axis.likeliest] == max(shares.values())
