"""Backups in magellan.toml: where they go, when, and how long they are kept."""

from __future__ import annotations

from pydantic import Field

from magellan.workspace.secret_terms import SecretName
from magellan.workspace.section import Section


class BackupTerms(Section):
    """Where backups go. Everything in them is encrypted before it leaves this machine."""

    to: str | None = Field(
        None,
        pattern=r"^(/.+|sftp:[^\s]+:.+|s3:https?://.+)$",
        description="a folder (/mnt/usb/magellan), an SSH host (sftp:user@host:/path) or S3 "
        "(s3:https://s3.us-east-2.amazonaws.com/bucket/path)",
    )
    passphrase: SecretName = Field(
        "MAGELLAN_BACKUP_PASSPHRASE",
        repr=False,
        description="name of the secret without which no backup can be read; keep it elsewhere too",
    )
    at: str = Field("16:30", pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="New York time, every day")
    ledger_every_s: int | None = Field(
        None, ge=10, le=3600, description="also back the ledger and the audit log up, each so many seconds"
    )
    follow_to: str | None = Field(
        None,
        pattern=r"^(/.+|sftp:[^\s:]+:.+|s3:https?://[^\s/]+/[^\s/]+/[^\s]*[^\s/])$",
        description="where `magellan backup follow` adds every entry of the ledger within a second: a file on another "
        "disk (/mnt/nas/ledger.trail) or another machine (sftp:user@host:/path/ledger.trail), or a folder in S3 "
        "(s3:https://s3.us-east-2.amazonaws.com/bucket/ledger.trail)",
    )
    keep_daily: int = Field(14, ge=1, description="days of which the newest backup stays")
    keep_weekly: int = Field(8, ge=0)
    keep_monthly: int = Field(84, ge=0, description="84 months are seven years")
    paths: tuple[str, ...] = Field(
        ("magellan.toml", "dev", "test", "prod", "data", ".magellan"),
        strict=False,
        description="folders and files of the workspace; .env never, secrets only encrypted",
    )
