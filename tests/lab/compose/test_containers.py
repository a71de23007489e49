"""Instances as real containers: by the Docker engine in a network of its own, and by Podman.

Needs root, and dockerd and ip, or podman and runc. No image is fetched, and nothing of them is left.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from lab.compose import own_engine as docker
from lab.compose import own_podman as podman
from lab.compose.base_image import base_image
from magellan.adapters.compose.engine import ContainerEngine
from magellan.adapters.compose.keeper import ComposeKeeper, ComposeTerms, ImageEnvironments
from magellan.adapters.compose.service import Confines
from magellan.adapters.local.host import HostFolder, LocalHost
from magellan.adapters.local.installed_releases import InstalledReleases
from magellan.deploy.health import SessionLook
from magellan.deploy.instance import Condition, Instance, Process
from magellan.errors import AskOperator
from magellan.release.artifact import Artifact, packed
from release.conftest import Bench

ENGINE = (Path(__file__).parent / "tiny_engine.py").read_bytes()
CANARY = "canary-of-the-env-file"
UP_WITHIN_S = 120.0

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a network of its own needs root")


@dataclass(frozen=True, kw_only=True)
class Engine:
    """One that reaches nothing and leaves nothing."""

    program: str
    environment: dict[str, str]  # what its client needs to find it


@pytest.fixture(scope="module", params=["docker", "podman"])
def running(request: pytest.FixtureRequest) -> Iterator[Engine]:
    lacks = docker.LACKS if request.param == "docker" else podman.LACKS
    if lacks:
        pytest.skip(f"not installed: {', '.join(lacks)}")
    if request.param == "podman":
        with podman.own_podman() as environment:
            yield Engine(program="podman", environment=environment)
        return
    with docker.own_engine() as engine:
        if not engine.begin():
            pytest.skip(f"dockerd does not start here: {engine.last_words()}")
        yield Engine(program="docker", environment=engine.environment)


@dataclass(kw_only=True)
class Desk:
    """A workspace whose instances are containers."""

    bench: Bench
    root: Path
    files: HostFolder
    engine: ContainerEngine
    keeper: ComposeKeeper
    host: LocalHost
    running: Engine

    def installed(self, behaviour: str) -> Instance:
        """A release that behaves so, installed."""
        artifact: Artifact = self.bench.release(
            files={
                "strategy/strategy.py": behaviour.encode(),
                "engine/magellan/__init__.py": b"",
                "engine/magellan/__main__.py": ENGINE,
            }
        )
        asyncio.run(self.host.install(artifact.release_id, packed(artifact)))
        return Instance(
            strategy="moods",
            stage="test",
            account="paper",
            ledger_account="alpaca-paper-PA1",
            release_id=artifact.release_id,
        )

    def started(self, instance: Instance) -> None:
        asyncio.run(self.host.start(instance))

    def look(self, instance: Instance) -> Any:
        return asyncio.run(self.host.look(instance.key))

    def is_ready(self, instance: Instance) -> bool:
        look = self.look(instance)
        return look.process is Process.RUNNING and look.condition is Condition.READY

    def told(self, *words: str) -> str:
        """By the engine's own command."""
        done = subprocess.run(
            [self.running.program, *words], env=self.running.environment, capture_output=True, text=True
        )
        return done.stdout + done.stderr

    def base(self) -> str:
        return base_of(self.running)


def base_of(running: Engine) -> str:
    with mock.patch.dict(os.environ, running.environment):
        return base_image([running.program], with_packages=False)


@pytest.fixture
def desk(running: Engine, tmp_path: Path) -> Iterator[Desk]:
    base = base_of(running)
    bench = Bench()
    (tmp_path / "magellan.toml").write_text("")
    (tmp_path / ".env").write_text(f"ALPACA_API_SECRET={CANARY}\n")
    files = HostFolder(tmp_path / ".magellan/host")
    releases = InstalledReleases(files.folder, trusted_keys={"ada": bench.key.public_key})
    engine = ContainerEngine(running.program, running.environment)
    keeper = ComposeKeeper(
        workspace=tmp_path,
        files=files,
        releases=releases,
        engine=engine,
        terms=ComposeTerms(
            base_image=base,
            wheels=None,
            installs=False,
            starts_within_s=5.0,
            confines=Confines(memory_mb=128, cpus=1.0, processes=64, log_mb=1, logs_kept=2, network="none"),
        ),
    )

    def no_session(account: str) -> SessionLook:
        raise AskOperator(f"nobody asks for the session of {account}")

    host = LocalHost(
        "boxes",
        workspace=tmp_path,
        files=files,
        releases=releases,
        environments=ImageEnvironments(),
        keeper=keeper,
        session=no_session,
        environment={"PATH": os.environ["PATH"], "HOME": "/root", "TZ": "UTC"},
    )
    made = Desk(
        bench=bench,
        root=tmp_path,
        files=files,
        engine=engine,
        keeper=keeper,
        host=host,
        running=running,
    )
    yield made
    for key in files.instance_keys():
        asyncio.run(host.stop(key))


