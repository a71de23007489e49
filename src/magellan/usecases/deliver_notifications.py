"""Deliver notifications: hand what waits in a channel's queue to the channel, at least once, and never as a storm.

A round hands over everything that is due in one message. The same incident is told a channel once in five minutes. In
quiet hours only what is critical goes out. A channel that fails is tried again after 1, 2, 4 ... seconds, five minutes
at the most; whatever it did not take in a day is put aside. A process that is killed between handing over and noting it
down hands over again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from magellan.ports.outbox import ChannelQueue, ChannelState, Message, Outbox, Transport
from magellan.trading.session import EXCHANGE_ZONE
from magellan.workspace.notification_terms import SEVERITIES, NotificationTerms, Severity

GIVEN_UP_AFTER: Final = timedelta(days=1)
_PAUSE_S_MAX: Final = 300.0
_LINES: Final = 15  # of one message; a phone shows no more


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one look at a channel's queue came to."""

    sent: int = 0  # messages that the channel took
    merged: int = 0  # that repeat what it was told within five minutes
    waiting: int = 0
    error: str = ""  # why it took nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """What is to become of the messages that wait."""

    due: tuple[Message, ...]
    repeated: tuple[Message, ...]  # told already, moments ago
    held: tuple[Message, ...]  # until the quiet hours end
    stale: tuple[Message, ...]


def sort_messages(
    waiting: Sequence[Message], state: ChannelState, terms: NotificationTerms, *, now: datetime
) -> Sorted:
    """Which messages go out now. Of an incident that waits more than once, all go out together, as one line."""
    quiet = terms.is_quiet(now.astimezone(EXCHANGE_ZONE).time())
    due, repeated, held, stale = [], [], [], []
    for message in waiting:
        told_at = state.told.get(message.incident)
        if told_at is not None and timedelta(0) <= now - told_at < timedelta(seconds=terms.repeat_after_s):
            repeated.append(message)
        elif now - message.at > GIVEN_UP_AFTER and state.failures:
            stale.append(message)
        elif quiet and message.severity != "critical":
            held.append(message)
        else:
            due.append(message)
    return Sorted(due=tuple(due), repeated=tuple(repeated), held=tuple(held), stale=tuple(stale))


@dataclass(frozen=True, slots=True, kw_only=True)
class Worded:
    """One notification, and what it tells."""

    severity: Severity
    title: str
    body: str
    tells: tuple[Message, ...]  # each is named in it, or counted among the less severe ones that are not


def worded(due: Sequence[Message]) -> Worded:
    """One notification about them: the severest first, each incident once.

    It names as many as a phone shows. What is critical beyond that is left to the next round; the rest is counted.
    """
    counts = Counter(each.incident for each in due)
    firsts: dict[str, Message] = {}
    for each in due:
        firsts.setdefault(each.incident, each)
    ordered = sorted(firsts.values(), key=lambda each: (-SEVERITIES.index(each.severity), each.at))
    named, rest = ordered[:_LINES], ordered[_LINES:]
    counted = [each for each in rest if each.severity != "critical"]
    lines = [
        f"{each.at:%Y-%m-%d %H:%M:%S} UTC {each.source}: {each.text}"
        + (f" ({counts[each.incident]} times)" if counts[each.incident] > 1 else "")
        for each in named
    ]
    if counted:
        lines.append(f"and {len(counted)} more; `magellan status` shows how things stand")
    told = {each.incident for each in (*named, *counted)}
    first = ordered[0]
    return Worded(
        severity=first.severity,
        title=f"Magellan, {first.severity}: {first.source}",
        body="\n".join(lines),
        tells=tuple(each for each in due if each.incident in told),
    )


def deliver_round(
    queue: ChannelQueue, transport: Transport, terms: NotificationTerms, *, now: Callable[[], datetime]
) -> Round:
    """Look once at a channel's queue, and hand over what is due. now: aware, UTC."""
    waiting = queue.waiting()
    if not waiting:
        return Round()
    state = queue.state()
    sorted_ = sort_messages(waiting, state, terms, now=now())
    if sorted_.repeated:
        queue.remove(sorted_.repeated)
    if sorted_.stale:
        queue.remove(sorted_.stale, undelivered=True)
    left = len(sorted_.due) + len(sorted_.held)
    if not sorted_.due or (state.next_at is not None and now() < state.next_at):
        return Round(merged=len(sorted_.repeated), waiting=left, error=state.last_error)
    told_now = worded(sorted_.due)
    error = transport.send(told_now.severity, told_now.title, told_now.body)
    at = now()
    if error:
        pause_s = min(2.0**state.failures, _PAUSE_S_MAX)
        queue.keep(
            replace(
                state,
                failures=state.failures + 1,
                next_at=at + timedelta(seconds=pause_s),
                last_error=error,
            )
        )
        return Round(merged=len(sorted_.repeated), waiting=left, error=error)
    keeps = timedelta(seconds=terms.repeat_after_s)
    told = {incident: told_at for incident, told_at in state.told.items() if at - told_at < keeps}
    told.update({each.incident: at for each in told_now.tells})
    # First that it was told, then that it need not be any more: a kill in between removes it as a repetition.
    queue.keep(ChannelState(last_sent_at=at, told=told))
    queue.remove(told_now.tells)
    sent = len(told_now.tells)
    return Round(sent=sent, merged=len(sorted_.repeated), waiting=left - sent)


def enqueue(outbox: Outbox, terms: NotificationTerms, message: Message) -> tuple[str, ...]:
    """Put a message into the queue of every channel that wants it; their names. Raises AskOperator."""
    wanted = tuple(
        name
        for name, channel in terms.channels.items()
        if SEVERITIES.index(message.severity) >= SEVERITIES.index(channel.least)
    )
    for name in wanted:
        outbox.add(name, message)
    return wanted
