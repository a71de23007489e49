"""Wiring: the only place that picks adapters for a workspace."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from magellan.adapters.corporate_action_file import CorporateActionFile
from magellan.adapters.durable_file import write_durably
from magellan.adapters.exchange_calendar import load_calendar
from magellan.adapters.parquet.bar_archive import ParquetBarArchive
from magellan.adapters.parquet.foreign_file import ENDINGS, read_foreign
from magellan.errors import FixInput
from magellan.workspace.workspace import FILE, LOCAL

if TYPE_CHECKING:
    from pydantic import SecretStr

    from magellan.adapters.aws.transfer import Transfer
    from magellan.adapters.compose.keeper import ComposeKeeper
    from magellan.adapters.local.control_folder import ControlFolder
    from magellan.adapters.local.environments import Environments
    from magellan.adapters.local.heartbeat_file import HeartbeatFile
    from magellan.adapters.local.host import HostFolder, LocalHost
    from magellan.adapters.local.installed_releases import InstalledReleases
    from magellan.adapters.local.side_record import SideRecord
    from magellan.adapters.local.supervisord import Supervisord
    from magellan.archive.actions import CorporateActionTable
    from magellan.deploy.call_document import Documents
    from magellan.deploy.health import SessionLook
    from magellan.deploy.host import Host
    from magellan.deploy.preparation import HostRoot
    from magellan.deploy.source_folders import SourceFolders
    from magellan.exchange.server.served_market import MarketAsked, ServedMarket
    from magellan.exchange.venue.terms import Costs
    from magellan.ledger.chain import Head
    from magellan.ledger.entries import SessionBegan
    from magellan.plan.actor import Actor
    from magellan.plan.plan import Plan
    from magellan.ports.api_tokens import ApiTokens
    from magellan.ports.backup import BackupRecord, BackupStore
    from magellan.ports.bars import BarArchive
    from magellan.ports.broker import Broker
    from magellan.ports.call_records import CallRecords
    from magellan.ports.change_log import ChangeLog
    from magellan.ports.checkpoints import Checkpoints
    from magellan.ports.corporate_actions import CorporateActionStore
    from magellan.ports.disk import DiskGauge
    from magellan.ports.executor import Executor
    from magellan.ports.import_journal import ImportJournal
    from magellan.ports.journal import Journals
    from magellan.ports.ledger import Ledger
    from magellan.ports.live_bars import LiveBars
    from magellan.ports.machine import Machine
    from magellan.ports.notifier import Notifier
    from magellan.ports.outbox import Outbox, Transport
    from magellan.ports.pace import Pace
    from magellan.ports.process_keeper import ProcessKeeper
    from magellan.ports.release_key import ReleaseKey
    from magellan.ports.release_store import ReleaseStore
    from magellan.ports.run_store import RunStore
    from magellan.ports.secret_ages import SecretAges
    from magellan.ports.secrets import SecretProvider, SecretStore
    from magellan.ports.sweeps import SweepStore
    from magellan.ports.vendor import BarVendor
    from magellan.ports.workbook_files import WorkbookFiles
    from magellan.settings import Decided, KeyPair
    from magellan.trading.session import ExchangeCalendar
    from magellan.usecases.backup import BackupSources, RestoredState
    from magellan.usecases.build_release import ReleaseSources
    from magellan.usecases.feed_watchdog import Supervisor
    from magellan.usecases.freeze import FreezeSources
    from magellan.usecases.gate_strategy import GateSources
    from magellan.usecases.metrics import Family
    from magellan.usecases.open_release import InstalledRelease
    from magellan.usecases.promotion_evidence import PromotionSources
    from magellan.usecases.restore import RestoreWorld
    from magellan.usecases.trade import Market
    from magellan.workspace.aws_target import AwsTarget
    from magellan.workspace.broker_account import BrokerAccount, LiveData
    from magellan.workspace.compose_target import ComposeTarget
    from magellan.workspace.config import StrategyConfig
    from magellan.workspace.target import SshTarget
    from magellan.workspace.workspace import Stage, Workspace

calendar_of = load_calendar
write_file = write_durably
read_foreign_bars = read_foreign
FOREIGN_ENDINGS = ENDINGS  # of files that are worth a try
GENERATED_SYMBOLS = ("AAPL", "MSFT", "SPY")  # of a paper exchange that is not told any
_LOG_BYTES = 10_000_000  # before a session's log is begun anew
_LOGS_KEPT = 10
_BAR_DELAY_S = {"polygon": 5.0, "yahoo": 15.0}  # until a minute's bar is usually there
_VENDOR_VARIABLES = ("POLYGON_API_KEY", "MASSIVE_API_KEY", "POLYGON_API_URL", "YAHOO_URL")
BAR_VENDORS = ("alpaca", "polygon", "yahoo")


def bar_archive(workspace: Workspace) -> BarArchive:
    """The workspace's archive of bars."""
    return ParquetBarArchive(workspace.data_folder)


