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
from magellan.backtest.equity_curve import instants
from magellan.backtest.market import Market
from magellan.backtest.masks import SymbolDecisions
from magellan.backtest.replay import Run, Terms
from magellan.backtest.sweep_kernel import (
    is_plain_run,
    measure_many,
    measure_one,
    measuring_t,
    replay_each,
    summary_t,
)
from magellan.strategy.contract import Parameters, Strategy, decides_in_python
from magellan.strategy.market_view import MarketView
from magellan.trading.bar import Floats, Mask
from magellan.trading.corporate_action import CorporateAction

_TOGETHER: Final = 64  # sets in one call: their masks are held all at once


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
        keep: int = 16,
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
        self._room = np.zeros((3, 0))  # a number per instant: position value, exposure, cash moved
        self._trade_pnl = np.zeros(1024)
        self._measuring = np.zeros(1, dtype=measuring_t)

    def summaries(self, parameter_sets: Iterable[Parameters | Sequence[Parameters]]) -> NDArray[np.void]:
        """Measures of each parameter set, in order; shape (sets,) of `summary_t`.

        A set is one `Parameters` for all symbols, or one per symbol in the market's order.
        """
        sets = [[one] * len(self._columns) if isinstance(one, Parameters) else one for one in parameter_sets]
        found = np.zeros(len(sets), dtype=summary_t)
        at = 0
        while at < len(sets):
            done = self._measure_together(sets[at : at + _TOGETHER], found[at:])
            if done == 0:
                self._measure(sets[at], found[at : at + 1])
            at += max(done, 1)
        return found

    def _measure_together(self, sets: Sequence[Sequence[Parameters]], into: NDArray[np.void]) -> int:
        """Measure the first of these sets in one call, as many as differ by their masks alone; returns how many."""
        run = self._run
        if run is None or decides_in_python(self._strategy) or not is_plain_run(run.located):
            return 0
        masks = []
        for parameters in sets:
            own = run.masks_of(self._decisions(parameters))
            if own is None:
                break
            masks.append(own)
        if not masks:
            return 0
        return replay_each(
            run.located.copy(),
            run.changing,
            run.at_first,
            np.array([[mask.address for mask in own] for own in masks], dtype=np.int64),
            self._terms.account.cash_usd,
            self._points[0],
            self._measuring,
            into[: len(masks)],
        )

    def _measure(self, parameters: Sequence[Parameters], into: NDArray[np.void]) -> None:
        decisions = self._decisions(parameters)
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
        cash_usd = self._terms.account.cash_usd
        market = self._market
        if len(market.symbols) == 1:
            measure_one(self._run.located, cash_usd, self._points[0], self._measuring, into)
            return
        if len(self._trade_pnl) < replayed.trades:
            self._trade_pnl = np.zeros(2 * replayed.trades)
        pnl = self._trade_pnl[: replayed.trades]
        if self._times is None:
            self._times = instants(market)
            self._room = np.zeros((3, len(self._times)))
        value, gross, flow = self._room
        measure_many(self._run.located, self._times, cash_usd, self._points, value, gross, flow, pnl, into)

    def _decisions(self, parameters: Sequence[Parameters]) -> list[SymbolDecisions]:
        return [columns.decisions(own) for columns, own in zip(self._columns, parameters, strict=True)]


def sharpe(summaries: NDArray[np.void], periods_per_year: float) -> Floats:
    """Annualised Sharpe ratio of bar returns, risk-free rate 0; NaN where returns do not vary."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = summaries["return_mean"] / summaries["return_std"] * math.sqrt(periods_per_year)
    return np.where(summaries["return_std"] > 0, ratio, np.nan)


__all__ = ["Sweep", "sharpe", "summary_t"]
