"""Metrics: what they say of a session, what they say of nothing, and that every rule and panel finds its metric."""

from __future__ import annotations

import json
import re
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from magellan.adapters.exchange_calendar import load_calendar
from magellan.adapters.local.change_log_files import ChangeLogFiles
from magellan.adapters.local.disk import Disk
from magellan.adapters.local.outbox_folder import OutboxFolder
from magellan.adapters.memory_ledger import MemoryLedger
from magellan.adapters.prometheus_text import exposition, served
from magellan.errors import AskOperator
from magellan.ledger.entries import BreakerReset, BreakerTripped, NewEntry, SessionBegan, SessionEnded
from magellan.ports.heartbeat import Heartbeat
from magellan.ports.outbox import Message
from magellan.usecases.metric_rules import dashboard_file, dashboard_metrics, rules, rules_file, scrape_file
from magellan.usecases.metrics import _HELP, MetricSources, measure
from magellan.usecases.secret_inventory import SecretLine, SecretState
from magellan.workspace.notification_terms import NotificationTerms
from magellan.workspace.workspace import WorkspaceSettings

NOON = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)  # of an open session in New York
BEGAN = SessionBegan(
    run_id="s1", strategy="moods", stage="prod", mode="paper", magellan_version="0", config_hash="0" * 64,
    release_id="ab" * 32, data_id=None, bar_source="alpaca/sip", symbols=("AMC",), timeframe="1Min", host="here", pid=7,
)  # fmt: skip
BEAT = Heartbeat(
    at=NOON - timedelta(seconds=5), session_id="s1", account="PA1", strategy="moods", stage="prod", mode="paper",
    pid=7, release_id=None, config_hash="0" * 64, last_bar_closed_at=NOON - timedelta(seconds=35),
    last_bar_received_at=NOON, last_broker_answer_at=NOON - timedelta(seconds=25), last_order_event_at=None,
    last_reconciled_at=None, feed_up=True, orders_up=False, exceptions=2, backlog=3, answers_awaited=0,
    broker_answers=40, broker_errors=1, equity_usd=100_000.0, day_change_fraction=-0.0125,
)  # fmt: skip
SECRET = SecretLine(
    name="LIVE_KEY", used_by="account live", source="environment", place="the environment", state=SecretState.WELL,
    since=NOON, due_at=NOON + timedelta(days=90), age_days=0,
)  # fmt: skip


def sources(folder: Path, entries: list[NewEntry], beat: Heartbeat | None = BEAT) -> MetricSources:
    ledger = MemoryLedger(clock=lambda: NOON)
    with ledger.writer("PA1") as writer:
        writer.append(entries)
    outbox = OutboxFolder(folder / "outbox")
    outbox.add("desk", Message(message_id="m", at=NOON, severity="critical", source="PA1", text="gone"))
    return MetricSources(
        settings=WorkspaceSettings.model_validate(
            {"notifications": {"channels": {"desk": {"kind": "slack", "secret": "SLACK_WEBHOOK_URL"}}}}
        ),
        ledger=ledger,
        newest_beat=lambda account: None if beat is None else (beat, beat.at),
        calendar_of=lambda began: load_calendar(),
        disk=Disk(folder, logs=folder / "logs"),
        secrets=lambda: [SECRET, replace(SECRET, name="GONE_KEY", place=None, due_at=None)],
        last_backup_at=lambda: NOON - timedelta(hours=2),
        outbox=outbox,
        changes=ChangeLogFiles(folder / "audit"),
        clock=lambda: NOON,
    )


def entry(payload: object, minutes: int = 0) -> NewEntry:
    return NewEntry(at=NOON - timedelta(minutes=60 - minutes), session="s1", payload=payload)  # type: ignore[arg-type]