def reached(is_so: Callable[[], bool]) -> bool:
    """Whether it comes to be so while we look."""
    until_s = time.monotonic() + UP_WITHIN_S
    while not is_so():
        if time.monotonic() > until_s:
            return False
        time.sleep(0.05)
    return True


def test_incident_42_each_release_runs_in_its_own_image_and_the_way_back_is_the_image_before(
    desk: Desk,
) -> None:
    first, second = desk.installed("first"), desk.installed("second")
    images = []
    for instance in (first, second, first):
        desk.started(instance)
        assert reached(lambda instance=instance: desk.is_ready(instance))
        look = desk.look(instance)
        assert look.report.release_id == instance.release_id  # by its own word, from inside the image
        container = desk.engine.container(instance.key)
        assert container is not None
        images.append(container.image_id)
        told = desk.told("inspect", "--format", "{{json .Config.Env}}", container.id)
        engine = InstalledReleases(desk.files.folder, trusted_keys={}).engine_folder(instance.release_id)
        assert f"PYTHONPATH=/opt/magellan/engines/{engine.name}" in told
        assert desk.told("exec", container.id, *health_of(desk, instance)) == ""
        asyncio.run(desk.host.stop(instance.key))
        assert desk.look(instance).process is Process.ABSENT
        assert desk.engine.container(instance.key) is None
    assert images[0] == images[2] != images[1]


def health_of(desk: Desk, instance: Instance) -> list[str]:
    """The health check, as the compose file has it."""
    file = desk.files.folder / "compose" / instance.key / "compose.yaml"
    check: list[str] = json.loads(file.read_text())["services"]["instance"]["healthcheck"]["test"]
    return check[1:]


def test_an_instance_that_runs_is_left_alone_and_one_of_another_image_is_made_anew(desk: Desk) -> None:
    instance = desk.installed("first")
    desk.started(instance)
    assert reached(lambda: desk.is_ready(instance))
    before = desk.engine.container(instance.key)
    desk.started(instance)
    after = desk.engine.container(instance.key)
    assert before is not None and after is not None and (before.id, before.pid) == (after.id, after.pid)
    file = desk.files.folder / "compose" / instance.key / "compose.yaml"
    file.write_text(file.read_text().replace('"TZ": "UTC"', '"TZ": "Europe/Berlin"'))  # somebody edits it
    desk.started(instance)
    anew = desk.engine.container(instance.key)
    assert anew is not None and anew.id != before.id
    assert "TZ=UTC" in desk.told("inspect", "--format", "{{json .Config.Env}}", anew.id)


def test_a_killed_instance_is_started_again_and_its_old_report_is_not_believed(desk: Desk) -> None:
    instance = desk.installed("first")
    desk.started(instance)
    assert reached(lambda: desk.is_ready(instance))
    pid = desk.look(instance).report.pid
    os.kill(pid, 9)

    def another_runs() -> bool:
        report = desk.look(instance).report
        return report is not None and report.pid != pid

    assert reached(another_runs)


def test_after_a_restart_of_the_machine_every_instance_is_started_again(desk: Desk) -> None:
    instance = desk.installed("first")
    desk.started(instance)
    assert reached(lambda: desk.is_ready(instance))
    keys = desk.files.instance_keys()
    desk.keeper.stop_all(keys)
    assert desk.look(instance).process is Process.ENDED
    image = desk.engine.container(instance.key)
    desk.keeper.start_all(keys)
    assert reached(lambda: desk.is_ready(instance))
    again = desk.engine.container(instance.key)
    assert image is not None and again is not None and again.image_id == image.image_id


def test_a_release_that_ends_at_once_stays_down_and_its_last_words_are_there(desk: Desk) -> None:
    instance = desk.installed("ends")
    desk.started(instance)
    assert reached(lambda: desk.look(instance).process is Process.ENDED)
    look = desk.look(instance)
    assert look.report is None
    assert look.last_words[-1] == "there is no tide today"


def test_no_secret_of_the_workspace_is_in_the_image_the_files_or_the_environment(desk: Desk) -> None:
    instance = desk.installed("first")
    desk.started(instance)
    container = desk.engine.container(instance.key)
    assert container is not None
    saved = subprocess.run(
        [desk.running.program, "save", container.image_id],
        env=desk.running.environment,
        capture_output=True,
        check=True,
    )
    assert CANARY.encode() not in saved.stdout
    assert b"tide" in saved.stdout  # the engine is: what is looked for would be seen
    assert CANARY not in desk.told("inspect", container.id)
    for file in (desk.files.folder / "compose" / instance.key).iterdir():
        assert CANARY not in file.read_text()


def test_an_image_that_somebody_else_gave_the_releases_name_is_not_taken_for_it(desk: Desk) -> None:
    instance = desk.installed("first")
    other = desk.base()
    desk.told("tag", other, f"magellan/moods:{instance.release_id}")
    desk.started(instance)
    container = desk.engine.container(instance.key)
    assert container is not None and container.image_id != other
    assert reached(lambda: desk.is_ready(instance))
