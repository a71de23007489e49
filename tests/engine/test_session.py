"""What a session does when things go right, and when they go wrong one at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from engine.scripted import EVERYTHING, Script, Scripted, ScriptedInPython, setup_for, world_for
from magellan.engine import commands as c
from magellan.engine import events as e
from magellan.engine.session import Session
from magellan.engine.setup import AtTheEnd, Differing, Timings
from magellan.errors import FixInput
from magellan.ledger.entries import AnswerTo
from magellan.strategy import trade_plan as tp
from magellan.strategy.contract import Features, Moment, MoveStop, Parameters
from magellan.trading.answer import Answer, Refused, Requested, Unknown
from magellan.trading.bar import Bars, instant
from magellan.trading.corporate_action import Split
from magellan.trading.order import (
    OrderClass,
    OrderEventKind,
    OrderRequest,
    OrderSide,
    OrderStatus,
    OrderType,
)
from magellan.trading.purpose import OrderPurpose
from magellan.trading.timeframe import MINUTE_NS, SECOND_NS, Timeframe
from magellan.workspace.config import AccountTerms, DataTerms, ExecutionTerms, Identity, StrategyConfig
from simulation.campaign import calendar
from simulation.world import WireFaults, World

SPAN = Timeframe(15 * MINUTE_NS)
CALENDAR = calendar(3)
CONFIG = StrategyConfig(
    strategy=Identity(name="scripted", version="1.0.0", kind="swing"),
    symbols=("A",),
    data=DataTerms(timeframe="15Min"),
    account=AccountTerms(cash_usd=100_000.0),
)
PLAN = tp.TradePlan(
    size=tp.Units(units=100),
    stop=tp.entry_price().plus(usd=-2),
    targets=(tp.Target(price=tp.entry_price().plus(usd=3), fraction=0.4),),
)


def flat_bars(sessions: int = 1, price: float = 100.0, **rows: tuple[float, float, float, float]) -> Bars:
    """Quiet bars at one price, with some rows (r3=(open, high, low, close)) of their own."""
    starts = [
        start
        for session in range(sessions)
        for start in range(
            int(CALENDAR.opens_at_ns[session]), int(CALENDAR.closes_at_ns[session]), SPAN.span_ns
        )
    ]
    columns = np.full((4, len(starts)), price)
    for name, values in rows.items():
        columns[:, int(name[1:])] = values
    return Bars(
        symbol="A",
        timeframe=SPAN,
        opened_at_ns=np.array(starts, dtype=np.int64),
        open=columns[0],
        high=columns[1],
        low=columns[2],
        close=columns[3],
        volume=np.full(len(starts), 1000.0),
    )


def world(
    bars: Bars | None = None, plan: tp.TradePlan = PLAN, *, enter: tuple[int, ...] = (1,), **changes: Any
) -> World:
    script = Script(enter_long=frozenset(enter), plan_long=plan, plan_short=plan)
    return world_for(Scripted({"A": script}), CONFIG, CALENDAR, {"A": bars or flat_bars()}, **changes)


def after_bar(number: int, seconds: float = 1.0) -> int:
    """An instant shortly after the so-manieth bar (from 0) of the first session has closed."""
    return int(CALENDAR.opens_at_ns[0]) + (number + 1) * SPAN.span_ns + int(seconds * SECOND_NS)


def kinds(told: World) -> list[str]:
    return [entry.kind for entry in told.ledger]


def ask(told: World, asks: e.OperatorAsks) -> None:
    told.tell(e.Operator(at=told.now, asks=asks, person="Ada", reason="a drill"))


# --- Orders ---------------------------------------------------------------------------------------------------


def test_an_intent_is_durable_before_its_order_is_sent() -> None:
    told = world()
    told.run(after_bar(0))
    assert told.session is not None
    bars = flat_bars()
    commands = told.session.handle(
        e.BarClosed(at=instant(after_bar(1, 0.05)), symbol="A", bar=bars.bar(1), source="sim")
    )
    assert isinstance(commands[0], c.Record)
    intended = {
        entry.payload.request.client_order_id  # type: ignore[union-attr]
        for entry in commands[0].entries
        if entry.kind == "order_intended"
    }
    sent = {each.request.client_order_id for each in commands if isinstance(each, c.Submit)}
    assert sent == intended
    assert len(sent) == 2


def test_every_share_is_protected_at_the_broker_from_the_instant_it_is_bought() -> None:  # incidents 27, 41
    told = world()
    told.run(after_bar(1, 10))
    assert told.core.holdings.positions == {"A": Decimal(100)}
    stops = [order for order in told.core.orders.open() if order.type is OrderType.STOP]
    assert sum(order.quantity for order in stops) == 100
    assert {order.stop for order in stops} == {Decimal("98.0")}
    assert all(order.status is OrderStatus.NEW for order in stops)


def test_orders_to_sell_never_add_up_to_more_than_is_held() -> None:  # incident 38
    told = world()
    told.run(after_bar(3))
    assert told.core.held_by_orders("A") == 100


def test_positions_come_from_executions_alone() -> None:  # incident 28
    told = world()
    told.run(after_bar(1, 0.0521))  # the order has gone out, and nothing has filled
    assert told.session is not None
    assert told.session.state.book.is_flat
    told.run(after_bar(1, 10))
    assert told.session.state.book.quantity("A") == 100


def test_an_order_without_an_answer_is_looked_up_and_never_sent_again() -> None:
    told = world(plan=tp.TradePlan(size=tp.Units(units=10)))
    real = told.core.submit
    told.core.submit = lambda request: real(request) and Unknown(why="timed out")  # type: ignore[method-assign]
    told.run(after_bar(2))
    assert set(told.sent.values()) == {1}
    assert told.core.holdings.positions == {"A": Decimal(10)}
    assert told.session is not None
    assert not told.session.state.book.unresolved_intents


@pytest.mark.parametrize("answered", ["late", "never"])
@pytest.mark.parametrize("holds_brackets", [True, False])
def test_a_fill_that_overtakes_the_answer_leaves_the_protection_that_is_there_alone(
    answered: str, holds_brackets: bool
) -> None:
    wire = WireFaults(answer_late=1.0) if answered == "late" else WireFaults(answer_lost=1.0)
    entry_types = EVERYTHING.bracket_entry_types if holds_brackets else frozenset()
    told = world(capabilities=replace(EVERYTHING, bracket_entry_types=entry_types))
    told.wire = wire
    refused: list[OrderRequest] = []
    real = told.core.submit

    def submit(request: OrderRequest) -> Answer:
        answer = real(request)
        refused.extend([request] if isinstance(answer, Refused) else [])
        return answer

    told.core.submit = submit  # type: ignore[method-assign]
    told.run(after_bar(1, 90))
    assert told.core.holdings.positions == {"A": Decimal(100)}
    assert told.core.held_by_orders("A") == 100
    assert (refused, [entry.kind for entry in told.ledger if entry.kind == "cancel_intended"]) == ([], [])
    assert {name.rsplit("-", 1)[1][0] for name in told.sent} == ({"e"} if holds_brackets else {"e", "p"})


def test_an_order_that_never_arrived_is_given_up_after_a_while() -> None:
    told = world(plan=tp.TradePlan(size=tp.Units(units=10)))
    told.core.submit = lambda request: Unknown(why="connection reset")  # type: ignore[method-assign]
    told.run(after_bar(2))
    assert set(told.sent.values()) == {1}
    answers = [entry.payload.answer.value for entry in told.ledger if entry.kind == "order_answered"]  # type: ignore[union-attr]
    assert answers == ["unknown", "absent"]


def test_the_simulated_broker_gives_no_more_of_a_bar_than_the_config_allows() -> None:
    config = CONFIG.model_copy(update={"execution": ExecutionTerms(volume_share_max=0.06, impact=0.5)})
    plan = tp.TradePlan(size=tp.Units(units=100))
    script = Script(enter_long=frozenset((1,)), plan_long=plan, plan_short=plan)
    told = world_for(Scripted({"A": script}), config, CALENDAR, {"A": flat_bars()})
    told.run(after_bar(4))
    # 1,000 units a bar: 60 of them are bought at the price that their own share has made, the others on the next bar.
    assert [(int(each.quantity), float(each.price)) for each in told.core.executions] == [
        (60, 100 * (1 + 0.5 * 0.06**2)),
        (40, 100 * (1 + 0.5 * 0.04**2)),
    ]


@pytest.mark.parametrize("terms", [{"stop_fill": "at-level"}, {"limit_fill": "at-level"}])
def test_the_simulated_broker_refuses_fills_that_no_broker_gives(terms: dict[str, Any]) -> None:
    config = CONFIG.model_copy(update={"execution": ExecutionTerms(**terms)})
    with pytest.raises(FixInput, match="no broker does"):
        world_for(
            Scripted({"A": Script(plan_long=PLAN, plan_short=PLAN)}), config, CALENDAR, {"A": flat_bars()}
        )


def test_a_broker_that_cannot_hold_a_bracket_gets_the_protection_with_the_first_fill() -> None:
    told = world(capabilities=replace(EVERYTHING, bracket_entry_types=frozenset()))
    told.run(after_bar(1, 10))
    stops = [order for order in told.core.orders.open() if order.type is OrderType.STOP]
    assert sum(order.quantity for order in stops) == 100
    assert any(order.order_class is OrderClass.OCO for order in stops)


def test_a_partly_filled_entry_is_not_left_with_sleeping_protection() -> None:
    told = world(plan=replace(PLAN, targets=()), timings=Timings(reconcile_every_s=3600, partial_entry_s=30))
    told.core.faults = replace(told.core.faults, partial=1.0)
    told.run(after_bar(1, 40))
    held = told.core.holdings.positions["A"]
    stops = [order for order in told.core.orders.open() if order.type is OrderType.STOP and order.works]
    assert held == 50
    assert sum(order.quantity for order in stops) == 50


# --- Bars -----------------------------------------------------------------------------------------------------


def test_a_bar_that_still_forms_is_not_decided_on() -> None:
    told = world(enter=(0,))
    told.run(after_bar(0) - 400 * SECOND_NS)
    told.tell(e.BarClosed(at=told.now, symbol="A", bar=flat_bars().bar(0), source="sim"))
    assert "decision" not in kinds(told)
    told.run(after_bar(0))
    assert kinds(told).count("decision") == 1


def test_a_bar_told_twice_is_decided_on_once() -> None:
    told = world()
    told.run(after_bar(1))
    told.tell(e.BarClosed(at=told.now, symbol="A", bar=flat_bars().bar(1), source="sim"))
    assert kinds(told).count("decision") == 2
    assert len(told.sent) == 2


def test_a_session_that_starts_late_says_why_it_enters_nothing() -> None:
    told = world()
    told.run(after_bar(0, 5))
    told.kill()
    told._queue = [each for each in told._queue if each[2] != "start"]
    told.run(after_bar(1, 300))
    told.later(0, "start", None)
    told.run(after_bar(1, 301))
    decisions = [entry.payload for entry in told.ledger if entry.kind == "decision"]
    assert "after trading went on" in decisions[-1].reasoning  # type: ignore[union-attr]
    assert not told.sent


def test_bars_that_do_not_come_raise_an_alarm_by_the_calendar() -> None:  # incidents 4, 31
    told = world()
    told.wire = replace(told.wire, bar_lost=1.0)
    told.run(after_bar(3, 30))
    assert any("no bar of A" in alert.text for alert in told.alerts)
    assert told.session is not None
    assert told.session.entries_refused is not None


STOPPED = flat_bars(r3=(100.0, 100.0, 97.0, 97.5))  # through the stop at 98


def test_the_twin_of_a_filled_stop_is_left_to_the_broker() -> None:
    told = world(STOPPED)
    told.run(after_bar(4))
    assert told.core.holdings.positions == {}
    assert told.core.orders.open() == []
    assert "cancel_intended" not in kinds(told)


def test_a_twin_of_which_nobody_tells_is_cancelled_after_a_while() -> None:
    told = world(STOPPED)
    told.run(after_bar(2))
    take_events = told.core.take_events

    def events_but_cancels() -> Any:
        return [each for each in take_events() if each[1].kind is not OrderEventKind.CANCELED]

    told.core.take_events = events_but_cancels  # type: ignore[method-assign]
    told.run(after_bar(2, 450 + 15))  # the stop was reached half-way through the bar
    assert told.core.holdings.positions == {}
    assert "cancel_intended" not in kinds(told)
    told.run(after_bar(3))
    assert "cancel_intended" in kinds(told)
    assert told.session is not None
    assert not told.session.state.active


# --- The strategy's code --------------------------------------------------------------------------------------


class Failing(Scripted):
    """Its features raise from the third bar on."""

    def features(self, bars: Any, p: Parameters) -> dict[str, Any]:
        if len(bars) > 2:
            raise ZeroDivisionError("no volume")
        return super().features(bars, p)

    def exit_long(self, f: Features, p: Parameters) -> Any:
        return None


def test_exceptions_of_a_strategy_are_counted_told_and_leave_protection_alone() -> None:  # incident 3
    script = Script(enter_long=frozenset((1,)), plan_long=PLAN, plan_short=PLAN)
    told = world_for(Failing({"A": script}), CONFIG, CALENDAR, {"A": flat_bars()})
    told.run(after_bar(8))
    assert kinds(told).count("failure") >= 5
    raised = [alert.text for alert in told.alerts if "raised ZeroDivisionError" in alert.text]
    assert [text.endswith("; nothing is entered any more") for text in raised] == [False, True, True], (
        "told once, once that entries stop, and again after an hour; each failure is in the ledger"
    )
    stops = [order for order in told.core.orders.open() if order.type is OrderType.STOP]
    assert sum(order.quantity for order in stops) == 100
    assert told.session is not None
    assert told.session.entries_refused == f"the strategy's code failed {kinds(told).count('failure')} times"


def test_no_entries_are_said_to_be_allowed_while_nobody_hears_of_orders() -> None:
    told = world()
    assert told.session is None or told.session.entries_refused is None
    told.run(after_bar(2))
    assert told.session is not None and told.session.entries_refused is None
    told.tell(e.OrdersDown(at=told.now, why="connection reset"))
    assert told.session.entries_refused == "the broker's order stream is down"
    told.tell(e.OrdersUp(at=told.now))
    assert told.session.entries_refused is None


class Answering(ScriptedInPython):
    """decide answers what no strategy may."""

    def __init__(self, answer: Any) -> None:
        super().__init__({"A": Script(plan_long=PLAN, plan_short=PLAN)})
        self.answer = answer

    def decide(self, now: Moment, p: Parameters) -> Any:
        return self.answer


@pytest.mark.parametrize(
    ("answer", "told_as"),
    [
        ("buy", "A: decide returned str, which is not an intent"),
        (MoveStop(price=float("nan")), "A: decide moved a stop to nan"),
    ],
)
def test_an_answer_that_is_nonsense_is_told_as_an_answer_and_not_as_an_exception(
    answer: Any, told_as: str
) -> None:
    told = world_for(Answering(answer), CONFIG, CALENDAR, {"A": flat_bars()})
    told.run(after_bar(2))
    assert told_as in [alert.text for alert in told.alerts]


# --- People ---------------------------------------------------------------------------------------------------


def test_a_halt_keeps_entries_back_and_protection_in_place() -> None:  # incident 39
    told = world(enter=(1, 4))
    told.run(after_bar(2))
    ask(told, e.OperatorAsks.HALT)
    told.run(after_bar(6))
    assert told.core.held_by_orders("A") == 100
    assert sum(told.sent.values()) == 2


def test_a_halt_that_no_person_asked_for_names_what_did() -> None:
    told = world()
    told.run(after_bar(2))
    told.tell(
        e.Operator(at=told.now, asks=e.OperatorAsks.HALT, person="", reason="signal SIGUSR1", source="signal")
    )
    assert told.alerts[-1].text == "halted by signal: the session enters nothing: signal SIGUSR1"


def test_a_flatten_sells_everything_and_stays_halted() -> None:
    told = world(enter=(1, 6))
    told.run(after_bar(2))
    ask(told, e.OperatorAsks.FLATTEN)
    told.run(after_bar(8))
    assert told.core.holdings.positions == {}
    assert told.core.orders.open() == []
    assert told.session is not None
    assert told.session.state.book.is_halted


@pytest.mark.parametrize(("policy", "held"), [(AtTheEnd.HOLD, 100), (AtTheEnd.FLATTEN, 0)])
def test_a_stop_does_what_its_policy_says(policy: AtTheEnd, held: int) -> None:  # incident 23
    told = world(at_the_end=policy)
    told.run(after_bar(2))
    ask(told, e.OperatorAsks.STOP)
    told.run(after_bar(3))
    assert told.stopped is not None
    assert told.stopped.in_order
    assert told.core.holdings.positions.get("A", Decimal(0)) == held
    assert told.core.held_by_orders("A") == held


# --- The broker's book ----------------------------------------------------------------------------------------


def test_a_restart_knows_its_position_and_goes_on() -> None:  # incident 22
    told = world()
    told.run(after_bar(2))
    told.kill()
    told.run(after_bar(4))
    assert told.session is not None
    assert told.session.state.book.quantity("A") == 100
    assert told.starts == 2
    assert told.core.held_by_orders("A") == 100


def test_what_an_earlier_session_asked_for_by_a_clock_that_was_set_back_since_is_not_waited_for_longer() -> (
    None
):
    told = world()
    told.run(after_bar(2))
    told.set_host_clock(40 * MINUTE_NS)
    real = told.core.cancel
    told.core.cancel = lambda broker_order_id: Requested()  # type: ignore[method-assign]
    ask(told, e.OperatorAsks.FLATTEN)
    told.run(after_bar(2, 3))
    assert kinds(told).count("cancel_intended") > 0
    told.core.cancel = real  # type: ignore[method-assign]
    told.kill()
    told.set_host_clock(-40 * MINUTE_NS)
    told.run(after_bar(2, 60))
    assert told.core.holdings.positions == {}


def test_a_session_refuses_to_begin_when_the_broker_holds_what_nobody_bought() -> None:
    told = world()
    told.core.advance(after_bar(1))
    told.core.trade_by_hand("A", Decimal(7))
    told.start_ns = after_bar(2)
    told.run(after_bar(3))
    assert told.stopped is not None
    assert not told.stopped.in_order
    assert not told.sent


@pytest.mark.parametrize(("policy", "left"), [(Differing.ADOPT, 7), (Differing.FLATTEN, 0)])
def test_what_the_broker_holds_is_taken_over_or_sold_by_policy(policy: Differing, left: int) -> None:
    told = world(differing=policy)
    told.core.advance(after_bar(1))
    told.core.trade_by_hand("A", Decimal(7))
    told.start_ns = after_bar(2)
    told.run(after_bar(6))
    assert told.stopped is None
    assert told.core.holdings.positions.get("A", Decimal(0)) == left


def test_a_position_that_a_person_sold_by_hand_is_not_sold_again() -> None:
    told = world()
    told.run(after_bar(2))
    told.core.trade_by_hand("A", Decimal(-100))
    told._broker_events()
    told.run(after_bar(5))
    assert told.core.holdings.positions == {}
    assert told.session is not None
    assert told.session.state.book.is_flat


@pytest.mark.parametrize("event_comes", [True, False])
def test_what_a_person_trades_in_the_midst_of_a_trade_is_told_once(event_comes: bool) -> None:
    told = world()
    told.run(after_bar(2))
    told.core.trade_by_hand("A", Decimal(7))
    told._broker_events() if event_comes else told.core.take_events()
    told.run(after_bar(5))
    words = "an order that is not ours bought 7 A at "
    assert [each.severity for each in told.alerts if each.text.startswith(words)] == ["warning"]
    told.kill()
    told.run(after_bar(6))
    assert sum(each.text.startswith(words) for each in told.alerts) == 1


def reset_orders(told: World) -> None:
    """The account's orders are gone at the broker, as if it had been begun anew; its positions are not."""
    core = told.core
    gone = {each.client_order_id for whole in core.orders_since(0) for each in (whole, *whole.legs)}
    for order in list(core.orders.open()):
        core.cancel(order.broker_order_id)
    core.take_events()
    order_, orders_ = core.order, core.open_orders_and_since
    core.order = lambda name: None if name in gone else order_(name)  # type: ignore[method-assign]
    core.open_orders_and_since = lambda ns: tuple(  # type: ignore[method-assign]
        each for each in orders_(ns) if each.client_order_id not in gone
    )


