"""What a round does when some of its symbols ask for orders and the others for nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.scripted import Script, Scripted, world_for
from engine.test_session import CALENDAR, CONFIG, PLAN, after_bar, flat_bars
from magellan.engine import commands as c
from magellan.engine import events as e
from magellan.ledger.entries import Decision, TradeMarked
from magellan.trading.bar import instant
from simulation.world import World

SYMBOLS = ("A", "B", "C", "D")
BARS = flat_bars()


def world(**enter: int) -> World:
    """Four symbols; each enters at the row that is named for it, or never."""
    scripts = {
        symbol: Script(
            enter_long=frozenset({enter[symbol]} if symbol in enter else ()), plan_long=PLAN, plan_short=PLAN
        )
        for symbol in SYMBOLS
    }
    config = CONFIG.model_copy(update={"symbols": SYMBOLS})
    return world_for(
        Scripted(scripts), config, CALENDAR, {symbol: replace(BARS, symbol=symbol) for symbol in SYMBOLS}
    )


def close(told: World, row: int) -> list[c.Command]:
    """Let that row's bars of all symbols close; what the session says to the last of them."""
    assert told.session is not None
    for symbol in SYMBOLS:
        event = e.BarClosed(at=instant(after_bar(row, 0.05)), symbol=symbol, bar=BARS.bar(row), source="sim")
        commands = told.session.handle(event)
    return commands


def decided(commands: list[c.Command]) -> list[str]:
    return [each.symbol for each in recorded(commands) if isinstance(each, Decision)]


def recorded(commands: list[c.Command]) -> list[Any]:
    return [each.payload for command in commands if isinstance(command, c.Record) for each in command.entries]


def test_what_asks_for_an_order_is_recorded_and_sent_before_what_asks_for_nothing() -> None:
    told = world(C=1)
    told.run(after_bar(0))
    commands = close(told, 1)
    assert decided(commands) == ["C"]
    assert [each.request.symbol for each in commands if isinstance(each, c.Submit)] == ["C", "C"]
    (wake,) = (each for each in commands if isinstance(each, c.WakeAt))
    assert wake.at == told.session.state.book.last_at  # at once
    rest = told.session.handle(e.Woke(at=wake.at, name=wake.name))
    assert decided(rest) == ["A", "B", "D"]


def test_whatever_comes_next_finds_the_round_decided() -> None:
    told = world(C=1)
    told.run(after_bar(0))
    close(told, 1)
    assert told.session is not None
    late = e.OrdersDown(at=instant(after_bar(1, 0.06)), why="connection reset")
    assert decided(told.session.handle(late)) == ["A", "B", "D"]


def test_a_round_whose_bars_are_told_long_after_their_close_waits_for_all_of_them() -> None:
    told = world()
    told.run(after_bar(0))
    assert told.session is not None
    for number, symbol in enumerate(SYMBOLS):  # as daily bars are, minutes after the session
        at = instant(after_bar(1, 30.0 + 0.001 * number))
        commands = told.session.handle(e.BarClosed(at=at, symbol=symbol, bar=BARS.bar(1), source="sim"))
        assert decided(commands) == (list(SYMBOLS) if symbol == SYMBOLS[-1] else [])


# D had no trade in the first of two minutes that nobody heard of.
BY_MINUTE = [*((1, symbol) for symbol in "ABC"), *((2, symbol) for symbol in "ABCD")]
BY_SYMBOL = [*((row, symbol) for symbol in "ABC" for row in (1, 2)), (2, "D")]


@pytest.mark.parametrize("order", [BY_MINUTE, BY_SYMBOL], ids=["minute by minute", "symbol by symbol"])
@pytest.mark.parametrize("enter", [{}, {"A": 1}, {"A": 2}, {"B": 1, "C": 2}], ids=str)
def test_rounds_that_are_told_at_once_are_decided_on_in_their_order_each_on_its_own_bar(
    order: list[tuple[int, str]], enter: dict[str, int]
) -> None:
    told = world(**enter)
    told.run(after_bar(0))
    assert told.session is not None
    at, commands = instant(after_bar(2, 30.0)), []
    for row, symbol in order:
        commands += told.session.handle(e.BarClosed(at=at, symbol=symbol, bar=BARS.bar(row), source="sim"))
    commands += told.session.handle(e.Woke(at=instant(after_bar(2, 40.0)), name="round"))
    decisions = [each for each in recorded(commands) if isinstance(each, Decision)]
    assert all(each.decision_id.endswith(each.bar_opened_at.isoformat()) for each in decisions)
    of_symbol = {
        symbol: [each.bar_opened_at for each in decisions if each.symbol == symbol] for symbol in SYMBOLS
    }
    both = [BARS.bar(row).opened_at for row in (1, 2)]
    assert of_symbol == {"A": both, "B": both, "C": both, "D": both[1:]}


