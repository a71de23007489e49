"""Wiring: the ledger, the audit log, journals, metrics, and who may ask over HTTP."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from magellan.ports.api_tokens import ApiTokens
    from magellan.ports.change_log import ChangeLog
    from magellan.ports.checkpoints import Checkpoints
    from magellan.ports.journal import Journals
    from magellan.ports.ledger import Ledger
    from magellan.usecases.metrics import Family
    from magellan.workspace.workspace import Workspace


def api_tokens(workspace: Workspace) -> ApiTokens:
    """The tokens that open the workspace's HTTP API."""
    from magellan.adapters.local.api_tokens import ApiTokenFile

    return ApiTokenFile(workspace.state_folder / "api_tokens.json")


def plan_journals(workspace: Workspace) -> Journals:
    """Where plans on this workspace, and on what is deployed from it, are written down."""
    from magellan.adapters.local.journal_files import JournalFiles

    return JournalFiles(workspace.state_folder / "journals")


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
