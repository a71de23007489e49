"""A roll-out over two regions of AWS, end to end: S3, Systems Manager that runs what it is sent, and real processes.

Each call is one process on the machine that it is for. Docs: docs/guides/targets-compose-aws.md, "Several regions".
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from amazon.cloud import Place, cloud, target_settings
from amazon.warm_python import warm_python
from lab.hosts.quick_release import quick_release
from magellan.adapters.local.change_log_files import ChangeLogFiles
from magellan.adapters.local.journal_files import JournalFiles
from magellan.adapters.local.release_folder import ReleaseFolder
from magellan.adapters.local.source_folders import SourceFolders
from magellan.audit.change import Change, Result
from magellan.deploy.host import Host
from magellan.deploy.instance import Condition
from magellan.ledger.chain import Sound
from magellan.plan.actor import Actor
from magellan.plan.carry_out import Finished, Halted, Outcome, TakenBack
from magellan.release.artifact import Artifact, packed
from magellan.usecases.deploy import begin_deploy, go_on
from magellan.usecases.deploy_history import release_now
from magellan.usecases.prepare_deploy import DeployAsked, DeploySources, prepare_deploy
from magellan.wiring.hosts import kept_host, supervisor
from magellan.workspace.workspace import Stage, Workspace
from release.conftest import Bench

REGIONS = {"ohio": ("us-east-2", "i-0123456789abcdef0"), "oregon": ("us-west-2", "i-0fedcba9876543210")}
ACCOUNT = "alpaca-local-PA1"
ACCOUNTS = '[accounts.staging]\nkind = "local"\nnumber = "PA1"\naddress = "http://127.0.0.1:8970"\n'
STAGE = """
[stages.test]
account = "staging"
targets = ["ohio", "oregon"]
watch_s = 1
[deploy]
ready_within_s = 120
hand_over_within_s = 120
healthy_within_s = 120
"""


@dataclass
class AfterArming:
    """A host on which something happens as soon as it was armed for a release."""

    real: Host
    happens: dict[str, Callable[[], object]] = field(default_factory=dict)  # by release

    def __getattr__(self, verb: str) -> Any:
        return getattr(self.real, verb)

    async def arm(self, *given: Any, **named: Any) -> Any:
        armed = await self.real.arm(*given, **named)
        if armed.release_id in self.happens:
            self.happens.pop(armed.release_id)()
        return armed


@dataclass(kw_only=True)
class Desk:
    """Who deploys, two machines in two regions, and three releases of which the first trades on both."""

    root: Path
    places: dict[str, Place]
    hosts: dict[str, AfterArming]
    releases: tuple[Artifact, Artifact, Artifact]
    sources: DeploySources
    told: list[tuple[str, str]] = field(default_factory=list)

    def tell(self, severity: str, text: str, at: datetime) -> None:
        self.told.append((severity, text))

    def deploy(self, release: Artifact) -> Outcome:
        async def both() -> Outcome:
            asked = DeployAsked(
                strategy="moods", stage=Stage.TEST, release=release.release_id[:12], why="a better exit"
            )
            return await begin_deploy(await prepare_deploy(asked, self.sources), self.sources)

        return asyncio.run(both())

    def undo(self) -> Outcome:
        return asyncio.run(go_on("moods", Stage.TEST, self.sources, undo=True, why="the region is back"))

    def trades(self) -> dict[str, str]:
        """By region: the release that is armed there and trades, by the machine's own word."""

        async def seen(name: str) -> str:
            host = self.places[name].host
            armed = await host.armed(ACCOUNT)
            assert armed.instance is not None and armed.release_id is not None
            look = await host.look(armed.instance)
            assert look.condition is Condition.TRADING
            return armed.release_id

        return {name: asyncio.run(seen(name)) for name in REGIONS}

    def has_traded(self, name: str) -> list[str]:
        """Every release that ever began to trade there, oldest first."""
        return (self.places[name].machine.folder / ".magellan/traded").read_text().split()

    def newest(self) -> Change:
        """What the audit log says last, which is whole."""
        assert isinstance(self.sources.changes.verify(), Sound)
        return list(self.sources.changes.changes(after=0))[-1].change


