"""A history is labelled in memory that does not grow with it, and says what a model of all its bars says."""

from __future__ import annotations

import numpy as np

from magellan.regime.axes import Axis
from magellan.regime.config import FilterConfig, RegimeConfig
from magellan.regime.quality.scenario import scenario
from magellan.usecases.analyse_regime import label_history, run_model
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
