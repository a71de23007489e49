"""Alert rules, tried by Prometheus's own tool: each fires where it should, and nowhere else."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from magellan.usecases.metric_rules import rules, rules_file
from magellan.workspace.notification_terms import NotificationTerms

pytestmark = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="no promtool: apt-get install prometheus"
)

WELL = {
    'up{job="magellan"}': "1+0x60",
    "magellan_measured_at_seconds": "0+60x60",
    'magellan_session_expected{account="PA1"}': "1+0x60",
    'magellan_heartbeat_age_seconds{account="PA1"}': "1+0x60",
    'magellan_silent{account="PA1",what="gone"}': "0+0x60",
    'magellan_silent{account="PA1",what="no bars"}': "0+0x60",
    'magellan_day_change_ratio{account="PA1"}': "-0.03+0x60",
    'magellan_broker_answers_total{account="PA1"}': "0+40x60",
    'magellan_broker_errors_total{account="PA1"}': "0+1x60",
    "magellan_disk_free_bytes": "50000000000+0x60",
    "magellan_log_bytes": "1000+0x60",
    'magellan_secret_due_seconds{secret="LIVE_KEY"}': "86400+0x60",
    'magellan_secret_missing{secret="LIVE_KEY"}': "0+0x60",
    "magellan_backup_age_seconds": "3600+0x60",
    'magellan_outbox_waiting{channel="desk"}': "0+0x60",
}
ILL = {
    "MagellanNotMeasured": {"magellan_measured_at_seconds": "0+0x60"},
    "MagellanSessionGone": {'magellan_silent{account="PA1",what="gone"}': "1+0x60"},
    "MagellanHeartbeatMissed": {'magellan_heartbeat_age_seconds{account="PA1"}': "31+0x60"},
    "MagellanDataStale": {'magellan_silent{account="PA1",what="no bars"}': "1+0x60"},
    "MagellanBreakerTripped": {'magellan_breaker_tripped{account="PA1",breaker="daily_loss"}': "1+0x60"},
    "MagellanDayLoss": {'magellan_day_change_ratio{account="PA1"}': "-0.031+0x60"},
    "MagellanBrokerErrors": {'magellan_broker_errors_total{account="PA1"}': "0+3x60"},
    "MagellanDiskLow": {"magellan_disk_free_bytes": "900000000+0x60"},
    "MagellanLogsLarge": {"magellan_log_bytes": "100000001+0x60"},
    "MagellanSecretOverdue": {'magellan_secret_missing{secret="LIVE_KEY"}': "1+0x60"},
    "MagellanBackupOld": {"magellan_backup_age_seconds": "93601+0x60"},
    "MagellanNobodyTold": {'magellan_outbox_waiting{channel="desk"}': "1+0x60"},
}


def promtool(*words: str, at: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *words], cwd=at, capture_output=True, text=True)


def case_of(name: str, series: dict[str, str], fires: bool) -> str:
    """A test for promtool: whether the alert fires after half an hour, by how many alerts there are."""
    lines = ["  - interval: 1m", "    input_series:"]
    for what, values in series.items():
        lines += [f"      - series: '{what}'", f"        values: '{values}'"]
    count = f'count(ALERTS{{alertname="{name}",alertstate="firing"}}) or vector(0)'
    lines += [
        "    promql_expr_test:",
        f"      - expr: '{count}'",
        "        eval_time: 30m",
        "        exp_samples:",
        f"          - value: {int(fires)}",
        "            labels: '{}'",
    ]
    return "\n".join(lines)


def test_prometheus_takes_the_rules(tmp_path: Path) -> None:
    chosen = rules(NotificationTerms())
    (tmp_path / "rules.yml").write_text(rules_file(chosen))
    done = promtool("check", "rules", "rules.yml", at=tmp_path)
    assert done.returncode == 0 and f"{len(chosen)} rules found" in done.stdout, done.stdout + done.stderr


def test_each_rule_fires_where_it_should_and_stays_silent_where_all_is_well(tmp_path: Path) -> None:
    chosen = rules(NotificationTerms())
    assert {each.name for each in chosen} == ILL.keys()
    (tmp_path / "rules.yml").write_text(rules_file(chosen))
    cases = [case_of(name, {**WELL, **ill}, True) for name, ill in ILL.items()]
    cases += [case_of(name, WELL, False) for name in ILL]
    head = "rule_files: [rules.yml]\nevaluation_interval: 1m\ntests:\n"
    (tmp_path / "test.yml").write_text(head + "\n".join(cases) + "\n")
    done = promtool("test", "rules", "test.yml", at=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
