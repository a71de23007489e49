"""Watch a session from another process: what it says of itself, against what must be true while it trades.

`findings` judges and is pure. `Watch` looks every second, tells what is new and what is over, and leaves every
position where the account's terms say so. Silence is never taken for health.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from magellan.errors import MagellanError
from magellan.ledger.book import RunningSession
from magellan.ledger.entries import LedgerEntry, SessionBegan, SessionEnded
from magellan.ports.heartbeat import Heartbeat
from magellan.ports.ledger import Holder, Ledger
from magellan.ports.notifier import Notifier
from magellan.trading.session import ExchangeCalendar, exchange_date
from magellan.trading.timeframe import Timeframe
from magellan.usecases.recall import book_now
from magellan.workspace.broker_account import Watchdog

LOOKS_EVERY_S: Final = 1.0
STARTS_WITHIN_S: Final = 60.0  # from taking the ledger to the first heartbeat

_SESSIONS: Final = (SessionBegan.kind, SessionEnded.kind)


class Silence(StrEnum):
    """What a session does not do, though it should."""

    GONE = "gone"  # the process is not there, and the session has no end
    HANGS = "hangs"  # the process is there, and its loop does not turn
    NO_BARS = "no bars"  # the session is open, and no bar has closed for too long
    NO_ANSWERS = "no answers"  # the broker has told nothing for too long


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What an observer sees of an account's session at one instant."""

    at: datetime  # aware, UTC, by the observer's clock
    holder: Holder | None  # read before the rest: an end that is recorded meanwhile is then seen
    session: RunningSession | None  # the newest
    beat: Heartbeat | None
    beat_at: datetime | None  # by the observer's clock

    @property
    def beat_age_s(self) -> float | None:
        """Seconds since the newest heartbeat of this very session; None: it has not beaten."""
        if self.beat is None or self.beat_at is None or self.session is None:
            return None
        if self.beat.session_id != self.session.session:
            return None
        return (self.at - self.beat_at).total_seconds()


def findings(
    seen: Seen, terms: Watchdog, calendar: ExchangeCalendar, *, reconcile_every_s: float
) -> dict[Silence, str]:
    """What is wrong, in a sentence each. Where no session was begun, or it has ended, silence is right."""
    session = seen.session
    if session is None or session.ended_at is not None:
        return {}
    name = f"{session.began.strategy} on {seen.beat.account if seen.beat else 'this account'}"
    age_s = seen.beat_age_s
    if age_s is None:
        since = session.began_at if seen.holder is None else max(session.began_at, seen.holder.since)
        silent_s = (seen.at - since).total_seconds()
        if silent_s <= max(STARTS_WITHIN_S, terms.silence_s_max):
            return {}
        words = f"{name} has not given a sign of life in {silent_s:.0f} s"
    else:
        words = f"{name} has given no sign of life for {age_s:.0f} s"
        silent_s = age_s
    if silent_s > terms.silence_s_max:
        if seen.holder is None:
            return {Silence.GONE: f"{words}: its process is gone, and the session was not ended"}
        return {Silence.HANGS: f"{words}, and {seen.holder} is still there: it hangs"}
    assert seen.beat is not None, "it has an age"
    return _content(seen.beat, session, name, terms, calendar, reconcile_every_s)


def _content(
    beat: Heartbeat,
    session: RunningSession,
    name: str,
    terms: Watchdog,
    calendar: ExchangeCalendar,
    reconcile_every_s: float,
) -> dict[Silence, str]:
    """What the newest heartbeat says. All its instants are on the session's own clock."""
    hours = calendar.hours(exchange_date(beat.at))
    if hours is None or not hours[0] <= beat.at < hours[1]:
        return {}
    found: dict[Silence, str] = {}
    timeframe = Timeframe.parse(session.began.timeframe)
    begun_at = max(hours[0], session.began_at)
    if not timeframe.is_daily:
        newest_at = max(begun_at, beat.last_bar_closed_at or begun_at)
        late_s = (beat.at - newest_at).total_seconds() - timeframe.span_ns / 1e9
        if late_s > terms.silence_s_max:
            found[Silence.NO_BARS] = (
                f"{name}: no bar has closed since {newest_at:%H:%M:%S} UTC, and one was due {late_s:.0f} s ago"
            )
    answered_at = max(begun_at, beat.last_broker_answer_at or begun_at)
    silent_s = (beat.at - answered_at).total_seconds()
    if silent_s > terms.silence_s_max + reconcile_every_s:
        found[Silence.NO_ANSWERS] = f"{name}: the broker has told nothing for {silent_s:.0f} s"
    return found


Flatten = Callable[[str], Awaitable[bool]]  # why -> whether the broker shows that all is left


