"""A session that goes on from a bookmark stands where one stands that read the whole ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import pytest

from magellan.engine.session import Session
from magellan.engine.setup import SessionSetup
from magellan.ledger.entries import NewEntry
from magellan.ledger.shelf import Shelf
from simulation.campaign import simulate


@pytest.fixture(scope="module")
def week() -> tuple[SessionSetup, Sequence[NewEntry]]:
    """A week of many trades and eight kills."""
    world = simulate(188, days=5).world
    return world.make_setup(99), tuple(world.ledger)


def put_away(session: Session) -> list[bytes]:
    return b"\n".join(session.put_away()).split(b"\n")


@pytest.mark.parametrize("cuts", [(0.0,), (0.1, 0.2), (0.37, 0.71), (0.95,), (1.0, 1.0)])
def test_a_session_goes_on_from_a_bookmark_made_at_any_entry(
    week: tuple[SessionSetup, Sequence[NewEntry]], cuts: tuple[float, ...]
) -> None:
    setup, entries = week
    lines, done = None, 0
    for cut in (int(len(entries) * each) for each in cuts):
        lines = put_away(Session(setup, entries[done:cut], None if lines is None else iter(lines)))
        done = cut
    assert lines is not None
    session, whole = Session(setup, entries[done:], iter(lines)), Session(setup, entries)
    assert session.state.book == whole.state.book
    assert list(session.state.book.orders) == list(whole.state.book.orders)
    assert session.asks_since == whole.asks_since
    assert session.entries_refused == whole.entries_refused
    put_away(whole)  # it leaves behind what is over, as the other one did
    put_away(session)
    for name in (each.name for each in fields(whole.state) if each.compare):
        if name in ("book", "schedule", "entries_sent"):
            continue
        assert getattr(session.state, name) == getattr(whole.state, name), name
    # Only what was sent lately is counted by any limit.
    kept = session.state.entries_sent
    assert kept == whole.state.entries_sent[len(whole.state.entries_sent) - len(kept) :]
    assert all(order is session.state.orders[order.name] for order in kept)
    for plan in session.state.plans.values():
        assert all(order is session.state.orders[order.name] for order in plan.entries)


def test_plans_and_orders_are_not_read_before_something_comes_of_them(
    week: tuple[SessionSetup, Sequence[NewEntry]],
) -> None:
    setup, entries = week
    state = Session(setup, (), iter(put_away(Session(setup, entries)))).state
    assert isinstance(state.plans, Shelf) and isinstance(state.book.orders, Shelf)
    assert len(state.plans) > 30 and not list(state.plans.at_hand())
    assert len(state.book.orders) > 100
    assert all(order.is_open or order.is_unresolved for order in state.book.orders.at_hand())
