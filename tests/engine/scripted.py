"""A strategy that does what a script says, in all three forms, and a live session that runs it on generated bars."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np

from magellan.adapters.simulated.bar_tape import BarTape
from magellan.adapters.simulated.broker_core import BrokerCore
from magellan.engine.setup import SessionSetup, Timings
from magellan.ledger.entries import SessionBegan
from magellan.risk.breakers import BreakerLimits
from magellan.risk.limits import EntryHours, RiskLimits
from magellan.strategy.contract import (
    Enter,
    Exit,
    Features,
    Intent,
    Moment,
    NoParameters,
    Parameters,
    Side,
    Strategy,
)
from magellan.strategy.market_view import MarketView
from magellan.strategy.trade_plan import EquityFraction, Price, TradePlan
from magellan.trading.bar import Bars
from magellan.trading.capabilities import Capabilities
from magellan.trading.order import OrderClass, OrderType, TimeInForce
from magellan.trading.session import ExchangeCalendar
from magellan.trading.timeframe import Timeframe
from magellan.workspace.config import StrategyConfig
from simulation.world import World

EVERYTHING = Capabilities(
    name="simulated",
    order_types=frozenset(OrderType),
    order_classes=frozenset(OrderClass),
    times_in_force=frozenset(TimeInForce),
    asset_classes=frozenset({"us_equity"}),
    fractions=True,
    shorts=True,
    extended_hours=False,
    order_stream=True,
    replace=True,
    requests_per_minute=None,
    bracket_entry_types=frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT}),
)

ANYTHING_GOES = RiskLimits(
    price_collar_fraction_max=Decimal(100),
    position_fraction_max=Decimal(100),
    gross_exposure_fraction_max=Decimal(100),
    orders_per_minute_max=1_000_000,
    orders_per_second_max=1_000_000,
    bar_age_s_max=Decimal(10**9),
    account_age_s_max=Decimal(10**9),
    reconciliation_age_s_max=Decimal(10**9),
    clock_skew_s_max=Decimal(10**9),
    entry_hours=EntryHours.EXTENDED,
)

NEVER_TRIPS = BreakerLimits(
    daily_loss_fraction_max=None,
    drawdown_fraction_max=None,
    losing_trades_max=None,
    losing_days_max=None,
    rejects_per_hour_max=None,
    exceptions_per_hour_max=None,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """Rows at which each condition holds, and the plans, for one symbol."""

    enter_long: frozenset[int] = frozenset()
    enter_short: frozenset[int] = frozenset()
    exit_long: frozenset[int] = frozenset()
    exit_short: frozenset[int] = frozenset()
    plan_long: TradePlan
    plan_short: TradePlan


class Scripted(Strategy):
    """Declared: conditions are columns."""

    def __init__(self, scripts: Mapping[str, Script]) -> None:
        self.scripts = scripts

    def features(self, bars: MarketView, p: Parameters) -> dict[str, Any]:
        return {"price": bars.close}

    def enter_long(self, f: Features, p: Parameters) -> Any:
        return self.mask(f, "enter_long")

    def enter_short(self, f: Features, p: Parameters) -> Any:
        return self.mask(f, "enter_short")

    def exit_long(self, f: Features, p: Parameters) -> Any:
        return self.mask(f, "exit_long")

    def exit_short(self, f: Features, p: Parameters) -> Any:
        return self.mask(f, "exit_short")

    def plan(self, f: Features, p: Parameters) -> TradePlan:
        return cut(self.scripts[f.bars.symbol].plan_long, len(f.bars))

    def plan_short(self, f: Features, p: Parameters) -> TradePlan:
        return cut(self.scripts[f.bars.symbol].plan_short, len(f.bars))

    def mask(self, f: Features, name: str) -> Any:
        found = np.zeros(len(f.bars), dtype=bool)
        rows = [row for row in getattr(self.scripts[f.bars.symbol], name) if row < len(found)]
        found[rows] = True
        return found


class ScriptedInPython(Scripted):
    """Plain: the same script, decided in Python on every bar."""

    def enter_long(self, f: Features, p: Parameters) -> Any:
        return None

    def enter_short(self, f: Features, p: Parameters) -> Any:
        return None

    def exit_long(self, f: Features, p: Parameters) -> Any:
        return None

    def exit_short(self, f: Features, p: Parameters) -> Any:
        return None

    def decide(self, now: Moment, p: Parameters) -> Intent | None:
        script = self.scripts[now.symbol]
        if now.holding.units > 0 and now.row in script.exit_long:
            return Exit(reason="exit rule")
        if now.holding.units < 0 and now.row in script.exit_short:
            return Exit(reason="exit rule")
        if now.holding.is_flat and not now.entry_pending:
            if now.row in script.enter_long:
                return Enter(side=Side.LONG)
            if now.row in script.enter_short:
                return Enter(side=Side.SHORT)
        return None


class ScriptedWoken(ScriptedInPython):
    """Woken: the same, asked only on bars on which the script says anything."""

    def wake(self, f: Features, p: Parameters) -> Any:
        return (
            self.mask(f, "enter_long")
            | self.mask(f, "enter_short")
            | self.mask(f, "exit_long")
            | self.mask(f, "exit_short")
        )


def cut(plan: TradePlan, rows: int) -> TradePlan:
    """The plan with columns as long as the bars that have closed."""

    def price(value: Price | None) -> Price | None:
        if value is None or value.column is None:
            return value
        return replace(value, column=value.column[:rows])

    entry = plan.entry
    for name in ("price", "stop", "limit"):
        if isinstance(getattr(entry, name, None), Price):
            entry = replace(entry, **{name: price(getattr(entry, name))})
    size = plan.size
    if isinstance(size, EquityFraction) and isinstance(size.fraction, np.ndarray):
        size = EquityFraction(fraction=size.fraction[:rows])
    trailing = plan.trailing
    if trailing is not None and trailing.column is not None:
        trailing = replace(trailing, column=trailing.column[:rows])
    return replace(
        plan,
        size=size,
        entry=entry,
        stop=price(plan.stop),
        trailing=trailing,
        targets=tuple(
            replace(target, price=price(target.price), then_stop=price(target.then_stop))
            for target in plan.targets
        ),
    )


def setup_for(
    strategy: Strategy,
    config: StrategyConfig,
    calendar: ExchangeCalendar,
    *,
    start: int = 0,
    parameters: Mapping[str, Parameters] | None = None,
    **changes: Any,
) -> SessionSetup:
    """A session's setup in which nothing but the strategy decides."""
    given: dict[str, Any] = {
        "session_id": f"s{start}",
        "account": "SIM",
        "began": SessionBegan(
            run_id="run",
            strategy=config.strategy.name,
            stage="test",
            mode="simulated",
            magellan_version="0",
            config_hash="0",
            release_id=None,
            data_id=None,
            bar_source="sim",
            symbols=config.symbols,
            timeframe=config.data.timeframe,
            host="here",
            pid=1,
        ),
        "config": config,
        "strategy": strategy,
        "parameters": parameters or {symbol: NoParameters() for symbol in config.symbols},
        "calendar": calendar,
        "capabilities": EVERYTHING,
        "timings": Timings(reconcile_every_s=3600.0),
        "price_step_usd": Decimal(0),
        "limits": ANYTHING_GOES,
        "breaker_limits": NEVER_TRIPS,
    }
    given.update(changes)
    return SessionSetup(**given)


def world_for(
    strategy: Strategy,
    config: StrategyConfig,
    calendar: ExchangeCalendar,
    bars: Mapping[str, Bars],
    *,
    seed: int = 0,
    past: Mapping[str, Bars] | None = None,
    **changes: Any,
) -> World:
    """A world whose market is these bars, from before the first of them on."""
    tape = BarTape(bars, calendar)
    first_ns = min(rows[0].start_ns for rows in tape.bars.values() if rows)
    timeframe = Timeframe.parse(config.data.timeframe)
    nothing = {
        symbol: Bars(
            symbol=symbol,
            timeframe=timeframe,
            opened_at_ns=np.zeros(0, dtype=np.int64),
            **{name: np.zeros(0) for name in ("open", "high", "low", "close", "volume")},
        )
        for symbol in bars
    }
    return World(
        make_setup=lambda start: setup_for(strategy, config, calendar, start=start, **changes),
        tape=tape,
        core=BrokerCore(tape, config, seed=seed),
        future=bars,
        past=past or nothing,
        start_ns=first_ns - 3_600_000_000_000,
        chance=random.Random(f"world {seed}"),
    )
