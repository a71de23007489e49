"""Option pricing: a smooth surface of volatility, and prices and greeks by Black and Scholes. All of it invented."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from magellan.exchange.market.option_contract import OptionContract, Right
from magellan.exchange.market.spread import mixed, symbol_key
from magellan.trading.bar import Floats

INTEREST_RATE = 0.04  # per year, continuously compounded
YEAR_S = 365.0 * 86_400.0
_SHORTEST_YEARS = 60.0 / YEAR_S  # an option in its last minute is priced as if it had one left
_SKEW, _SMILE = -0.12, 0.35  # of volatility, per unit of log-moneyness and of its square
LEAST_PRICE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeks:
    """How a price reacts: to 1 USD (delta, gamma), to a day (theta), to a point of volatility or rate (vega, rho)."""

    delta: float
    gamma: float
    theta: float
    vega: float
    rho: float


def volatility(seed: int, contract: OptionContract, spot: float) -> float:
    """The implied volatility per year: a level that belongs to the underlying, a skew and a smile."""
    level = 0.22 + 0.2 * (mixed(symbol_key(seed, contract.underlying)) % 1000) / 1000.0
    away = math.log(float(contract.strike) / spot)
    return max(0.08, min(2.0, level + _SKEW * away + _SMILE * away * away))


def option_prices(contract: OptionContract, spots: Floats, years: Floats, sigma: float) -> Floats:
    """The model prices in USD per share, to the cent, never below one cent; shape (n,)."""
    strike, years = float(contract.strike), np.maximum(years, _SHORTEST_YEARS)
    spread = sigma * np.sqrt(years)
    d1 = (np.log(spots / strike) + (INTEREST_RATE + 0.5 * sigma * sigma) * years) / spread
    discounted = strike * np.exp(-INTEREST_RATE * years)
    value = spots * _each_below(d1) - discounted * _each_below(d1 - spread)
    if contract.right is Right.PUT:
        value = value - spots + discounted
    return np.asarray(np.maximum(LEAST_PRICE, np.round(value, 2)))


def greeks(contract: OptionContract, spot: float, years: float, sigma: float) -> Greeks:
    """The model's greeks, in the units that Alpaca serves."""
    strike, years = float(contract.strike), max(years, _SHORTEST_YEARS)
    spread = sigma * math.sqrt(years)
    d1 = (math.log(spot / strike) + (INTEREST_RATE + 0.5 * sigma * sigma) * years) / spread
    d2 = d1 - spread
    density = math.exp(-0.5 * d1 * d1) / math.sqrt(2.0 * math.pi)
    discounted = strike * math.exp(-INTEREST_RATE * years)
    decay = -spot * density * sigma / (2.0 * math.sqrt(years))
    if contract.right is Right.CALL:
        delta, theta = _below(d1), decay - INTEREST_RATE * discounted * _below(d2)
        rho = discounted * years * _below(d2)
    else:
        delta, theta = _below(d1) - 1.0, decay + INTEREST_RATE * discounted * _below(-d2)
        rho = -discounted * years * _below(-d2)
    return Greeks(
        delta=round(delta, 4),
        gamma=round(density / (spot * sigma * math.sqrt(years)), 4),
        theta=round(theta / 365.0, 4),
        vega=round(spot * density * math.sqrt(years) / 100.0, 4),
        rho=round(rho / 100.0, 4),
    )


def _below(x: float) -> float:
    """The standard normal distribution function."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def _each_below(x: Floats) -> Floats:
    return np.fromiter(map(_below, x.tolist()), dtype=np.float64, count=len(x))
