"""Deciding: ask the strategy about the newest closed bar, exactly as a backtest asks it about that row.

What a strategy's code raises never reaches the session: it is an answer too, counted and told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from magellan.strategy.contract import Features, Intent, Moment, Parameters, Strategy, decides_in_python
from magellan.strategy.market_view import MarketView
from magellan.strategy.session_memory import SessionMemory
from magellan.strategy.trade_plan import TradePlan
from magellan.trading.bar import Bars
from magellan.trading.session import ExchangeCalendar, SessionClock

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """The strategy's code raised."""

    where: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outlook:
    """What a strategy says about the newest bar of a symbol."""

    features: Features
    row: int  # of the newest bar
    enter_long: bool
    enter_short: bool
    exit_long: bool
    exit_short: bool
    wake: bool  # whether `decide` is to be asked


class Decider:
    """One strategy with its parameters per symbol."""

    def __init__(
        self, strategy: Strategy, parameters: Mapping[str, Parameters], calendar: ExchangeCalendar
    ) -> None:
        self._strategy = strategy
        self._parameters = parameters
        self._calendar = calendar
        first = SessionMemory(SessionClock.EXCHANGE, calendar)
        self._memories = {
            symbol: SessionMemory(SessionClock.EXCHANGE, calendar, like=first) for symbol in parameters
        }
        declared = type(strategy)
        self._masks = {
            name
            for name in ("enter_long", "enter_short", "exit_long", "exit_short", "wake")
            if getattr(declared, name) is not getattr(Strategy, name)
        }
        self._in_python = decides_in_python(strategy)
        self._own_short_plan = declared.plan_short is not Strategy.plan_short

    def outlook(self, bars: Bars, others: Mapping[str, Bars], *, warmed_up: bool) -> Outlook | Raised:
        """Features of all bars, and the decision columns at the newest one."""
        parameters = self._parameters[bars.symbol]
        view = MarketView(bars, calendar=self._calendar, others=others, memory=self._memories[bars.symbol])
        row = len(bars) - 1

        def look() -> Outlook:
            columns: Any = self._strategy.features(view, parameters)
            if not isinstance(columns, Mapping):
                raise TypeError(f"features() returned {type(columns).__name__}, not a dict of columns")
            for name, column in columns.items():
                if not isinstance(column, np.ndarray) or column.shape != (len(bars),):
                    shape = getattr(column, "shape", type(column).__name__)
                    raise TypeError(f"feature '{name}' is {shape}, not one value per bar")
            features = Features(view, columns)
            return Outlook(
                features=features,
                row=row,
                enter_long=warmed_up and self._holds("enter_long", features, row, parameters),
                enter_short=warmed_up and self._holds("enter_short", features, row, parameters),
                exit_long=self._holds("exit_long", features, row, parameters),
                exit_short=self._holds("exit_short", features, row, parameters),
                wake=self._in_python
                and warmed_up
                and ("wake" not in self._masks or self._holds("wake", features, row, parameters)),
            )

        return self._guarded(f"{bars.symbol}: features and conditions", look)

    def plan(self, outlook: Outlook, side: int) -> TradePlan | Raised:
        """The strategy's plan for a trade on that side (+1 long, -1 short)."""
        parameters = self._parameters[outlook.features.bars.symbol]

        def make() -> TradePlan:
            short = side < 0 and self._own_short_plan
            plan = (self._strategy.plan_short if short else self._strategy.plan)(outlook.features, parameters)
            if not isinstance(plan, TradePlan):
                raise TypeError(f"plan() returned {type(plan).__name__}, not a TradePlan")
            return plan

        return self._guarded(f"{outlook.features.bars.symbol}: plan", make)

    def decide(self, moment: Moment) -> Intent | Raised | None:
        """What `decide` says at this moment."""
        return self._guarded(
            f"{moment.symbol}: decide", lambda: self._strategy.decide(moment, self._parameters[moment.symbol])
        )

    def _holds(self, name: str, features: Features, row: int, parameters: Any) -> bool:
        if name not in self._masks:
            return False
        mask = getattr(self._strategy, name)(features, parameters)
        if mask is None:
            return False
        if not isinstance(mask, np.ndarray) or mask.dtype != bool or mask.shape != (row + 1,):
            what = f"{mask.dtype}{mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__
            raise TypeError(f"{name}() returned {what}, not one truth value per bar")
        return bool(mask[row])

    def _guarded(self, where: str, call: Callable[[], T]) -> T | Raised:
        try:
            return call()
        except Exception as error:  # noqa: BLE001  a trader's code may raise anything; protection must go on
            return Raised(where=where, error=f"{type(error).__name__}: {error}")


def indicators(outlook: Outlook) -> dict[str, float | None]:
    """The features at the newest bar, as the ledger keeps them; None where one is not known."""
    found: dict[str, float | None] = {}
    for name, column in outlook.features.columns.items():
        value = float(column[outlook.row])
        found[name] = value if math.isfinite(value) else None
    return found
