"""A watch over upkeep: each trouble is told once when it begins, and once when it is over."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from magellan.errors import TryAgain
from magellan.ports.heartbeat import Heartbeat
from magellan.usecases.secret_inventory import SecretLine, SecretState
from magellan.usecases.watch_upkeep import UpkeepWatch
from magellan.workspace.notification_terms import NotificationTerms

NOON = datetime(2026, 1, 20, 17, 0, tzinfo=UTC)
BEAT = Heartbeat(
    at=NOON, session_id="s1", account="PA1", strategy="moods", stage="prod", mode="paper", pid=7, release_id=None,
    config_hash="0" * 64, last_bar_closed_at=NOON, last_bar_received_at=NOON, last_broker_answer_at=NOON,
    last_order_event_at=None, last_reconciled_at=NOON, feed_up=True, orders_up=True, exceptions=0, backlog=0,
    answers_awaited=0, broker_answers=0, broker_errors=0, equity_usd=100_000.0, day_change_fraction=0.0,
)  # fmt: skip


@dataclass
class World:
    """What is measured, and what was told."""

    at: datetime = NOON
    beat: Heartbeat | None = BEAT
    free: int = 50_000_000_000
    logs: int = 1_000
    lines: list[SecretLine] = field(default_factory=list)
    secrets_fail: bool = False
    secrets_asked: int = 0
    backup_at: datetime | None = NOON
    told: list[tuple[str, str]] = field(default_factory=list)

    def free_bytes(self) -> int:
        return self.free

    def log_bytes(self) -> int:
        return self.logs

    def secrets(self) -> list[SecretLine]:
        self.secrets_asked += 1
        if self.secrets_fail:
            raise TryAgain("AWS SSM cannot be reached")
        return self.lines

    def tell(self, severity: str, text: str, at: datetime) -> None:
        self.told.append((severity, text))

    def watch(self, *, backups: bool = True) -> UpkeepWatch:
        return UpkeepWatch(
            newest_beat=lambda: None if self.beat is None else (self.beat, self.beat.at),
            disk=self,
            secrets=self.secrets,
            last_backup_at=(lambda: self.backup_at) if backups else None,
            terms=NotificationTerms(),
            notifier=self,
            now=lambda: self.at,
        )

    def passes(self, seconds: float, **changes: object) -> None:
        self.at += timedelta(seconds=seconds)
        if self.beat is not None:
            self.beat = replace(self.beat, at=self.at, **changes)  # type: ignore[arg-type]


def test_a_workspace_that_is_well_is_silent() -> None:
    world = World()
    watch = world.watch()
    for _ in range(50):
        watch.look()
        world.passes(10)
    assert world.told == []


@pytest.mark.parametrize(
    ("change", "severity", "words"),
    [
        ({"beat": replace(BEAT, day_change_fraction=-0.031)}, "critical", "PA1 has lost 3.1% of its equity"),
        ({"free": 900_000_000}, "critical", "900 MB are free"),
        ({"logs": 100_000_001}, "warning", "the logs take 100 MB"),
        ({"backup_at": None}, "warning", "no backup was ever made"),
        ({"backup_at": NOON - timedelta(hours=27)}, "warning", "the newest backup is of 2026-01-19 14:00"),
        ({"secrets_fail": True}, "warning", "secrets cannot be looked at: AWS SSM cannot be reached"),
        (
            {
                "lines": [
                    SecretLine(
                        name="LIVE_KEY", used_by="account live", source="environment", place="x",
                        state=SecretState.OVERDUE, since=NOON, due_at=NOON, age_days=90,
                    )
                ]
            },
            "warning",
            "the secret LIVE_KEY is overdue",
        ),
    ],
)  # fmt: skip
def test_a_trouble_is_told_once_and_its_end_too(change: dict[str, object], severity: str, words: str) -> None:
    world = World()
    watch = world.watch()
    watch.look()
    well = {name: getattr(world, name) for name in change}
    for name, value in change.items():
        setattr(world, name, value)
    world.passes(3600)
    watch.look()
    watch.look()
    ((told_as, told),) = world.told
    assert told_as == severity and words in told
    for name, value in well.items():
        setattr(world, name, value)
    world.backup_at = world.backup_at and world.at
    world.passes(3600)
    watch.look()
    assert len(world.told) == 2 and world.told[1] == ("info", f"over: {told}")


def test_three_percent_lost_is_not_beyond_three_percent() -> None:
    world = World(beat=replace(BEAT, day_change_fraction=-0.03))
    world.watch().look()
    assert world.told == []


def test_the_brokers_errors_are_counted_over_five_minutes() -> None:
    world = World()
    watch = world.watch()
    answers = errors = 0
    for _ in range(60):
        answers += 10
        watch.look()
        world.passes(10, broker_answers=answers, broker_errors=errors)
    assert world.told == []
    for _ in range(3):
        answers, errors = answers + 10, errors + 6
        world.passes(10, broker_answers=answers, broker_errors=errors)
        watch.look()
    ((severity, told),) = world.told
    assert severity == "critical" and "of the broker's last 300 answers were errors" in told
    for _ in range(40):
        answers += 10
        world.passes(10, broker_answers=answers, broker_errors=errors)
        watch.look()
    assert world.told[-1][1].startswith("over: ")


def test_a_few_answers_say_nothing_about_the_rate() -> None:
    world = World()
    watch = world.watch()
    watch.look()
    world.passes(10, broker_answers=19, broker_errors=19)
    watch.look()
    assert world.told == []


def test_another_session_counts_its_answers_from_nought() -> None:
    world = World(beat=replace(BEAT, broker_answers=1_000, broker_errors=500))
    watch = world.watch()
    watch.look()
    world.passes(10, session_id="s2", broker_answers=30, broker_errors=0)
    watch.look()
    assert world.told == []


def test_what_a_session_said_that_is_over_is_no_alarm() -> None:
    world = World(beat=replace(BEAT, day_change_fraction=-0.5))
    world.at += timedelta(minutes=6)
    world.watch().look()
    assert world.told == []


def test_stores_of_secrets_are_asked_once_an_hour() -> None:
    world = World()
    watch = world.watch()
    for _ in range(720):
        watch.look()
        world.passes(10)
    assert world.secrets_asked == 2
