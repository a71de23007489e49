"""The heartbeat: what a session says of itself, often, for whoever watches over it. Content, and not only a pulse."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """A session's state of health at one instant. None: it has not happened yet."""

    at: datetime  # aware, UTC, on the session's clock
    session_id: str
    account: str
    strategy: str
    stage: str
    mode: str
    pid: int
    release_id: str | None
    config_hash: str
    last_bar_closed_at: datetime | None
    last_bar_received_at: datetime | None
    last_broker_answer_at: datetime | None
    last_order_event_at: datetime | None
    last_reconciled_at: datetime | None
    feed_up: bool
    orders_up: bool
    exceptions: int
    backlog: int  # events that wait
    answers_awaited: int
    lease_lapsed: str = (
        ""  # why nothing is entered for want of the host's lease; "": it holds, or none is asked for
    )
    entries_refused: str = ""  # why nothing would be entered now; "": the session lets entries in
    broker_answers: int = 0  # so far in this session, errors among them
    broker_errors: int = 0  # no answer, or one that the broker could not give
    account_told_at: datetime | None = None  # by the broker, what follows; None: it did not
    cash_usd: float | None = None
    buying_power_usd: float | None = None
    equity_usd: float | None = None
    day_change_fraction: float | None = None  # of equity since the last close; -0.03 is 3 % lost


class HeartbeatSink(Protocol):
    """Kept by `adapters/local/heartbeat_file.py`."""

    def beat(self, beat: Heartbeat) -> None:
        """Leave the newest state where a watchdog finds it, whole. Raises AskOperator where it cannot be written."""
        ...
