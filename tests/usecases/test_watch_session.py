"""A watch over a session: silence is told once, told again when it is over, and left where the terms say so."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from magellan.adapters.exchange_calendar import load_calendar
from magellan.adapters.memory_ledger import MemoryLedger
from magellan.errors import TryAgain
from magellan.ledger.book import RunningSession
from magellan.ledger.entries import NewEntry, SessionBegan, SessionEnded
from magellan.ports.heartbeat import Heartbeat
from magellan.ports.ledger import Holder
from magellan.usecases.session_status import Running, running
from magellan.usecases.watch_session import Seen, Silence, Watch, findings
from magellan.workspace.broker_account import Watchdog

CALENDAR = load_calendar()
NOON = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)  # of an open session in New York
NIGHT = datetime(2026, 3, 3, 3, 0, tzinfo=UTC)
TERMS = Watchdog(silence_s_max=90)
HOLDER = Holder(host="here", pid=7, since=NOON - timedelta(hours=1))
BEGAN = SessionBegan(
    run_id="s1", strategy="moods", stage="prod", mode="paper", magellan_version="0", config_hash="0" * 64,
    release_id=None, data_id=None, bar_source="alpaca/sip", symbols=("AMC",), timeframe="1Min", host="here", pid=7,
)  # fmt: skip
SESSION = RunningSession(session="s1", began_at=NOON - timedelta(hours=1), began=BEGAN)


def beat_at(at: datetime, **changes: object) -> Heartbeat:
    beat = Heartbeat(
        at=at, session_id="s1", account="PA1", strategy="moods", stage="prod", mode="paper", pid=7, release_id=None,
        config_hash="0" * 64, last_bar_closed_at=at - timedelta(seconds=30), last_bar_received_at=at,
        last_broker_answer_at=at - timedelta(seconds=20), last_order_event_at=None, last_reconciled_at=at,
        feed_up=True, orders_up=True, exceptions=0, backlog=0, answers_awaited=0,
    )  # fmt: skip
    return replace(beat, **changes)  # type: ignore[arg-type]


def seen_at(at: datetime, beat: Heartbeat | None, **changes: object) -> Seen:
    seen = Seen(at=at, holder=HOLDER, session=SESSION, beat=beat, beat_at=None if beat is None else beat.at)
    return replace(seen, **changes)  # type: ignore[arg-type]


def found(seen: Seen) -> set[Silence]:
    return set(findings(seen, TERMS, CALENDAR, reconcile_every_s=60))


def ago(seconds: float) -> datetime:
    return NOON - timedelta(seconds=seconds)


def test_a_session_that_beats_and_trades_is_well() -> None:
    assert found(seen_at(NOON, beat_at(NOON))) == set()


def test_incident_30_a_process_whose_loop_has_died_is_silent_though_it_is_there() -> None:
    assert found(seen_at(NOON, beat_at(ago(91)))) == {Silence.HANGS}
    assert found(seen_at(NOON, beat_at(ago(89)))) == set()
    assert found(seen_at(NOON, beat_at(ago(91)), holder=None)) == {Silence.GONE}


def test_incident_30_a_process_is_not_called_running_before_its_session_beats() -> None:
    assert running(seen_at(NOON, None)) is Running.STARTING
    assert running(seen_at(NOON, beat_at(NOON))) is Running.RUNNING
    assert running(seen_at(NOON, beat_at(NOON, session_id="another"))) is Running.STARTING
    assert running(seen_at(NOON, beat_at(NOON), holder=None)) is Running.GONE


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ({"last_bar_closed_at": ago(151)}, {Silence.NO_BARS}),  # a minute, and 90 s
        ({"last_bar_closed_at": ago(149)}, set()),
        ({"last_bar_closed_at": None}, {Silence.NO_BARS}),
        ({"last_broker_answer_at": ago(151)}, {Silence.NO_ANSWERS}),  # a comparison is due every 60 s
        ({"last_broker_answer_at": ago(149)}, set()),
        ({"last_broker_answer_at": None}, {Silence.NO_ANSWERS}),
    ],
)
def test_incident_31_a_heartbeat_that_only_beats_is_not_health(
    content: dict[str, object], what: set[Silence]
) -> None:
    assert found(seen_at(NOON, beat_at(NOON, **content))) == what


def test_outside_of_a_session_no_bar_is_missed_and_silence_is_still_silence() -> None:
    quiet = beat_at(NIGHT, last_bar_closed_at=NOON, last_broker_answer_at=NOON)
    assert found(seen_at(NIGHT, quiet)) == set()
    assert found(seen_at(NIGHT + timedelta(seconds=91), quiet)) == {Silence.HANGS}


def test_at_the_open_bars_of_the_day_before_are_no_silence() -> None:
    opens = datetime(2026, 3, 2, 14, 31, tzinfo=UTC)
    before = replace(SESSION, began_at=opens - timedelta(days=3))
    old = beat_at(
        opens,
        last_bar_closed_at=opens - timedelta(days=3),
        last_broker_answer_at=opens - timedelta(seconds=70),
    )
    assert found(seen_at(opens, old, session=before)) == set()


def test_a_session_that_has_ended_is_rightly_silent() -> None:
    ended = replace(SESSION, ended_at=ago(1000))
    assert found(seen_at(NOON, beat_at(ago(1000)), holder=None, session=ended)) == set()
    assert found(seen_at(NOON, None, holder=None, session=None)) == set()


def test_a_session_that_never_gives_a_sign_of_life_is_silent() -> None:
    started = replace(HOLDER, since=ago(100))
    assert found(seen_at(NOON, None, holder=started)) == {Silence.HANGS}
    assert found(seen_at(NOON, None, holder=replace(HOLDER, since=ago(10)))) == set()


@dataclass
class Scene:
    """A ledger, a heartbeat and a clock, that a watch looks at."""

    now: datetime = NOON  # as time really passes
    clock_is_off: timedelta = timedelta(0)
    beat: Heartbeat | None = None
    told: list[tuple[str, str]] = field(default_factory=list)
    flattened: list[str] = field(default_factory=list)
    flat: bool = True

    def __post_init__(self) -> None:
        self.ledger = MemoryLedger(lambda: self.now)

    def write(self, *payloads: SessionBegan | SessionEnded) -> None:
        with self.ledger.writer("PA1") as writer:
            writer.append([NewEntry(at=self.now, session="s1", payload=each) for each in payloads])

    def tell(self, severity: str, text: str, at: datetime) -> None:
        self.told.append((severity, text))

    async def flatten(self, why: str) -> bool:
        self.flattened.append(why)
        return self.flat

    def watch(self, *, flattens: bool = False, ends_with: bool = False) -> Watch:
        return Watch(
            account="PA1",
            ledger=self.ledger,
            newest_beat=lambda: None if self.beat is None else (self.beat, self.beat.at),
            terms=TERMS,
            reconcile_every_s=60,
            calendar_of=lambda began: CALENDAR,
            notifier=self,
            now=lambda: self.now + self.clock_is_off,
            elapsed_s=lambda: self.now.timestamp(),
            flatten=self.flatten if flattens else None,
            ends_with=ends_with,
        )


def look(watch: Watch) -> bool:
    return asyncio.run(watch.look())


def test_an_alarm_is_told_once_and_told_again_when_it_is_over() -> None:
    scene = Scene()
    scene.write(BEGAN)
    watch = scene.watch()
    scene.beat = beat_at(NOON)
    for seconds in (0, 91, 92, 120):
        scene.now = NOON + timedelta(seconds=seconds)
        look(watch)
    assert [severity for severity, _ in scene.told] == ["critical"]
    scene.beat = beat_at(scene.now)
    look(watch)
    look(watch)
    assert [severity for severity, _ in scene.told] == ["critical", "warning"]
    assert scene.told[1][1].startswith("over: moods on PA1")


def test_a_clock_that_is_set_is_no_silence_and_hides_none() -> None:
    for off in (timedelta(hours=1), timedelta(hours=-1)):
        scene = Scene()
        scene.write(BEGAN)
        watch = scene.watch(flattens=True)
        scene.beat = beat_at(NOON)
        look(watch)
        scene.now, scene.clock_is_off = NOON + timedelta(seconds=10), off
        look(watch)
        assert scene.told == []
        scene.now = NOON + timedelta(seconds=91)
        look(watch)
        assert "has given no sign of life for 91 s" in scene.told[0][1]


def test_what_is_silent_is_left_once_and_tried_again_until_it_is_flat() -> None:
    scene = Scene(flat=False)
    scene.write(BEGAN)
    scene.beat = beat_at(ago(91))
    watch = scene.watch(flattens=True)
    look(watch)
    look(watch)
    assert len(scene.flattened) == 2
    scene.flat = True
    look(watch)
    look(watch)
    assert len(scene.flattened) == 3
    assert "the account is flat" in scene.told[-1][1]


def test_a_flatten_that_cannot_be_done_is_told_and_tried_again() -> None:
    scene = Scene()
    scene.write(BEGAN)
    scene.beat = beat_at(ago(91))
    watch = scene.watch(flattens=True)

    async def refused(why: str) -> bool:
        raise TryAgain("the network is gone")

    watch.flatten = refused
    look(watch)
    assert "could not be flattened: the network is gone" in scene.told[-1][1]
    watch.flatten = scene.flatten
    look(watch)
    assert len(scene.flattened) == 1


def test_a_watch_of_one_session_ends_with_it() -> None:
    scene = Scene()
    scene.write(BEGAN)
    scene.beat = beat_at(NOON)
    watch = scene.watch(ends_with=True)
    assert not look(watch)
    scene.write(SessionEnded(reason="signal SIGTERM", flat=True))
    assert look(watch)
    assert scene.told == []


def test_a_watch_whose_session_was_killed_alarms_and_leaves_before_it_ends() -> None:
    scene = Scene()
    scene.write(BEGAN)
    scene.beat = beat_at(ago(91))
    assert look(scene.watch(ends_with=True, flattens=True))
    assert len(scene.flattened) == 1
    assert "its process is gone" in scene.told[0][1]
