"""Look at a session as a roll-out does: what it has shown, by its ledger and its heartbeat. Reads only."""

from __future__ import annotations

from datetime import datetime

from magellan.deploy.health import SessionLook
from magellan.ports.heartbeat import Heartbeat
from magellan.ports.ledger import Ledger
from magellan.trading.session import ExchangeCalendar, exchange_date
from magellan.usecases.named_account import NamedAccount
from magellan.usecases.session_status import Running, SessionStatus, session_status
from magellan.usecases.watch_session import seen_now


def look_at_session(
    account: NamedAccount,
    ledger: Ledger,
    beat: tuple[Heartbeat, datetime] | None,
    *,
    calendar: ExchangeCalendar,
    now: datetime,
) -> SessionLook:
    """How the account's session is. Raises AskOperator when the ledger cannot be read."""
    seen = seen_now(account.ledger, ledger, beat, now)
    told = session_status(account, ledger, seen, silent=(), look=None)
    runs = told.running is Running.RUNNING and seen.session is not None
    began = seen.session.began if runs and seen.session is not None else None
    health = told.health
    return SessionLook(
        session_id=seen.session.session if runs and seen.session is not None else None,
        release_id=None if began is None else began.release_id,
        config_sha256=None if began is None else began.config_hash,
        beat_age_s=health.beat_age_s if runs else None,
        bar_age_s=health.bar_received_age_s,
        broker_answer_age_s=health.broker_answer_age_s,
        reconciled_age_s=health.reconciliation_age_s,
        feed_up=bool(health.feed_up),
        orders_up=bool(health.orders_up),
        exceptions=(health.exceptions or 0) + health.failures,
        market_open=_is_open(calendar, told),
        halted="" if told.halt is None else told.halt.reason,
        breakers=tuple(each.breaker for each in told.breakers),
        unresolved=len(told.unresolved),
        positions=tuple(f"{each.symbol} {each.quantity:f}" for each in told.positions if each.quantity),
        result_usd=None if told.today.open_usd is None else told.today.net_usd + told.today.open_usd,
        equity_usd=None if told.money is None else told.money.equity_usd,
        differences=tuple(told.differences),
    )


def _is_open(calendar: ExchangeCalendar, told: SessionStatus) -> bool:
    """Whether the market is open on the session's own clock, which may be that of a local exchange."""
    hours = calendar.hours(exchange_date(told.session_at))
    return hours is not None and hours[0] <= told.session_at < hours[1]
