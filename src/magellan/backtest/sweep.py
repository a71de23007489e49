"""Sweep: one strategy on one market with many parameter sets, in one process, nothing computed twice.

Columns are shared between sets (`decision_columns`), the run's memory is used again, and of each set only its
measures are kept. Several sweeps on the same market may run in threads: compiled code releases the interpreter.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from magellan.backtest.decision_columns import DecisionColumns
from magellan.backtest.equity_curve import hold, instants
from magellan.backtest.market import Market
from magellan.backtest.replay import Run, Terms
from magellan.backtest.run_memory import account_of, f8, fill_at, i8
from magellan.compiled import kernel
from magellan.strategy.contract import Parameters, Strategy, decides_in_python
from magellan.strategy.market_view import MarketView
from magellan.trading.bar import Floats, Mask
from magellan.trading.corporate_action import CorporateAction

summary_t: Final = np.dtype(
    [
        ("equity_end_usd", "f8"),
        ("return_fraction", "f8"),
        ("trades", "i8"),  # those still open at the end included
        ("wins", "i8"),  # trades whose profit after costs is above zero
        ("profit_usd", "f8"),  # sum over winning trades
        ("loss_usd", "f8"),  # sum over losing trades, <= 0
        ("drawdown_fraction_max", "f8"),  # at bar closes
        ("return_mean", "f8"),  # of bar returns
        ("return_std", "f8"),  # of bar returns, sample (n - 1)
        ("bars_in_market", "i8"),  # instants at whose close a position was held
    ]
)


class Sweep:
    """A strategy and a market, ready for any number of parameter sets.

    keep: how many answers of each method of the strategy are remembered, per symbol; see `DecisionColumns`.
    """

    def __init__(
        self,
        strategy: Strategy,
        market: Market,
        terms: Terms,
        *,
        views: Sequence[MarketView],
        breaks: Sequence[Mask | None] | None = None,
        actions: Sequence[CorporateAction] = (),
        point_values: Floats | None = None,
        keep: int = 64,
    ) -> None:
        self._strategy = strategy
        self._market = market
        self._terms = terms
        self._views = views
        self._actions = actions
        self._points = np.ones(len(market.symbols)) if point_values is None else point_values
        self._columns = [
            DecisionColumns(strategy, view, breaks=None if breaks is None else breaks[s], keep=keep)
            for s, view in enumerate(views)
        ]
        self._run: Run | None = None
        self._times: NDArray[np.int64] | None = None
        self._trade_pnl = np.zeros(1024)

    def summaries(self, parameter_sets: Iterable[Parameters | Sequence[Parameters]]) -> NDArray[np.void]:
        """Measures of each parameter set, in order; shape (sets,) of `summary_t`.

        A set is one `Parameters` for all symbols, or one per symbol in the market's order.
        """
        sets = list(parameter_sets)
        found = np.zeros(len(sets), dtype=summary_t)
        for at, one in enumerate(sets):
            each = [one] * len(self._columns) if isinstance(one, Parameters) else one
            self._measure(each, found[at : at + 1])
        return found

    def _measure(self, parameters: Sequence[Parameters], into: NDArray[np.void]) -> None:
        decisions = [columns.decisions(own) for columns, own in zip(self._columns, parameters, strict=True)]
        on_wake: Any = None
        asks = decides_in_python(self._strategy)
        if self._run is None or asks:
            everywhere = asks and all(decided.wake is None for decided in decisions)
            self._run = Run(
                self._market,
                decisions,
                self._terms,
                views=self._views,
                actions=self._actions,
                wake_everywhere=everywhere,
                keeps_decisions=False,
            )
        else:
            self._run.restart(decisions)
        if asks:
            from magellan.backtest.python_decisions import PythonDecisions

            features = [columns.features(own) for columns, own in zip(self._columns, parameters, strict=True)]
            on_wake = PythonDecisions(self._strategy, features, parameters)
        replayed = self._run.carry_on(on_wake)
        if len(self._trade_pnl) < replayed.trades:
            self._trade_pnl = np.zeros(2 * replayed.trades)
        pnl = self._trade_pnl[: replayed.trades]
        cash_usd = self._terms.account.cash_usd
        market = self._market
        if len(market.symbols) == 1:
            measure_one(self._run.located, cash_usd, self._points[0], pnl, into)
            return
        equity, held = self._equity(replayed.fills)
        measure_many(
            equity,
            held,
            replayed.fills,
            replayed.positions,
            market.close,
            market.offsets,
            self._points,
            pnl,
            into,
        )

    def _equity(self, fills: NDArray[np.void]) -> tuple[Floats, Floats]:
        assert self._run is not None, "a run is made before it is measured"
        if self._times is None:
            self._times = instants(self._market)
        value, gross, flow = (np.zeros(len(self._times)) for _ in range(3))
        actions = self._run.actions
        for s, bars in enumerate(self._market.bars):
            ours = fills[fills["symbol"] == s]
            if len(ours):
                first, last = actions.offsets[s], actions.offsets[s + 1]
                hold(
                    self._times,
                    bars.opened_at_ns,
                    bars.close,
                    int(self._market.offsets[s]),
                    ours["row"].copy(),
                    ours["units"].copy(),
                    ours["amount"].copy(),
                    actions.row[first:last],
                    actions.share_factor[first:last],
                    self._points[s],
                    value,
                    gross,
                    flow,
                )
        return self._terms.account.cash_usd + np.cumsum(flow) + value, gross


def sharpe(summaries: NDArray[np.void], periods_per_year: float) -> Floats:
    """Annualised Sharpe ratio of bar returns, risk-free rate 0; NaN where returns do not vary."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = summaries["return_mean"] / summaries["return_std"] * math.sqrt(periods_per_year)
    return np.where(summaries["return_std"] > 0, ratio, np.nan)


