"""What a session saw last of its bars, its broker and its account: what its heartbeat tells."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from magellan.engine import events as e
from magellan.engine.setup import SessionSetup
from magellan.ports.heartbeat import Heartbeat
from magellan.trading.account import AccountSnapshot
from magellan.trading.timeframe import Timeframe


@dataclass(slots=True)
class Vitals:
    """None: it has not happened yet."""

    timeframe: Timeframe  # of the bars that the session decides on
    bar_closed_at: datetime | None = None
    bar_received_at: datetime | None = None
    broker_answer_at: datetime | None = None
    order_event_at: datetime | None = None
    feed_up: bool = False
    orders_up: bool = False
    exceptions: int = 0
    broker_answers: int = 0
    broker_errors: int = 0
    account: AccountSnapshot | None = None

    def answered(self, at: datetime, *, failed: bool = False) -> None:
        """The broker gave an answer; or, `failed`, none that could be used."""
        self.broker_answers += 1
        if failed:
            self.broker_errors += 1
        else:
            self.broker_answer_at = at

    def note(self, event: e.Event) -> None:
        """Remember what an event says about bars, their feed, and failures."""
        match event:
            case e.BarClosed(at=at, bar=bar):
                self.bar_closed_at = bar.opened_at + timedelta(microseconds=self.timeframe.span_ns // 1000)
                self.bar_received_at = at
            case e.FeedUp():
                self.feed_up = True
            case e.FeedDown():
                self.feed_up = False
            case e.Failed():
                self.exceptions += 1

    def beat(
        self,
        setup: SessionSetup,
        *,
        at: datetime,
        reconciled_at: datetime | None,
        backlog: int,
        answers_awaited: int,
        lease_lapsed: str,
        entries_refused: str,
    ) -> Heartbeat:
        """The state of health of the session of `setup` in this process, as it is at `at`."""
        return Heartbeat(
            at=at,
            session_id=setup.session_id,
            account=setup.account,
            strategy=setup.began.strategy,
            stage=setup.began.stage,
            mode=setup.began.mode,
            pid=os.getpid(),
            release_id=setup.began.release_id,
            config_hash=setup.began.config_hash,
            last_bar_closed_at=self.bar_closed_at,
            last_bar_received_at=self.bar_received_at,
            last_broker_answer_at=self.broker_answer_at,
            last_order_event_at=self.order_event_at,
            last_reconciled_at=reconciled_at,
            feed_up=self.feed_up,
            orders_up=self.orders_up,
            exceptions=self.exceptions,
            backlog=backlog,
            answers_awaited=answers_awaited,
            lease_lapsed=lease_lapsed,
            entries_refused=entries_refused,
            broker_answers=self.broker_answers,
            broker_errors=self.broker_errors,
            account_told_at=None if self.account is None else self.account.as_of,
            cash_usd=None if self.account is None else _watched(self.account.cash_usd),
            buying_power_usd=None if self.account is None else _watched(self.account.buying_power_usd),
            equity_usd=None if self.account is None else _watched(self.account.equity_usd),
            day_change_fraction=_day_change(self.account),
        )


def _watched(told_usd: Decimal | None) -> float | None:
    """A sum for whoever watches; what is booked is in the ledger, to the cent."""
    return None if told_usd is None else float(told_usd)


def _day_change(told: AccountSnapshot | None) -> float | None:
    """Change of equity since the close of the session before. None: the broker did not tell both."""
    if told is None or told.equity_usd is None or not told.last_equity_usd:
        return None
    return float(told.equity_usd / told.last_equity_usd) - 1.0
