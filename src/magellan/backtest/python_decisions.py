"""Decisions in plain Python: what a woken strategy sees, and what its intents do to a run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from magellan.backtest import records as r
from magellan.errors import FixInput
from magellan.strategy.contract import (
    CancelEntry,
    Enter,
    Exit,
    Features,
    Holding,
    Intent,
    Moment,
    MoveStop,
    Parameters,
    Side,
    Strategy,
)
from magellan.strategy.trade_plan import EquityFraction, Market, Price, TradePlan
from magellan.trading.bar import instant

if TYPE_CHECKING:
    from magellan.backtest.replay import Run


class PythonDecisions:
    """Calls a strategy's `decide` on the bars the replay wakes for, and puts its intents into the run."""

    def __init__(
        self, strategy: Strategy, features: Sequence[Features], parameters: Sequence[Parameters]
    ) -> None:
        self._strategy = strategy
        self._features = features
        self._parameters = parameters
        self._columns: list[Mapping[str, Any]] = [f.columns for f in features]

    def __call__(self, run: Run, symbol: int, row: int) -> None:
        """Decide on that symbol at that row of the market."""
        from magellan.backtest.replay_kernel import equity_now

        position = run.state.positions[symbol]
        account = run.state.account[0]
        bars = run.market.bars[symbol]
        local = row - int(run.market.offsets[symbol])
        units = float(position["units"])
        moment = Moment(
            symbol=bars.symbol,
            at=instant(int(bars.opened_at_ns[local]) + bars.timeframe.span_ns),
            bar=bars.bar(local),
            row=local,
            holding=Holding(
                units=units,
                entry_price=float(position["entry_price"]) if units else math.nan,
                opened_at=_opened_at(run, position) if units else None,
                bars_held=row - int(position["entry_row"]) + 1 if units else 0,
                stop=float(position["stop"]) if units else math.nan,
            ),
            cash_usd=float(account["cash"]),
            equity_usd=float(equity_now(run.located)),
            entry_pending=bool(np.any(run.state.entries[symbol]["kind"] != r.NONE)),
            _features=self._columns[symbol],
        )
        intent = self._strategy.decide(moment, self._parameters[symbol])
        if intent is not None:
            self._carry_out(run, symbol, row, intent)

    def _carry_out(self, run: Run, symbol: int, row: int, intent: Intent) -> None:
        from magellan.backtest.replay_kernel import leave_on_request

        match intent:
            case Enter(side=side, plan=plan):
                number = int(run.rules.plan_of[symbol, 0 if side is Side.LONG else 1])
                if plan is not None:
                    number = run.add_plan(_without_columns(plan, self._strategy), symbol)
                # Taken up once every symbol has decided, so that what others leave now can pay for it.
                run.state.positions[symbol]["wanted_side"] = 1.0 if side is Side.LONG else -1.0
                run.state.positions[symbol]["wanted_plan"] = number
            case Exit(fraction=fraction, reason=reason):
                if not 0 < fraction <= 1:
                    raise FixInput(
                        f"{self._strategy.name()}.decide asked to leave {fraction} of a position, not (0, 1]"
                    )
                leave_on_request(run.located, symbol, row, float(fraction), run.reason_code(reason))
            case MoveStop(price=price):
                if not math.isfinite(price):
                    raise FixInput(f"{self._strategy.name()}.decide moved a stop to {price}")
                if run.state.positions[symbol]["units"] != 0:
                    run.state.positions[symbol]["stop"] = price
                    run.state.positions[symbol]["stop_moves"] = 0
                    run.state.positions[symbol]["next_stop"] = 0
            case CancelEntry():
                run.state.entries[symbol]["kind"] = r.NONE
            case _:
                raise FixInput(
                    f"{self._strategy.name()}.decide returned {type(intent).__name__}, which is not an intent",
                    next_step="return Enter, Exit, MoveStop, CancelEntry or None",
                )


def _opened_at(run: Run, position: np.void) -> datetime:
    market = run.market
    opened_ns = int(market.opened_at_ns[int(position["entry_row"])])
    return instant(opened_ns + (market.timeframe.span_ns if position["mode"] == r.AT_CLOSE else 0))


def _without_columns(plan: TradePlan, strategy: Strategy) -> TradePlan:
    """The plan, checked: one that a decision brings along states prices, not columns of prices."""
    prices: list[Price | None] = [plan.stop]
    for target in plan.targets:
        prices += [target.price, target.then_stop]
    for name in ("price", "stop", "limit"):
        value = getattr(plan.entry, name, None)
        prices.append(value if isinstance(value, Price) else None)
    columns = any(price is not None and price.column is not None for price in prices)
    if isinstance(plan.size, EquityFraction) and not isinstance(plan.size.fraction, int | float):
        raise FixInput(
            f"{strategy.name()}.decide returned a plan whose size is a column",
            next_step="give the fraction as a number, or put the column into the strategy's plan()",
        )
    if columns or (plan.trailing is not None and plan.trailing.column is not None):
        raise FixInput(
            f"{strategy.name()}.decide returned a plan whose prices are columns",
            next_step="use at_price(...) with a number from `now`, or put the columns into the strategy's plan()",
        )
    if isinstance(plan.entry, Market) and plan.entry.at is not None:
        raise FixInput(
            f"{strategy.name()}.decide returned a plan whose entry waits for a time of day",
            next_step="state the schedule in the strategy's plan(), or return Enter on the bar before that time",
        )
    if plan.session_exit is not None:
        raise FixInput(
            f"{strategy.name()}.decide returned a plan with a session exit",
            next_step="state the session exit in the strategy's plan(): it holds for every trade",
        )
    return plan
