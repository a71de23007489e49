"""Statistics: how likely it is that a Sharpe ratio comes from skill and not from luck or from trying often.

All ratios here are per return, not per year. Sources: Bailey and Lopez de Prado, "The Sharpe Ratio Efficient
Frontier", Journal of Risk 15 (2012), for the probability and the track record; the same, "The Deflated Sharpe
Ratio", Journal of Portfolio Management 40 (2014), for the correction for many trials.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np

from magellan.backtest.missing import Measured, Missing
from magellan.backtest.returns import sharpe_ratio
from magellan.trading.bar import Floats

_NORMAL: Final = NormalDist()
_EULER: Final = 0.5772156649015329  # the Euler-Mascheroni constant


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """What the formulas need to know of returns."""

    returns: int  # how many
    sharpe: float  # mean over sample standard deviation, per return
    skewness: float  # 0 for a normal distribution
    kurtosis: float  # 3 for a normal distribution


def moments_of(returns: Floats) -> Moments | Missing:
    """Moments of returns, shape (n,). Missing with fewer than four, or where they do not vary."""
    if len(returns) < 4:
        return Missing(f"{len(returns)} returns, and four are the least")
    sharpe = sharpe_ratio(returns, 1.0)
    if isinstance(sharpe, Missing):
        return sharpe
    centred = returns - returns.mean()
    second = float(np.mean(centred**2))
    return Moments(
        returns=len(returns),
        sharpe=sharpe,
        skewness=float(np.mean(centred**3)) / second**1.5,
        kurtosis=float(np.mean(centred**4)) / second**2,
    )


def probabilistic_sharpe(moments: Moments, sharpe_at_least: float = 0.0) -> Measured:
    """Probability that the true Sharpe ratio is above a threshold.

    Phi((s - t) sqrt(n - 1) / sqrt(1 - skewness s + (kurtosis - 1) / 4 s^2)), s measured, t the threshold.
    """
    spread = _squared_error(moments)
    if isinstance(spread, Missing):
        return spread
    return _NORMAL.cdf((moments.sharpe - sharpe_at_least) * math.sqrt((moments.returns - 1) / spread))


def expected_sharpe_max(trials: int, sharpe_variance: float) -> float:
    """The Sharpe ratio that the best of several trials is expected to show when none has any skill.

    sqrt(v) ((1 - e) z(1 - 1/N) + e z(1 - 1/(N exp(1)))), z the normal quantile, e the Euler-Mascheroni
    constant.

    trials:          N >= 1, independent of each other. Parameter sets that are much alike count less.
    sharpe_variance: v, variance of the trials' Sharpe ratios, per return.
    """
    assert trials >= 1 and sharpe_variance >= 0.0, f"{trials} trials with a variance of {sharpe_variance}"
    if trials == 1:
        return 0.0
    return math.sqrt(sharpe_variance) * (
        (1.0 - _EULER) * _NORMAL.inv_cdf(1.0 - 1.0 / trials)
        + _EULER * _NORMAL.inv_cdf(1.0 - 1.0 / (trials * math.e))
    )


def deflated_sharpe(moments: Moments, *, trials: int, sharpe_variance: float) -> Measured:
    """Probability that the best of several trials has a true Sharpe ratio above zero, selection allowed for.

    The probabilistic Sharpe ratio with the expected maximum as its threshold; see `expected_sharpe_max`.
    """
    return probabilistic_sharpe(moments, expected_sharpe_max(trials, sharpe_variance))


def track_record_min(moments: Moments, *, sharpe_at_least: float = 0.0, confidence: float = 0.95) -> Measured:
    """How many returns it takes to be so confident that the true Sharpe ratio is above a threshold.

    1 + (1 - skewness s + (kurtosis - 1) / 4 s^2) (z(confidence) / (s - t))^2.
    Missing when the measured ratio is not above the threshold: no length would do.
    """
    if not moments.sharpe > sharpe_at_least:
        return Missing("the Sharpe ratio is not above the threshold, so that no track record is long enough")
    spread = _squared_error(moments)
    if isinstance(spread, Missing):
        return spread
    return 1.0 + spread * (_NORMAL.inv_cdf(confidence) / (moments.sharpe - sharpe_at_least)) ** 2


def _squared_error(moments: Moments) -> Measured:
    """Squared standard error of the Sharpe ratio, times n - 1."""
    s = moments.sharpe
    spread = 1.0 - moments.skewness * s + (moments.kurtosis - 1.0) / 4.0 * s * s
    if spread <= 0.0:
        return Missing("returns are too skewed for the error of the Sharpe ratio to be estimated")
    return spread
