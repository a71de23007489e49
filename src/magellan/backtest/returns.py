"""Returns: what an equity curve earned from one close to the next, and the ratios that are made of it.

Money that is not invested earns nothing, and the risk-free rate is taken as zero: every ratio here is of
plain returns. Formulas and sources are in docs/glossary.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from magellan.backtest.missing import Measured, Missing
from magellan.backtest.result import EquityCurve
from magellan.trading.bar import Floats
from magellan.trading.timeframe import DAY_NS, Timeframe

SESSIONS_PER_YEAR: Final = 252
SESSION_MINUTES: Final = 390  # 09:30 to 16:00
DAYS_PER_YEAR: Final = 365.25
DAYS_FOR_A_YEARLY_RATE: Final = 30  # below, a rate per year says more about the exponent than about the run

# Beyond this share of the largest return, what is left of a spread is rounding of the last binary digit.
_ROUNDING: Final = 1e-9

ACCOUNT_LOST: Final = Missing("the account's equity fell to zero or below")
NO_SPREAD: Final = Missing("returns do not vary")


def periods_per_year(timeframe: Timeframe) -> float:
    """How many bars of the regular session a year holds: 252 x 390 / minutes per bar; 252 for daily bars.

    It is the same for runs with premarket and after-hours bars, as is customary; those hold more bars, so
    their ratios per bar come out lower than those per session.
    """
    if timeframe.is_daily:
        return float(SESSIONS_PER_YEAR)
    return SESSIONS_PER_YEAR * SESSION_MINUTES / timeframe.minutes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SessionReturns:
    """What each session earned, from close to close; shapes (n,), oldest first.

    The first session is measured from the close of its first bar: with daily bars that leaves nothing to
    measure, so that returns per session and returns per bar are then the same numbers.
    """

    day: NDArray[np.int32]  # session dates, days since 1970-01-01
    returns: Floats  # fraction of the equity at the session's beginning

    def __len__(self) -> int:
        return len(self.returns)


def bar_returns(equity: Floats) -> Floats | Missing:
    """From each close to the next, as a fraction; shape (n - 1,). Missing where equity is not above zero."""
    if len(equity) == 0:
        return Missing("the run has no bars")
    if not float(equity.min()) > 0.0:
        return ACCOUNT_LOST
    returns = equity[1:] / equity[:-1]
    returns -= 1.0
    return returns


def session_returns(curve: EquityCurve) -> SessionReturns | Missing:
    """The curve's returns per session. Missing where equity is not above zero."""
    if len(curve.day) == 0:
        return Missing("the run has no bars")
    closes = session_ends(curve.day)
    values = curve.equity_usd[closes]
    if not float(values.min()) > 0.0 or not curve.equity_usd[0] > 0.0:
        return ACCOUNT_LOST
    day = curve.day[closes]
    if closes[0] == 0:  # the first session is a single bar
        return SessionReturns(day=day[1:], returns=values[1:] / values[:-1] - 1.0)
    before = np.concatenate((curve.equity_usd[:1], values[:-1]))
    return SessionReturns(day=day, returns=values / before - 1.0)


def session_ends(day: NDArray[np.int32]) -> NDArray[np.intp]:
    """Index of each session's last value."""
    return np.append(np.flatnonzero(day[1:] != day[:-1]), len(day) - 1)


def sharpe_ratio(returns: Floats | Missing, per_year: float) -> Measured:
    """Mean over sample standard deviation (n - 1) of returns, x sqrt(returns per year).

    Source: Sharpe, "The Sharpe Ratio", Journal of Portfolio Management 21 (1994), with a risk-free rate of 0.
    """
    spread = _spread(returns)
    if isinstance(spread, Missing):
        return spread
    assert not isinstance(returns, Missing), "a spread was measured"
    return float(returns.mean()) / spread * math.sqrt(per_year)


def volatility(returns: Floats | Missing, per_year: float) -> Measured:
    """Sample standard deviation (n - 1) of returns, x sqrt(returns per year). 0 where they do not vary."""
    spread = _spread(returns)
    if spread is NO_SPREAD:
        return 0.0
    return spread if isinstance(spread, Missing) else spread * math.sqrt(per_year)


