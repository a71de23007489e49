"""Deployments: each instance once, by the target that keeps it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from magellan.deploy.arming import Armed
from magellan.deploy.health import SessionLook
from magellan.deploy.host import Host, Installed
from magellan.deploy.instance import Instance, InstanceLook, Process
from magellan.usecases.deployments import Deployment, deployments
from magellan.workspace.workspace import Workspace

BOXES = '[targets.boxes]\nkind = "compose"\nbase_image = "python@sha256:' + "0" * 64 + '"\n'
INSTANCE = Instance(
    strategy="moods", stage="test", account="paper", ledger_account="alpaca-paper-PA1", release_id="a" * 64
)


@dataclass(frozen=True, kw_only=True)
class OneFolder:
    """A target of this machine: it finds every instance of the folder, and keeps it or not."""

    name: str
    process: Process

    async def instances(self) -> tuple[Instance, ...]:
        return (INSTANCE,)

    async def look(self, key: str) -> InstanceLook:
        return InstanceLook(process=self.process)

    async def armed(self, ledger_account: str) -> Armed:
        return Armed(instance=None, release_id=None, epoch=0, by="", at=None)

    async def installed(self, release_id: str) -> Installed:
        return Installed(is_there=True)

    async def session(self, ledger_account: str) -> SessionLook | None:
        return None


def shown(folder: Path, stages: str, processes: dict[str, Process]) -> list[str]:
    (folder / "magellan.toml").write_text(f"{BOXES}{stages}")
    found = asyncio.run(
        deployments(
            Workspace.at(folder).settings,
            lambda name: cast(Host, OneFolder(name=name, process=processes[name])),
        )
    )
    return [each.host for each in found if isinstance(each, Deployment)]


@pytest.mark.parametrize("of_container", [Process.RUNNING, Process.ENDED])
def test_a_container_is_not_told_again_as_an_instance_of_local_that_has_ended(
    tmp_path: Path, of_container: Process
) -> None:
    stages = '[stages.test]\ntargets = ["boxes"]\n'  # the other stages are local's
    assert shown(tmp_path, stages, {"boxes": of_container, "local": Process.ENDED}) == ["boxes"]
    assert shown(tmp_path, stages, {"boxes": of_container, "local": Process.ABSENT}) == ["boxes"]


def test_what_still_runs_on_the_target_that_its_stage_had_before_is_told(tmp_path: Path) -> None:
    stages = '[stages.test]\ntargets = ["boxes"]\n'
    found = shown(tmp_path, stages, {"boxes": Process.ABSENT, "local": Process.RUNNING})
    assert "local" in found


def test_an_instance_that_has_ended_is_told_where_its_stage_has_left_this_machine(tmp_path: Path) -> None:
    stages = (
        '[targets.tokyo]\nkind = "aws"\nregion = "us-east-2"\naccount = "123456789012"\n'
        'instance = "i-0123456789abcdef0"\nbucket = "s3://our-calls/live"\nfolder = "/srv/magellan"\n'
        'python = "/srv/magellan/venv/bin/python"\n[stages.test]\ntargets = ["tokyo"]\n'
    )
    assert "local" in shown(tmp_path, stages, {"tokyo": Process.ABSENT, "local": Process.ENDED})