def bar_vendor(name: str, environment: Mapping[str, str], notice: Callable[[str], None]) -> BarVendor:
    """The vendor of that name, with the keys that the environment holds.

    notice: told before each wait, in one sentence.
    Raises: FixInput for an unknown name, a missing key, or an extra that is not installed.
    """
    from magellan.adapters.vendor_request import Patience

    patience = Patience(notice=notice)
    match name:
        case "alpaca":
            from magellan.adapters.alpaca.bars import AlpacaBars

            return AlpacaBars.from_environment(environment, patience=patience)
        case "polygon":
            from magellan.adapters.polygon.bars import PolygonBars

            return PolygonBars.from_environment(environment, patience=patience)
        case "yahoo":
            from magellan.adapters.yahoo.bars import YahooBars

            return YahooBars.from_environment(environment, patience=patience)
    raise FixInput(f"'{name}' is no vendor of bars", next_step=f"choose one of {', '.join(BAR_VENDORS)}")


def api_tokens(workspace: Workspace) -> ApiTokens:
    """The tokens that open the workspace's HTTP API."""
    from magellan.adapters.local.api_tokens import ApiTokenFile

    return ApiTokenFile(workspace.state_folder / "api_tokens.json")


def workbook_files() -> WorkbookFiles:
    """Regime workbooks as files of this machine."""
    from magellan.adapters.excel.workbook_files import ExcelWorkbookFiles

    return ExcelWorkbookFiles()


def corporate_actions(workspace: Workspace) -> CorporateActionTable:
    """The workspace's table of corporate actions; empty where the file does not exist.

    Raises FixInput naming the row and column of a mistake.
    """
    return corporate_action_store(workspace).read()


def corporate_action_store(workspace: Workspace) -> CorporateActionStore:
    """Where the workspace keeps that table."""
    return CorporateActionFile(workspace.corporate_actions_file)


def import_journal(workspace: Workspace) -> ImportJournal:
    """The journal of the imports into the workspace's archive."""
    from magellan.adapters.import_journal import JsonLinesImportJournal

    return JsonLinesImportJournal(workspace.state_folder / "imports")


