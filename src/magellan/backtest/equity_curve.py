"""Equity curve: the account's value at the close of every instant of a run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from magellan.backtest import records as r
from magellan.backtest.market import Market
from magellan.backtest.result import EquityCurve
from magellan.compiled import kernel
from magellan.trading.session import SessionClock, session_columns


def instants(market: Market) -> NDArray[np.int64]:
    """Opening instants of all bars of all symbols, each once, in order; shape (t,)."""
    first = market.bars[0].opened_at_ns
    if all(np.array_equal(first, bars.opened_at_ns) for bars in market.bars[1:]):
        return first
    return np.unique(market.opened_at_ns)


def equity_curve(
    market: Market,
    fills: NDArray[np.void],
    actions: r.ActionArrays,
    cash_start_usd: float,
    point_values: NDArray[np.float64],
    clock: SessionClock = SessionClock.EXCHANGE,
) -> EquityCurve:
    """Cash plus positions at their newest closes, at each instant at which any bar closes."""
    times = instants(market)
    value = np.zeros(len(times))
    gross = np.zeros(len(times))
    flow = np.zeros(len(times))
    for s, bars in enumerate(market.bars):
        ours = fills[fills["symbol"] == s]
        if len(ours) == 0:
            continue
        first, last = actions.offsets[s], actions.offsets[s + 1]
        hold(
            times, bars.opened_at_ns, bars.close, int(market.offsets[s]),
            ours["row"].copy(), ours["units"].copy(), ours["amount"].copy(),
            actions.row[first:last], actions.share_factor[first:last],
            point_values[s], value, gross, flow,
        )  # fmt: skip
    return _curve(market, times, cash_start_usd + np.cumsum(flow) + value, value, gross, clock)


def buy_and_hold(
    market: Market,
    actions: r.ActionArrays,
    cash_start_usd: float,
    clock: SessionClock = SessionClock.EXCHANGE,
) -> EquityCurve:
    """The same money spread evenly over the symbols at each one's first close, and held; any fraction, no costs."""
    times = instants(market)
    share = cash_start_usd / len(market.bars)
    value = np.zeros(len(times))
    gross = np.zeros(len(times))
    flow = np.zeros(len(times))
    for s, bars in enumerate(market.bars):
        first, last = actions.offsets[s], actions.offsets[s + 1]
        units = share / bars.close[0]
        hold(
            times, bars.opened_at_ns, bars.close, int(market.offsets[s]),
            market.offsets[s : s + 1].copy(), np.array([units]), np.array([-share]),
            actions.row[first:last], actions.share_factor[first:last], 1.0, value, gross, flow,
        )  # fmt: skip
    return _curve(market, times, cash_start_usd + np.cumsum(flow) + value, value, gross, clock)


def _curve(
    market: Market,
    times: NDArray[np.int64],
    equity: NDArray[np.float64],
    value: NDArray[np.float64],
    gross: NDArray[np.float64],
    clock: SessionClock,
) -> EquityCurve:
    nothing = np.zeros(len(times))
    from magellan.trading.bar import Bars

    frame = Bars(
        symbol="", timeframe=market.timeframe, opened_at_ns=times,
        open=nothing, high=nothing, low=nothing, close=nothing, volume=nothing,
    )  # fmt: skip
    return EquityCurve(
        closed_at_ns=times + market.timeframe.span_ns,
        day=session_columns(frame, clock).day,
        equity_usd=equity,
        exposure_usd=value,
        gross_exposure_usd=gross,
    )


@kernel
def hold(
    times: NDArray[np.int64],
    opened_at_ns: NDArray[np.int64],
    close: NDArray[np.float64],
    offset: int,
    fill_row: NDArray[np.int64],
    fill_units: NDArray[np.float64],
    fill_amount: NDArray[np.float64],
    action_row: NDArray[np.int64],
    share_factor: NDArray[np.float64],
    point_value: float,
    value: NDArray[np.float64],
    gross: NDArray[np.float64],
    flow: NDArray[np.float64],
) -> None:
    """Add one symbol's position value, and the cash its fills moved, to the columns of the run."""
    row = -1
    fill = 0
    action = 0
    units = 0.0
    for t in range(len(times)):
        while row + 1 < len(opened_at_ns) and opened_at_ns[row + 1] <= times[t]:
            row += 1
            while action < len(action_row) and action_row[action] <= offset + row:
                # Fills of the split's own row come after it, except cash in lieu, which is a fill like any other.
                units *= share_factor[action]
                action += 1
            while fill < len(fill_row) and fill_row[fill] <= offset + row:
                units += fill_units[fill]
                flow[t] += fill_amount[fill]
                fill += 1
        if row >= 0 and units != 0.0:
            held = units * close[row] * point_value
            value[t] += held
            gross[t] += abs(held)