def test_a_stop_that_the_broker_denies_for_minutes_is_gone_and_another_protects_what_is_held() -> None:
    told = world(timings=Timings(reconcile_every_s=20.0))
    told.run(after_bar(1, 10))
    reset_orders(told)
    told.run(after_bar(1, 110))
    assert [each.severity for each in told.alerts if "which it had. Was the account reset?" in each.text] == [
        "critical"
    ]
    assert not told.core.orders.open(), "the broker may be wrong for a while"
    told.run(after_bar(1, 250))
    stops = [order for order in told.core.orders.open() if order.type is OrderType.STOP]
    assert sum(order.quantity for order in stops) == told.core.holdings.positions["A"] == 100
    assert sum("is gone at the broker" in each.text for each in told.alerts) >= 1


def test_what_is_held_is_left_on_request_though_the_broker_has_forgotten_its_stop() -> None:
    told = world(timings=Timings(reconcile_every_s=20.0))
    told.run(after_bar(1, 10))
    reset_orders(told)
    ask(told, e.OperatorAsks.FLATTEN)
    told.run(after_bar(1, 250))
    assert told.core.holdings.positions == {}
    cancels = sum(kind == "cancel_intended" for kind in kinds(told))
    assert cancels <= 20, "what the broker refuses is asked again with growing pauses"


