"""A live session against the simulated broker makes the trades that a backtest of the same bars makes.

What cannot be equal on principle is left out of the generated runs, and stands in docs/guides/live.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import time

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.scripted import Script, Scripted, ScriptedInPython, ScriptedWoken, world_for
from magellan.engine import names
from magellan.engine.our_order import Role
from magellan.ledger.entries import OrderIntended
from magellan.strategy import trade_plan as tp
from magellan.strategy.trade_plan import Price, TradePlan
from magellan.trading.bar import nanoseconds
from magellan.trading.purpose import OrderPurpose
from magellan.workspace.config import (
    AccountTerms,
    DataTerms,
    ExecutionTerms,
    Identity,
    InstrumentTerms,
    Limits,
    StrategyConfig,
)
from reference import compiled
from reference.markets import MINUTE_NS, Picks, Shape, column_of, market_of
from reference.plain_market import Row, RunInput, SymbolInput
from simulation.world import MS, World

FORMS = (Scripted, ScriptedInPython, ScriptedWoken)


@dataclass(frozen=True, slots=True, order=True)
class Fill:
    """Units that changed hands on one bar for one reason."""

    row: int
    symbol: str
    reason: str
    units: float
    price: float


@given(code=st.binary(min_size=600, max_size=600))
@settings(max_examples=80, deadline=None, derandomize=True)
def test_a_live_session_makes_the_trades_of_the_backtest(code: bytes) -> None:
    run, form = run_of(code)
    expected = backtest_fills(run)
    world = live(run, form)
    assume(not differs_on_principle(world, run))
    assert live_fills(world, run) == expected, explain(world)


@pytest.mark.parametrize("form", FORMS)
def test_three_forms_of_a_strategy_trade_alike_live(form: type[Scripted]) -> None:
    rng = np.random.default_rng(5)
    for _ in range(5):
        code = rng.bytes(600)
        run, _ = run_of(code)
        assert live_fills(live(run, form), run) == live_fills(live(run, Scripted), run)


# --- Runs -----------------------------------------------------------------------------------------------------


def run_of(code: bytes) -> tuple[RunInput, type[Scripted]]:
    picks = Picks(code)
    form = picks.one_of(*FORMS)
    minutes = picks.one_of(30, 15, 60)
    shape = Shape(
        minutes=minutes,
        bars_per_day=picks.number(3, 8),
        days=picks.number(1, 4),
        half_days=picks.mostly((), (1,)),
        missing_at_the_end=0,
        has_calendar=True,
        step=0.5,
        start=100.0,
        stretch=1.0,
    )
    names = ("A", "B")[: picks.number(1, 2)]
    margin = picks.one_of(False, True)
    config = StrategyConfig(
        strategy=Identity(name="scripted", version="1.0.0", kind="swing"),
        symbols=names,
        data=DataTerms(
            timeframe=f"{minutes}Min" if minutes < 60 else "1Hour", warmup_bars=picks.mostly(0, 2)
        ),
        account=AccountTerms(
            cash_usd=100_000.0,
            kind="margin" if margin else "cash",
            leverage=2.0 if margin else 1.0,
            maintenance_fraction=0.0,
        ),
        execution=ExecutionTerms(
            slippage_bps=picks.mostly(0.0, 10.0),
            half_spread_bps=picks.mostly(0.0, 5.0),
            commission_bps=picks.mostly(0.0, 2.0),
        ),
        instruments=dict.fromkeys(names, InstrumentTerms(tick_size=picks.mostly(0.0, 0.01))),
        limits=Limits(
            trades_per_day_max=picks.mostly(None, 2),
            open_positions_max=picks.mostly(None, 1),
        ),
    )
    leaves = picks.one_of(
        None,
        None,
        tp.SessionExit(),
        tp.SessionExit(at=time(10, 30)),
        tp.SessionExit(before_close_minutes=60),
    )
    symbols = []
    for name in names:
        market = market_of(picks, shape, name, shorts=margin, actions=False, breaks=False, gaps_in_time=False)
        # Of an entry long and one short on the same bar, a live session sends the long one alone.
        market["enter_short"] -= market["enter_long"]
        if form is not Scripted:
            # The script in Python says one thing a bar: an exit, or else an entry.
            leaving = market["exit_long"] | market["exit_short"]
            market["enter_long"] -= leaving
            market["enter_short"] -= leaving
        rows = market["rows"]
        long = plan_of(picks, rows, 1, leaves)
        short = plan_of(picks, rows, -1, leaves)
        if isinstance(long.entry, tp.Market) and long.entry.at is not None:
            short = replace(short, entry=long.entry)
        elif isinstance(short.entry, tp.Market) and short.entry.at is not None:
            short = replace(short, entry=tp.Market())
        symbols.append(SymbolInput(plan_long=long, plan_short=short, **market))
    fills = {"impact": picks.mostly(0.0, 0.5), "limit_needs": picks.mostly("touch", "through")}
    config = config.model_copy(update={"execution": config.execution.model_copy(update=fills)})
    return RunInput(symbols=tuple(symbols), span_ns=minutes * MINUTE_NS, config=config), form


def plan_of(picks: Picks, rows: tuple[Row, ...], side: int, leaves: tp.SessionExit | None) -> TradePlan:
    entry = picks.one_of("market", "market", "limit", "stop", "stop limit", "scheduled", "opg")
    has_stop = picks.one_of(True, True, False)
    at_market = entry in ("market", "scheduled")

    def column(toward: int, beyond: float = 0.0) -> np.ndarray:
        found = column_of(picks, rows, toward * (picks.number(1, 6) * 0.5 + beyond))
        known = np.array([row.close for row in rows]) + toward * 1.0
        return np.where(np.isnan(found), known, found)

    def price(toward: int, favour: int, *, moves: bool) -> Price:
        # Levels that hang on the price of a fill inside a bar come too late for what is left of that bar.
        kind = picks.one_of("fixed", "entry", "moving", "part", "usd")
        if not moves and kind != "usd":
            kind = "fixed"
        # Targets keep off, since one that is met when its units are bought sells at once.
        off = 4.0 if toward == side else 0.0
        if kind == "fixed":
            return Price(column=column(toward, off))
        if kind == "moving":
            # It comes nearer and nearer: one that moves away may be met at an open where it stood a moment ago.
            nearer = np.minimum if toward > 0 else np.maximum
            return Price(column=nearer.accumulate(column(toward)), reading=tp.Reading.PRIOR)
        if kind == "part":
            return Price(column=column(toward, 3 * off), part_way=0.5)
        if kind == "usd":
            return Price(usd=rows[0].close + toward * (picks.number(1, 8) * 0.5 + 2 * off))
        return Price(plus_usd=favour * picks.number(1, 6) * 0.5)

    order: tp.EntryOrder
    if entry == "limit":
        order = tp.Limit(price=Price(column=column(-side)), time_in_force=tif(picks))
    elif entry == "stop":
        order = tp.Stop(price=Price(column=column(side)), time_in_force=tif(picks))
    elif entry == "stop limit":
        stop = column(side)
        order = tp.StopLimit(
            stop=Price(column=stop),
            limit=Price(column=stop + side * picks.one_of(1.0, 0.0)),
            time_in_force=tif(picks),
        )
    elif entry == "scheduled":
        order = tp.Market(at=picks.one_of(time(10, 30), time(9, 30)))
    elif entry == "opg":
        order = tp.Market(time_in_force=tp.TimeInForce.OPG)
    else:
        order = tp.Market()
    targets = tuple(
        tp.Target(
            price=price(side, 1, moves=at_market)
            if not has_stop
            else picks.one_of(
                price(side, 1, moves=at_market),
                Price(plus_risk=1.0 + number) if at_market else Price(column=column(side, 4.0)),
            ),
            fraction=picks.one_of(0.5, 0.25, 0.3),
            then_stop=picks.one_of(None, tp.entry_price(), price(-side, -1, moves=at_market)),
        )
        for number in range(picks.number(0, 3))
    )
    trailing = (
        None
        if not at_market
        else picks.one_of(
            None,
            None,
            tp.Trailing(usd=picks.number(2, 8) * 0.5),
            tp.Trailing(fraction=1 / 32),
            tp.Trailing(column=np.array([row.high - row.low + 0.5 for row in rows]), multiple=2.0),
        )
    )
    return TradePlan(
        size=size_of(picks, rows, has_stop=has_stop),
        entry=order,
        stop=price(-side, -1, moves=at_market) if has_stop else None,
        trailing=trailing,
        targets=targets if sum(target.fraction for target in targets) <= 1 else targets[:2],
        hold_minutes=picks.mostly(None, 60, 120),
        hold_bars=picks.mostly(None, 1, 3),
        session_exit=leaves,
        cooldown_bars=picks.mostly(0, 1, 2),
    )


def tif(picks: Picks) -> tp.TimeInForce:
    return picks.one_of(tp.TimeInForce.DAY, tp.TimeInForce.GTC)


def size_of(picks: Picks, rows: tuple[Row, ...], *, has_stop: bool) -> tp.Size:
    kind = picks.one_of("units", "notional", "cash", "equity", "column", "risk")
    if kind == "notional":
        return tp.Notional(usd=2500.0)
    if kind == "cash":
        return tp.CashFraction(fraction=0.2)
    if kind == "equity":
        return tp.EquityFraction(fraction=0.1)
    if kind == "column":
        return tp.EquityFraction(
            fraction=np.array([(0.05, 0.1, 0.2, 0.0)[at % 4] for at in range(len(rows))])
        )
    if kind == "risk" and has_stop:
        return tp.RiskFraction(fraction=0.001, notional_max_usd=10_000.0)
    return tp.Units(units=picks.one_of(10.0, 7.0, 33.0))


# --- Both sides -----------------------------------------------------------------------------------------------


def backtest_fills(run: RunInput) -> list[Fill]:
    return merged(
        Fill(fill.row, fill.symbol, fill.reason.replace("trailing stop", "stop"), fill.units, fill.price)
        for fill in compiled.replay(run).fills
    )


def live(run: RunInput, form: type[Scripted]) -> World:
    calendar = compiled.calendar_of(run)
    assert calendar is not None, "a live session has a calendar"
    scripts = {
        one.symbol: Script(
            enter_long=one.enter_long,
            enter_short=one.enter_short,
            exit_long=one.exit_long,
            exit_short=one.exit_short,
            plan_long=one.plan_long,
            plan_short=one.plan_short,
        )
        for one in run.symbols
    }
    bars = {one.symbol: compiled.bars_of(one, run.span_ns) for one in run.symbols}
    world = world_for(form(scripts), run.config, with_a_day_after(calendar), bars)
    world.run(int(calendar.closes_at_ns[-1]) + 60_000_000_000)
    return world


def with_a_day_after(calendar):  # type: ignore[no-untyped-def]
    """The calendar with another session, which the last bars' orders wait for."""
    day = 86_400_000_000_000
    return replace(
        calendar,
        session_on=np.append(calendar.session_on, calendar.session_on[-1] + 7).astype(np.int32),
        opens_at_ns=np.append(calendar.opens_at_ns, calendar.opens_at_ns[-1] + 7 * day),
        closes_at_ns=np.append(calendar.closes_at_ns, calendar.closes_at_ns[-1] + 7 * day),
    )


