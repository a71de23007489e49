"""Components of the rule score, each held against the same computed in another way."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from magellan.indicators import bollinger, ema, session_vwap, smooth, true_range
from magellan.regime.axes import Axis, class_probabilities
from magellan.regime.config import Components, RegimeConfig
from magellan.regime.quality.scenario import Scenario
from magellan.regime.regime_model import RegimeModel
from magellan.regime.rule_score import COMPONENTS
from magellan.trading.bar import Bars
from magellan.trading.session import session_columns
from magellan.trading.timeframe import DAY, DAY_NS

Made = Callable[..., Scenario]
N = 400


@pytest.fixture(scope="module")
def bars(made: Made) -> Bars:
    return made("intra4", 11, N).bars


@pytest.fixture(scope="module")
def measured(bars: Bars) -> Callable[[str], np.ndarray]:
    """`measured("slope")`: the number behind a component's score at every bar; NaN where it knows nothing."""
    config = RegimeConfig()
    others = np.random.default_rng(3).standard_normal((N, 2))
    model = RegimeModel(
        bars.symbol, config.model_copy(update={"filter": config.filter.model_copy(update={"enabled": False})})
    )
    model.extend(bars, session_columns(bars), others=others)

    evidence = [model.reading(row).evidence for row in range(N)]

    def column(name: str) -> np.ndarray:
        values = [next(each.value for each in of_row if each.component == name) for of_row in evidence]
        return np.array([np.nan if value is None else value for value in values])

    return column


def test_every_component_of_the_config_exists_and_every_one_that_exists_is_in_the_config() -> None:
    assert {kind.name for kind in COMPONENTS} == set(Components.model_fields)


def test_slope_is_students_t_of_the_last_returns(bars: Bars, measured: Callable[[str], np.ndarray]) -> None:
    returns = np.diff(np.log(bars.close))
    expected = [ttest_1samp(returns[row - 20 : row], 0.0).statistic for row in range(20, N)]
    np.testing.assert_allclose(measured("slope")[20:], expected, rtol=1e-8)


def test_atr_percentile_is_the_rank_of_wilders_range_over_price(
    bars: Bars, measured: Callable[[str], np.ndarray]
) -> None:
    relative = smooth(true_range(bars.high, bars.low, bars.close), 14, "wilder") / bars.close
    found = measured("atr_percentile")
    for row in (60, 200, N - 1):
        past = relative[max(13, row - 251) : row + 1]
        expected = ((past < relative[row]).sum() + 0.5 * ((past == relative[row]).sum() - 1) + 0.5) / len(
            past
        )
        assert found[row] == pytest.approx(expected, abs=2 / len(past))


def test_squeeze_is_the_width_of_bollingers_bands_over_its_mean(
    bars: Bars, measured: Callable[[str], np.ndarray]
) -> None:
    bands = bollinger(bars.close, 20, 2.0)
    width = ((bands.upper - bands.lower) / bands.middle)[19:]
    np.testing.assert_allclose(measured("squeeze")[19:], width / ema(width, 100), rtol=1e-8)


def test_alignment_counts_neighbours_in_order(bars: Bars, measured: Callable[[str], np.ndarray]) -> None:
    ladder = [bars.close, *(ema(bars.close, span) for span in (20, 50, 100, 200))]
    expected = sum(np.sign(fast - slow) for fast, slow in itertools.pairwise(ladder)) / 4
    np.testing.assert_allclose(measured("ema_alignment")[199:], expected[199:])


def test_vwap_bands_measure_from_the_sessions_average_price(
    bars: Bars, measured: Callable[[str], np.ndarray]
) -> None:
    average = session_vwap(bars.high, bars.low, bars.close, bars.volume, session_columns(bars).day)
    found, away = measured("vwap_bands"), bars.close / average - 1.0
    far = np.isfinite(found) & (np.abs(away) > 1e-4)
    assert far.sum() > N / 2
    assert (np.sign(found[far]) == np.sign(away[far])).all()


