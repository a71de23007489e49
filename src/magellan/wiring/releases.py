"""Wiring: releases, their keys, promotions and the freeze calendar."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from magellan.adapters.exchange_calendar import load_calendar
from magellan.wiring.market import calendar_of
from magellan.wiring.records import change_log
from magellan.wiring.research import run_store

if TYPE_CHECKING:
    from magellan.deploy.source_folders import SourceFolders
    from magellan.ports.ledger import Ledger
    from magellan.ports.release_key import ReleaseKey
    from magellan.ports.release_store import ReleaseStore
    from magellan.usecases.build_release import ReleaseSources
    from magellan.usecases.freeze import FreezeSources
    from magellan.usecases.promotion_evidence import PromotionSources
    from magellan.workspace.workspace import Workspace


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


def source_folders(workspace: Workspace) -> SourceFolders:
    """The strategies' own files, as a promotion changes them."""
    from magellan.adapters.local.source_folders import SourceFolders

    return SourceFolders(workspace.root, kept=workspace.state_folder / "replaced")


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
    from magellan.settings.keys import named_like_secrets
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
