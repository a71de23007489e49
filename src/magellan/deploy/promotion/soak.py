"""Soak: what the ledger holds of a release that ran on paper. A fold of entries; nothing is judged here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import numpy as np

from magellan.deploy.promotion.evidence import Mishap, Soak, SoakSession, SoakTrade
from magellan.engine.commands import Severity
from magellan.ledger.entries import (
    AlertRaised,
    BreakerTripped,
    FailureSeen,
    LedgerEntry,
    Reconciliation,
    SessionBegan,
    SessionEnded,
    TradeClosed,
    TradeOpened,
)
from magellan.ledger.trade_record import TradeRecord
from magellan.trading.bar import nanoseconds
from magellan.trading.session import ExchangeCalendar, day_date
from magellan.trading.timeframe import HOUR_NS, Timeframe

SILENCE_MAX: Final = timedelta(
    hours=2
)  # of a session that decides on bars of up to an hour; see `silence_max`
BACKWARDS_MAX: Final = timedelta(minutes=1)  # clocks are corrected by less than that while anything runs


@dataclass(slots=True)
class _Ran:
    """A session while its entries are being read."""

    session: str
    began: SessionBegan
    times_ns: list[int]
    at: datetime
    last_at: datetime
    ended: bool = False


def soak_of(
    account: str,
    entries: Iterable[LedgerEntry],
    *,
    strategy: str,
    release_id: str,
    calendar: ExchangeCalendar,
    head: str,
    chain_problem: str,
    is_held: bool,
    seen_at: datetime,
) -> Soak:
    """Everything that a ledger's account holds of one release.

    entries:       the account's from the release's first session on, oldest first; earlier ones change nothing.
    head:          where the chain ends, as `number:hash`.
    chain_problem: where it breaks; "" where it holds.
    is_held:       a process writes for the account now, so its newest session is running.
    seen_at:       aware, UTC: what the account's clock shows.
    Raises: FixInput for entries outside the calendar.
    """
    ran: dict[str, _Ran] = {}
    others: set[str] = set()
    closed: list[TradeRecord] = []
    opened: set[str] = set()
    mishaps: list[Mishap] = []
    reconciliations = 0
    time_problem = ""
    newest = ""  # the newest session of all, whichever release it is of
    before: datetime | None = None
    for entry in entries:
        told = entry.payload
        if isinstance(told, SessionBegan):
            newest = entry.session
            if told.release_id != release_id or told.strategy != strategy:
                others.add(entry.session)
            elif entry.session not in ran:
                ran[entry.session] = _Ran(entry.session, told, [], entry.at, entry.at)
        session = ran.get(entry.session)
        if ran:
            if before is not None and entry.at < before - BACKWARDS_MAX and not time_problem:
                time_problem = (
                    f"entry {entry.number} is stamped {entry.at.isoformat()}, before the one before it"
                )
            before = entry.at
        if session is None:
            continue
        session.times_ns.append(nanoseconds(entry.at))
        session.last_at = max(session.last_at, entry.at)
        match told:
            case SessionEnded():
                session.ended = True
            case TradeOpened(record=record) if record.release_id == release_id:
                opened.add(record.trade_id)
            case TradeClosed(record=record) if record.release_id == release_id:
                closed.append(record)
            case Reconciliation():
                reconciliations += 1
        found = _mishap(entry)
        if found is not None:
            mishaps.append(found)
    seen = tuple(
        _session(each, calendar, is_running=is_held and each.session == newest) for each in ran.values()
    )
    return Soak(
        account=account,
        head=head,
        chain_problem=chain_problem,
        time_problem=time_problem,
        sessions=seen,
        trades=tuple(map(_trade, closed)),
        entries=len(opened),
        reconciliations=reconciliations,
        mishaps=tuple(mishaps),
        others=len(others),
        lengths=_lengths({on for each in seen for on in each.watched}, calendar),
        seen_at=seen_at,
    )


def silence_max(timeframe: Timeframe, calendar: ExchangeCalendar) -> timedelta:
    """How long a session that watches may write nothing while the market is open.

    It marks its account when the market opens, and records a decision at the close of every bar.
    """
    if timeframe.is_daily:
        longest = int((calendar.closes_at_ns - calendar.opens_at_ns).max())
        return timedelta(microseconds=longest // 1000) + timedelta(hours=1)
    return max(SILENCE_MAX, timedelta(microseconds=2 * timeframe.span_ns // 1000))


def watched(
    times_ns: list[int], calendar: ExchangeCalendar, *, silence: timedelta = SILENCE_MAX
) -> Mapping[date, float]:
    """Market hours by exchange date between entries of one session that are no further apart than `silence`.

    times_ns: of its entries, in any order.
    """
    times = np.sort(np.asarray(times_ns, dtype=np.int64))
    if len(times) < 2:
        return {}
    silence_ns = silence // timedelta(microseconds=1) * 1000
    cuts = np.flatnonzero(np.diff(times) > silence_ns)
    starts = times[np.concatenate(([0], cuts + 1))]
    ends = times[np.concatenate((cuts, [len(times) - 1]))]
    hours: dict[date, float] = {}
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        first = int(np.searchsorted(calendar.closes_at_ns, start, side="right"))
        last = int(np.searchsorted(calendar.opens_at_ns, end, side="left"))
        for at in range(first, last):
            inside = min(end, int(calendar.closes_at_ns[at])) - max(start, int(calendar.opens_at_ns[at]))
            if inside > 0:
                on = day_date(int(calendar.session_on[at]))
                hours[on] = hours.get(on, 0.0) + inside / HOUR_NS
    return hours


def _session(ran: _Ran, calendar: ExchangeCalendar, *, is_running: bool) -> SoakSession:
    return SoakSession(
        session=ran.session,
        release_id=ran.began.release_id,
        strategy=ran.began.strategy,
        stage=ran.began.stage,
        mode=ran.began.mode,
        config_sha256=ran.began.config_hash,
        began_at=ran.at,
        last_at=ran.last_at,
        ended=ran.ended or is_running,
        watched=watched(
            ran.times_ns, calendar, silence=silence_max(Timeframe.parse(ran.began.timeframe), calendar)
        ),
    )


def _lengths(dates: Iterable[date], calendar: ExchangeCalendar) -> Mapping[date, float]:
    """Hours of those dates' sessions; half days have fewer."""
    found = {on: calendar.hours(on) for on in sorted(dates)}
    return {
        on: (hours[1] - hours[0]) / timedelta(hours=1) for on, hours in found.items() if hours is not None
    }


def _trade(record: TradeRecord) -> SoakTrade:
    assert record.exit_timestamp is not None and record.net_profit_loss is not None, "a closed trade has both"
    return SoakTrade(
        trade_id=record.trade_id,
        release_id=record.release_id,
        opened_at=record.timestamp,
        closed_at=record.exit_timestamp,
        net_usd=record.net_profit_loss,
        slippage_usd=record.slippage,
        value_usd=record.total_value,
    )


def _mishap(entry: LedgerEntry) -> Mishap | None:
    match entry.payload:
        case BreakerTripped(breaker=breaker, reason=reason):
            return Mishap(kind="breaker", at=entry.at, text=f"{breaker}: {reason}")
        case FailureSeen(where=where, error=error):
            return Mishap(kind="failure", at=entry.at, text=f"{where}: {error}")
        case AlertRaised(severity=severity, text=text) if severity == Severity.CRITICAL:
            return Mishap(kind="critical", at=entry.at, text=text)
        case Reconciliation(differences=differences) if differences:
            first = differences[0]
            text = f"{first.what} {first.name}: ours {first.ours or 'none'}, the broker's {first.brokers or 'none'}"
            return Mishap(kind="disagreement", at=entry.at, text=text)
    return None
