"""Plans and terms as the numbers that the compiled replay reads."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import time

import numpy as np
from numpy.typing import NDArray

from magellan.backtest import records as r
from magellan.errors import FixInput
from magellan.strategy.trade_plan import (
    CashFraction,
    EquityFraction,
    Limit,
    Market,
    Notional,
    Price,
    Reading,
    RiskFraction,
    Stop,
    StopLimit,
    TimeInForce,
    TradePlan,
    Units,
)
from magellan.trading.bar import Floats
from magellan.trading.timeframe import MINUTE_NS
from magellan.workspace.config import AccountTerms, ExecutionTerms, InstrumentTerms, Limits
from magellan.workspace.fill_costs import FillCosts

_TIF = {
    TimeInForce.DAY: r.DAY,
    TimeInForce.GTC: r.GTC,
    TimeInForce.IOC: r.IOC,
    TimeInForce.FOK: r.FOK,
    TimeInForce.OPG: r.OPG,
    TimeInForce.CLS: r.CLS,
}
_READING = {Reading.SIGNAL: r.READ_SIGNAL, Reading.PRIOR: r.READ_PRIOR, Reading.SAME: r.READ_SAME}


class PlanTable:
    """Plans of all symbols, their price levels, and the columns those levels read.

    Columns are told apart by identity within a symbol: two plans that read one array share one row of the matrix.
    """

    def __init__(self, offsets: NDArray[np.int64]) -> None:
        self._offsets = offsets
        self._plans: list[NDArray[np.void]] = []
        self._levels: list[NDArray[np.void]] = []
        self._columns: list[dict[int, tuple[int, Floats]]] = [{} for _ in range(len(offsets) - 1)]

    def __len__(self) -> int:
        return len(self._plans)

    def add(self, plan: TradePlan, symbol: int) -> int:
        """Note a plan of that symbol; returns its number."""
        levels = np.zeros(r.LEVELS, dtype=r.level_t)
        row = np.zeros(1, dtype=r.plan_t)[0]
        self._size(row, plan, symbol)
        self._entry(row, levels, plan, symbol)
        self._protection(row, levels, plan, symbol)
        self._plans.append(row)
        self._levels.append(levels)
        return len(self._plans) - 1

    def arrays(self) -> tuple[NDArray[np.void], NDArray[np.void], Floats]:
        """Plans (p,), levels (p, LEVELS) and the matrix of columns (c, rows); NaN where a symbol has no such column."""
        plans = np.array(self._plans, dtype=r.plan_t)
        levels = np.array(self._levels, dtype=r.level_t).reshape(len(self._plans), r.LEVELS)
        width = max((len(held) for held in self._columns), default=0)
        if width == 0:
            return plans, levels, np.zeros((0, 0))
        if len(self._columns) == 1 and width == 1:
            ((_, column),) = self._columns[0].values()
            return plans, levels, np.ascontiguousarray(column).reshape(1, -1)
        matrix = np.full((width, int(self._offsets[-1])), np.nan)
        for s, held in enumerate(self._columns):
            for at, column in held.values():
                matrix[at, self._offsets[s] : self._offsets[s + 1]] = column
        return plans, levels, matrix

    def _size(self, row: NDArray[np.void], plan: TradePlan, symbol: int) -> None:
        row["size_column"] = -1
        row["notional_max"] = math.inf
        match plan.size:
            case Units(units=units):
                row["size_kind"], row["size_value"] = r.SIZE_UNITS, units
            case Notional(usd=usd):
                row["size_kind"], row["size_value"] = r.SIZE_NOTIONAL, usd
            case CashFraction(fraction=fraction):
                row["size_kind"], row["size_value"] = r.SIZE_CASH, fraction
            case EquityFraction(fraction=fraction):
                row["size_kind"] = r.SIZE_EQUITY
                if isinstance(fraction, np.ndarray):
                    row["size_column"] = self._column(fraction, symbol)
                else:
                    row["size_value"] = fraction
            case RiskFraction(fraction=fraction, notional_max_usd=cap):
                row["size_kind"], row["size_value"] = r.SIZE_RISK, fraction
                row["notional_max"] = math.inf if cap is None else cap

    def _entry(self, row: NDArray[np.void], levels: NDArray[np.void], plan: TradePlan, symbol: int) -> None:
        entry = plan.entry
        row["tif"] = _TIF[entry.time_in_force]
        match entry:
            case Market(at=at):
                row["entry_kind"] = r.MARKET
                row["scheduled"] = 1 if at is not None else 0
            case Limit(price=price):
                row["entry_kind"] = r.LIMIT
                self._level(levels[r.LEVEL_LIMIT], price, symbol)
            case Stop(price=price):
                row["entry_kind"] = r.STOP_ENTRY
                self._level(levels[r.LEVEL_STOP_ENTRY], price, symbol)
            case StopLimit(stop=stop, limit=limit):
                row["entry_kind"] = r.STOP_LIMIT
                self._level(levels[r.LEVEL_STOP_ENTRY], stop, symbol)
                self._level(levels[r.LEVEL_LIMIT], limit, symbol)

    def _protection(
        self, row: NDArray[np.void], levels: NDArray[np.void], plan: TradePlan, symbol: int
    ) -> None:
        if plan.stop is not None:
            self._level(levels[r.LEVEL_STOP], plan.stop, symbol)
        row["trail_column"] = -1
        if plan.trailing is not None:
            trailing = plan.trailing
            if trailing.column is not None:
                row["trail_kind"], row["trail_value"] = r.TRAIL_COLUMN, trailing.multiple
                row["trail_column"] = self._column(trailing.column, symbol)
            elif trailing.usd is not None:
                row["trail_kind"], row["trail_value"] = r.TRAIL_USD, trailing.usd
            else:
                row["trail_kind"], row["trail_value"] = r.TRAIL_FRACTION, trailing.fraction
        row["hold_ns"] = 0 if plan.hold_minutes is None else plan.hold_minutes * MINUTE_NS
        row["hold_bars"] = 0 if plan.hold_bars is None else plan.hold_bars
        row["session_exit"] = 0 if plan.session_exit is None else 1
        row["cooldown_bars"] = plan.cooldown_bars
        row["targets"] = len(plan.targets)
        for k, target in enumerate(plan.targets):
            row["fraction"][k] = target.fraction
            row["later_bar"][k] = target.later_bar
            self._level(levels[r.LEVEL_TARGETS + 2 * k], target.price, symbol)
            if target.then_stop is not None:
                self._level(levels[r.LEVEL_TARGETS + 2 * k + 1], target.then_stop, symbol)

    def _level(self, level: NDArray[np.void], price: Price, symbol: int) -> None:
        level["used"] = 1
        level["column"] = -1
        if price.column is not None:
            level["column"] = self._column(price.column, symbol)
        elif price.usd is not None:
            level["column"], level["usd"] = -2, price.usd
        level["reading"] = _READING[price.reading]
        level["part_way"] = price.part_way
        level["plus_fraction"] = price.plus_fraction
        level["plus_usd"] = price.plus_usd
        level["plus_risk"] = price.plus_risk

    def _column(self, column: Floats, symbol: int) -> int:
        rows = int(self._offsets[symbol + 1] - self._offsets[symbol])
        if column.shape != (rows,):
            raise FixInput(
                f"a price column of the plan has shape {column.shape}, the symbol has {rows} bars",
                next_step="build plan prices from feature columns, which have one value per bar",
            )
        held = self._columns[symbol]
        if id(column) not in held:
            held[id(column)] = (len(held), np.asarray(column, dtype=np.float64))
        return held[id(column)][0]


def rules_array(
    execution: ExecutionTerms, account: AccountTerms, limits: Limits, *, span_ns: int, wake_everywhere: bool
) -> NDArray[np.void]:
    """The terms of a run that hold for all symbols; shape (1,)."""
    rules = np.zeros(1, dtype=r.rules_t)
    row = rules[0]
    row["fill_at_close"] = execution.fill == "close"
    row["size_at_fill"] = execution.size_at == "fill"
    row["stop_fills_at_level"] = execution.stop_fill == "at-level"
    row["limit_fills_at_level"] = execution.limit_fill == "at-level"
    row["limit_needs_through"] = execution.limit_needs == "through"
    row["hold_through_breaks"] = execution.unexplained_jumps == "hold"
    row["count_trades_at_exit"] = limits.trades_counted_at == "exit"
    row["margin"] = account.kind == "margin"
    row["leverage"] = account.leverage
    row["maintenance"] = account.maintenance_fraction
    row["trades_per_day_max"] = _or(limits.trades_per_day_max, 2**62)
    row["loss_fraction_max"] = _or(limits.loss_per_day_fraction_max, math.inf)
    row["loss_usd_max"] = _or(limits.loss_per_day_usd_max, math.inf)
    row["open_positions_max"] = _or(limits.open_positions_max, 2**62)
    row["position_usd_max"] = _or(limits.position_usd_max, math.inf)
    row["span_ns"] = span_ns
    row["wake_everywhere"] = wake_everywhere
    return rules


def cost_array(
    symbols: Sequence[str], execution: ExecutionTerms, instruments: Mapping[str, InstrumentTerms]
) -> NDArray[np.void]:
    """Costs and steps per symbol; shape (symbols,)."""
    costs = np.zeros(len(symbols), dtype=r.cost_t)
    for row, symbol in zip(costs, symbols, strict=True):
        terms = instruments.get(symbol, InstrumentTerms())
        fill = FillCosts.of(execution, terms)
        row["commission_per_unit"] = fill.commission_per_unit_usd
        row["commission_rate"] = fill.commission_rate
        row["commission_min"] = fill.commission_min_usd
        row["half_spread_rate"] = fill.half_spread_rate
        row["slippage_rate"] = fill.slippage_rate
        row["impact"] = execution.impact
        row["volume_share_max"] = _or(execution.volume_share_max, math.inf)
        row["borrow_rate"] = execution.borrow_rate
        row["borrow_units_max"] = _or(execution.borrow_units_max, math.inf)
        row["quantity_step"] = terms.quantity_step
        row["point_value"] = terms.point_value
        row["tick_size"] = terms.tick_size
        row["shortable"] = terms.shortable
    return costs


def minute_of_day(at: time) -> int:
    """Minutes after midnight."""
    return at.hour * 60 + at.minute


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