def live_fills(world: World, run: RunInput) -> list[Fill]:
    assert world.session is not None, world.stopped
    state = world.session.state
    rows = {one.symbol: [row.opened_at_ns for row in one.rows] for one in run.symbols}
    found = []
    for execution in world.core.executions:
        name = state.book.client_order_ids[execution.broker_order_id]
        order = state.orders[name]
        reason = {
            Role.ENTRY: "entry",
            Role.STOP: "stop",
            Role.TARGET: f"target {order.portion}",
            Role.LEAVE: order.reason,
        }[order.role]
        row = int(np.searchsorted(rows[execution.symbol], nanoseconds(execution.at), side="right")) - 1
        found.append(
            Fill(
                row,
                execution.symbol,
                reason,
                float(execution.signed_quantity),
                float(execution.price),
            )
        )
    return merged(found)


def merged(fills) -> list[Fill]:  # type: ignore[no-untyped-def]
    """Fills of one bar, symbol, reason and price as one; prices to nine digits."""
    units: dict[tuple[int, str, str, float], float] = {}
    for fill in fills:
        key = (fill.row, fill.symbol, fill.reason, float(f"{fill.price:.9g}"))
        units[key] = units.get(key, 0.0) + fill.units
    return sorted(
        Fill(row, symbol, reason, total, price) for (row, symbol, reason, price), total in units.items()
    )