@dataclass(slots=True, kw_only=True)
class Watch:
    """One account, watched.

    newest_beat:   the newest heartbeat, and when it was left; None for none.
    elapsed_s:     seconds that pass as they do, whoever sets the clock: a clock set forward is no silence.
    flatten:       leaves every position, past the session; None where the terms only alarm.
    ends_with:     end once the session has ended, or is gone and has been dealt with.
    """

    account: str
    ledger: Ledger
    newest_beat: Callable[[], tuple[Heartbeat, datetime] | None]
    terms: Watchdog
    reconcile_every_s: float
    calendar_of: Callable[[SessionBegan], ExchangeCalendar]
    notifier: Notifier
    now: Callable[[], datetime]
    elapsed_s: Callable[[], float] = time.monotonic
    flatten: Flatten | None = None
    ends_with: bool = False
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    told: dict[Silence, str] = field(default_factory=dict)
    _session: RunningSession | None = None
    _read: int = 0  # the newest entry of the ledger that was read
    _left: bool = False  # everything was left, for what is told now
    _trouble: str = ""
    _beat: Heartbeat | None = None  # the newest that was seen
    _beat_began_s: float = 0.0  # when it was left, in elapsed seconds

    async def run(self) -> None:
        """Look every second, until `ends_with` says that it is over."""
        while not await self.look():
            await self.sleep(LOOKS_EVERY_S)

    async def look(self) -> bool:
        """Look once, and act. Returns whether there is nothing left to watch."""
        try:
            seen = self.seen()
        except MagellanError as error:
            self._tell_trouble(error.message)
            return False
        self._tell_trouble("")
        found: dict[Silence, str] = {}
        if seen.session is not None:
            calendar = self.calendar_of(seen.session.began)
            found = findings(seen, self.terms, calendar, reconcile_every_s=self.reconcile_every_s)
        for each in found.keys() - self.told.keys():
            self.notifier.tell("critical", found[each], seen.at)
        for each in self.told.keys() - found.keys():
            self.notifier.tell("warning", f"over: {self.told[each]}", seen.at)
        self.told = found
        if not found:
            self._left = False
        elif self.flatten is not None and not self._left:
            await self._flatten("; ".join(found.values()), self.flatten)
        if not self.ends_with:
            return False
        if Silence.GONE in found:
            return self.flatten is None or self._left
        session = self._session
        return seen.holder is None and (session is None or session.ended_at is not None)

    def seen(self) -> Seen:
        """What is to be seen now. Raises what the ledger raises."""
        holder = self.ledger.holder(self.account)
        for entry in self.ledger.entries(self.account, after=self._read, kinds=_SESSIONS):
            self._read = entry.number
            self._session = _after(self._session, entry)
        return _seen(holder, self._session, self._newest_beat(), self.now())

    def _newest_beat(self) -> tuple[Heartbeat, datetime] | None:
        """The newest heartbeat, and when it was left: as old as it is, and not as the clock has been set since."""
        newest = self.newest_beat()
        if newest is None:
            return None
        beat, beat_at = newest
        if beat != self._beat:
            # How old it was when we first saw it, only the clock tells; one that came while we looked is new.
            age_s = (self.now() - beat_at).total_seconds() if self._beat is None else 0.0
            self._beat, self._beat_began_s = beat, self.elapsed_s() - max(age_s, 0.0)
        return beat, self.now() - timedelta(seconds=self.elapsed_s() - self._beat_began_s)

    async def _flatten(self, why: str, flatten: Flatten) -> None:
        try:
            self._left = await flatten(why)
        except MagellanError as error:
            self.notifier.tell("critical", f"the account could not be flattened: {error.message}", self.now())
            return
        words = "the account is flat" if self._left else "the account is NOT flat; it is tried again"
        self.notifier.tell("critical", f"{words}, after: {why}", self.now())

    def _tell_trouble(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            self.notifier.tell("critical", f"the session cannot be watched: {trouble}", self.now())
        self._trouble = trouble


def seen_now(account: str, ledger: Ledger, beat: tuple[Heartbeat, datetime] | None, now: datetime) -> Seen:
    """What is to be seen at this instant, for whoever looks once. Raises what the ledger raises."""
    holder = ledger.holder(account)
    return _seen(holder, book_now(ledger, account, _SESSIONS).last_session, beat, now)


def _seen(
    holder: Holder | None,
    session: RunningSession | None,
    beat: tuple[Heartbeat, datetime] | None,
    now: datetime,
) -> Seen:
    return Seen(
        at=now,
        holder=holder,
        session=session,
        beat=None if beat is None else beat[0],
        beat_at=None if beat is None else beat[1],
    )


def _after(session: RunningSession | None, entry: LedgerEntry) -> RunningSession | None:
    told = entry.payload
    if isinstance(told, SessionBegan):
        return RunningSession(session=entry.session, began_at=entry.at, began=told)
    if session is None or session.session != entry.session:
        return session
    return replace(session, ended_at=entry.at)


def clock_of(seen: Seen) -> datetime:
    """The present on the session's clock: a session at a local exchange may live on another day."""
    if seen.beat is None or seen.beat_at is None or seen.beat_age_s is None or seen.holder is None:
        return seen.at
    return seen.beat.at + max(seen.at - seen.beat_at, timedelta(0))
