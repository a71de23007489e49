"""Alert rules and a dashboard over our metrics. Pure: text from settings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from magellan.workspace.notification_terms import NotificationTerms, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One alert."""

    name: str
    expression: str
    lasts: str  # how long it must hold, as Prometheus writes it
    severity: Severity
    summary: str  # with Prometheus's templates


def rules(terms: NotificationTerms) -> tuple[Rule, ...]:
    """The alerts, with the limits of magellan.toml."""
    errors = "increase(magellan_broker_errors_total[5m])"
    answers = "increase(magellan_broker_answers_total[5m])"
    return (
        Rule(
            name="MagellanNotMeasured",
            expression='up{job="magellan"} == 0 or time() - magellan_measured_at_seconds > 60',
            lasts="1m",
            severity="critical",
            summary="nobody measures how Magellan stands",
        ),
        Rule(
            name="MagellanSessionGone",
            expression='magellan_silent{what=~"gone|hangs"} == 1',
            lasts="0s",
            severity="critical",
            summary="the session of {{ $labels.account }} is silent: {{ $labels.what }}",
        ),
        Rule(
            name="MagellanHeartbeatMissed",
            expression="magellan_session_expected == 1 and on(account) magellan_heartbeat_age_seconds > 30",
            lasts="0s",
            severity="warning",
            summary="{{ $labels.account }} has given no sign of life for 30 s",
        ),
        Rule(
            name="MagellanDataStale",
            expression='magellan_silent{what=~"no bars|no answers"} == 1',
            lasts="0s",
            severity="critical",
            summary="{{ $labels.account }}: {{ $labels.what }} though the market is open",
        ),
        Rule(
            name="MagellanBreakerTripped",
            expression="magellan_breaker_tripped == 1",
            lasts="0s",
            severity="critical",
            summary="the breaker {{ $labels.breaker }} of {{ $labels.account }} is tripped",
        ),
        Rule(
            name="MagellanDayLoss",
            expression=f"magellan_day_change_ratio < -{terms.day_loss_fraction_max}",
            lasts="0s",
            severity="critical",
            summary="{{ $labels.account }} has lost more than "
            f"{terms.day_loss_fraction_max:.1%} since the last close",
        ),
        Rule(
            name="MagellanBrokerErrors",
            expression=f"{errors} / {answers} > {terms.api_error_fraction_max} and {answers} >= 20",
            lasts="0s",
            severity="critical",
            summary=f"more than {terms.api_error_fraction_max:.0%} of the broker's answers to "
            "{{ $labels.account }} are errors",
        ),
        Rule(
            name="MagellanDiskLow",
            expression=f"magellan_disk_free_bytes < {terms.disk_free_bytes_min}",
            lasts="1m",
            severity="critical",
            summary="the workspace's disk is nearly full",
        ),
        Rule(
            name="MagellanLogsLarge",
            expression=f"magellan_log_bytes > {terms.log_bytes_max}",
            lasts="10m",
            severity="warning",
            summary="the logs are larger than they should be",
        ),
        Rule(
            name="MagellanSecretOverdue",
            expression="magellan_secret_due_seconds < 0 or magellan_secret_missing == 1",
            lasts="1m",
            severity="warning",
            summary="the secret {{ $labels.secret }} is overdue or missing",
        ),
        Rule(
            name="MagellanBackupOld",
            expression="magellan_backup_age_seconds > 93600",
            lasts="1m",
            severity="warning",
            summary="the newest backup is more than 26 hours old",
        ),
        Rule(
            name="MagellanNobodyTold",
            expression="magellan_outbox_waiting > 0",
            lasts="15m",
            severity="warning",
            summary="the channel {{ $labels.channel }} takes no messages",
        ),
    )


def rules_file(chosen: Sequence[Rule]) -> str:
    """The rules as Prometheus reads them."""
    lines = ["groups:", "  - name: magellan", "    rules:"]
    for each in chosen:
        lines += [
            f"      - alert: {each.name}",
            f"        expr: {json.dumps(each.expression)}",
            f"        for: {each.lasts}",
            "        labels:",
            f"          severity: {each.severity}",
            "        annotations:",
            f"          summary: {json.dumps(each.summary)}",
        ]
    return "\n".join(lines) + "\n"


_PANELS: Final = (
    # title, expression, legend, unit
    ("Session", "magellan_session_expected", "{{account}}", "bool_on_off"),
    ("Silent", "magellan_silent == 1", "{{account}} {{what}}", "short"),
    ("Breakers", "magellan_breaker_tripped", "{{account}} {{breaker}}", "short"),
    ("Alarms", 'ALERTS{alertname=~"Magellan.*", alertstate="firing"}', "{{alertname}}", "short"),
    ("Equity", "magellan_equity_usd", "{{account}}", "currencyUSD"),
    ("Change of the day", "magellan_day_change_ratio", "{{account}}", "percentunit"),
    ("Heartbeat", "magellan_heartbeat_age_seconds", "{{account}}", "s"),
    ("Newest bar", "magellan_bar_age_seconds", "{{account}}", "s"),
    ("Broker's last answer", "magellan_broker_answer_age_seconds", "{{account}}", "s"),
    (
        "Broker's errors",
        "increase(magellan_broker_errors_total[5m]) / increase(magellan_broker_answers_total[5m])",
        "{{account}}",
        "percentunit",
    ),
    ("Events that wait", "magellan_backlog", "{{account}}", "short"),
    ("Ledger entries", "magellan_ledger_entries_total", "{{account}}", "short"),
    ("Disk", "magellan_disk_free_bytes", "free", "bytes"),
    ("Newest backup", "magellan_backup_age_seconds", "age", "s"),
    ("Secrets due in", "magellan_secret_due_seconds", "{{secret}}", "s"),
    ("Messages that wait", "magellan_outbox_waiting", "{{channel}}", "short"),
)


def dashboard_file() -> str:
    """A dashboard as Grafana imports it; it asks for the Prometheus that it shall read."""
    source = {"type": "prometheus", "uid": "${source}"}
    panels: list[dict[str, Any]] = [
        {
            "id": number + 1,
            "type": "stat" if number < 4 else "timeseries",
            "title": title,
            "datasource": source,
            "gridPos": {"x": 6 * (number % 4), "y": 7 * (number // 4), "w": 6, "h": 7},
            "targets": [{"refId": "A", "datasource": source, "expr": expression, "legendFormat": legend}],
            "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        }
        for number, (title, expression, legend, unit) in enumerate(_PANELS)
    ]
    document = {
        "title": "Magellan",
        "uid": "magellan",
        "schemaVersion": 39,
        "timezone": "utc",
        "refresh": "10s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [{"name": "source", "type": "datasource", "query": "prometheus"}]},
        "panels": panels,
    }
    return json.dumps(document, indent=2) + "\n"


def dashboard_metrics() -> tuple[str, ...]:
    """The expressions of the dashboard."""
    return tuple(expression for _, expression, _, _ in _PANELS)


def scrape_file(address: str) -> str:
    """The part of prometheus.yml that reads the metrics and the rules."""
    return (
        "scrape_configs:\n"
        "  - job_name: magellan\n"
        "    scrape_interval: 10s\n"
        "    static_configs:\n"
        f"      - targets: [{json.dumps(address)}]\n"
        "rule_files:\n"
        "  - magellan-rules.yml\n"
    )