def executor(*, cluster: str | None, workers: int | None, in_python: bool) -> Executor:
    """Where a sweep is carried out.

    cluster:   a Dask cluster's address, or None for this machine.
    workers:   cores of this machine to use; None for all that we may use.
    in_python: the strategy decides in plain Python, which only processes do side by side.
    Raises: FixInput for both a cluster and a number of workers, and as `DaskExecutor` does.
    """
    if cluster is not None:
        if workers is not None:
            raise FixInput("--workers counts cores of this machine, and the work goes to a cluster")
        from magellan.adapters.dask_cluster import DaskExecutor

        return DaskExecutor(cluster)
    cores = workers or (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    if in_python:
        from magellan.adapters.local.processes import ProcessExecutor

        return ProcessExecutor(cores)
    from magellan.adapters.local.threads import ThreadExecutor

    return ThreadExecutor(cores)


def sweep_store(workspace: Workspace) -> SweepStore:
    """Where the workspace keeps what its sweeps have found."""
    from magellan.adapters.local.sweep_folder import SweepFolder

    return SweepFolder(workspace.state_folder / "sweeps")


def run_store(workspace: Workspace) -> RunStore:
    """Where the workspace keeps its finished runs."""
    from magellan.adapters.run_store import RunFolders

    return RunFolders(workspace.state_folder / "runs")


def gate_sources(
    workspace: Workspace, environment: Mapping[str, str], clock: Callable[[], datetime]
) -> GateSources:
    """Everything that the gates of a workspace's strategies ask. `clock`: now, aware, UTC."""
    from magellan.adapters.local.gate_records import GateRecordFiles
    from magellan.adapters.local.tools import PythonTools
    from magellan.usecases.gate_strategy import GateSources

    return GateSources(
        archive=bar_archive(workspace),
        actions=corporate_actions(workspace),
        calendar_of=calendar_of,
        tools=PythonTools(environment),
        records=GateRecordFiles(workspace),
        clock=clock,
        cache_folder=Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "magellan",
    )


def release_store(workspace: Workspace) -> ReleaseStore:
    """Where the workspace's releases lie."""
    terms = workspace.settings.releases
    if terms.store is not None:
        from magellan.adapters.aws.release_bucket import ReleaseBucket
        from magellan.workspace.aws_names import bucket_path

        bucket, prefix = bucket_path(terms.store)
        return ReleaseBucket(bucket, prefix, region=terms.store_region)
    from magellan.adapters.local.release_folder import ReleaseFolder

    return ReleaseFolder(workspace.state_folder / "releases")


def host_folder(workspace: Workspace) -> HostFolder:
    """This machine's part in the deployments of a workspace."""
    from magellan.adapters.local.host import HostFolder

    return HostFolder(workspace.state_folder / "host")


def installed_release(workspace: Workspace, release_id: str) -> InstalledRelease:
    """A release as it lies on this machine. Raises AskOperator when it is not there."""
    from magellan.usecases.open_release import InstalledRelease

    releases = _installed_releases(workspace)
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
        releases=_installed_releases(workspace),
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
        releases=_installed_releases(workspace, {}),
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


def _installed_releases(
    workspace: Workspace, environment: Mapping[str, str] = os.environ
) -> InstalledReleases:
    """Those of this machine; in a container those of its image, which MAGELLAN_INSTALLED names."""
    from magellan.adapters.local.installed_releases import InstalledReleases

    place = environment.get("MAGELLAN_INSTALLED")
    folder = host_folder(workspace).folder if place is None else Path(place)
    return InstalledReleases(folder, trusted_keys=workspace.settings.releases.trusted_keys)


def _session_look(workspace: Workspace, environment: Mapping[str, str], account: str) -> SessionLook:
    from magellan.usecases.look_at_session import look_at_session
    from magellan.usecases.named_account import named_account
    from magellan.usecases.watch_session import seen_now

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


def source_folders(workspace: Workspace) -> SourceFolders:
    """The strategies' own files, as a promotion changes them."""
    from magellan.adapters.local.source_folders import SourceFolders

    return SourceFolders(workspace.root, kept=workspace.state_folder / "replaced")


def plan_journals(workspace: Workspace) -> Journals:
    """Where plans on this workspace, and on what is deployed from it, are written down."""
    from magellan.adapters.local.journal_files import JournalFiles

    return JournalFiles(workspace.state_folder / "journals")


def promotion_sources(
    workspace: Workspace, opened: Ledger, clock: Callable[[], datetime]
) -> PromotionSources:
    """Everything that a promotion asks. `opened`: the workspace's ledger; `clock`: now, aware, UTC."""
    from magellan.adapters.local.gate_records import GateRecordFiles
    from magellan.adapters.local.promotion_records import PromotionRecordFiles
    from magellan.usecases.promotion_evidence import PromotionSources

    return PromotionSources(
        root=workspace.root,
        settings=workspace.settings,
        releases=release_store(workspace),
        gates=GateRecordFiles(workspace),
        runs=run_store(workspace),
        ledger=opened,
        records=PromotionRecordFiles(workspace.state_folder / "promotions"),
        calendar_of=calendar_of,
        clock=clock,
    )


def freeze_sources(workspace: Workspace, clock: Callable[[], datetime]) -> FreezeSources:
    """Everything that a freeze asks. `clock`: now, aware, UTC."""
    from magellan.adapters.event_file import read_events
    from magellan.usecases.freeze import FreezeSources

    return FreezeSources(
        root=workspace.root,
        settings=workspace.settings,
        calendar=load_calendar(),
        read_events=lambda path, name: read_events(path, called=name),
        changes=change_log(workspace),
        clock=clock,
    )


def release_key(environment: Mapping[str, str]) -> ReleaseKey:
    """The key of this user that signs releases, whichever workspace they are of."""
    from magellan.adapters.local.release_key import ReleaseKeyFile

    folder = Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "magellan"
    return ReleaseKeyFile(folder / "release_key.pem")


def release_sources(
    workspace: Workspace, environment: Mapping[str, str], clock: Callable[[], datetime]
) -> ReleaseSources:
    """Everything that the building of a release asks. `clock`: now, aware, UTC."""
    from magellan.adapters.env_file import EnvFile
    from magellan.adapters.local.gate_records import GateRecordFiles
    from magellan.adapters.local.release_inputs import ThisInstallation
    from magellan.settings import named_like_secrets
    from magellan.usecases.build_release import ReleaseSources

    file = EnvFile(workspace.root / ".env")
    found = {name: value for name in file.names() if (value := file.secret(name)) is not None}
    known = {**environment, **{name: value.get_secret_value() for name, value in found.items()}}
    return ReleaseSources(
        store=release_store(workspace),
        key=release_key(environment),
        inputs=ThisInstallation(),
        gates=GateRecordFiles(workspace),
        known_secrets=named_like_secrets(known),
        trusted_keys=workspace.settings.releases.trusted_keys,
        clock=clock,
    )


def machine(environment_problem: str) -> Machine:
    """The computer that we run on.

    environment_problem: how its environment variables contradict each other; "" where they do not.
    """
    from magellan.adapters.local.this_machine import this_machine

    return this_machine(kernel_cache=_kernel_cache, environment_problem=environment_problem)


def _kernel_cache() -> Path:
    from magellan.compiled import cache_folder

    return cache_folder()


def generated_market(asked: MarketAsked) -> ServedMarket:
    """A generated market for the paper exchange. Raises FixInput for symbols or dates that cannot be generated."""
    from magellan.exchange.server.served_market import generated_now, generated_sessions, newest_dates

    symbols = asked.symbols or GENERATED_SYMBOLS
    if asked.is_now and asked.dates is None:
        return generated_now(symbols, seed=asked.seed, now_ns=asked.now_ns)
    if asked.is_now:
        raise FixInput(
            "a generated market that is open now has no dates of its own",
            next_step="leave the dates out, or choose another clock: --clock stepped, paced or fast",
        )
    calendar = load_calendar()
    dates = asked.dates or newest_dates(calendar, asked.now_ns, sessions=1)
    return generated_sessions(symbols, calendar, *dates, seed=asked.seed)


def archived_market(workspace: Workspace, asked: MarketAsked) -> ServedMarket:
    """The workspace's archived bars as a market for the paper exchange.

    Raises: FixInput for symbols that the archive does not hold, symbols of two calendars, and dates without bars.
    """
    from magellan.archive.dataset import find_set
    from magellan.exchange.server.served_market import archived_now, archived_sessions, held_dates
    from magellan.trading.timeframe import Timeframe

    archive, timeframe = bar_archive(workspace), Timeframe.parse(asked.timeframe)
    records = archive.sets()
    held = dict.fromkeys(record.id.symbol for record in records if record.id.timeframe == timeframe)
    symbols = asked.symbols or tuple(held)
    if not symbols:
        raise FixInput(
            f"the archive holds no bars of {timeframe}",
            next_step="import some with `magellan data import`, or serve generated ones: --generated",
        )
    chosen = [find_set(records, symbol, timeframe) for symbol in symbols]
    calendars = sorted({record.calendar for record in chosen})
    if len(calendars) > 1:
        raise FixInput(
            f"these symbols trade by {len(calendars)} calendars: {', '.join(calendars)}",
            next_step="serve those of one calendar with --symbols",
        )
    calendar = load_calendar(calendars[0])
    bars = {record.id.symbol: archive.read(record.id) for record in chosen}
    dates = held_dates(bars, calendar, asked.dates, sessions=3 if asked.is_now else 1)
    actions = corporate_actions(workspace).actions
    if asked.is_now:
        return archived_now(bars, calendar, actions, *dates, seed=asked.seed, now_ns=asked.now_ns)
    return archived_sessions(bars, calendar, actions, *dates, seed=asked.seed)


def strategy_costs(config: StrategyConfig) -> Costs:
    """What fills cost under a strategy's execution terms, so that they equal those of its backtest.

    Raises: FixInput for terms that an exchange cannot fill on.
    """
    from magellan.exchange.venue.terms import Costs

    terms = config.execution
    if "at-level" in (terms.stop_fill, terms.limit_fill):
        raise FixInput(
            "this config fills stops or limits at their level even when a bar opens beyond it: no exchange does",
            next_step='set execution.stop_fill and execution.limit_fill to "gap-aware"',
        )
    own = {
        "slippage_bps",
        "half_spread_bps",
        "commission_bps",
        "commission_per_unit_usd",
        "commission_min_usd",
    }
    for symbol, instrument in config.instruments.items():
        given = sorted(own & instrument.model_dump(exclude_none=True).keys())
        if given:
            raise FixInput(
                f"instruments.{symbol} has its own {', '.join(given)}, and an exchange has one set of terms",
                next_step="serve that symbol by itself, from a config that says so under `execution`",
            )
    return Costs(
        half_spread=terms.half_spread_bps / 10_000,
        slippage=terms.slippage_bps / 10_000,
        impact=terms.impact,
        volume_share_max=terms.volume_share_max,
        limit_needs_through=terms.limit_needs == "through",
        commission_per_unit_usd=terms.commission_per_unit_usd,
        commission_rate=terms.commission_bps / 10_000,
        commission_min_usd=terms.commission_min_usd,
    )


def ledger(
    workspace: Workspace, environment: Mapping[str, str] = os.environ, *, secrets: Iterable[str] = ()
) -> Ledger:
    """The ledger that MAGELLAN_LEDGER_URL names, for several hosts; otherwise the workspace's own file.

    secrets: values that no entry may repeat.
    """
    from magellan.adapters.sql_ledger import SqlLedger
    from magellan.ledger.known_secrets import KnownSecrets

    hidden = KnownSecrets(secrets)
    address = environment.get("MAGELLAN_LEDGER_URL")
    if address:
        from magellan.adapters.postgres_ledger import PostgresDatabase

        return SqlLedger(PostgresDatabase(address), clock=lambda: datetime.now(UTC), secrets=hidden)
    from magellan.adapters.sqlite_ledger import SqliteDatabase

    path = workspace.state_folder / "ledger.sqlite"
    return SqlLedger(SqliteDatabase(path), clock=lambda: datetime.now(UTC), secrets=hidden)


def change_log(workspace: Workspace, *, secrets: Iterable[str] = ()) -> ChangeLog:
    """The audit log of what was done to what trades.

    secrets: values that no record may repeat.
    """
    from magellan.adapters.local.change_log_files import ChangeLogFiles
    from magellan.ledger.known_secrets import KnownSecrets

    return ChangeLogFiles(workspace.state_folder / "audit", secrets=KnownSecrets(secrets))


def checkpoints(workspace: Workspace, copy: Path | None = None) -> Checkpoints:
    """The signed notes of where the chains ended: the workspace's, or a copy that was kept elsewhere."""
    from magellan.adapters.local.checkpoint_file import CheckpointFile

    return CheckpointFile(copy or workspace.state_folder / "audit" / "checkpoints.jsonl")


def outbox(workspace: Workspace) -> Outbox:
    """What people are to be told, until their channels have taken it."""
    from magellan.adapters.local.outbox_folder import OutboxFolder

    return OutboxFolder(workspace.state_folder / "outbox")


def transport(workspace: Workspace, channel: str, environment: Mapping[str, str]) -> Transport:
    """The way to the people behind a channel. Raises FixInput for a secret that is missing or none of its kind."""
    from magellan.adapters.apprise_transport import AppriseTransport

    terms = workspace.settings.notifications.channels[channel]
    secret = None if terms.secret is None else named_secret(workspace, environment, terms.secret)
    return AppriseTransport(channel, terms, secret)


def named_secret(workspace: Workspace, environment: Mapping[str, str], name: str) -> SecretStr:
    """A secret that no account names, from where magellan.toml says that such secrets are. Raises FixInput."""
    source = workspace.settings.secrets.source
    for provider in secret_providers(workspace, environment):
        if provider.source == source and (found := provider.secret(name)) is not None:
            return found
    raise FixInput(
        f"there is no secret {name} in the {source}",
        next_step="`magellan secrets list` shows where each one is looked for",
    )


def notifier(workspace: Workspace, account: str, secrets: Iterable[str]) -> Notifier:
    """What tells people: the console, the account's log, and the channels of magellan.toml. No secret shows in any."""
    from magellan.adapters.live_log import Redaction, RotatedLines, live_log
    from magellan.adapters.local.log_notifier import LogNotifier
    from magellan.adapters.local.outbox_notifier import OutboxNotifier
    from magellan.ledger.known_secrets import KnownSecrets
    from magellan.usecases.deliver_notifications import enqueue

    known = KnownSecrets(secrets)

    log = live_log(
        console=sys.stderr,
        file=RotatedLines(
            workspace.state_folder / "logs" / f"{account}.jsonl", largest=_LOG_BYTES, kept=_LOGS_KEPT
        ),
        redaction=Redaction(known),
        clock=lambda: datetime.now(UTC),
    )
    terms = workspace.settings.notifications
    if not terms.channels:
        return LogNotifier(log)
    queues = outbox(workspace)
    return OutboxNotifier(
        LogNotifier(log), lambda message: enqueue(queues, terms, message), source=account, secrets=known
    )


def disk_gauge(workspace: Workspace) -> DiskGauge:
    """What the workspace's disk has left, and what our logs take of it."""
    from magellan.adapters.local.disk import Disk

    return Disk(workspace.root, logs=workspace.state_folder / "logs")


def backup_record(workspace: Workspace) -> BackupRecord:
    """What is remembered of the backups that were made."""
    from magellan.adapters.local.backup_record import BackupRecordFile

    return BackupRecordFile(workspace.state_folder / "backup" / "made.jsonl")


def backup_store(
    workspace: Workspace, environment: Mapping[str, str], *, repository: str | None = None
) -> BackupStore:
    """Where the workspace's backups go. Raises FixInput where magellan.toml does not say, or restic is missing."""
    terms = workspace.settings.backup
    address = repository or terms.to
    if address is None:
        raise FixInput(
            "magellan.toml does not say where backups go",
            next_step="write `to` into the section [backup]; docs/guides/backup.md shows each kind of place",
        )
    passphrase = named_secret(workspace, environment, terms.passphrase)
    return _restic(address, passphrase, workspace.state_folder / "backup" / "cache", environment)


def bare_backup_store(repository: str, passphrase: SecretStr, environment: Mapping[str, str]) -> BackupStore:
    """The same on a host that has no workspace yet."""
    cache = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "magellan" / "restic"
    return _restic(repository, passphrase, cache, environment)


def _restic(
    repository: str, passphrase: SecretStr, cache: Path, environment: Mapping[str, str]
) -> BackupStore:
    from magellan.adapters.local.backup_stage import LEFT_OUT
    from magellan.adapters.restic import Restic

    return Restic(repository, passphrase, cache=cache, exclude=LEFT_OUT, environment=environment)


def backup_sources(
    workspace: Workspace, environment: Mapping[str, str], actor: Actor, *, store: BackupStore
) -> BackupSources:
    """Everything that backups of a workspace ask, and change."""
    from magellan.adapters.local.backup_stage import StageFolder
    from magellan.usecases.audit import sign_checkpoint
    from magellan.usecases.backup import BackupSources

    key, trusted = release_key(environment).key(), workspace.settings.releases.trusted_keys

    def sign() -> None:
        opened = ledger(workspace, environment)
        try:
            sign_checkpoint(
                opened,
                change_log(workspace),
                checkpoints(workspace),
                release_key(environment),
                trusted_keys=trusted,
                clock=lambda: datetime.now(UTC),
            )
        finally:
            opened.close()

    def heads() -> dict[str, Head]:
        opened = ledger(workspace, environment)
        try:
            return {account: opened.head(account) for account in opened.accounts()}
        finally:
            opened.close()

    return BackupSources(
        root=workspace.root,
        terms=workspace.settings.backup,
        store=store,
        record=backup_record(workspace),
        stage=StageFolder,
        changes=change_log(workspace),
        heads=heads,
        sign=sign if key is not None and key.public_key in trusted.values() else None,
        examine=examine_restored,
        actor=actor,
        clock=lambda: datetime.now(UTC),
    )


def restore_world(store: BackupStore, into: Path) -> RestoreWorld:
    """What a restore acts on."""
    from magellan.adapters.local.restore_folder import RestoreInto
    from magellan.usecases.restore import RestoreWorld

    return RestoreWorld(store=store, folder=RestoreInto(into), examine=examine_restored)


def restore_journals(into: Path) -> Journals:
    """Where a restore is written down: beside what it makes, since there may be no workspace yet."""
    from magellan.adapters.local.journal_files import JournalFiles

    return JournalFiles(into.with_name(f".{into.name}.restore-journals"))


def examine_restored(root: Path) -> RestoredState:
    """Check every chain and every release of a restored workspace. Raises AskOperator for what is not whole."""
    from magellan.usecases.backup import examined
    from magellan.workspace.workspace import Workspace

    restored = Workspace.at(root)
    opened = ledger(restored, {})
    try:
        return examined(opened, change_log(restored), release_store(restored), restored.settings)
    finally:
        opened.close()


def exposition(families: Sequence[Family]) -> bytes:
    """Metrics as text."""
    from magellan.adapters import prometheus_text

    return prometheus_text.exposition(families)


def served_metrics(
    measure: Callable[[], Sequence[Family]], port: int, *, failed: Callable[[str], None]
) -> AbstractContextManager[int]:
    """Metrics over HTTP on loopback, until the block ends; the port."""
    from magellan.adapters import prometheus_text

    return prometheus_text.served(measure, port, failed=failed)


def event_loop() -> asyncio.AbstractEventLoop:
    """uvloop's loop, where it exists: a bar costs a session some turns of it, and an order waits for them."""
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()


def row_form(name: str) -> Callable[[type, Sequence[object]], bytes]:
    """How rows of one kind become a file of that format: csv, jsonl or parquet."""
    from magellan.adapters.row_file import FORMATS

    return FORMATS[name]


def control_folder(workspace: Workspace, account: str) -> ControlFolder:
    """Where requests for the session of a ledger's account are left."""
    from magellan.adapters.local.control_folder import ControlFolder

    return ControlFolder(workspace.state_folder / "control" / account)


def heartbeat_file(workspace: Workspace, account: str) -> HeartbeatFile:
    """Where the session of a ledger's account leaves its state of health."""
    from magellan.adapters.local.heartbeat_file import HeartbeatFile

    return HeartbeatFile(workspace.state_folder / "heartbeats" / f"{account}.json")


def service_notice(environment: Mapping[str, str]) -> Supervisor:
    """What a process tells the systemd that started it; nothing where none did."""
    from magellan.adapters.systemd.notify import ServiceNotice

    return ServiceNotice(environment)


def secret_providers(workspace: Workspace, environment: Mapping[str, str]) -> tuple[SecretProvider, ...]:
    """Whoever may know a secret, in the order in which they are asked. None is opened before it is asked."""
    from magellan.adapters.environment_secrets import EnvironmentSecrets
    from magellan.adapters.systemd.credentials import ServiceCredentials

    return (EnvironmentSecrets(environment), ServiceCredentials(environment), *secret_stores(workspace))


def secret_stores(workspace: Workspace) -> tuple[SecretStore, ...]:
    """The places in which secrets can be changed."""
    from magellan.adapters.aws.parameter_store import ParameterStore
    from magellan.adapters.env_file import EnvFile
    from magellan.adapters.keyring_secrets import KeyringSecrets

    region = workspace.settings.secrets.aws_region
    return (EnvFile(workspace.root / ".env"), KeyringSecrets(), ParameterStore(region))


def secret_ages(workspace: Workspace) -> SecretAges:
    """Since when secrets are what they are."""
    from magellan.adapters.local.secret_ages import SecretAgeFile

    return SecretAgeFile(workspace.state_folder / "secrets" / "ages.json")


def vendor_environment(providers: Sequence[SecretProvider]) -> dict[str, str]:
    """What the vendors of bars read of the environment, from whoever knows it first."""
    found = {}
    for name in _VENDOR_VARIABLES:
        for provider in (each for each in providers if each.source == "environment"):
            value = provider.secret(name)
            if value is not None:
                found[name] = value.get_secret_value()
                break
    return found


def live_bars(
    data: LiveData,
    keys: KeyPair | None,
    environment: Mapping[str, str],
    *,
    address: str | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> LiveBars:
    """The bars that sessions decide on, from the vendor that their account names.

    environment: what `vendor_environment` found. address: of an exchange on this machine.
    Raises: FixInput for keys that are missing, or an extra that is not installed.
    """
    if data.source != "alpaca":
        from magellan.adapters.polled_bars import PolledBars

        vendor = bar_vendor(data.source, environment, lambda sentence: None)
        return PolledBars(vendor, delay_s=_BAR_DELAY_S[data.source], clock=clock)
    from magellan.adapters.alpaca.live_bars import AlpacaLiveBars

    if keys is None:
        raise FixInput(
            "there are no keys, and nobody tells bars without one",
            next_step="put ALPACA_API_KEY and ALPACA_API_SECRET into the environment or the workspace's .env",
        )
    return AlpacaLiveBars(keys.key_id, keys.secret, feed=data.feed_read, data_url=address, clock=clock)


def session_calendar(workspace: Workspace, began: SessionBegan) -> ExchangeCalendar:
    """The calendar that a session trades by; the New York exchanges' where its strategy is there no more."""
    from magellan.workspace.config_file import read_config

    try:
        folder = workspace.strategy(f"{began.stage}/{began.strategy}" if began.stage else began.strategy)
        return load_calendar(read_config(folder.config_file).data.calendar)
    except FixInput:
        return load_calendar()


def side_record(workspace: Workspace, account: str, name: str) -> SideRecord:
    """Where it is kept what is done to an account while another process holds its ledger."""
    from magellan.adapters.local.side_record import SideRecord

    return SideRecord(workspace.state_folder / "control" / account / "done" / f"{name}.jsonl")


def account_broker(account: BrokerAccount, keys: KeyPair | None, *, answer_s: float = 10.0) -> Broker:
    """The broker of an account, for whoever looks at it or flattens it without a session.

    answer_s: how long an answer is waited for.
    Raises: FixInput for keys that are missing, and for a broker that cannot be reached from here.
    """
    from magellan.adapters.alpaca.broker import AlpacaAccess, AlpacaBroker

    if account.broker != "alpaca":
        raise FixInput(f"{account.broker} cannot be reached from here", next_step="use its own application")
    if keys is None:
        raise FixInput(
            "there are no keys for this account",
            next_step="put ALPACA_API_KEY and ALPACA_API_SECRET into the environment or the workspace's .env",
        )
    return AlpacaBroker(
        AlpacaAccess(
            key_id=keys.key_id,
            secret_key=keys.secret,
            live=account.kind == "live",
            base_url=account.address,
            connect_timeout_s=min(5.0, answer_s),
            read_timeout_s=answer_s,
        )
    )


async def open_market(
    decided: Decided,
    keys: KeyPair | None,
    config: StrategyConfig,
    calendar: ExchangeCalendar,
    environment: Mapping[str, str],
) -> Market:
    """Broker, bars and time of a session, by its mode. None of it can reach the archive.

    environment: what `vendor_environment` found.
    Raises: FixInput for keys that are missing; AskOperator for a local exchange that cannot be reached.
    """
    from decimal import Decimal

    from magellan.adapters.alpaca.broker import AlpacaAccess, AlpacaBroker
    from magellan.adapters.local.exchange_time import exchange_time
    from magellan.adapters.local.no_broker import NoBroker
    from magellan.adapters.local.real_time import RealTime
    from magellan.settings import Mode
    from magellan.usecases.trade import Market
    from magellan.workspace.broker_account import LiveData

    account = decided.account
    if account is not None and account.broker != "alpaca":
        raise FixInput(f"sessions do not trade at {account.broker}", next_step="name an account at Alpaca")
    if keys is None:
        raise FixInput(
            "there are no keys, and nobody tells bars without one",
            next_step="put ALPACA_API_KEY and ALPACA_API_SECRET into the environment or the workspace's .env",
        )
    address = None if account is None else account.address
    pace: Pace = RealTime()
    if address is not None:
        streams = config.data.timeframe == "1Min"
        symbols = frozenset((*config.symbols, *config.data.reference_symbols)) if streams else frozenset()
        pace = await exchange_time(address, key_id=keys.key_id.get_secret_value(), symbols=symbols)
    data = LiveData(feed=config.data.feed) if account is None else account.data
    bars = live_bars(data, keys, environment, address=address, clock=pace.now)
    if decided.mode is Mode.DRY and account is None:
        cash = Decimal(repr(config.account.cash_usd))
        return Market(broker=NoBroker(cash, calendar, pace.now), bars=bars, pace=pace)
    assert account is not None, "only a dry run trades no account"
    broker = AlpacaBroker(
        AlpacaAccess(
            key_id=keys.key_id,
            secret_key=keys.secret,
            live=decided.mode is Mode.LIVE,
            base_url=address,
        ),
        clock=pace.now,
    )
    return Market(broker=broker, bars=bars, pace=pace)
