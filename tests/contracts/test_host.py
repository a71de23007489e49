"""Any host: releases whole or not at all, instances that a keeper runs, one who may trade, whoever asks from where."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from contracts.ssh_server import Door, ssh_server, ssh_target
from magellan.adapters.local.release_inputs import ThisInstallation
from magellan.adapters.ssh.host import SshHost
from magellan.deploy.host import Host
from magellan.deploy.instance import Condition, Instance, InstanceLook, Process
from magellan.errors import AskOperator, FixInput, TryAgain
from magellan.release.artifact import Artifact, packed
from magellan.release.manifest import LOCK
from magellan.wiring.hosts import host, host_folder, supervisor
from magellan.wiring.sessions import host_lease
from magellan.workspace.host_settings import host_settings, host_settings_digest
from magellan.workspace.workspace import Workspace
from release.conftest import Bench

ACCOUNT = "alpaca-local-PA1"
WITHIN_S = 30.0

# What a release's engine is here: it says who it is, and stands by until it is told to end.
PROGRAM = b"""
import datetime, json, os, signal, sys
from pathlib import Path
key, workspace = sys.argv[2], Path(sys.argv[4])
folder = workspace / ".magellan" / "host" / "instances" / key
told = json.loads((folder / "instance.json").read_text())
report = {
    "condition": "ready", "why": "", "at": datetime.datetime.now(datetime.UTC).isoformat(), "pid": os.getpid(),
    "release_id": told["release_id"], "code_sha256": "c" * 64, "config_sha256": "0" * 64, "engine_version": "0.1.0",
    "engine_path": __file__, "broker_answered_at": None,
}
print("standing by in the stage", os.environ["ENVIRONMENT"])
print("and now", end="", flush=True)
(folder / "report.json").write_text(json.dumps(report))
signal.sigwait({signal.SIGTERM})
"""


@dataclass
class Kept:
    """A host under test, its files, and the workspace behind it."""

    host: Host
    workspace: Workspace
    bench: Bench

    def release(self, **files: bytes) -> Artifact:
        return self.bench.release(
            files={"engine/magellan/__main__.py": PROGRAM, LOCK: b"", **files}, strategy="moods"
        )

    def instance(self, artifact: Artifact) -> Instance:
        return Instance(
            strategy="moods",
            stage="test",
            account="staging",
            ledger_account=ACCOUNT,
            release_id=artifact.release_id,
        )

    async def installed(self, **files: bytes) -> Artifact:
        artifact = self.release(**files)
        await self.host.install(artifact.release_id, packed(artifact))
        return artifact

    async def looked(self, key: str, wanted: Callable[[InstanceLook], bool]) -> InstanceLook:
        until_s = time.monotonic() + WITHIN_S
        while not wanted(look := await self.host.look(key)):
            assert time.monotonic() < until_s, look
            await asyncio.sleep(0.02)
        return look


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with ssh_server(tmp_path_factory.mktemp("ssh")) as open_door:
        yield open_door


@pytest.fixture(scope="module", params=["this machine", "over SSH"])
def one_host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    bench = Bench()
    text = (
        '[accounts.staging]\nkind = "local"\nnumber = "PA1"\naddress = "http://127.0.0.1:8970"\n'
        f'[releases.trusted_keys]\nada = "{bench.key.public_key}"\n'
    )
    root = tmp_path_factory.mktemp("ws")
    (root / "magellan.toml").write_text(host_settings(text))
    workspace = Workspace.at(root)
    if request.param == "this machine":
        yield Kept(host(workspace, "local", os.environ), workspace, bench)
    else:
        door: Door = request.getfixturevalue("door")
        reached = ssh_host(door, root, settings=host_settings_digest(host_settings(text)))
        yield Kept(reached, workspace, bench)
        asyncio.run(reached.close())
    supervisor(workspace).shut_down()


@pytest.fixture
def kept(one_host: Kept) -> Iterator[Kept]:
    """A host on which nothing was ever done."""
    yield one_host

    async def clear() -> None:
        for instance in await one_host.host.instances():
            await one_host.host.stop(instance.key)

    asyncio.run(clear())
    for name in ("armed", "installed", "engines", "instances"):
        shutil.rmtree(host_folder(one_host.workspace).folder / name, ignore_errors=True)


def ssh_host(door: Door, root: Path, *, settings: str = "", **of: object) -> SshHost:
    return SshHost("there", ssh_target(door, root, **of), settings=settings)


def test_a_lease_holds_while_it_is_renewed_and_is_gone_once_it_is_ended(kept: Kept) -> None:
    seen = host_lease(kept.workspace)
    assert seen.lapsed() == ""

    async def keep_and_end() -> None:
        await kept.host.renew_lease(60.0, by="ada")
        assert seen.lapsed() == "", "it saw the lease appear"
        begins_under_it = host_lease(kept.workspace)
        assert begins_under_it.lapsed() == "ada has not renewed it since this session began"
        await kept.host.renew_lease(60.0, by="ada")
        assert seen.lapsed() == begins_under_it.lapsed() == ""
        with pytest.raises(FixInput):
            await kept.host.renew_lease(100_000.0, by="ada")
        await kept.host.end_lease()
        await kept.host.end_lease()

    asyncio.run(keep_and_end())
    assert seen.lapsed() == "" and seen.newest() is None


# It is at work for longer than supervisord takes for a start, and ends without a word.
SHORT_LIVED = b"import sys, time\ntime.sleep(1.2)\nsys.exit(3)\n"


def test_a_process_that_ends_again_and_again_is_never_taken_for_one_that_still_loads(kept: Kept) -> None:
    async def look() -> None:
        artifact = await kept.installed(**{"engine/magellan/__main__.py": SHORT_LIVED})
        instance = kept.instance(artifact)
        await kept.host.start(instance)
        await kept.looked(instance.key, lambda look: look.restarts or look.process is Process.ENDED)
        later = await kept.host.look(instance.key)
        assert later.restarts or later.process is Process.ENDED, "and is not forgotten by the next look"
        await kept.host.stop(instance.key)

    asyncio.run(look())


def test_it_tells_what_a_release_would_need(kept: Kept) -> None:
    async def look() -> None:
        facts = await kept.host.facts(ThisInstallation().lock())
        assert facts.free_bytes > 0
        assert facts.lacks == ()
        assert facts.clock_ahead_s is None or abs(facts.clock_ahead_s) < 1  # one machine, one clock
        lacking = await kept.host.facts(b"nothing-that-is-published==1.0\n")
        assert "nothing-that-is-published is not installed" in lacking.lacks[0]

    asyncio.run(look())


def test_a_release_is_installed_whole_and_what_is_edited_there_is_named(kept: Kept) -> None:
    async def look() -> None:
        artifact = kept.release()
        assert not (await kept.host.installed(artifact.release_id)).is_there
        await kept.host.install(artifact.release_id, packed(artifact))
        assert (await kept.host.installed(artifact.release_id)).is_whole
        place = (
            host_folder(kept.workspace).folder
            / "installed"
            / artifact.release_id
            / "strategy"
            / "strategy.py"
        )
        place.chmod(0o644)
        place.write_bytes(b"FAST = 11\n")
        assert (await kept.host.installed(artifact.release_id)).drift == ("strategy/strategy.py was edited",)
        await kept.host.remove(artifact.release_id)
        await kept.host.remove(artifact.release_id)
        assert not (await kept.host.installed(artifact.release_id)).is_there

    asyncio.run(look())


def test_a_release_that_is_cut_short_or_signed_by_a_stranger_is_refused(kept: Kept) -> None:
    async def look() -> None:
        artifact = kept.release()
        with pytest.raises(AskOperator):
            await kept.host.install(artifact.release_id, packed(artifact)[:-700])
        foreign = Bench().release(strategy="moods")
        with pytest.raises(AskOperator, match="does not trust"):
            await kept.host.install(foreign.release_id, packed(foreign))
        assert not (await kept.host.installed(foreign.release_id)).is_there

    asyncio.run(look())


def test_an_instance_stands_by_until_it_is_stopped_and_is_forgotten_then(kept: Kept) -> None:
    async def look() -> None:
        artifact = await kept.installed()
        instance = kept.instance(artifact)
        assert (await kept.host.look(instance.key)).process is Process.ABSENT
        await kept.host.start(instance)
        found = await kept.looked(instance.key, lambda look: look.condition is Condition.READY)
        assert found.process is Process.RUNNING
        assert found.report is not None and found.report.release_id == artifact.release_id
        found = await kept.looked(instance.key, lambda look: bool(look.last_words))
        assert found.last_words == ("standing by in the stage test",)
        await kept.host.start(instance)
        again = await kept.host.look(instance.key)
        assert again.report is not None and again.report.pid == found.report.pid
        assert await kept.host.instances() == (instance,)
        report = host_folder(kept.workspace).instance_folder(instance.key) / "report.json"
        report.write_bytes(report.read_bytes()[:40])  # torn: it is silent, and no roll-out is halted by that
        silent = await kept.host.look(instance.key)
        assert (silent.process, silent.report) == (Process.RUNNING, None)
        await kept.host.stop(instance.key)
        await kept.host.stop(instance.key)
        assert (await kept.host.look(instance.key)).process is Process.ABSENT
        assert await kept.host.instances() == ()

    asyncio.run(look())


def test_one_instance_may_trade_and_who_saw_an_older_state_is_refused(kept: Kept) -> None:
    async def look() -> None:
        nobody = await kept.host.armed(ACCOUNT)
        assert (nobody.instance, nobody.epoch) == (None, 0)
        armed = await kept.host.arm(ACCOUNT, "test-moods-1", "1" * 64, epoch=0, by="ada")
        assert await kept.host.armed(ACCOUNT) == armed
        with pytest.raises(AskOperator, match="ada has armed test-moods-1"):
            await kept.host.arm(ACCOUNT, "test-moods-2", "2" * 64, epoch=0, by="bob")
        assert (await kept.host.arm(ACCOUNT, None, None, epoch=1, by="ada")).epoch == 2

    asyncio.run(look())


def test_an_account_that_was_never_traded_has_no_session(kept: Kept) -> None:
    found = asyncio.run(kept.host.session(ACCOUNT))
    assert (found.session_id, found.halted, found.positions) == (None, "", ())


def test_many_may_ask_at_the_same_time(kept: Kept) -> None:
    async def ask() -> None:
        found = await asyncio.gather(*(kept.host.armed(f"account-{number}") for number in range(20)))
        assert {each.epoch for each in found} == {0}

    asyncio.run(ask())


def test_a_lost_connection_says_try_again_and_the_next_call_makes_another(door: Door, tmp_path: Path) -> None:
    (tmp_path / "magellan.toml").write_text("format = 1\n")
    reached = ssh_host(door, tmp_path)

    async def ask() -> None:
        assert (await reached.armed(ACCOUNT)).epoch == 0
        door.server.answer(False)
        asked = asyncio.ensure_future(reached.armed(ACCOUNT))
        assert await asyncio.to_thread(door.server.keeps_back.wait, WITHIN_S), "it was asked"
        await asyncio.to_thread(door.server.cut)
        with pytest.raises(TryAgain, match="connection to there was lost"):
            await asked
        door.server.answer(True)
        assert (await reached.armed(ACCOUNT)).epoch == 0
        await reached.close()

    asyncio.run(ask())


def test_a_host_with_another_key_is_told_nothing(door: Door, tmp_path: Path) -> None:
    stranger = tmp_path / "known_hosts"
    other = door.key.with_name("authorized_keys").read_text().strip()
    stranger.write_text(f"[127.0.0.1]:{door.port} {other}\n")
    reached = ssh_host(door, tmp_path, known_hosts=str(stranger))
    with pytest.raises(AskOperator, match="does not show the key"):
        asyncio.run(reached.armed(ACCOUNT))


def test_a_host_with_other_settings_is_not_deployed_to(door: Door, tmp_path: Path) -> None:
    (tmp_path / "magellan.toml").write_text("format = 1\n")
    reached = ssh_host(door, tmp_path, settings="of the workspace")

    async def ask() -> None:
        facts = await reached.facts(b"")
        await reached.close()
        assert ["`magellan host prepare there`" in each for each in facts.lacks] == [True]

    asyncio.run(ask())
