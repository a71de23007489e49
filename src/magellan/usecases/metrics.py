"""Metrics: how things stand, as numbers with names that a monitoring system understands. Reads only.

Names and units follow the conventions of Prometheus: seconds, bytes, ratios, totals. What is not known has no sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from magellan.ledger.entries import SessionBegan
from magellan.ports.change_log import ChangeLog
from magellan.ports.disk import DiskGauge
from magellan.ports.heartbeat import Heartbeat
from magellan.ports.ledger import Ledger
from magellan.ports.outbox import Outbox
from magellan.trading.session import ExchangeCalendar
from magellan.usecases.named_account import known_accounts
from magellan.usecases.recall import book_now
from magellan.usecases.secret_inventory import SecretLine
from magellan.usecases.watch_session import Seen, Silence, findings, seen_now
from magellan.workspace.broker_account import BrokerAccount, Watchdog
from magellan.workspace.workspace import WorkspaceSettings

_SAFETY_KINDS: Final = ("breaker_tripped", "breaker_reset", "halted", "resumed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One metric and its samples."""

    name: str  # without the prefix
    help: str
    kind: Literal["gauge", "counter"] = "gauge"
    samples: tuple[tuple[Mapping[str, str], float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSources:
    """Everything that is measured."""

    settings: WorkspaceSettings
    ledger: Ledger
    newest_beat: Callable[[str], tuple[Heartbeat, datetime] | None]  # of an account of the ledger
    calendar_of: Callable[[SessionBegan], ExchangeCalendar]
    disk: DiskGauge
    secrets: Callable[[], Sequence[SecretLine]]
    last_backup_at: Callable[[], datetime | None]
    outbox: Outbox
    changes: ChangeLog
    clock: Callable[[], datetime]  # now, aware, UTC


_HELP: Final[Mapping[str, str]] = {
    "session_expected": "1 while a session was begun on the account and has not ended",
    "session_info": "1, with what the session trades as labels",
    "heartbeat_age_seconds": "since the session last left a sign of life",
    "bar_age_seconds": "since the newest bar closed",
    "broker_answer_age_seconds": "since the broker last answered",
    "reconciliation_age_seconds": "since the broker and our book were last compared",
    "feed_up": "1 while bars come",
    "orders_up": "1 while the order stream is connected",
    "exceptions_total": "exceptions of the session's driver",
    "backlog": "events that wait for the session",
    "broker_answers_total": "answers of the broker in this session, errors among them",
    "broker_errors_total": "of them, those that were errors",
    "equity_usd": "as the broker last told it",
    "day_change_ratio": "of equity since the close of the session before",
    "silent": "1 while what is named is missing though it should be there",
    "breaker_tripped": "1 while the breaker is tripped",
    "halted": "1 while a person's halt keeps entries out",
    "ledger_entries_total": "entries of the account's chain",
    "audit_changes_total": "changes in the audit log",
    "disk_free_bytes": "on the workspace's disk",
    "log_bytes": "of all logs together",
    "secret_due_seconds": "until the secret is due for another one; below 0: overdue",
    "secret_missing": "1 where a secret that is needed is nowhere",
    "backup_age_seconds": "since the newest whole backup",
    "outbox_waiting": "messages that wait for the channel",
    "outbox_undelivered_total": "messages that were given up",
    "measured_at_seconds": "when all this was measured, since 1970",
}


@dataclass(slots=True)
class _Samples:
    """Samples as they come, by the name of their metric."""

    found: dict[str, list[tuple[Mapping[str, str], float]]] = field(default_factory=dict)

    def add(self, name: str, value: float | None, **labels: str) -> None:
        if value is not None:
            self.found.setdefault(name, []).append((labels, float(value)))

    def families(self) -> Iterator[Family]:
        for name, help_ in _HELP.items():
            if name in self.found:
                kind: Literal["gauge", "counter"] = "counter" if name.endswith("_total") else "gauge"
                yield Family(name=name, help=help_, kind=kind, samples=tuple(self.found[name]))


def measure(sources: MetricSources) -> tuple[Family, ...]:
    """Everything, now. Raises what the sources raise."""
    samples, now = _Samples(), sources.clock()
    for account in known_accounts(sources.settings, sources.ledger):
        if sources.ledger.head(account.ledger).number:
            _account(samples, sources, account.ledger, account.terms, now)
    samples.add("audit_changes_total", sources.changes.head.number)
    samples.add("disk_free_bytes", sources.disk.free_bytes())
    samples.add("log_bytes", sources.disk.log_bytes())
    for secret in sources.secrets():
        samples.add("secret_missing", 1.0 if secret.place is None else 0.0, secret=secret.name)
        due_s = None if secret.due_at is None else (secret.due_at - now).total_seconds()
        samples.add("secret_due_seconds", due_s, secret=secret.name)
    last_at = sources.last_backup_at()
    samples.add("backup_age_seconds", None if last_at is None else (now - last_at).total_seconds())
    for channel in sources.settings.notifications.channels:
        waiting, _, undelivered = sources.outbox.peek(channel)
        samples.add("outbox_waiting", len(waiting), channel=channel)
        samples.add("outbox_undelivered_total", undelivered, channel=channel)
    samples.add("measured_at_seconds", now.timestamp())
    return tuple(samples.families())


def _account(
    samples: _Samples,
    sources: MetricSources,
    account: str,
    terms: BrokerAccount | None,
    now: datetime,
) -> None:
    seen = seen_now(account, sources.ledger, sources.newest_beat(account), now)
    expected = seen.session is not None and seen.session.ended_at is None
    samples.add("session_expected", float(expected), account=account)
    samples.add("ledger_entries_total", sources.ledger.head(account).number, account=account)
    safety = book_now(sources.ledger, account, _SAFETY_KINDS)
    samples.add("halted", float(safety.is_halted), account=account)
    for breaker in safety.breakers:
        samples.add("breaker_tripped", 1.0, account=account, breaker=breaker)
    if not expected:
        return
    assert seen.session is not None, "it is expected"
    began = seen.session.began
    samples.add(
        "session_info", 1.0, account=account, strategy=began.strategy, stage=began.stage, mode=began.mode,
        release=(began.release_id or "none")[:12],
    )  # fmt: skip
    watchdog = Watchdog() if terms is None else terms.watchdog
    every_s = 60.0 if terms is None else terms.reconcile_every_s
    calendar = sources.calendar_of(began)
    found = findings(seen, watchdog, calendar, reconcile_every_s=every_s)
    for silence in Silence:
        samples.add("silent", float(silence in found), account=account, what=silence.value)
    samples.add("heartbeat_age_seconds", seen.beat_age_s, account=account)
    if seen.beat is not None and seen.beat_age_s is not None:
        _beat(samples, account, seen, seen.beat)


def _beat(samples: _Samples, account: str, seen: Seen, beat: Heartbeat) -> None:
    """What the session says of itself. Ages are on its own clock, and grow with its silence."""
    silent_s = seen.beat_age_s or 0.0

    def age_s(at: datetime | None) -> float | None:
        return None if at is None else max(0.0, (beat.at - at).total_seconds()) + silent_s

    samples.add("bar_age_seconds", age_s(beat.last_bar_closed_at), account=account)
    samples.add("broker_answer_age_seconds", age_s(beat.last_broker_answer_at), account=account)
    samples.add("reconciliation_age_seconds", age_s(beat.last_reconciled_at), account=account)
    samples.add("feed_up", float(beat.feed_up), account=account)
    samples.add("orders_up", float(beat.orders_up), account=account)
    samples.add("exceptions_total", beat.exceptions, account=account)
    samples.add("backlog", beat.backlog, account=account)
    samples.add("broker_answers_total", beat.broker_answers, account=account)
    samples.add("broker_errors_total", beat.broker_errors, account=account)
    samples.add("equity_usd", beat.equity_usd, account=account)
    samples.add("day_change_ratio", beat.day_change_fraction, account=account)
