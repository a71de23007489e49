"""A session that starts shortly after a bar has closed decides on it, as it would have done had it been there."""

from datetime import timedelta

import numpy as np

from magellan.engine import events as e
from magellan.ledger.entries import Decision
from magellan.trading.bar import Bars, nanoseconds
from magellan.trading.timeframe import MINUTE
from risk.small_session import OPEN, SmallSession


def started(late_s: float, *, orders_up: bool = True) -> SmallSession:
    """So long after the close of a bar on which the strategy buys."""
    bars = Bars(
        symbol="AMC",
        timeframe=MINUTE,
        opened_at_ns=np.array([nanoseconds(OPEN)], dtype=np.int64),
        **{name: np.array([100.0]) for name in ("open", "high", "low", "close", "volume")},
    )
    session = SmallSession()
    session.now = OPEN + timedelta(minutes=1, seconds=late_s)
    session.tell(
        e.Started(
            at=session.now,
            facts=session.facts(),
            history={"AMC": bars},
            source="small iex",
            orders_up=orders_up,
        )
    )
    return session


def reason(session: SmallSession) -> str:
    (decision,) = [each.payload for each in session.entries if isinstance(each.payload, Decision)]
    return decision.reasoning


def test_what_closed_some_seconds_before_the_start_is_entered_on() -> None:
    assert [request.symbol for request in started(2.0).bought] == ["AMC"]


def test_what_closed_too_long_before_the_start_is_not_entered_on_and_the_ledger_says_why() -> None:
    session = started(40.0)
    assert session.bought == []
    assert "40 s after trading went on" in reason(session)


def test_nothing_is_entered_before_the_order_stream_listens() -> None:
    session = started(2.0, orders_up=False)
    assert session.bought == []
    assert reason(session) == "the broker's order stream is down"
