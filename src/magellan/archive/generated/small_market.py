"""Small markets: a few sound bars for a test, made directly at their timeframe, in microseconds."""

from __future__ import annotations

from datetime import date

import numpy as np

from magellan.archive.generated.chance import exponential, furthest, normal, student, uniforms
from magellan.archive.generated.rows import on_tick
from magellan.errors import FixInput
from magellan.trading.bar import Bars
from magellan.trading.session import day_number
from magellan.trading.timeframe import DAY_NS, MINUTE, MINUTE_NS, Timeframe

FIRST_ON = date(2024, 1, 1)  # a Monday
OPENS_MINUTE = 14 * 60 + 30  # UTC, all year round
SESSION_MINUTES = 390

_SESSION_PAUSE = 4.0  # a night moves the price like that many bars, in standard deviations


def small_market(
    seed: int,
    n: int,
    *,
    symbol: str = "TEST",
    timeframe: Timeframe = MINUTE,
    price_usd: float = 100.0,
    volatility: float = 0.004,
    shares_per_bar: float = 10_000.0,
) -> Bars:
    """`n` consecutive sound bars with fat tails and clustered volatility; fewer are the first of more.

    Sessions are 14:30 to 21:00 UTC from Monday to Friday, from 2024-01-01 on: no holidays, half days or clock
    changes. For markets that have them, and for defects, see `generate`.

    n:          >= 0.
    price_usd:  of the first open; prices lie on a tick of 0.01 USD.
    volatility: standard deviation of one bar's log return.
    Raises:     FixInput for an n below 0 or a price below one tick.
    """
    if n < 0 or price_usd < 0.01:
        raise FixInput(f"{symbol}: no market has {n} bars from a price of {price_usd} USD")
    if timeframe.is_daily:
        per_session, label_ns = 1, np.zeros(1, dtype=np.int64)
    else:
        span_ns = timeframe.span_ns
        first_ns = OPENS_MINUTE * MINUTE_NS // span_ns * span_ns
        label_ns = np.arange(first_ns, (OPENS_MINUTE + SESSION_MINUTES) * MINUTE_NS, span_ns)
        per_session = len(label_ns)
    row = np.arange(max(n, 1))
    session = row // per_session
    day = day_number(FIRST_ON) + session // 5 * 7 + session % 5
    u = uniforms(seed, f"small market/{symbol}", 0, 0, 8 * len(row)).reshape(-1, 8).T
    # Volatility wanders: a random walk of its logarithm that is pulled back.
    calm = np.convolve(normal(u[0], u[1]), 0.9 ** np.arange(30))[: len(row)]
    spread = volatility * np.exp(0.15 * calm - 0.15**2 / 0.19)
    spread[row % per_session == 0] *= _SESSION_PAUSE if per_session > 1 else 1.0
    close = np.log(price_usd) + np.cumsum(spread * student(u[2], u[3], 4.0))
    opened = np.concatenate([[np.log(price_usd)], close[:-1]]) + 0.3 * spread * (u[4] - 0.5)
    opened[0] = np.log(price_usd)
    high, low = furthest(opened, close, spread, u[5], 1.0), furthest(opened, close, spread, u[6], -1.0)
    return Bars(
        symbol=symbol,
        timeframe=timeframe,
        opened_at_ns=day * DAY_NS + label_ns[row % per_session],
        open=on_tick(np.exp(opened)),
        high=on_tick(np.exp(high)),
        low=on_tick(np.exp(low)),
        close=on_tick(np.exp(close)),
        volume=1.0 + np.floor(shares_per_bar * exponential(u[7])),
    ).rows(slice(0, n))
