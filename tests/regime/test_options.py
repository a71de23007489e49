"""Components of options: off with a reason without a chain, and moved by the chain where there is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from magellan.regime.axes import Axis
from magellan.regime.config import RegimeConfig
from magellan.regime.generated_chain import generated_chain
from magellan.regime.option_chain import ChainColumns
from magellan.regime.option_greeks import greeks, normal_cdf
from magellan.regime.quality.scenario import Scenario
from magellan.regime.reading import RegimeReading
from magellan.regime.regime_model import RegimeModel
from magellan.trading.bar import Bars
from magellan.trading.session import session_columns

Made = Callable[..., Scenario]
OPTIONS = {"straddle", "greeks_sentiment", "open_interest", "iv_percentile", "iv_skew", "iv_surface"}
CONFIG = RegimeConfig()
RULES = CONFIG.model_copy(update={"filter": CONFIG.filter.model_copy(update={"enabled": False})})


@pytest.fixture(scope="module")
def bars(made: Made) -> Bars:
    return made("eq3", 12, 350).bars


def scores(bars: Bars, chain: ChainColumns | None) -> dict[tuple[str, Axis], float | None]:
    return {(each.component, each.axis): each.score for each in reading(bars, chain).evidence}


def reading(bars: Bars, chain: ChainColumns | None) -> RegimeReading:
    model = RegimeModel(bars.symbol, RULES)
    model.extend(bars, session_columns(bars), chain=chain)
    return model.reading()


def test_without_a_chain_each_is_off_and_says_so(bars: Bars) -> None:
    found = {each.component: each for each in reading(bars, None).evidence if each.component in OPTIONS}
    assert set(found) == OPTIONS
    assert all(each.score is None and "no option chain" in each.missing for each in found.values())


def test_with_a_chain_each_has_something_to_say(bars: Bars) -> None:
    found = scores(bars, generated_chain(bars))
    for (name, axis), score in found.items():
        if name in OPTIONS:
            assert score is not None and -1.0 <= score <= 1.0, (name, axis)


@pytest.mark.parametrize("call_share", [0.0, 1.0])
def test_calls_alone_are_bullish_and_puts_alone_bearish(bars: Bars, call_share: float) -> None:
    chain = generated_chain(bars)
    held = np.full_like(chain.call_interest, 500.0)
    score = scores(
        bars, replace(chain, call_interest=call_share * held, put_interest=(1.0 - call_share) * held)
    )[("greeks_sentiment", Axis.TREND)]
    assert score is not None
    assert score * (2.0 * call_share - 1.0) > 0.5


def test_dear_puts_are_fear(bars: Bars) -> None:
    chain = generated_chain(bars)
    low = scores(bars, replace(chain, put_iv=chain.call_iv + 0.2))[("iv_skew", Axis.TREND)]
    high = scores(bars, replace(chain, put_iv=chain.call_iv - 0.1))[("iv_skew", Axis.TREND)]
    assert low is not None and high is not None
    assert low < high


def test_volatility_that_was_never_so_high_is_high(bars: Bars) -> None:
    chain = generated_chain(bars)
    rising = np.linspace(0.1, 0.6, len(bars))[:, None, None] * np.ones_like(chain.call_iv)
    assert (
        scores(bars, replace(chain, call_iv=rising, put_iv=rising))[("iv_percentile", Axis.VOLATILITY)] == 1.0
    )


def test_a_chain_of_one_expiry_has_no_term_structure(bars: Bars) -> None:
    found = {
        each.component: each for each in reading(bars, generated_chain(bars, expiries_days=(30,))).evidence
    }
    assert found["iv_surface"].missing == "the chain has one expiry"


def test_a_prefix_of_a_generated_chain_is_the_chain_of_a_prefix(bars: Bars) -> None:
    whole, part = generated_chain(bars), generated_chain(bars.rows(slice(0, 100)))
    np.testing.assert_allclose(part.call_iv, whole.call_iv[:100], rtol=1e-12)
    np.testing.assert_array_equal(part.put_interest, whole.put_interest[:100])


def test_generated_quotes_keep_put_call_parity_up_to_their_noise(bars: Bars) -> None:
    chain = generated_chain(bars)
    gap = chain.call_price - chain.put_price - (bars.close[:, None, None] - chain.strike)
    assert np.abs(gap / bars.close[:, None, None]).max() < 0.02


def test_greeks_are_the_slopes_of_the_price() -> None:
    def call(price: float, volatility: float, years: float) -> float:
        spread = volatility * np.sqrt(years)
        d1 = np.log(price / 100.0) / spread + 0.5 * spread
        return float(price * normal_cdf(np.array(d1)) - 100.0 * normal_cdf(np.array(d1 - spread)))

    found, h = greeks(105.0, 100.0, 0.5, 0.3), 1e-3
    assert found.call_delta == pytest.approx(
        (call(105 + h, 0.3, 0.5) - call(105 - h, 0.3, 0.5)) / (2 * h), rel=1e-5
    )
    assert found.vega == pytest.approx(
        (call(105, 0.3 + h, 0.5) - call(105, 0.3 - h, 0.5)) / (2 * h), rel=1e-4
    )
    assert found.call_theta == pytest.approx(
        -(call(105, 0.3, 0.5 + h) - call(105, 0.3, 0.5 - h)) / (2 * h), rel=1e-4
    )
    assert found.put_delta == found.call_delta - 1.0