def test_an_order_that_the_broker_denies_for_a_moment_stays_and_is_not_sent_twice() -> None:
    told = world(timings=Timings(reconcile_every_s=20.0))
    told.run(after_bar(1, 10))
    order_, orders_ = told.core.order, told.core.open_orders_and_since
    told.core.order = lambda name: None  # type: ignore[method-assign]
    told.core.open_orders_and_since = lambda ns: ()  # type: ignore[method-assign]
    told.run(after_bar(1, 110))
    told.core.order, told.core.open_orders_and_since = order_, orders_  # type: ignore[method-assign]
    told.run(after_bar(1, 290))
    stops = [order for order in told.core.orders.open() if order.type is OrderType.STOP]
    assert sum(order.quantity for order in stops) == 100
    assert not any("is gone at the broker" in each.text for each in told.alerts)


def test_an_exit_that_is_always_refused_is_tried_with_growing_pauses_and_told_now_and_then() -> None:
    plan = tp.TradePlan(size=tp.Units(units=100))
    script = Script(enter_long=frozenset((1,)), exit_long=frozenset((2,)), plan_long=plan, plan_short=plan)
    told = world_for(Scripted({"A": script}), CONFIG, CALENDAR, {"A": flat_bars()})
    real, tried = told.core.submit, []

    def blocked(request: OrderRequest) -> Answer:
        if request.side is OrderSide.BUY:
            return real(request)
        tried.append(told.now)
        return Refused(code="40310000", message="account is not allowed to trade")

    told.core.submit = blocked  # type: ignore[method-assign]
    told.run(after_bar(2, 899))
    pauses = [round((after - before).total_seconds()) for before, after in pairwise(tried)]
    assert pauses[:8] == [5, 5, 5, 10, 20, 40, 60, 60]
    alerts = [entry.payload.text for entry in told.ledger if entry.kind == "alert"]  # type: ignore[union-attr]
    assert len([text for text in alerts if "not allowed to trade" in text]) == 3  # in a quarter of an hour
    told.core.submit = real  # type: ignore[method-assign]
    told.run(after_bar(4))
    assert told.core.holdings.positions == {}


