"""No order leaves a session without our limits having allowed it, whatever the broker and the wire do meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from magellan.engine import desk, names
from magellan.engine import events as e
from magellan.engine.commands import Command, Submit
from magellan.engine.session import Session
from magellan.risk.limits import Allow, check_order
from magellan.strategy.trade_plan import Market
from magellan.trading.order import OrderRequest, OrderSide
from magellan.trading.purpose import OrderPurpose
from risk.small_session import OPEN, BuysEveryThirdMinute, SmallSession
from simulation.campaign import simulate


class Watched:
    """What left sessions, and what their limits had said in the same turn."""

    def __init__(self) -> None:
        self.sent = dict.fromkeys(OrderPurpose, 0)
        self.allowed: list[OrderRequest] = []

    def check(self, request: OrderRequest, *rest: Any) -> Any:
        verdict = check_order(request, *rest)
        if isinstance(verdict, Allow):
            self.allowed.append(request)
        return verdict

    def look(self, commands: list[Command]) -> None:
        portions: dict[str, list[OrderRequest]] = {}
        for command in commands:
            if not isinstance(command, Submit):
                continue
            self.sent[command.purpose] += 1
            if command.request in self.allowed:
                continue
            assert command.purpose is OrderPurpose.ENTRY, f"nobody allowed {command.request}"
            of = names.parts(command.request.client_order_id)
            assert of is not None, "an entry bears a name of ours"
            portions.setdefault(of[0], []).append(command.request)
        for plan, requests in portions.items():
            units = sum((each.quantity or Decimal(0) for each in requests), Decimal(0))
            assert any(
                whole.client_order_id.startswith(f"{plan}-{names.ENTRY}") and whole.quantity == units
                for whole in self.allowed
            ), f"nobody allowed {units} units of {plan}"
        self.allowed = []


@contextmanager
def watched(patch: pytest.MonkeyPatch) -> Iterator[Watched]:
    watch = Watched()
    handle: Callable[[Session, e.Event], list[Command]] = Session.handle

    def handled(session: Session, event: e.Event) -> list[Command]:
        commands = handle(session, event)
        watch.look(commands)
        return commands

    with patch.context() as patched:
        patched.setattr(desk, "check_order", watch.check)
        patched.setattr(Session, "handle", handled)
        yield watch


def test_every_order_that_leaves_was_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs with faults: lost answers, doubled and late events, kills, cuts."""
    with watched(monkeypatch) as watch:
        for seed in range(6):
            simulate(seed, days=2)
    assert all(watch.sent[purpose] for purpose in (OrderPurpose.ENTRY, OrderPurpose.STOP, OrderPurpose.EXIT))


# --- Orders that only leave -------------------------------------------------------------------------------


def test_an_exit_that_would_sell_more_than_is_held_is_recorded_and_alarmed_and_never_sent() -> None:
    small = SmallSession().start()
    small.bar(100)
    assert small.held["AMC"] == 10
    sent = len(small.sent)
    request = OrderRequest(client_order_id="mg1-x", symbol="AMC", side=OrderSide.SELL, quantity=Decimal(11))
    the_desk = small.session._desk
    the_desk.begin(small.now + timedelta(seconds=1))
    assert the_desk.submit(request, OrderPurpose.EXIT, "exit rule") is False
    assert the_desk.submit(request, OrderPurpose.EXIT, "exit rule") is False  # not recorded twice at once
    commands = the_desk.finish()
    assert not [each for each in commands if isinstance(each, Submit)]
    noted = [type(entry.payload).__name__ for entry in getattr(commands[0], "entries", ())]
    assert noted.count("OrderDenied") == 1
    assert noted.count("AlertRaised") == 1
    assert len(small.sent) == sent


# --- Entries that wait for their time of day ------------------------------------------------------------------------


class BuysAtTwentyToTen(BuysEveryThirdMinute):
    """Decides on the first bar, and enters ten minutes after the open."""

    entry = Market(at=time(9, 40))


@pytest.mark.parametrize(("minutes_price", "entries"), [(100.0, 1), (120.0, 0)])
def test_a_scheduled_entry_is_asked_about_again_when_it_is_due(minutes_price: float, entries: int) -> None:
    """Decided at 100 $. Ten minutes later the price is where it was, or beyond the collar of 5 %."""
    small = SmallSession(strategy=BuysAtTwentyToTen(), config={"risk": {"price_collar_fraction_max": 0.05}})
    small.start(OPEN)
    small.bar(100)
    for _ in range(9):
        small.broker_tells()
        small.bar(minutes_price)
    small.wait(0.5)
    assert len(small.bought) == entries
    assert [denied.rule for denied in small.denied][-1:] == ([] if entries else ["price_collar_fraction_max"])