def samples(text: bytes) -> dict[tuple[str, ...], float]:
    return {
        (sample.name.removeprefix("magellan_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_a_session_is_shown_with_the_ages_of_all_that_it_depends_on(tmp_path: Path) -> None:
    found = samples(exposition(measure(sources(tmp_path, [entry(BEGAN)]))))
    expected = {
        ("session_expected", "PA1"): 1,
        ("session_info", "PA1", "paper", "abababababab", "prod", "moods"): 1,
        ("heartbeat_age_seconds", "PA1"): 5,
        ("bar_age_seconds", "PA1"): 35,
        ("broker_answer_age_seconds", "PA1"): 25,
        ("feed_up", "PA1"): 1,
        ("orders_up", "PA1"): 0,
        ("exceptions_total", "PA1"): 2,
        ("backlog", "PA1"): 3,
        ("broker_answers_total", "PA1"): 40,
        ("broker_errors_total", "PA1"): 1,
        ("equity_usd", "PA1"): 100_000,
        ("day_change_ratio", "PA1"): -0.0125,
        ("silent", "PA1", "gone"): 0,
        ("halted", "PA1"): 0,
        ("ledger_entries_total", "PA1"): 1,
        ("secret_due_seconds", "LIVE_KEY"): 90 * 86_400,
        ("secret_missing", "LIVE_KEY"): 0,
        ("secret_missing", "GONE_KEY"): 1,
        ("backup_age_seconds",): 7_200,
        ("outbox_waiting", "desk"): 1,
        ("outbox_undelivered_total", "desk"): 0,
        ("measured_at_seconds",): NOON.timestamp(),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert ("reconciliation_age_seconds", "PA1") not in found, "what has not happened has no age"


def test_a_session_that_is_silent_is_named_by_what_is_missing(tmp_path: Path) -> None:
    old = replace(BEAT, at=NOON - timedelta(seconds=200))
    found = samples(exposition(measure(sources(tmp_path, [entry(BEGAN)], old))))
    assert found["silent", "PA1", "gone"] == 1
    assert found["heartbeat_age_seconds", "PA1"] == 200


def test_a_session_that_ended_leaves_no_ages_behind(tmp_path: Path) -> None:
    ended = entry(SessionEnded(reason="asked to", flat=True), 30)
    found = samples(exposition(measure(sources(tmp_path, [entry(BEGAN), ended]))))
    assert found["session_expected", "PA1"] == 0
    assert not [name for name in found if name[0].endswith("_age_seconds") and "PA1" in name]


def test_a_breaker_is_shown_while_it_is_tripped(tmp_path: Path) -> None:
    tripped = entry(BreakerTripped(breaker="daily_loss", reason="lost 3.1 %"), 1)
    found = samples(exposition(measure(sources(tmp_path / "a", [entry(BEGAN), tripped]))))
    assert found["breaker_tripped", "PA1", "daily_loss"] == 1
    reset = entry(BreakerReset(breaker="daily_loss", person="jane", reason="looked at it"), 2)
    found = samples(exposition(measure(sources(tmp_path / "b", [entry(BEGAN), tripped, reset]))))
    assert not [name for name in found if name[0] == "breaker_tripped"]


def test_metrics_are_served_on_this_machine_and_measured_for_each_request(tmp_path: Path) -> None:
    told: list[str] = []
    counts = iter([1, 2])

    def measured() -> tuple[object, ...]:
        number = next(counts, None)
        if number is None:
            raise AskOperator("the ledger is damaged")
        return measure(replace(sources(tmp_path, []), last_backup_at=lambda: NOON - timedelta(hours=number)))

    with served(measured, 0, failed=told.append) as port:  # type: ignore[arg-type]
        pages = []
        for _ in range(3):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                pages.append(samples(answer.read()))
        taken = pytest.raises(AskOperator, match=f"port {port} cannot be listened on")
        with taken, served(measured, port, failed=told.append):  # type: ignore[arg-type]
            raise AssertionError("two on one port")
    assert [page.get(("backup_age_seconds",)) for page in pages] == [3_600, 7_200, None]
    assert told == ["the ledger is damaged"]


RULES = rules(NotificationTerms())


@pytest.mark.parametrize(
    "expression", [*(each.expression for each in RULES), *dashboard_metrics()], ids=lambda text: text[:60]
)
def test_every_metric_that_a_rule_or_a_panel_asks_for_is_measured(expression: str) -> None:
    asked = set(re.findall(r"magellan_([a-z_]+)", expression))
    assert asked or expression.startswith("ALERTS")
    assert asked <= set(_HELP)


def test_every_alarm_that_is_asked_for_has_a_rule_with_the_limits_of_the_settings() -> None:
    text = rules_file(rules(NotificationTerms(day_loss_fraction_max=0.02, api_error_fraction_max=0.1)))
    for name in ("SessionGone", "HeartbeatMissed", "DataStale", "BreakerTripped", "DayLoss", "BrokerErrors",
                 "DiskLow", "LogsLarge", "SecretOverdue", "BackupOld", "NobodyTold"):  # fmt: skip
        assert f"alert: Magellan{name}\n" in text
    assert "magellan_day_change_ratio < -0.02" in text and "> 0.1 and" in text


def test_the_dashboard_is_one_that_grafana_imports() -> None:
    document = json.loads(dashboard_file())
    assert len({panel["id"] for panel in document["panels"]}) == len(document["panels"]) == 16
    assert scrape_file("127.0.0.1:9464").count("127.0.0.1:9464") == 1