def test_a_split_over_night_carries_the_position_and_its_stop() -> None:
    bars = flat_bars(sessions=2)
    night = bars.opened_at_ns >= CALENDAR.opens_at_ns[1]
    halved = replace(
        bars, **{name: np.where(night, 50.0, 100.0) for name in ("open", "high", "low", "close")}
    )
    told = world(halved, enter=(1,), plan=replace(PLAN, targets=()))
    at_ns = int(CALENDAR.opens_at_ns[1]) - 3600 * SECOND_NS
    split = Split(symbol="A", effective_at=instant(at_ns), new_shares=2, old_shares=1)
    told.run(at_ns)
    told.core.split("A", 2, 1)
    told._broker_events()
    told.tell(e.ActionsTold(at=told.now + timedelta(seconds=1), actions=(split,)))
    told.run(int(CALENDAR.opens_at_ns[1]) + 1200 * SECOND_NS)
    assert told.core.holdings.positions == {"A": Decimal(200)}
    stops = [order for order in told.core.orders.open() if order.type is OrderType.STOP]
    assert sum(order.quantity for order in stops) == 200
    assert {order.stop for order in stops} == {Decimal("49.0")}


def test_a_split_is_applied_at_its_instant_and_not_with_the_next_bar() -> None:
    # The broker's position is compared before the opening: by then ours is on the same basis.
    at_ns = int(CALENDAR.opens_at_ns[1]) - 3600 * SECOND_NS
    split = Split(symbol="A", effective_at=instant(at_ns), new_shares=2, old_shares=1)
    told = world(flat_bars(2), plan=replace(PLAN, targets=()), differing=Differing.REFUSE)
    told.actions = (split,)
    told.run(at_ns - SECOND_NS)
    told.at(at_ns, "do", lambda: told.split(split))
    told.run(int(CALENDAR.opens_at_ns[1]) - SECOND_NS)
    assert told.session is not None
    assert told.session.state.book.quantity("A") == 200
    assert told.session.entries_refused is None
    assert kinds(told).count("reconciliation") == 1
    stops = [order for order in told.core.orders.open() if order.type is OrderType.STOP]
    assert sum(order.quantity for order in stops) == 200
    assert {order.stop for order in stops} == {Decimal("49.0")}


