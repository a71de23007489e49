"""The files that are generated for a container: pinned, confined, and with a health check that can fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from magellan.adapters.compose.image import RECIPE_LABEL, Image
from magellan.adapters.compose.service import Confines, Service
from magellan.adapters.local.heartbeat_file import HeartbeatFile
from magellan.adapters.local.host import HostFolder
from magellan.deploy.instance import Condition, Instance, InstanceReport
from magellan.ports.heartbeat import Heartbeat
from magellan.usecases.instance_health import instance_problem
from magellan.workspace.target import Target

RELEASE = "1f3a90c2d4e5" + "0" * 52
BASE = "python@sha256:" + "a" * 64
IMAGE = Image(
    strategy="moods", release_id=RELEASE, engine="e" * 32, base_image=BASE, installs=True, has_wheels=False
)
INSTANCE = Instance(
    strategy="moods", stage="test", account="paper", ledger_account="alpaca-paper-PA1", release_id=RELEASE
)
NOW = datetime(2026, 1, 21, 21, 30, tzinfo=UTC)
REPORT = InstanceReport(
    condition=Condition.TRADING,
    why="",
    at=NOW,
    pid=1,
    release_id=RELEASE,
    code_sha256="c" * 64,
    config_sha256="d" * 64,
    engine_version="0.1.0",
    engine_path="/opt/magellan/engines/e",
    broker_answered_at=NOW,
)
BEAT = Heartbeat(
    at=NOW,
    session_id="20260121T213000-1",
    account="alpaca-paper-PA1",
    strategy="moods",
    stage="test",
    mode="paper",
    pid=1,
    release_id=RELEASE,
    config_hash="d" * 64,
    last_bar_closed_at=None,
    last_bar_received_at=None,
    last_broker_answer_at=NOW,
    last_order_event_at=None,
    last_reconciled_at=NOW,
    feed_up=True,
    orders_up=True,
    exceptions=0,
    backlog=0,
    answers_awaited=0,
)


def service(workspace: Path = Path("/srv/moods"), **of: Any) -> Service:
    given: dict[str, Any] = {
        "key": INSTANCE.key,
        "image_id": "sha256:" + "b" * 64,
        "workspace": workspace,
        "state": workspace / ".magellan",
        "environment": {"ENVIRONMENT": "test", "HOME": "/tmp"},
        "user": "1000:1000",
        "stop_within_s": 20.0,
        "starts_within_s": 180.0,
        "confines": Confines(memory_mb=512, cpus=0.5, processes=64, log_mb=10, logs_kept=3, network="bridge"),
    }
    return Service(**{**given, **of})


def document(made: Service) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(made.written())["services"]["instance"]
    return told


# What the compose specification knows of a service, of what we write. Its whole schema is asked in tests/lab.
KNOWN: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("image", "pull_policy", "user", "working_dir", "network_mode", "mem_limit"), str),
    **dict.fromkeys(("memswap_limit", "restart", "stop_signal", "stop_grace_period"), str),
    **dict.fromkeys(("command", "volumes", "tmpfs", "cap_drop", "security_opt"), list),
    **dict.fromkeys(("environment", "ulimits", "healthcheck", "logging", "labels"), dict),
    "read_only": bool,
    "cpus": (int, float),
    "pids_limit": int,
}


def test_a_compose_file_says_only_what_the_specification_knows() -> None:
    told = document(service())
    assert {name: isinstance(value, KNOWN[name]) for name, value in told.items()} == dict.fromkeys(told, True)
    assert all(isinstance(value, str) for value in told["environment"].values())
    assert set(told["healthcheck"]) == {"test", "interval", "timeout", "retries", "start_period"}
    for volume in told["volumes"]:
        assert set(volume) == {"type", "source", "target", "read_only"}


def test_a_container_is_confined_and_its_log_is_begun_anew() -> None:
    told = document(service())
    assert (told["mem_limit"], told["memswap_limit"], told["cpus"], told["pids_limit"]) == (
        "512m",
        "512m",
        0.5,
        64,
    )
    assert told["read_only"] is True and told["cap_drop"] == ["ALL"]
    assert told["user"] == "1000:1000"
    assert told["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
    assert [volume["target"] for volume in told["volumes"] if not volume["read_only"]] == [
        "/srv/moods/.magellan"
    ]


def test_incident_42_a_new_release_is_another_image_and_the_way_back_the_old_one() -> None:
    """`restart` takes neither a new image nor a new environment: nothing here ever says it."""
    told = document(service())
    assert told["image"].startswith("sha256:")  # by content: no tag can come to mean another image
    assert told["pull_policy"] == "never"
    newer = replace(IMAGE, release_id="2" * 64)
    assert newer.tag != IMAGE.tag and newer.recipe != IMAGE.recipe
    source = Path(__file__).parents[3] / "src/magellan/adapters/compose"
    engine = (source / "engine.py").read_text()
    assert '"--force-recreate"' in engine and '"restart"' not in engine


def test_what_an_image_is_made_of_is_its_label() -> None:
    for changed in (
        {"base_image": "python@sha256:" + "f" * 64},
        {"engine": "f" * 32},
        {"installs": False},
        {"has_wheels": True},
    ):
        other = replace(IMAGE, **changed)  # type: ignore[arg-type]
        assert other.recipe != IMAGE.recipe
        assert f'{RECIPE_LABEL}="{other.recipe}"' in other.dockerfile
    assert f"FROM {BASE}\n" in IMAGE.dockerfile
    assert "--require-hashes" in IMAGE.dockerfile


@pytest.mark.parametrize(
    "base", ["python:3.11-slim", "python", "python@sha256:short", "python:latest@sha256:" + "A" * 64]
)
def test_a_base_image_that_a_tag_names_is_refused(base: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Target).validate_python({"kind": "compose", "base_image": base})


def test_a_dollar_sign_stays_one() -> None:
    told = document(service(environment={"TZ": "$HOME", "LANG": "C"}))
    assert told["environment"]["TZ"] == "$$HOME"


Spoil = Callable[[InstanceReport, Heartbeat], tuple[InstanceReport | None, Heartbeat | None, float, float]]
SPOILT: dict[str, Spoil] = {
    "it has said nothing": lambda said, beat: (None, beat, 0, 0),
    "it is failed": lambda said, beat: (replace(said, condition=Condition.FAILED, why="no keys"), beat, 0, 0),
    "it is stopped": lambda said, beat: (replace(said, condition=Condition.STOPPED), beat, 0, 0),
    "it is loading": lambda said, beat: (replace(said, condition=Condition.LOADING), beat, 0, 0),
    "it runs the release 2222": lambda said, beat: (replace(said, release_id="2" * 64), beat, 0, 0),
    "its newest word is 16 s old": lambda said, beat: (said, beat, 16, 0),
    "it trades, and its session has no": lambda said, beat: (said, None, 0, 0),
    "it trades, and the newest heartbeat": lambda said, beat: (said, beat, 0, 16),
    "it trades, and the session is one of": lambda said, beat: (said, replace(beat, release_id=None), 0, 0),
}


@pytest.mark.parametrize("problem", SPOILT)
def test_incident_31_a_health_check_fails_for_each_thing_that_it_looks_at(problem: str) -> None:
    well = instance_problem(INSTANCE, (REPORT, NOW), (BEAT, NOW), NOW)
    assert well == ""
    said, beat, report_age_s, beat_age_s = SPOILT[problem](REPORT, BEAT)
    found = instance_problem(
        INSTANCE,
        None if said is None else (said, NOW - timedelta(seconds=report_age_s)),
        None if beat is None else (beat, NOW - timedelta(seconds=beat_age_s)),
        NOW,
    )
    assert found.startswith(problem)


def test_an_instance_that_stands_by_needs_no_session_to_be_well() -> None:
    ready = replace(REPORT, condition=Condition.READY)
    assert instance_problem(INSTANCE, (ready, NOW), None, NOW) == ""


def test_incident_31_the_very_command_of_the_compose_file_fails_when_the_instance_does(
    tmp_path: Path,
) -> None:
    (tmp_path / "magellan.toml").write_text("")
    files = HostFolder(tmp_path / ".magellan/host")
    folder = files.instance_folder(INSTANCE.key)
    folder.mkdir(parents=True)
    (folder / "instance.json").write_bytes(INSTANCE.written())
    check = document(service(tmp_path))["healthcheck"]["test"]
    assert check[:2] == ["CMD", "python"]

    def code() -> int:
        ran = subprocess.run(
            [sys.executable, *check[2:]], env=dict(os.environ), capture_output=True, timeout=60, check=False
        )
        return ran.returncode

    assert code() == 1  # it has said nothing yet
    files.write_report(INSTANCE.key, REPORT)
    HeartbeatFile(tmp_path / ".magellan/heartbeats" / f"{INSTANCE.ledger_account}.json").beat(BEAT)
    assert code() == 0
    files.write_report(INSTANCE.key, replace(REPORT, condition=Condition.FAILED, why="no keys"))
    assert code() == 1
