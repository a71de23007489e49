"""Incidents in which a session lost money, tried on a whole session and a simulated broker, from event to order."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from engine.scripted import EVERYTHING, Script, Scripted, world_for
from magellan.adapters.exchange_calendar import load_calendar
from magellan.engine import events as e
from magellan.engine.schedule import Schedule
from magellan.engine.setup import AtTheEnd
from magellan.errors import FixInput
from magellan.ledger.entries import (
    Decision,
    ExecutionSeen,
    FailureSeen,
    OrderIntended,
    TradeClosed,
    WorkDone,
)
from magellan.strategy.trade_plan import Price, Target, TradePlan, Units
from magellan.trading.bar import Bars, nanoseconds
from magellan.trading.order import OrderSide, OrderStatus, OrderType
from magellan.trading.purpose import OrderPurpose
from magellan.trading.timeframe import MINUTE, MINUTE_NS, SECOND_NS, Timeframe
from magellan.usecases.start_session import must_be_able
from magellan.workspace.config import AccountTerms, DataTerms, Identity, InstrumentTerms, StrategyConfig
from risk.small_session import OPEN, SmallSession
from simulation.world import World, utc

CALENDAR = load_calendar()
FIRST = "2026-03-02T14:30"  # a Monday's open in New York


def bars_of(closes: Iterable[float], *, at: str = FIRST, symbol: str = "AMC") -> Bars:
    """Minute bars that go from close to close."""
    close = np.array(list(closes), dtype=float)
    opened = np.concatenate((close[:1], close[:-1]))
    start_ns = nanoseconds(utc(at))
    return Bars(
        symbol=symbol,
        timeframe=MINUTE,
        opened_at_ns=start_ns + np.arange(len(close), dtype=np.int64) * MINUTE_NS,
        open=opened,
        high=np.maximum(opened, close),
        low=np.minimum(opened, close),
        close=close,
        volume=np.full(len(close), 1e6),
    )


def world_of(
    closes: Iterable[float], *, at: str = FIRST, enters: Iterable[int] = (1,), plan: TradePlan | None = None,
    **changes: Any,
) -> World:  # fmt: skip
    """A session that enters on those bars, with a stop two dollars below and a target far above."""
    bars = bars_of(closes, at=at)
    plan = plan or TradePlan(
        size=Units(units=10),
        stop=Price(column=bars.close - 2.0),
        targets=(Target(price=Price(column=bars.close + 50.0), fraction=1.0),),
    )
    config = StrategyConfig(
        strategy=Identity(name="scripted", version="1.0.0", kind="intraday"),
        symbols=("AMC",),
        data=DataTerms(timeframe="1Min", warmup_bars=0),
        account=AccountTerms(cash_usd=100_000.0),
    )
    script = Script(enter_long=frozenset(enters), plan_long=plan, plan_short=plan)
    return world_for(Scripted({"AMC": script}), config, CALENDAR, {"AMC": bars}, **changes)


def after_bars(world: World, bars: int, at: str = FIRST) -> World:
    """Let so many bars close, and a few seconds pass."""
    world.run(nanoseconds(utc(at)) + bars * MINUTE_NS + 20 * SECOND_NS)
    return world


def payloads(world: World, kind: type) -> list[Any]:
    return [each.payload for each in world.ledger if isinstance(each.payload, kind)]


def held(world: World) -> Decimal:
    return sum((each.quantity for each in world.core.positions_told()), Decimal(0))


def working(world: World) -> list[Any]:
    return [
        each
        for order in world.core.open_orders()
        for each in (order, *order.legs)
        if not each.status.is_terminal
    ]


# --- 1: production decided on cached, stale bars ----------------------------------------------------------------


def test_incident_1_what_trades_has_no_way_to_the_archive() -> None:
    """The driver of a session and its feeds are imported alone: no reader of archived bars comes with them."""
    code = (
        "import sys\n"
        "import magellan.usecases.run_session, magellan.usecases.live_bars\n"
        "import magellan.adapters.alpaca.live_bars, magellan.adapters.alpaca.broker\n"
        "print([name for name in sys.modules if name.startswith(('magellan.adapters.parquet', 'magellan.ports.bars',"
        " 'magellan.backtest', 'magellan.usecases.prepare_run'))])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_incident_1_a_bar_that_arrives_an_hour_late_is_entered_on_by_nobody() -> None:
    fresh = SmallSession().start()
    fresh.bar(100)
    assert fresh.bought, "in time, this bar is bought on"
    stale = SmallSession().start()
    stale.now = OPEN + timedelta(hours=1)
    stale.bar(100, opened_at=OPEN, late_s=3600)
    assert stale.bought == []


# --- 2: eight signals, no orders, services green ----------------------------------------------------------------


def test_incident_2_a_signal_becomes_an_order_at_the_broker_and_units_that_are_held() -> None:
    world = after_bars(world_of([100, 100, 100, 100, 100]), 4)
    signals = [each for each in payloads(world, Decision) if each.action == "enter_long"]
    entries = [each for each in payloads(world, OrderIntended) if each.purpose is OrderPurpose.ENTRY]
    assert (len(signals), len(entries)) == (1, 1)
    assert entries[0].idea is not None
    assert entries[0].idea.decision_id == signals[0].decision_id
    assert held(world) == 10
    assert [each.execution.quantity for each in payloads(world, ExecutionSeen)] == [10]


# --- 4: "no data" for every symbol, for days ---------------------------------------------------------------------


def test_incident_4_bars_that_do_not_come_in_an_open_session_raise_the_alarm() -> None:
    small = SmallSession().start()
    small.bar(100)
    assert not any("bars" in each and "late" in each for each in small.alerts)
    before = len(small.alerts)
    for _ in range(6):
        small.wait(60)
    news = small.alerts[before:]
    assert any("AMC" in each for each in news), news
    assert small.session.entries_refused is not None


# --- 20: a futures strategy sent to a broker without futures ------------------------------------------------------


@pytest.mark.parametrize(
    ("instrument", "told"),
    [({"point_value": 2.0}, "contracts worth more than their price"), ({"quantity_step": 0.5}, "fractions")],
)
def test_incident_20_a_broker_that_lacks_an_instrument_is_refused_before_the_first_bar(
    instrument: dict[str, float], told: str
) -> None:
    config = StrategyConfig(
        strategy=Identity(name="midas", version="1.0.0", kind="intraday"),
        symbols=("MNQ",),
        data=DataTerms(timeframe="1Min"),
        instruments={"MNQ": InstrumentTerms(**instrument)},
    )

    class Loaded:
        strategy = Scripted({})
        folder = type("Folder", (), {"label": "prod/midas"})

    loaded: Any = Loaded()
    loaded.config = config
    with pytest.raises(FixInput, match=told):
        must_be_able(loaded, replace(EVERYTHING, fractions=False))


# --- 22 and 41: a restart forgets positions, stops and targets ----------------------------------------------------


def test_incident_22_a_session_that_was_killed_knows_what_it_holds() -> None:
    world = after_bars(world_of([100] * 12), 4)
    assert held(world) == 10
    world.kill()
    after_bars(world, 6)
    assert world.starts == 2
    assert world.session is not None
    assert world.session.state.book.quantity("AMC") == held(world) == 10
    assert len(payloads(world, ExecutionSeen)) == 1, "what it bought before the kill is counted once"
    assert world.session.state.open_plan("AMC") is not None


def test_incident_41_stops_and_targets_survive_a_kill_because_the_broker_holds_them() -> None:
    world = after_bars(world_of([100] * 6 + [97] * 6), 4)
    resting = sorted((str(each.type), each.limit_price, each.stop_price) for each in working(world))
    assert resting == [("limit", Decimal(150), None), ("stop", None, Decimal(98))]
    world.kill()
    after_bars(world, 5)
    assert sorted((str(each.type), each.limit_price, each.stop_price) for each in working(world)) == resting
    after_bars(world, 10)
    (closed,) = payloads(world, TradeClosed)
    assert closed.record.exit_reasoning == "stop"
    assert held(world) == 0


# --- 23: every deploy closed positions, at a price of 0 -----------------------------------------------------------


def stopped(at_the_end: AtTheEnd) -> World:
    world = after_bars(world_of([100, 100, 101, 102, 103, 104, 105, 106], at_the_end=at_the_end), 4)
    assert held(world) == 10
    world.tell(
        e.Operator(at=world.now, asks=e.OperatorAsks.STOP, person="", reason="deploy", source="signal")
    )
    return after_bars(world, 6)


def test_incident_23_a_stop_holds_positions_and_their_protection_unless_the_policy_says_otherwise() -> None:
    world = stopped(AtTheEnd.HOLD)
    assert world.stopped is not None
    assert (world.stopped.in_order, world.stopped.flat) == (True, False)
    assert held(world) == 10
    assert {each.type for each in working(world)} == {OrderType.LIMIT, OrderType.STOP}


def test_incident_23_a_stop_that_flattens_sells_at_a_price_that_was_paid() -> None:
    world = stopped(AtTheEnd.FLATTEN)
    assert world.stopped is not None
    assert (world.stopped.in_order, world.stopped.flat, held(world)) == (True, True, 0)
    (closed,) = payloads(world, TradeClosed)
    sold = [
        each.execution for each in payloads(world, ExecutionSeen) if each.execution.side is OrderSide.SELL
    ]
    assert [each.price > 100 for each in sold] == [True]
    assert closed.record.profit_loss == sum(
        each.quantity * (each.price - closed.record.price) for each in sold
    )


# --- 25: orders recorded as pending for ever ----------------------------------------------------------------------


def test_incident_25_an_order_whose_answer_never_comes_is_asked_for_and_never_sent_again() -> None:
    world = world_of([100] * 12)
    world.wire = replace(world.wire, answer_lost=1.0, event_lost=1.0)
    after_bars(world, 8)
    assert held(world) == 10
    assert set(world.sent.values()) == {1}, "one intent, one order"
    assert world.session is not None
    entry = next(
        each for each in world.session.state.book.orders.values() if each.purpose is OrderPurpose.ENTRY
    )
    assert entry.status is OrderStatus.FILLED, "looked up, since nobody told"
    assert world.session.state.book.unresolved_intents == ()


# --- 27: a stop that only sent a message --------------------------------------------------------------------------


def test_incident_27_the_stop_rests_at_the_broker_and_sells_though_no_session_is_there() -> None:
    world = after_bars(world_of([100] * 5 + [99, 97, 96, 95]), 4)
    assert held(world) == 10
    world.kill()
    world._queue = [each for each in world._queue if each[2] != "start"]  # nobody starts it again
    after_bars(world, 9)
    assert world.session is None
    assert held(world) == 0


# --- 28: a position recorded before it was filled -----------------------------------------------------------------


def test_incident_28_nothing_is_held_until_an_execution_says_so() -> None:
    from magellan.strategy.trade_plan import Limit

    closes = [100.0] * 8
    far = np.full(len(closes), 90.0)
    plan = TradePlan(size=Units(units=10), entry=Limit(price=Price(column=far)), stop=Price(column=far - 5.0))
    world = after_bars(world_of(closes, plan=plan), 5)
    assert any(each.type is OrderType.LIMIT for each in working(world)), "the entry works"
    assert world.session is not None
    assert world.session.state.book.is_flat
    assert world.session.state.open_plan("AMC") is None
    assert not any(each.purpose.reduces for each in payloads(world, OrderIntended)), "no false stops"


# --- 30: the thread died, and the process went on -----------------------------------------------------------------


def test_incident_30_a_part_that_dies_is_recorded_told_and_counted() -> None:
    small = SmallSession().start()
    small.tell(e.Failed(at=small.now, where="order stream", error="RuntimeError: no running event loop"))
    assert [each.payload.where for each in small.entries if isinstance(each.payload, FailureSeen)] == [
        "order stream"
    ]
    assert any("order stream" in each for each in small.alerts)


# --- 32: a task that ran three times ------------------------------------------------------------------------------


def test_incident_32_work_of_a_session_date_is_done_once_however_often_it_is_started() -> None:
    world = after_bars(world_of([100] * 12), 3)
    for bars in (5, 7, 9):
        world.kill()
        after_bars(world, bars)
    assert world.starts == 4
    done = [(each.name, each.session_on) for each in payloads(world, WorkDone)]
    assert done
    assert len(done) == len(set(done))
    decided = [(each.symbol, each.bar_opened_at) for each in payloads(world, Decision)]
    assert len(decided) == len(set(decided)), "no bar is decided on twice"


# --- 33: "9:30" ran at 9:30 UTC ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "opens", "closes"),
    [
        ("2026-03-06", "14:30", "21:00"),  # before the clocks change
        ("2026-03-09", "13:30", "20:00"),  # after
        ("2026-10-30", "13:30", "20:00"),
        ("2026-11-02", "14:30", "21:00"),
        ("2026-11-27", "14:30", "18:00"),  # a half day
    ],
)
def test_incident_33_a_session_opens_and_closes_by_the_exchanges_clock(
    day: str, opens: str, closes: str
) -> None:
    schedule = Schedule(CALENDAR, Timeframe.parse("1Min"))
    opens_ns, closes_ns = (nanoseconds(utc(f"{day}T{at}")) for at in (opens, closes))
    session = schedule.session_at(opens_ns)
    assert session is not None
    assert (session.opens_ns, session.closes_ns) == (opens_ns, closes_ns)
    assert schedule.session_at(opens_ns - SECOND_NS) is None
    assert schedule.session_at(closes_ns) is None


def test_incident_33_a_session_enters_at_the_open_of_a_day_after_the_clocks_changed() -> None:
    at = "2026-03-09T13:30"
    world = after_bars(world_of([100] * 6, at=at, enters=(0,)), 4, at)
    first = payloads(world, ExecutionSeen)[0].execution
    assert utc("2026-03-09T13:31") <= first.at < utc("2026-03-09T13:32")