def sortino_ratio(returns: Floats | Missing, per_year: float) -> Measured:
    """Mean return over downside deviation, x sqrt(returns per year).

    The downside deviation is sqrt(sum(min(r, 0)^2) / n) over all n returns, losing or not; the target is 0.
    Source: Sortino and Price, "Performance Measurement in a Downside Risk Framework", Journal of Investing 3
    (1994).
    """
    if isinstance(returns, Missing):
        return returns
    if len(returns) < 2:
        return Missing("fewer than two returns")
    downside = np.minimum(returns, 0.0)
    deviation = math.sqrt(float(np.sum(downside**2)) / len(returns))
    if deviation <= _ROUNDING * float(np.abs(returns).max()):
        return Missing("no return was below zero")
    return float(returns.mean()) / deviation * math.sqrt(per_year)


def yearly_growth(start_usd: float, end_usd: float, span_ns: int) -> Measured:
    """Compound annual growth rate: (end / start)^(1 / years) - 1, with years of 365.25 days.

    span_ns: from the opening of the first bar to the close of the last.
    Missing for runs shorter than 30 days, which would be extrapolated rather than measured.
    """
    days = span_ns / DAY_NS
    if days < DAYS_FOR_A_YEARLY_RATE:
        return Missing(f"the run covers {days:.1f} days, and a yearly rate needs {DAYS_FOR_A_YEARLY_RATE}")
    if not end_usd > 0.0:
        return ACCOUNT_LOST
    return float((end_usd / start_usd) ** (DAYS_PER_YEAR / days) - 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """Returns of a run against those of its benchmark, session by session."""

    beta: Measured  # covariance over the benchmark's variance
    alpha_yearly_fraction: Measured  # 252 x (mean - beta x mean of the benchmark)
    correlation: Measured


def against_benchmark(own: SessionReturns | Missing, benchmark: SessionReturns | Missing) -> Regression:
    """Least squares of own session returns on the benchmark's, over the sessions that both have.

    Source: Jensen, "The Performance of Mutual Funds in the Period 1945-1964", Journal of Finance 23 (1968),
    with a risk-free rate of 0.
    """
    if isinstance(own, Missing) or isinstance(benchmark, Missing):
        why = own if isinstance(own, Missing) else benchmark
        assert isinstance(why, Missing)
        return Regression(beta=why, alpha_yearly_fraction=why, correlation=why)
    _, left, right = np.intersect1d(own.day, benchmark.day, assume_unique=True, return_indices=True)
    x, y = benchmark.returns[right], own.returns[left]
    if len(x) < 3:
        few = Missing(f"{len(x)} sessions in common with the benchmark, and a line needs 3")
        return Regression(beta=few, alpha_yearly_fraction=few, correlation=few)
    if isinstance(_spread(x), Missing):
        flat = Missing("the benchmark's returns do not vary")
        return Regression(beta=flat, alpha_yearly_fraction=flat, correlation=flat)
    x_mean, y_mean = float(x.mean()), float(y.mean())
    covariance = float(np.sum((x - x_mean) * (y - y_mean))) / (len(x) - 1)
    beta = covariance / float(x.var(ddof=1))
    y_spread = _spread(y)
    return Regression(
        beta=beta,
        alpha_yearly_fraction=(y_mean - beta * x_mean) * SESSIONS_PER_YEAR,
        correlation=y_spread
        if isinstance(y_spread, Missing)
        else covariance / (y_spread * float(x.std(ddof=1))),
    )


def _spread(returns: Floats | Missing) -> Measured:
    """Sample standard deviation; Missing where it is only rounding."""
    if isinstance(returns, Missing):
        return returns
    if len(returns) < 2:
        return Missing("fewer than two returns")
    spread = float(returns.std(ddof=1))
    if spread <= _ROUNDING * float(np.abs(returns).max()):
        return NO_SPREAD
    return spread
