"""Exact binomial probabilities, held to SciPy's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from magellan.deploy.promotion import chance

TRIES, RATES = st.integers(0, 400), st.floats(0.01, 0.99)


@given(n=TRIES, p=RATES, data=st.data())
def test_a_probability_is_scipys(n: int, p: float, data: st.DataObject) -> None:
    low = data.draw(st.integers(-1, n + 1))
    high = data.draw(st.integers(low, n + 1))
    expected = stats.binom.cdf(high, n, p) - stats.binom.cdf(low - 1, n, p)
    assert chance.between(low, high, n, p) == pytest.approx(expected, abs=1e-10)


@given(n=TRIES, p=RATES, level=st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99]))
def test_a_band_leaves_no_more_than_its_tail_on_either_side_and_could_not_be_narrower(
    n: int, p: float, level: float
) -> None:
    low, high = chance.band(n, p, level)
    tail = (1 - level) / 2
    assert stats.binom.cdf(low - 1, n, p) <= tail + 1e-9
    assert stats.binom.sf(high, n, p) <= tail + 1e-9
    assert stats.binom.cdf(low, n, p) > tail - 1e-9
    assert stats.binom.sf(high - 1, n, p) > tail - 1e-9


def test_certain_and_impossible_tries_have_bands_of_one_number() -> None:
    assert chance.band(20, 1.0, 0.95) == (20, 20)
    assert chance.band(20, 0.0, 0.95) == (0, 0)
    assert chance.band(0, 0.4, 0.95) == (0, 0)


def test_five_trades_say_next_to_nothing_and_a_hundred_say_something() -> None:
    """55 % won beside 40 % that would only break even."""
    assert chance.passes_without_edge(5, 0.55, 0.40, 0.95) > 0.9
    assert chance.passes_without_edge(200, 0.55, 0.40, 0.95) < 0.05
    needed = chance.trades_needed(0.55, 0.40, 0.95, 0.05)
    assert needed is not None and 100 < needed < 200
    assert all(chance.passes_without_edge(n, 0.55, 0.40, 0.95) <= 0.05 for n in range(needed, 2 * needed))
    assert chance.passes_without_edge(needed - 1, 0.55, 0.40, 0.95) > 0.05


def test_no_number_of_trades_tells_a_strategy_from_one_that_is_as_good() -> None:
    assert chance.trades_needed(0.4, 0.4, 0.95, 0.05) is None
    assert chance.trades_needed(0.400, 0.399, 0.95, 0.05) is None
