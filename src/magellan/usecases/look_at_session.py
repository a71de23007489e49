"""Look at a session as a roll-out does: what it has shown, by its ledger and its heartbeat. Reads only."""

from __future__ import annotations

from datetime import datetime, timedelta

from magellan.deploy.health import SessionLook
from magellan.ledger.book import RunningSession
from magellan.ports.heartbeat import Heartbeat
from magellan.ports.ledger import Ledger
from magellan.trading.session import ExchangeCalendar, exchange_date
from magellan.trading.timeframe import Timeframe
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
        first_bar_s=_first_bar_s(calendar, told, seen.session) if runs and seen.session is not None else 0.0,
    )


def _first_bar_s(calendar: ExchangeCalendar, told: SessionStatus, session: RunningSession) -> float:
    """Seconds until the first bar that ends in the session's time is over; < 0: since then."""
    hours = calendar.hours(exchange_date(told.session_at))
    if hours is None:
        return 0.0
    opens_at, closes_at = hours
    timeframe = Timeframe.parse(session.began.timeframe)
    over_at = closes_at
    if not timeframe.is_daily:
        span = timedelta(microseconds=timeframe.span_ns // 1000)
        whole = (max(opens_at, session.began_at) - opens_at) // span
        over_at = min(closes_at, opens_at + (whole + 1) * span)
    return (over_at - told.session_at).total_seconds()


def _is_open(calendar: ExchangeCalendar, told: SessionStatus) -> bool:
    """Whether the market is open on the session's own clock, which may be that of a local exchange."""
    hours = calendar.hours(exchange_date(told.session_at))
    return hours is not None and hours[0] <= told.session_at < hours[1]
