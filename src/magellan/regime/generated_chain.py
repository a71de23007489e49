"""Generated option chain: quotes around a market's bars, so that components of options can run without a vendor.

Implied volatility follows the bars' own recent volatility, with a skew and a term structure; open interest follows the
trend of prices. It knows no more than the bars do, so what its components say of a market is no evidence.
"""

from __future__ import annotations

import numpy as np

from magellan.regime.option_chain import ChainColumns
from magellan.regime.option_greeks import normal_cdf
from magellan.trading.bar import Bars, Floats
from magellan.trading.session import session_columns

_STEP = 0.02  # between strikes, of the logarithm of the price
_RECENT_BARS = 40
_SESSIONS_PER_YEAR = 252.0


def generated_chain(
    bars: Bars, *, seed: int = 0, strikes: int = 7, expiries_days: tuple[int, ...] = (7, 30, 90)
) -> ChainColumns:
    """A chain over these bars; every row is made of its own bar and those before it.

    strikes:       an odd number; the middle one is nearest the money.
    expiries_days: calendar days to each expiry, as seen from every bar.
    """
    n = len(bars)
    rng = np.random.default_rng([seed, n and int(bars.opened_at_ns[0]) % (1 << 32)])
    returns = np.log(bars.close / np.append(bars.open[:1], bars.close[:-1])) if n else np.zeros(0)
    sessions = max(int(session_columns(bars).first.sum()), 1) if n else 1
    per_year = _SESSIONS_PER_YEAR * (n / sessions if not bars.timeframe.is_daily else 1.0)
    recent, drift = _recent(returns)
    volatility = np.clip(np.sqrt(recent * per_year), 0.03, 3.0)
    trend = np.tanh(drift / np.sqrt(np.maximum(recent, 1e-12)) * np.sqrt(_RECENT_BARS) / 2.0)
    years = np.tile(np.array(expiries_days) / 365.0, (n, 1))
    # Strikes lie on one grid in the logarithm, so that they stay put while the price moves.
    middle = np.exp(np.round(np.log(bars.close) / _STEP) * _STEP)
    places = np.arange(strikes) - strikes // 2
    strike = np.repeat((middle[:, None] * np.exp(_STEP * places))[:, None, :], len(expiries_days), axis=1)
    away = np.log(strike / bars.close[:, None, None])
    # The nearest expiry feels the newest volatility most; the far one tends to 20 % a year.
    nearness = np.exp(-years * 4.0)[:, :, None]
    base = nearness * volatility[:, None, None] + (1.0 - nearness) * (0.5 * volatility[:, None, None] + 0.1)
    iv = np.clip(
        base * (1.0 - (0.4 - 0.2 * trend[:, None, None]) * away / np.sqrt(years[:, :, None])), 0.02, 4.0
    )
    noise = 1.0 + 0.01 * rng.standard_normal((n, 2, *iv.shape[1:]))  # row by row: a prefix has the same
    call_iv, put_iv = iv * noise[:, 0], iv * noise[:, 1]
    interest = 1000.0 * np.exp(-0.5 * (places / 2.0) ** 2) * (1.0 + 0.3 * np.abs(trend))[:, None, None]
    lean = 0.5 * trend[:, None, None]
    return ChainColumns(
        source="generated",
        strike=strike,
        years=years,
        call_price=_price(bars.close, strike, years, call_iv, call=True),
        put_price=_price(bars.close, strike, years, put_iv, call=False),
        call_iv=call_iv,
        put_iv=put_iv,
        call_interest=np.round(interest * (1.0 + lean) * np.ones_like(iv)),
        put_interest=np.round(interest * (1.0 - lean) * np.ones_like(iv)),
    )


def _recent(returns: Floats) -> tuple[Floats, Floats]:
    """Exponential means of squared returns and of returns, each row of its own and those before it."""
    share = 2.0 / (_RECENT_BARS + 1.0)
    squares, means = np.empty(len(returns)), np.empty(len(returns))
    square, mean = (float(returns[0]) ** 2 or 1e-6, 0.0) if len(returns) else (0.0, 0.0)
    for row, value in enumerate(returns.tolist()):
        square += share * (value * value - square)
        mean += share * (value - mean)
        squares[row], means[row] = square, mean
    return squares, means


def _price(close: Floats, strike: Floats, years: Floats, volatility: Floats, *, call: bool) -> Floats:
    """European, at an interest rate of zero (Black and Scholes, 1973)."""
    spread = volatility * np.sqrt(years)[:, :, None]
    d1 = np.log(close[:, None, None] / strike) / spread + 0.5 * spread
    value: Floats = close[:, None, None] * normal_cdf(d1) - strike * normal_cdf(d1 - spread)
    return value if call else value - close[:, None, None] + strike