def test_a_half_day_ends_a_trade_that_leaves_with_its_session() -> None:
    # The fourth session of the calendar closes at one.
    cal = calendar(6)
    starts = np.arange(int(cal.opens_at_ns[3]), int(cal.closes_at_ns[3]), SPAN.span_ns)
    column = np.full(len(starts), 100.0)
    bars = Bars(
        symbol="A", timeframe=SPAN, opened_at_ns=starts, open=column, high=column, low=column,
        close=column, volume=column,
    )  # fmt: skip
    plan = replace(PLAN, session_exit=tp.SessionExit())
    script = Script(enter_long=frozenset((1,)), plan_long=plan, plan_short=plan)
    told = world_for(Scripted({"A": script}), CONFIG, cal, {"A": bars})
    told.run(int(cal.closes_at_ns[3]) + 10 * SECOND_NS)
    assert told.core.holdings.positions == {}
    assert told.core.executions[-1].at < instant(int(cal.closes_at_ns[3]))


def test_a_dry_run_decides_and_sends_nothing() -> None:
    told = world(sends=False)
    told.run(after_bar(3))
    decisions = [entry.payload for entry in told.ledger if entry.kind == "decision"]
    assert [each.action for each in decisions][:2] == ["nothing", "enter_long"]  # type: ignore[union-attr]
    assert not told.sent


def test_nothing_before_the_start_is_answered() -> None:
    setup = setup_for(Scripted({}), CONFIG, CALENDAR)
    session = Session(setup, [])
    at = instant(after_bar(0))
    assert session.handle(e.Woke(at=at, name="next")) == []
    assert (
        session.handle(e.Answered(at=at, to=AnswerTo.SUBMIT, client_order_id="x", answer=Unknown(why="?")))
        == []
    )


def test_exits_carry_their_purpose() -> None:
    told = world(plan=replace(PLAN, hold_bars=2))
    told.run(after_bar(6))
    purposes = [entry.payload.purpose for entry in told.ledger if entry.kind == "order_intended"]  # type: ignore[union-attr]
    assert purposes[:2] == [OrderPurpose.ENTRY, OrderPurpose.ENTRY]
    assert purposes[-1] is OrderPurpose.EXIT
    assert told.core.holdings.positions == {}
