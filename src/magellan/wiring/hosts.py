"""Wiring: targets, and what keeps instances running there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from magellan.errors import FixInput
from magellan.workspace.workspace import FILE, LOCAL

if TYPE_CHECKING:
    from magellan.adapters.aws.transfer import Transfer
    from magellan.adapters.compose.keeper import ComposeKeeper
    from magellan.adapters.local.environments import Environments
    from magellan.adapters.local.host import HostFolder, LocalHost
    from magellan.adapters.local.installed_releases import InstalledReleases
    from magellan.adapters.local.supervisord import Supervisord
    from magellan.deploy.call_document import Documents
    from magellan.deploy.health import SessionLook
    from magellan.deploy.host import Host
    from magellan.deploy.preparation import HostRoot
    from magellan.plan.plan import Plan
    from magellan.ports.call_records import CallRecords
    from magellan.ports.process_keeper import ProcessKeeper
    from magellan.usecases.open_release import InstalledRelease
    from magellan.workspace.aws_target import AwsTarget
    from magellan.workspace.compose_target import ComposeTarget
    from magellan.workspace.target import SshTarget
    from magellan.workspace.workspace import Stage, Workspace


def host_folder(workspace: Workspace) -> HostFolder:
    """This machine's part in the deployments of a workspace."""
    from magellan.adapters.local.host import HostFolder

    return HostFolder(workspace.state_folder / "host")


def installed_release(workspace: Workspace, release_id: str) -> InstalledRelease:
    """A release as it lies on this machine. Raises AskOperator when it is not there."""
    from magellan.usecases.open_release import InstalledRelease

    releases = installed_releases(workspace)
    return InstalledRelease(
        manifest=releases.manifest(release_id),
        strategy_folder=releases.strategy_folder(release_id),
        engine_folder=releases.engine_folder(release_id),
        drift=releases.drift(release_id),
    )


def supervisor(workspace: Workspace) -> Supervisord:
    """What keeps the local target's instances running."""
    from magellan.adapters.local.supervisord import Supervisord

    return Supervisord(host_folder(workspace).folder / "supervisor")


def host(workspace: Workspace, name: str, environment: Mapping[str, str]) -> Host:
    """The target of that name. Raises FixInput when magellan.toml has none."""
    from magellan.workspace.aws_target import AwsTarget
    from magellan.workspace.compose_target import ComposeTarget
    from magellan.workspace.host_settings import host_settings, host_settings_digest
    from magellan.workspace.settings_digest import settings_digest
    from magellan.workspace.target import SshTarget

    target = workspace.settings.targets.get(name)
    if isinstance(target, SshTarget):
        from magellan.adapters.ssh.host import SshHost

        text = (workspace.root / FILE).read_text(encoding="utf-8")
        return SshHost(name, target, settings=host_settings_digest(host_settings(text)))
    if isinstance(target, AwsTarget):
        return _aws_host(name, target, settings_digest(workspace.settings, name))
    if isinstance(target, ComposeTarget):
        from magellan.adapters.compose.keeper import ImageEnvironments

        keeper = container_keeper(workspace, target, environment)
        return _this_host(workspace, name, environment, ImageEnvironments(), keeper)
    from magellan.adapters.local.environments import ThisEnvironment

    if name != LOCAL and target is None:
        raise _no_target(name, workspace)
    return _this_host(workspace, name, environment, ThisEnvironment(), supervisor(workspace))


def served_host(workspace: Workspace, name: str, environment: Mapping[str, str]) -> Host:
    """This machine as the target of that name, for a controller elsewhere. Raises FixInput when there is none."""
    from magellan.workspace.aws_target import AwsTarget

    target = workspace.settings.targets.get(name)
    if not isinstance(target, AwsTarget):
        raise _no_target(name, workspace)
    with_systemd = target.keeper == "systemd"
    return kept_host(workspace, name, environment, with_systemd=with_systemd, python=None, wheelhouse=None)


def kept_host(
    workspace: Workspace,
    name: str,
    environment: Mapping[str, str],
    *,
    with_systemd: bool,
    python: str | None,
    wheelhouse: Path | None,
) -> Host:
    """This machine, for a controller elsewhere that calls it so.

    python: makes an environment for each list of dependencies; None: everything runs in the one that runs now.
    """
    from magellan.adapters.local.environments import MadeEnvironments, ThisEnvironment
    from magellan.adapters.systemd.keeper import Systemd

    environments: Environments = ThisEnvironment()
    if python is not None:
        made = host_folder(workspace).folder / "environments"
        environments = MadeEnvironments(made, base=python, wheelhouse=wheelhouse)
    keeper = Systemd() if with_systemd else supervisor(workspace)
    return _this_host(workspace, name, environment, environments, keeper)


