"""How sure the numbers are: formulas against the figures of their papers, resampling against its theory."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magellan.backtest.bootstrap import block_length, interval, resampled_rows, resamples_for
from magellan.backtest.confidence import confidence_of, sharpe_per_row
from magellan.backtest.missing import Missing
from magellan.backtest.returns import SESSIONS_PER_YEAR, sharpe_ratio
from magellan.backtest.statistics import (
    Moments,
    deflated_sharpe,
    expected_sharpe_max,
    moments_of,
    probabilistic_sharpe,
    track_record_min,
)

# The worked example of Bailey and Lopez de Prado (2014): five years of daily returns, a yearly ratio of 2.5,
# 100 trials whose yearly ratios have a variance of 1/2.
PAPER = Moments(returns=1250, sharpe=2.5 / math.sqrt(250), skewness=-3.0, kurtosis=10.0)
PAPER_VARIANCE = 0.5 / 250


# The deflated Sharpe ratio ----------------------------------------------------------------------------------


def test_the_best_of_a_hundred_useless_trials_is_expected_to_show_what_the_paper_prints() -> None:
    assert round(expected_sharpe_max(100, PAPER_VARIANCE), 4) == 0.1132


@pytest.mark.parametrize(
    ("trials", "skewness", "kurtosis", "probability"),
    [(100, -3.0, 10.0, 0.9004), (46, -3.0, 10.0, 0.9505), (88, 0.0, 3.0, 0.9505)],
)
def test_the_deflated_sharpe_ratio_is_that_of_the_paper(trials, skewness, kurtosis, probability) -> None:
    moments = Moments(returns=1250, sharpe=PAPER.sharpe, skewness=skewness, kurtosis=kurtosis)
    measured = deflated_sharpe(moments, trials=trials, sharpe_variance=PAPER_VARIANCE)
    assert not isinstance(measured, Missing)
    assert round(measured, 4) == probability


def test_one_trial_deflates_nothing() -> None:
    assert deflated_sharpe(PAPER, trials=1, sharpe_variance=PAPER_VARIANCE) == probabilistic_sharpe(PAPER)


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_more_trials_never_make_a_result_more_convincing(one: int, other: int) -> None:
    few, many = sorted((one, other))
    at_few = deflated_sharpe(PAPER, trials=few, sharpe_variance=PAPER_VARIANCE)
    at_many = deflated_sharpe(PAPER, trials=many, sharpe_variance=PAPER_VARIANCE)
    assert not isinstance(at_few, Missing) and not isinstance(at_many, Missing)
    assert at_many <= at_few


def test_the_expected_best_of_trials_agrees_with_drawing_them() -> None:
    chance = np.random.Generator(np.random.PCG64(5))
    best = chance.normal(0.0, 0.2, (20_000, 50)).max(axis=1).mean()
    assert expected_sharpe_max(50, 0.04) == pytest.approx(best, rel=0.02)


# Probability and track record -------------------------------------------------------------------------------


def test_for_normal_returns_the_probability_is_that_of_a_mean_over_its_error() -> None:
    moments = Moments(returns=101, sharpe=0.1, skewness=0.0, kurtosis=3.0)
    assert probabilistic_sharpe(moments) == pytest.approx(
        NormalDist().cdf(0.1 * 10 / math.sqrt(1 + 0.1**2 / 2))
    )


def test_a_track_record_of_the_minimal_length_gives_just_the_confidence_asked_for() -> None:
    length = track_record_min(PAPER, confidence=0.95)
    assert not isinstance(length, Missing)
    moments = Moments(returns=round(length), sharpe=PAPER.sharpe, skewness=-3.0, kurtosis=10.0)
    assert probabilistic_sharpe(moments) == pytest.approx(0.95, abs=0.002)


def test_no_track_record_proves_a_ratio_that_was_not_reached() -> None:
    assert isinstance(track_record_min(Moments(returns=99, sharpe=-0.1, skewness=0, kurtosis=3)), Missing)


def test_moments_of_a_known_sample() -> None:
    moments = moments_of(np.array([0.0, 0.0, 0.0, 4.0]))
    assert isinstance(moments, Moments)
    # Mean 1, deviations -1, -1, -1, 3: second moment 3, third 6, fourth 21.
    assert moments.sharpe == pytest.approx(1 / 2.0)
    assert moments.skewness == pytest.approx(6 / 3**1.5)
    assert moments.kurtosis == pytest.approx(21 / 9)


@pytest.mark.parametrize("returns", [[], [0.1, 0.2, 0.3], [0.01] * 10])
def test_moments_of_too_little_are_missing(returns) -> None:
    assert isinstance(moments_of(np.array(returns)), Missing)


# Resampling -------------------------------------------------------------------------------------------------


def drawn(n: int, block: float, resamples: int, seed: int = 1):
    return np.concatenate(list(resampled_rows(n, block, resamples, seed)))


@given(st.integers(1, 60), st.floats(1.0, 20.0), st.integers(1, 40), st.integers(0, 99))
def test_a_resample_is_as_long_as_the_history_and_holds_only_its_rows(n, block, resamples, seed) -> None:
    rows = drawn(n, block, resamples, seed)
    assert rows.shape == (resamples, n)
    assert rows.min() >= 0 and rows.max() < n


def test_the_same_seed_draws_the_same_rows_and_another_seed_others() -> None:
    assert np.array_equal(drawn(300, 5, 900, seed=3), drawn(300, 5, 900, seed=3))
    assert not np.array_equal(drawn(300, 5, 900, seed=3), drawn(300, 5, 900, seed=4))


@pytest.mark.parametrize("block", [1.0, 4.0, 25.0])
def test_blocks_have_the_mean_length_asked_for_and_every_row_the_same_chance(block: float) -> None:
    rows = drawn(200, block, 2000)
    follows = (rows[:, 1:] - rows[:, :-1]) % 200 == 1
    # A new block begins with probability 1 / block, and by chance continues the old one once in n times.
    assert follows.mean() == pytest.approx(1 - 1 / block + 1 / block / 200, abs=0.005)
    counts = np.bincount(rows.ravel(), minlength=200)
    assert counts.std() / counts.mean() < 0.15


def test_resampling_keeps_the_memory_of_returns_where_blocks_are_long() -> None:
    chance = np.random.Generator(np.random.PCG64(2))
    values = np.convolve(chance.normal(size=1020), np.ones(20), mode="valid")

    def memory(x):
        return np.corrcoef(x[:-1], x[1:])[0, 1]

    kept = np.mean([memory(values[rows]) for rows in drawn(len(values), 40, 50)])
    lost = np.mean([memory(values[rows]) for rows in drawn(len(values), 1, 50)])
    assert kept > 0.85 and abs(lost) < 0.1 and memory(values) > 0.9


@pytest.mark.parametrize("phi", [0.3, 0.6])
def test_the_block_length_follows_the_memory_of_returns(phi: float) -> None:
    """Of a first-order autoregression the best length is known: (2 phi / (1 - phi^2))^(2/3) n^(1/3)."""
    chance = np.random.Generator(np.random.PCG64(7))
    found = []
    for _ in range(60):
        values = np.zeros(1000)
        noise = chance.normal(size=1000)
        for at in range(1, 1000):
            values[at] = phi * values[at - 1] + noise[at]
        found.append(block_length(values))
    assert np.median(found) == pytest.approx((2 * phi / (1 - phi**2)) ** (2 / 3) * 10, rel=0.35)


def test_returns_without_memory_are_drawn_almost_one_by_one() -> None:
    chance = np.random.Generator(np.random.PCG64(8))
    assert np.median([block_length(chance.normal(size=750)) for _ in range(60)]) < 2.0


@pytest.mark.parametrize("values", [[], [1.0], [2.0] * 50, [1.0, -1.0] * 50, [1e150, -1e150, 1e140] * 20])
def test_a_block_length_is_found_for_whatever_came(values) -> None:
    assert 1.0 <= block_length(np.array(values)) <= max(1.0, len(values))


def test_an_interval_that_contains_infinity_is_without_bound() -> None:
    values = np.array([1.0, 2.0, np.inf, np.inf, np.nan])
    measured = interval(values, level=0.95, block=1.0)
    assert (measured.low, measured.high) == (1.0, None)


def test_very_long_histories_are_drawn_less_often() -> None:
    assert [resamples_for(n) for n in (10, 5_000, 10_000, 10_000_000)] == [1000, 1000, 500, 200]
    assert resamples_for(10_000_000, wanted=50) == 50


def test_intervals_of_the_sharpe_ratio_cover_the_truth_about_as_often_as_they_say() -> None:
    chance = np.random.Generator(np.random.PCG64(11))
    truth, n, covered, histories = 1.0, 252, 0, 120
    for at in range(histories):
        returns = chance.normal(truth / math.sqrt(SESSIONS_PER_YEAR) * 0.01, 0.01, n)
        block = block_length(returns)
        ratios = np.concatenate([sharpe_per_row(returns[rows]) for rows in resampled_rows(n, block, 300, at)])
        measured = interval(ratios, level=0.90, block=block)
        assert measured.high is not None
        covered += measured.low <= truth <= measured.high
    assert 0.80 <= covered / histories <= 0.97


def test_the_ratio_of_a_resample_is_the_ratio_of_a_run() -> None:
    chance = np.random.Generator(np.random.PCG64(12))
    rows = chance.normal(0.001, 0.01, (5, 60))
    assert sharpe_per_row(rows) == pytest.approx([sharpe_ratio(row, SESSIONS_PER_YEAR) for row in rows])


# Of a run ---------------------------------------------------------------------------------------------------


def test_a_runs_intervals_contain_what_was_measured(random_run) -> None:
    from magellan.backtest.metrics import metrics_of

    result = random_run(2, bars=400, trades=40)
    metrics, sure = metrics_of(result), confidence_of(result)
    for name in ("sharpe_daily", "return_fraction", "profit_factor", "win_rate", "expectancy_usd"):
        measured, found = getattr(metrics, name), getattr(sure, name)
        assert found is not None and found.low < measured < (found.high or math.inf), name
    assert not set(sure.missing) & {"sharpe_daily", "profit_factor", "probabilistic_sharpe"}


def test_the_same_run_has_the_same_intervals_each_time(random_run) -> None:
    assert confidence_of(random_run(2)) == confidence_of(random_run(2))
    assert confidence_of(random_run(2), seed=9) != confidence_of(random_run(2))


def test_too_few_sessions_and_trades_say_so_instead_of_guessing(random_run) -> None:
    sure = confidence_of(random_run(1, bars=15, trades=3))
    assert sure.sharpe_daily is None and sure.profit_factor is None
    assert sure.missing["sharpe_daily"] == "14 sessions, and 20 are the least that can be resampled"
    assert sure.missing["win_rate"] == "3 trades, and 10 are the least that can be resampled"


def test_incident_36_a_run_without_trades_is_not_said_to_be_sure_of_anything(run_of) -> None:
    sure = confidence_of(run_of({"AAA": [100.0 + row % 3 for row in range(60)]}))
    assert sure.sharpe_daily is None and sure.probabilistic_sharpe is None and sure.win_rate is None
    assert set(sure.missing) == {
        "sharpe_daily", "return_fraction", "drawdown_fraction_max", "probabilistic_sharpe",
        "track_record_sessions_min", "profit_factor", "win_rate", "expectancy_usd", "expectancy_fraction",
    }  # fmt: skip


def test_a_run_that_never_lost_has_no_interval_for_its_profit_factor(run_of, order) -> None:
    closes = [100.0 + row for row in range(60)]
    trades = [
        order(symbol="AAA", row=at, units=5.0 + at % 3, exits=((at + 1, 5.0 + at % 3, 1),))
        for at in range(0, 40, 2)
    ]
    sure = confidence_of(run_of({"AAA": closes}, trades))
    assert sure.profit_factor is None and sure.missing["profit_factor"] == "no trade lost"
    assert sure.win_rate is not None and sure.win_rate.low == 1.0
