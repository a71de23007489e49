"""Money that a person brings or takes out is neither a loss nor a profit; what a broker books by itself is."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from magellan.engine.setup import Differing
from magellan.ledger.entries import AlertRaised, BreakerTripped, CashMoved
from risk.small_session import OPEN, SmallSession

DAY = timedelta(days=1)


def moves(session: SmallSession, amount_usd: int) -> None:
    """Money comes or goes at the broker."""
    session.cash += Decimal(amount_usd)


def tripped(session: SmallSession) -> list[str]:
    return [each.payload.breaker for each in session.entries if isinstance(each.payload, BreakerTripped)]


def moved(session: SmallSession) -> list[tuple[Decimal, bool]]:
    """What was booked after the account was first seen."""
    told = [each.payload for each in session.entries if isinstance(each.payload, CashMoved)]
    return [(each.amount_usd, each.is_profit) for each in told[1:]]


def in_a_trade() -> SmallSession:
    """Ten units are held, and were bought a while ago."""
    session = SmallSession().start()
    session.bar(100)
    session.bar(100)
    assert session.held["AMC"] == 10
    session.broker_tells(after_s=20)
    return session


@pytest.mark.parametrize("amount", [-50_000, 80_000])
def test_money_that_moves_during_a_session_trips_nothing_and_hides_nothing(amount: int) -> None:
    session = in_a_trade()
    moves(session, amount)
    session.broker_tells()
    assert moved(session) == [(Decimal(amount), False)]
    assert tripped(session) == []
    texts = [each.payload.text for each in session.entries if isinstance(each.payload, AlertRaised)]
    assert any("neither a profit nor a loss" in text for text in texts)
    session.equity = Decimal(100_000 + amount - 3001)  # of the day's first equity, 3 % may be lost
    session.broker_tells()
    assert tripped(session) == ["daily loss"]


def test_a_loss_at_the_moment_of_a_deposit_is_a_loss() -> None:
    session = in_a_trade()
    moves(session, 50_000)
    session.equity = Decimal(150_000 - 3001)
    session.broker_tells()
    assert tripped(session) == ["daily loss"]


def test_what_a_broker_books_by_itself_is_a_cost() -> None:
    session = in_a_trade()
    moves(session, -99)
    session.broker_tells()
    assert moved(session) == [(Decimal(-99), True)]
    assert tripped(session) == []


def test_cash_is_not_judged_while_a_fill_may_be_missing_in_it() -> None:
    session = SmallSession().start()
    session.bar(100)
    assert session.held["AMC"] == 10  # it was bought just now, and the broker's cash follows later
    session.cash += Decimal(1000)
    session.broker_tells(after_s=1)
    assert moved(session) == []
    session.cash -= Decimal(1000)
    session.broker_tells(after_s=20)
    assert moved(session) == []


def test_money_that_moves_over_night_belongs_to_the_day_that_begins() -> None:
    session = SmallSession().start()
    session.broker_tells()
    session.last_equity = Decimal(100_000)
    moves(session, -50_000)
    session.now = OPEN + DAY
    session.broker_tells()
    assert moved(session) == [(Decimal(-50_000), False)]
    assert tripped(session) == []
    again = SmallSession(recorded=tuple(session.entries))
    again.last_equity = Decimal(50_000)
    again.cash = Decimal(120_000)
    again.start(OPEN + 2 * DAY)
    assert tripped(again) == []
    again.equity = Decimal(120_000 - 3001)
    again.broker_tells()
    assert tripped(again) == ["daily loss"]


def test_units_that_are_taken_over_were_paid_for_by_nobody_here() -> None:
    session = SmallSession(differing=Differing.ADOPT).start()
    session.held["AMC"] = Decimal(50)  # brought over from another broker
    session.broker_tells()
    session.broker_tells(after_s=11)
    assert session.session.state.book.quantity("AMC") == 50
    session.broker_tells(after_s=60)
    assert moved(session) == [(Decimal(5000), False)]
    assert tripped(session) == []
    assert session.session.state.book.cash_moved_usd == Decimal(105_000)