def root_of_host(name: str, target: SshTarget) -> AbstractAsyncContextManager[HostRoot]:
    """Root of a target's machine."""
    from magellan.adapters.ssh.host_root import root_of

    return root_of(name, target)


def public_key_of(target: SshTarget) -> str:
    """The public half of the key that deploys to a target. Raises FixInput."""
    from magellan.adapters.ssh.host_root import public_key

    return public_key(target)


def own_requirements() -> bytes:
    """This installation's list of dependencies."""
    from magellan.adapters.local.release_inputs import ThisInstallation

    return ThisInstallation().lock()


def _this_host(
    workspace: Workspace,
    name: str,
    environment: Mapping[str, str],
    environments: Environments,
    keeper: ProcessKeeper,
) -> LocalHost:
    from magellan.adapters.local.host import LocalHost

    return LocalHost(
        name,
        workspace=workspace.root,
        files=host_folder(workspace),
        releases=installed_releases(workspace),
        environments=environments,
        keeper=keeper,
        session=lambda account: _session_look(workspace, environment, account),
        environment=environment,
    )


def _aws_host(name: str, target: AwsTarget, settings: str) -> Host:
    from magellan.adapters.aws.host import SsmHost
    from magellan.adapters.aws.run_command import RunCommand

    commands = RunCommand(
        document=target.document_name(name),
        instance=target.instance,
        region=target.region,
        deliver_within_s=target.deliver_within_s,
        answer_within_s=target.answer_within_s,
    )
    return SsmHost(
        name,
        commands=commands,
        transfer=_transfer(target),
        settings=settings,
        deliver_within_s=target.deliver_within_s,
    )


def transfer(workspace: Workspace, name: str) -> Transfer:
    """Where lies what is too large for a call to the AWS target of that name. Raises FixInput when there is none."""
    from magellan.workspace.aws_target import AwsTarget

    target = workspace.settings.targets.get(name)
    if not isinstance(target, AwsTarget):
        raise _no_target(name, workspace)
    return _transfer(target)


def _transfer(target: AwsTarget) -> Transfer:
    from magellan.adapters.aws.transfer import Transfer
    from magellan.workspace.aws_names import bucket_path

    return Transfer(*bucket_path(target.bucket), region=target.region)


def call_document(workspace: Workspace, name: str) -> tuple[Plan[Documents], Documents]:
    """What stores the document of an AWS target, and where. Raises FixInput when there is no such target."""
    from magellan.adapters.aws.document import document_text
    from magellan.adapters.aws.documents import SsmDocuments
    from magellan.deploy.call_document import document_plan
    from magellan.workspace.aws_target import AwsTarget

    target = workspace.settings.targets.get(name)
    if not isinstance(target, AwsTarget):
        raise _no_target(name, workspace)
    plan = document_plan(name, target.document_name(name), document_text(name, target))
    return plan, SsmDocuments(target.region)


def generated_files(
    workspace: Workspace, name: str, *, strategy: str | None, stage: Stage, environment: Mapping[str, str]
) -> dict[str, str]:
    """Every file that is generated for a target, by its name.

    Raises: FixInput for a target of another kind, and a strategy that is missing or has no release.
    """
    from magellan.workspace.aws_target import AwsTarget
    from magellan.workspace.compose_target import ComposeTarget

    target = workspace.settings.targets.get(name)
    if isinstance(target, AwsTarget):
        from magellan.adapters.aws.generated import generated_for

        return generated_for(name, target, store=workspace.settings.releases.store)
    if not isinstance(target, ComposeTarget):
        raise FixInput(
            f"there is no target '{name}' of the kind compose or aws",
            next_step="`magellan host prepare` shows what the other kinds need",
        )
    if strategy is None:
        raise FixInput(
            "a compose target's files are of a release", next_step="name its strategy with --strategy"
        )
    return _compose_files(workspace, name, target, strategy, stage, environment)


