"""What a campaign stands on: a host of one kind, a workspace that deploys to it, and two releases.

The instances are those of tests/lab/hosts: they take the account's ledger and beat, without a market. Everything
between the plan and the process is the product's own.
"""

from __future__ import annotations

import os
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from contracts.ssh_server import ssh_server, ssh_target
from lab.hosts.quick_release import quick_release
from magellan.adapters.ssh.host import SshHost
from magellan.deploy.host import Host
from magellan.plan.actor import Actor
from magellan.release.artifact import Artifact, packed
from magellan.usecases.prepare_deploy import DeploySources
from magellan.wiring.hosts import kept_host, supervisor
from magellan.wiring.records import change_log, plan_journals
from magellan.wiring.releases import release_store, source_folders
from magellan.workspace.host_settings import host_settings, host_settings_digest
from magellan.workspace.workspace import Stage, Workspace, WorkspaceSettings
from release.conftest import Bench

ROOT = Path(__file__).parents[2]
NAME = "local"
# The account of a stage: its name in magellan.toml, and in the ledger.
ACCOUNT_OF = {Stage.TEST: ("staging", "alpaca-local-PA1"), Stage.PROD: ("real", "alpaca-local-PA2")}
ACCOUNTS = "".join(
    f'[accounts.{name}]\nkind = "local"\nnumber = "{number}"\naddress = "http://127.0.0.1:8970"\n'
    for name, number in (("staging", "PA1"), ("real", "PA2"))
)
_CONTROLLER = """
[stages.test]
account = "staging"
watch_s = 0
[stages.prod]
account = "real"
watch_s = 0
[deploy]
ready_within_s = 60
hand_over_within_s = 40
healthy_within_s = 40
"""


def now() -> datetime:
    """As plans ask for it."""
    return datetime.now(UTC)


@dataclass
class Told:
    """Keeps `ports.notifier.Notifier`, and remembers."""

    severities: list[str] = field(default_factory=list)

    def tell(self, severity: str, text: str, at: datetime) -> None:
        self.severities.append(severity)


@dataclass(kw_only=True)
class Ground:
    """One host of a kind. `host` is the way that is tried; `truth` is the same machine, looked at from beside it."""

    workspace: Workspace
    host: Host
    truth: Host
    releases: dict[Stage, tuple[Artifact, Artifact]]  # of each stage its own: a host keeps a release once
    broken: Mapping[str, Artifact]  # `exits` at its start, `mute` never says that it is ready; in no store
    sources: DeploySources
    told: Told
    end_keeper: Callable[[], None]
    heal: Callable[[], None]  # everything runs that was told to run


def ground_of(
    workspace: Workspace,
    reached: Host,
    truth: Host,
    bench: Bench,
    *,
    end_keeper: Callable[[], None],
    heal: Callable[[], None],
) -> Ground:
    """With two releases for each stage: of one strategy, whose file differs by a blank line."""
    releases = {
        stage: (quick_release(bench, f"{of}.0.0", b"well"), quick_release(bench, f"{of}.1.0", b"well\n"))
        for of, stage in ((1, Stage.TEST), (3, Stage.PROD))
    }
    store = release_store(workspace)
    for each in (*releases[Stage.TEST], *releases[Stage.PROD]):
        store.put("moods", each.manifest.release_id, packed(each), at=now())
    text = (workspace.root / "magellan.toml").read_text() + _CONTROLLER
    told = Told()
    sources = DeploySources(
        settings=WorkspaceSettings.model_validate(tomllib.loads(text)),
        store=store,
        host=lambda name: reached,
        journals=plan_journals(workspace),
        changes=change_log(workspace),
        sources=source_folders(workspace),
        consent=lambda asked, opened: (),
        notifier=told,
        actor=Actor(person="ada", host="desk", pid=os.getpid()),
        clock=now,
    )
    return Ground(
        workspace=workspace,
        host=reached,
        truth=truth,
        releases=releases,
        broken={
            how: quick_release(bench, f"1.{number}.0", how.encode())
            for number, how in ((2, "exits"), (3, "mute"))
        },
        sources=sources,
        told=told,
        end_keeper=end_keeper,
        heal=heal,
    )


def trusting(bench: Bench) -> str:
    """What a host's magellan.toml says."""
    return f'{ACCOUNTS}[releases.trusted_keys]\nada = "{bench.key.public_key}"\n'


@contextmanager
def supervised(root: Path) -> Iterator[tuple[Workspace, Host]]:
    """This machine with a supervisord of the workspace's own, which ends with the block."""
    workspace = Workspace.at(root)
    try:
        # Whatever magellan.toml calls a target of that name: this machine itself.
        yield (
            workspace,
            kept_host(workspace, NAME, os.environ, with_systemd=False, python=None, wheelhouse=None),
        )
    finally:
        supervisor(workspace).shut_down()


@contextmanager
def local() -> Iterator[Ground]:
    """The target `local`."""
    bench = Bench()
    with tempfile.TemporaryDirectory(prefix="magellan-faults-") as folder:
        (Path(folder) / "magellan.toml").write_text(host_settings(trusting(bench)))
        with supervised(Path(folder)) as (workspace, here):
            keeper = supervisor(workspace)
            yield ground_of(workspace, here, here, bench, end_keeper=keeper.shut_down, heal=keeper.start_all)


@contextmanager
def ssh() -> Iterator[Ground]:
    """The same over a real SSH connection on loopback, with `magellan host serve` at its end."""
    bench = Bench()
    text = host_settings(trusting(bench))
    with tempfile.TemporaryDirectory(prefix="magellan-faults-") as folder, ssh_server(Path(folder)) as door:
        root = Path(folder) / "ws"
        root.mkdir()
        (root / "magellan.toml").write_text(text)
        with supervised(root) as (workspace, here):
            keeper = supervisor(workspace)
            there = SshHost(NAME, ssh_target(door, root), settings=host_settings_digest(text))
            yield ground_of(workspace, there, here, bench, end_keeper=keeper.shut_down, heal=keeper.start_all)