def test_a_round_whose_bars_are_told_after_those_of_the_next_one_leaves_none_undecided() -> None:
    told = world(A=2, C=1)
    told.run(after_bar(0))
    assert told.session is not None
    commands: list[c.Command] = []
    for row, symbols, after_s in ((2, "AB", 30.0), (1, "CD", 31.0)):
        for symbol in symbols:
            at = instant(after_bar(2, after_s))
            commands += told.session.handle(
                e.BarClosed(at=at, symbol=symbol, bar=BARS.bar(row), source="sim")
            )
    assert decided(commands) == []
    for after_s in (31.6, 31.7):  # the newer round has waited long enough, and the older one goes before it
        commands += told.session.handle(e.Woke(at=instant(after_bar(2, after_s)), name="round"))
    assert decided(commands) == ["C", "D", "A", "B"]


def test_a_bar_that_comes_after_its_round_is_decided_on_at_once() -> None:
    told = world()
    told.run(after_bar(0))
    assert told.session is not None
    for symbol, after_s in (("A", 0.05), ("B", 0.05), ("C", 0.05), ("D", 3.0)):
        if symbol == "D":
            assert decided(told.session.handle(e.Woke(at=instant(after_bar(1, 1.5)), name="round"))) == [
                "A",
                "B",
                "C",
            ]
        bar = e.BarClosed(at=instant(after_bar(1, after_s)), symbol=symbol, bar=BARS.bar(1), source="sim")
        commands = told.session.handle(bar)
    assert decided(commands) == ["D"]


def test_a_round_that_asks_for_nothing_is_one_record() -> None:
    told = world()
    told.run(after_bar(0))
    assert decided(close(told, 1)) == list(SYMBOLS)


def test_a_decision_says_when_its_round_was_decided() -> None:
    told = world(C=1)
    told.run(after_bar(0))
    close(told, 1)
    assert told.session is not None
    rest = told.session.handle(e.OrdersUp(at=instant(after_bar(1, 0.5))))
    at = {each.bar_received_at for each in recorded(rest) if isinstance(each, Decision)}
    assert at == {instant(after_bar(1, 0.05))}


def test_what_a_bar_did_to_a_trade_stands_in_one_record_with_its_decision() -> None:
    told = world(A=1, C=3)
    told.run(after_bar(2))
    assert told.core.holdings.positions
    first = close(told, 3)
    assert told.session is not None
    rest = told.session.handle(e.OrdersUp(at=instant(after_bar(3, 0.06))))
    for commands in (first, rest):
        marked = {each.plan_id.split("-")[3] for each in recorded(commands) if isinstance(each, TradeMarked)}
        assert marked <= set(decided(commands))
    assert decided(first) == ["C"]
    assert decided(rest) == ["A", "B", "D"]


def test_a_new_order_leaves_before_the_broker_is_asked_about_an_old_one() -> None:
    told = world(A=1, C=3)
    told.run(after_bar(3, 0.02))
    assert told.core.holdings.positions and told.session is not None
    fallen = replace(BARS.bar(3), low=90.0)  # through the stop of A, of whose fill nobody has told
    for symbol in SYMBOLS:
        bar = fallen if symbol == "A" else BARS.bar(3)
        event = e.BarClosed(at=instant(after_bar(3, 0.05)), symbol=symbol, bar=bar, source="sim")
        first = told.session.handle(event)
    rest = told.session.handle(e.Woke(at=instant(after_bar(3, 0.06)), name="next"))
    assert [type(each) for each in first if isinstance(each, c.Submit | c.AskBroker)] == [c.Submit, c.Submit]
    assert c.AskBroker in map(type, rest)


@pytest.mark.parametrize(("carried_out", "units"), [(0, 100), (1, 0), (2, 40), (3, 100), (4, 100)])
def test_a_kill_in_the_middle_of_a_round_enters_nothing_twice_and_leaves_nothing_undecided(
    carried_out: int, units: int
) -> None:
    # An order that was intended and not sent is not sent later; the decision to enter was recorded with it.
    told = world(A=1, C=3)
    told.run(after_bar(2))
    commands = close(told, 3)
    for command in commands[:carried_out]:
        told._carry_out(command)
    told.kill()
    told.run(after_bar(5))
    row = BARS.bar(3).opened_at
    decisions = [
        each.payload.symbol
        for each in told.ledger
        if isinstance(each.payload, Decision) and each.payload.bar_opened_at == row
    ]
    assert sorted(decisions) == list(SYMBOLS)
    assert set(told.sent.values()) == {1}
    assert told.core.holdings.positions.get("C", 0) == units
    marks = [
        (each.payload.plan_id, each.payload.marks.bar_ns, each.payload.marks.bars_held)
        for each in told.ledger
        if isinstance(each.payload, TradeMarked)
    ]
    held = {(plan, bar): bars for plan, bar, bars in marks}
    for (plan, bar), bars in held.items():
        first = min(at for of, at in held if of == plan)
        assert bars == len({at for of, at in held if of == plan and first < at <= bar})