@kernel
def measure_one(run: Any, cash: float, point_value: float, trade_pnl: Any, into: Any) -> None:
    """Measures of a run on one symbol, in one pass over the bars during which a position was held."""
    x = run[0]
    out = into[0]
    n = x.rows
    count = account_of(x, 0).fills
    splits = i8(x.action_offsets, 1)
    trade_pnl[:] = 0.0
    units = 0.0
    money = cash
    equity = cash
    peak = cash
    drawdown = 0.0
    deepest = cash  # equity below this is a deeper drawdown
    total = 0.0
    squares = 0.0
    in_market = 0
    at = 0
    split = 0
    row = 0
    while row < n:
        if units == 0.0:
            if at == count:
                break
            row = fill_at(x, at).row
        while split < splits and i8(x.action_rows, split) <= row:
            units *= f8(x.share_factors, split)
            split += 1
        while at < count and fill_at(x, at).row == row:
            fill = fill_at(x, at)
            units += fill.units
            money += fill.amount
            trade_pnl[fill.trade] += fill.amount
            at += 1
        # Up to the next fill or split nothing changes but the price.
        end: Any = n
        if at < count:
            end = min(end, fill_at(x, at).row)
        if split < splits:
            end = min(end, i8(x.action_rows, split))
        if abs(units) < 1e-9:
            units = 0.0
            end = min(end, row + 1)
        else:
            in_market += end - row
        worth = units * point_value
        for i in range(row, end):
            now = money + worth * f8(x.close, i)
            change = now / equity - 1.0
            total += change
            squares += change * change
            equity = now
            # Divided only where it is deeper than ever: a division a bar would be most of the work.
            if now > peak:
                peak = now
                deepest = peak * (1.0 - drawdown)
            elif now < deepest:
                drawdown = 1.0 - now / peak
                deepest = now
        row = end
    if units != 0.0:
        trade_pnl[fill_at(x, count - 1).trade] += units * point_value * f8(x.close, n - 1)
    _finish(out, cash, equity, total, squares, n - 1, drawdown, in_market, trade_pnl)


@kernel
def measure_many(
    equity: Any,
    gross: Any,
    fills: Any,
    positions: Any,
    close: Any,
    offsets: Any,
    point_values: Any,
    trade_pnl: Any,
    into: Any,
) -> None:
    """Measures of a run on several symbols, from its equity at every instant."""
    out = into[0]
    trade_pnl[:] = 0.0
    for at in range(len(fills)):
        trade_pnl[fills[at].trade] += fills[at].amount
    for s in range(len(positions)):
        if positions[s].units != 0.0:
            worth = positions[s].units * close[offsets[s + 1] - 1] * point_values[s]
            trade_pnl[positions[s].trade] += worth
    peak = equity[0]
    drawdown = 0.0
    total = 0.0
    squares = 0.0
    in_market = 0
    for i in range(len(equity)):
        if gross[i] != 0.0:
            in_market += 1
        if i > 0:
            change = equity[i] / equity[i - 1] - 1.0
            total += change
            squares += change * change
        peak = max(peak, equity[i])
        drawdown = max(drawdown, 1.0 - equity[i] / peak)
    _finish(
        out,
        equity[0],
        equity[len(equity) - 1],
        total,
        squares,
        len(equity) - 1,
        drawdown,
        in_market,
        trade_pnl,
    )


@kernel
def _finish(
    out: Any,
    cash: float,
    equity: float,
    total: float,
    squares: float,
    returns: int,
    drawdown: float,
    in_market: int,
    trade_pnl: Any,
) -> None:
    out.equity_end_usd = equity
    out.return_fraction = equity / cash - 1.0
    out.trades = len(trade_pnl)
    out.drawdown_fraction_max = drawdown
    out.bars_in_market = in_market
    out.return_mean = total / returns if returns > 0 else np.nan
    out.return_std = np.nan
    if returns > 1:
        out.return_std = np.sqrt(max(0.0, squares - total * total / returns) / (returns - 1))
    wins = 0
    profit = 0.0
    loss = 0.0
    for pnl in trade_pnl:
        if pnl > 0.0:
            wins += 1
            profit += pnl
        else:
            loss += pnl
    out.wins = wins
    out.profit_usd = profit
    out.loss_usd = loss


__all__ = ["Sweep", "sharpe", "summary_t"]
