"""Option greeks: sensitivities of European options without dividends, over arrays (Black and Scholes, 1973)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Greeks:
    """Arrays of the broadcast shape of what they were computed from."""

    call_delta: Array
    put_delta: Array
    gamma: Array
    vega: Array  # per 1.00 of volatility
    call_theta: Array  # per year; at an interest rate of zero that of the put is the same
    put_theta: Array


def greeks(price: Any, strike: Any, years: Any, volatility: Any) -> Greeks:
    """Greeks at an interest rate of zero; NaN where time, price, strike or volatility is not above zero or missing."""
    price, strike, years, volatility = np.broadcast_arrays(price, strike, years, volatility)
    known = (years > 0.0) & (volatility > 0.0) & (price > 0.0) & (strike > 0.0)
    spread = np.where(known, volatility, 1.0) * np.sqrt(np.where(known, years, 1.0))
    ratio = np.where(known, price, 1.0) / np.where(known, strike, 1.0)
    d1 = np.log(ratio) / spread + 0.5 * spread
    density = np.exp(-0.5 * d1 * d1) / np.sqrt(2.0 * np.pi)
    missing = np.where(known, 0.0, np.nan)
    delta = normal_cdf(d1) + missing
    vega = price * density * np.sqrt(np.where(known, years, 1.0)) + missing
    theta = -price * density * volatility / (2.0 * np.sqrt(np.where(known, years, 1.0))) + missing
    return Greeks(
        call_delta=delta,
        put_delta=delta - 1.0,
        gamma=density / (np.where(known, price, 1.0) * spread) + missing,
        vega=vega,
        call_theta=theta,
        put_theta=theta,
    )


def normal_cdf(x: Array) -> Array:
    """The standard normal distribution function."""
    from scipy.special import ndtr

    out: Array = ndtr(x)
    return out