def test_correlation_is_the_mean_over_the_other_symbols(
    bars: Bars, measured: Callable[[str], np.ndarray]
) -> None:
    others = np.random.default_rng(3).standard_normal((N, 2))
    ours = np.log(bars.close / np.append(bars.open[0], bars.close[:-1]))
    last = slice(N - 50, N)
    expected = np.mean([np.corrcoef(ours[last], others[last, at])[0, 1] for at in range(2)])
    assert measured("correlation")[-1] == pytest.approx(expected, rel=1e-9)


def test_the_price_most_traded_at_lies_where_most_was_traded(
    bars: Bars, measured: Callable[[str], np.ndarray]
) -> None:
    typical, last = ((bars.high + bars.low + bars.close) / 3)[-60:], bars.volume[-60:]
    traded, edges = np.histogram(typical, bins=24, weights=last)
    most = traded.argmax()
    assert edges[most] <= measured("volume_profile")[-1] <= edges[most + 1]


def steady(direction: float, n: int = 320) -> Bars:
    """A market that goes one way, with a little noise."""
    rng = np.random.default_rng(17)
    close = 100.0 * np.exp(np.cumsum(direction * 0.01 + 0.002 * rng.standard_normal(n)))
    open_ = np.append(100.0, close[:-1])
    return Bars(
        symbol="S", timeframe=DAY, opened_at_ns=(20_000 + np.arange(n, dtype=np.int64)) * DAY_NS, open=open_,
        high=np.maximum(open_, close) * 1.001, low=np.minimum(open_, close) * 0.999, close=close,
        volume=np.full(n, 1e6),
    )  # fmt: skip


@pytest.mark.parametrize(("direction", "label"), [(1.0, "strong_up"), (-1.0, "strong_down")])
def test_a_market_that_goes_one_way_is_a_strong_trend_by_the_rules_alone(
    direction: float, label: str, model_of: Callable[[Bars, RegimeConfig], RegimeModel]
) -> None:
    config = RegimeConfig()
    rules = config.model_copy(update={"filter": config.filter.model_copy(update={"enabled": False})})
    reading = model_of(steady(direction), rules).reading()
    trend = next(each for each in reading.axes if each.axis is Axis.TREND)
    assert trend.label == label
    for each in reading.evidence:
        if each.axis is Axis.TREND and each.score is not None:
            assert each.score * direction > 0.0, each


def test_what_has_nothing_to_work_on_says_why_and_counts_for_nothing(
    model_of: Callable[[Bars, RegimeConfig], RegimeModel],
) -> None:
    missing = {
        each.component: each.missing for each in model_of(steady(1.0), RegimeConfig()).reading().evidence
    }
    assert missing["vwap_bands"] == "a daily bar is a whole session"
    assert missing["correlation"] == "there are no other symbols in this analysis"
    assert missing["straddle"] == "there is no option chain for this symbol"
    assert missing["slope"] == ""


def test_probabilities_of_a_score_sum_to_one_and_peak_where_it_lies() -> None:
    scores = np.linspace(-1.0, 1.0, 41)
    for axis in Axis:
        shares = class_probabilities(axis, scores, np.zeros(41))
        np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    assert class_probabilities(Axis.TREND, np.array([0.5]))[0].tolist() == [0.0, 0.0, 0.0, 1.0, 0.0]


def test_correlation_leaves_out_bars_that_the_other_symbol_lacks(bars: Bars) -> None:
    ours = np.log(bars.close / np.append(bars.open[0], bars.close[:-1]))
    other = ours + 0.5 * ours.std() * np.random.default_rng(5).standard_normal(N)
    there = np.ones(N, dtype=bool)
    there[N - 50 : N - 20 : 2] = False
    model = RegimeModel(bars.symbol, RegimeConfig())
    model.extend(bars, session_columns(bars), others=np.where(there, other, np.nan)[:, None])
    last = np.arange(N - 50, N)[there[-50:]]
    expected = np.corrcoef(ours[last], other[last])[0, 1]
    value = next(each.value for each in model.reading().evidence if each.component == "correlation")
    assert value == pytest.approx(expected, rel=1e-9)