def differs_on_principle(world: World, run: RunInput) -> bool:
    """Whether something happened that a broker does otherwise than a backtest supposes: docs/guides/live.md."""
    return (
        a_target_was_met_at_once(world, run)
        or an_open_was_faster(world, run)
        or a_target_could_not_be_sent_along(world)
        or portions_moved_the_price_one_by_one(world, run)
    )


def a_target_could_not_be_sent_along(world: World) -> bool:
    """Whether a target was not beyond the price of its own entry order: it is sent when that has filled."""
    for entry in world.ledger:
        if isinstance(entry.payload, OrderIntended) and entry.payload.purpose is OrderPurpose.ENTRY:
            of = names.parts(entry.payload.client_order_id)
            if of is not None and of[2] > 0 and entry.payload.request.take_profit_price is None:
                return True
    return False


def portions_moved_the_price_one_by_one(world: World, run: RunInput) -> bool:
    """Whether an order of a backtest was several at the broker, and each of them moved the price by its own units."""
    told = [(each.row, each.symbol, each.reason) for each in live_fills(world, run)]
    return bool(run.config.execution.impact) and len(told) > len(set(told))


def an_open_was_faster(world: World, run: RunInput) -> bool:
    """Whether a bar's opening filled a resting order before anything was decided on the bar that had just closed."""
    assert world.session is not None, world.stopped
    state = world.session.state
    starts = {one.symbol: [row.opened_at_ns for row in one.rows] for one in run.symbols}
    said = {
        one.rows[row].opened_at_ns
        for one in run.symbols
        for row in one.enter_long | one.enter_short | one.exit_long | one.exit_short
    }
    for execution in world.core.executions:
        order = state.orders[state.book.client_order_ids[execution.broker_order_id]]
        at_ns = nanoseconds(execution.at)
        row = int(np.searchsorted(starts[execution.symbol], at_ns, side="right")) - 1
        start_ns = starts[execution.symbol][row]
        unheard = at_ns - start_ns < 50 * MS  # the bar before is told 50 ms after its end
        if unheard and order.role is not Role.LEAVE and row and starts[execution.symbol][row - 1] in said:
            return True
    return False


def a_target_was_met_at_once(world: World, run: RunInput) -> bool:
    """Whether a target was on the wrong side of the price when its units had just been bought.

    At a broker it sells at once, whatever the rest of the bar does; a backtest supposes that the stop was first.
    """
    assert world.session is not None, world.stopped
    state = world.session.state
    rows = {one.symbol: {row.opened_at_ns: row for row in one.rows} for one in run.symbols}
    for plan in state.plans.values():
        if plan.marks is None or plan.marks.entry_bar_ns is None:
            continue
        opened = rows[plan.symbol][plan.marks.entry_bar_ns].open
        bought = float(plan.fills[0][1])
        least = max(opened, bought) if plan.side > 0 else min(opened, bought)
        for order in state.orders_of(plan):
            rests = order.role is Role.TARGET and not order.superseded
            if rests and order.limit is not None and plan.side * (float(order.limit) - least) <= 0:
                return True
    return False


def explain(world: World) -> str:
    return "\n".join(
        f"{entry.at:%d %H:%M:%S.%f} {entry.payload}"
        for entry in world.ledger
        if entry.kind not in ("work_done", "session_began", "account_marked")
    )
