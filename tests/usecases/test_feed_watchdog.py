"""The watchdog of an instance: fed while it is well, by content, and never by the mere life of its process."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from magellan.deploy.health import BEAT_AGE_S_MAX
from magellan.deploy.instance import Condition, InstanceReport
from magellan.usecases import feed_watchdog
from magellan.usecases.feed_watchdog import Watchdog

REPORT = InstanceReport(
    condition=Condition.LOADING,
    why="",
    at=datetime(2026, 1, 20, 14, 30, tzinfo=UTC),
    pid=1,
    release_id="1" * 64,
    code_sha256="",
    config_sha256="",
    engine_version="0.1.0",
    engine_path="",
    broker_answered_at=None,
)


@dataclass
class Heard:
    said: list[str] = field(default_factory=list)

    def ready(self) -> None:
        self.said.append("ready")

    def well(self) -> None:
        self.said.append("well")

    def beat(self, beat: object) -> None:
        pass


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(feed_watchdog.time, "monotonic", lambda: now[0])
    return now


def test_it_is_started_when_it_stands_by_and_not_before(clock: list[float]) -> None:
    heard = Heard()
    watchdog = Watchdog(heard, heard)
    watchdog.reported(REPORT)
    assert heard.said == []
    watchdog.reported(replace(REPORT, condition=Condition.READY))
    watchdog.reported(replace(REPORT, condition=Condition.READY))
    assert heard.said == ["ready", "well", "well"]


def test_a_session_that_beats_no_more_is_not_well_though_its_process_is_there(clock: list[float]) -> None:
    """incident 31: a health check that only asks whether the process is up cannot fail."""
    heard = Heard()
    watchdog = Watchdog(heard, heard)
    trading = replace(REPORT, condition=Condition.TRADING)
    watchdog.beat(None)  # type: ignore[arg-type]  # what is in a beat does not matter here
    watchdog.reported(trading)
    assert heard.said == ["ready", "well"]
    clock[0] += BEAT_AGE_S_MAX + 0.1
    watchdog.reported(trading)
    assert heard.said == ["ready", "well"]
    watchdog.beat(None)  # type: ignore[arg-type]
    watchdog.reported(trading)
    assert heard.said == ["ready", "well", "well"]


@pytest.mark.parametrize("condition", [Condition.FAILED, Condition.STOPPED])
def test_one_that_has_ended_says_nothing(condition: Condition, clock: list[float]) -> None:
    heard = Heard()
    Watchdog(heard, heard).reported(replace(REPORT, condition=condition))
    assert heard.said == []