def _at_hand(workspace: Workspace, name: str) -> Host:
    return kept_host(workspace, name, os.environ, with_systemd=False, python=None, wheelhouse=None)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    bench, root = Bench(), tmp_path_factory.mktemp("regions")
    with (
        pytest.MonkeyPatch.context() as patch,
        warm_python(root) as python,
        cloud(root, bench.key.public_key, patch.setenv) as amazon,
    ):
        text = f'{ACCOUNTS}[releases.trusted_keys]\nada = "{bench.key.public_key}"\n{STAGE}'
        places, hosts = {}, {}
        for name, (region, instance) in REGIONS.items():
            amazon.bucket(f"magellan-calls-{region}", region)
            places[name] = amazon.place(name, region, instance, python=str(python), accounts=ACCOUNTS)
            hosts[name] = AfterArming(places[name].host)
            text += target_settings(name, region, instance, places[name].machine.folder, str(python))
        versions = ("1.0.0", "1.1.0", "1.2.0")
        releases = tuple(quick_release(bench, version, b"well") for version in versions)
        (root / "magellan.toml").write_text(text)
        store = ReleaseFolder(root / "releases")
        for each in releases:
            store.put("moods", each.release_id, packed(each), at=datetime.now(UTC))
        told: list[tuple[str, str]] = []

        class Notifier:
            def tell(self, severity: str, text: str, at: datetime) -> None:
                told.append((severity, text))

        made = Desk(
            root=root,
            places=places,
            hosts=hosts,
            releases=releases,  # type: ignore[arg-type]
            told=told,
            sources=DeploySources(
                settings=Workspace.at(root).settings,
                store=store,
                host=lambda name: hosts[name],  # type: ignore[arg-type,return-value]
                journals=JournalFiles(root / "journals"),
                changes=ChangeLogFiles(root / "audit"),
                sources=SourceFolders(root, kept=root / "replaced"),
                consent=lambda asked, opened: (),
                notifier=Notifier(),
                actor=Actor(person="ada", host="desk", pid=os.getpid()),
                clock=lambda: datetime.now(UTC),
            ),
        )
        try:
            for name, place in places.items():  # from beside it, which takes a tenth of the time
                hosts[name].real = _at_hand(Workspace.at(place.machine.folder), name)
            first = made.deploy(releases[0])
            for name, place in places.items():
                hosts[name].real = place.host
            assert isinstance(first, Finished), first
            yield made
        finally:
            for place in places.values():
                supervisor(Workspace.at(place.machine.folder)).shut_down()


def test_the_second_region_fails_and_both_trade_what_they_traded_before(desk: Desk) -> None:
    old, new, _ = (each.release_id for each in desk.releases)
    assert desk.trades() == {"ohio": old, "oregon": old}
    strategy = (
        desk.places["oregon"].machine.folder / ".magellan/host/installed" / new / "strategy/strategy.py"
    )

    def edited_by_hand() -> None:
        strategy.chmod(0o644)
        strategy.write_text("well  # by hand\n")

    desk.hosts["oregon"].happens[new] = edited_by_hand
    outcome = desk.deploy(desk.releases[1])
    assert isinstance(outcome, TakenBack), outcome
    assert "oregon" in outcome.why and "strategy.py was edited" in outcome.why
    assert desk.trades() == {"ohio": old, "oregon": old}
    assert desk.has_traded("ohio") == [old, new, old], "the first region had the new one, and gave it back"
    newest = desk.newest()
    assert (newest.result, newest.release, newest.by.person) == (Result.TAKEN_BACK, new, "ada")
    assert "ohio" in newest.where and "oregon" in newest.where
    assert "strategy.py was edited" in newest.note
    assert release_now(desk.sources.changes, "moods", Stage.TEST) == old
    assert desk.told[-1][0] == "critical"


def test_a_region_that_goes_away_before_its_turn_is_never_armed_and_the_first_one_goes_back(
    desk: Desk,
) -> None:
    old, _, new = (each.release_id for each in desk.releases)
    before = desk.has_traded("oregon")
    oregon = desk.places["oregon"].machine

    def away() -> None:
        oregon.is_online, oregon.deliver_within_s = False, 0.2

    desk.hosts["ohio"].happens[new] = away
    outcome = desk.deploy(desk.releases[2])
    # What stands by there cannot be ended while nobody reaches it; who trades is settled all the same.
    assert isinstance(outcome, Halted), outcome
    assert desk.newest().result is Result.HALTED
    assert desk.told[-1][0] == "critical"
    oregon.is_online, oregon.deliver_within_s = True, None
    undone = desk.undo()
    assert isinstance(undone, TakenBack), undone
    assert desk.trades() == {"ohio": old, "oregon": old}
    assert desk.has_traded("ohio")[-2:] == [new, old]
    assert desk.has_traded("oregon") == before, "its account never changed hands"
    assert desk.newest().result is Result.TAKEN_BACK
    assert release_now(desk.sources.changes, "moods", Stage.TEST) == old