def _compose_files(
    workspace: Workspace,
    name: str,
    target: ComposeTarget,
    strategy: str,
    stage: Stage,
    environment: Mapping[str, str],
) -> dict[str, str]:
    from magellan.adapters.compose.keeper import ImageEnvironments
    from magellan.adapters.local.installed_releases import engine_name
    from magellan.deploy.instance import Instance
    from magellan.usecases.named_account import ledger_name
    from magellan.usecases.releases import open_release
    from magellan.wiring.releases import release_store

    keys = workspace.settings.releases.trusted_keys
    opened = open_release(release_store(workspace), strategy, None, trusted_keys=keys)
    account = workspace.settings.stage(stage).account_of(strategy)
    if account is None:
        raise FixInput(
            f"nothing says which account {strategy} trades in {stage}",
            next_step=f"write `account` into the section [stages.{stage}] of magellan.toml",
        )
    instance = Instance(
        strategy=strategy,
        stage=stage.value,
        account=account,
        ledger_account=ledger_name(workspace.settings.accounts[account]),
        release_id=opened.stored.release_id,
    )
    keeper = container_keeper(workspace, target, environment)
    image = keeper.image(strategy, instance.release_id, engine_name(opened.artifact))
    terms = _this_host(workspace, name, environment, ImageEnvironments(), keeper).terms_of(
        instance, Path("python")
    )
    # By its tag, since its digest is known only once it is built; what is started names the digest.
    service = keeper.service(terms, image, image.tag)
    return {"Dockerfile": image.dockerfile, "compose.yaml": service.written()}


def call_records(workspace: Workspace) -> CallRecords:
    """What this host has answered to the calls that changed it."""
    from magellan.adapters.local.call_records import CallRecordFiles

    return CallRecordFiles(host_folder(workspace).folder / "calls")


def _no_target(name: str, workspace: Workspace) -> FixInput:
    there_are = ", ".join((LOCAL, *workspace.settings.targets))
    return FixInput(f"there is no target '{name}' here", next_step=f"name one of these: {there_are}")


def container_keepers(workspace: Workspace, environment: Mapping[str, str]) -> tuple[ComposeKeeper, ...]:
    """One for each compose target."""
    from magellan.workspace.compose_target import ComposeTarget

    targets = workspace.settings.targets.values()
    return tuple(
        container_keeper(workspace, each, environment) for each in targets if isinstance(each, ComposeTarget)
    )


def container_keeper(
    workspace: Workspace, target: ComposeTarget, environment: Mapping[str, str]
) -> ComposeKeeper:
    """What keeps the instances of a compose target running."""
    from magellan.adapters.compose.engine import ContainerEngine
    from magellan.adapters.compose.keeper import ComposeKeeper, ComposeTerms
    from magellan.adapters.compose.service import Confines

    return ComposeKeeper(
        workspace=workspace.root,
        files=host_folder(workspace),
        releases=installed_releases(workspace, {}),
        engine=ContainerEngine(target.engine, environment),
        terms=ComposeTerms(
            base_image=target.base_image,
            wheels=None if target.wheels is None else workspace.root / target.wheels,
            installs=target.dependencies == "install",
            starts_within_s=workspace.settings.deploy.ready_within_s,
            confines=Confines(
                memory_mb=target.memory_mb,
                cpus=target.cpus,
                processes=target.processes,
                log_mb=target.log_mb,
                logs_kept=target.logs_kept,
                network=target.network,
            ),
        ),
    )


def installed_releases(
    workspace: Workspace, environment: Mapping[str, str] = os.environ
) -> InstalledReleases:
    """Those of this machine; in a container those of its image, which MAGELLAN_INSTALLED names."""
    from magellan.adapters.local.installed_releases import InstalledReleases

    place = environment.get("MAGELLAN_INSTALLED")
    folder = host_folder(workspace).folder if place is None else Path(place)
    return InstalledReleases(folder, trusted_keys=workspace.settings.releases.trusted_keys)


def _session_look(workspace: Workspace, environment: Mapping[str, str], account: str) -> SessionLook:
    from magellan.adapters.exchange_calendar import load_calendar
    from magellan.usecases.look_at_session import look_at_session
    from magellan.usecases.named_account import named_account
    from magellan.usecases.watch_session import seen_now
    from magellan.wiring.market import session_calendar
    from magellan.wiring.records import ledger
    from magellan.wiring.sessions import heartbeat_file

    opened = ledger(workspace, environment)
    try:
        now, beat = datetime.now(UTC), heartbeat_file(workspace, account).newest()
        seen = seen_now(account, opened, beat, now)
        calendar = (
            load_calendar() if seen.session is None else session_calendar(workspace, seen.session.began)
        )
        named = named_account(workspace.settings, opened, account)
        return look_at_session(named, opened, beat, calendar=calendar, now=now)
    finally:
        opened.close()
