"""A target that is reached through AWS Systems Manager, as magellan.toml names it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from magellan.workspace.aws_names import BUCKET_PATH, AwsRegion
from magellan.workspace.section import Section

_PATH = r"^/[A-Za-z0-9_./-]+$"  # absolute; it stands in a shell script, unquoted


class AwsTarget(Section):
    """A machine with Amazon's agent: it has no open port, and nobody logs in."""

    kind: Literal["aws"]
    region: AwsRegion
    account: str = Field(
        pattern=r"^\d{12}$", description="number of the AWS account that the machine belongs to"
    )
    instance: str = Field(
        pattern=r"^(i-[0-9a-f]{8,17}|mi-[0-9a-f]{17})$",
        description="the machine, as Systems Manager knows it",
    )
    bucket: str = Field(
        pattern=BUCKET_PATH,
        description="where releases lie on their way there: s3://bucket or s3://bucket/prefix",
    )
    document: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_.-]{3,128}$",
        description="Systems Manager document that carries the calls; null: Magellan- and the target's name",
    )
    user: str = Field(
        "magellan", pattern=r"^[a-z_][a-z0-9_-]*$", description="who owns what trades there; not root"
    )
    folder: str = Field("/srv/magellan", pattern=_PATH, description="its workspace")
    python: str = Field(
        "/srv/magellan/venv/bin/python",
        pattern=_PATH,
        description="interpreter with Magellan and its dependencies",
    )
    keeper: Literal["systemd", "supervisord"] = Field(
        "systemd",
        description="what keeps the processes; supervisord needs no root, and starts nothing at boot",
    )
    deliver_within_s: int = Field(
        30,
        ge=30,
        le=3600,
        description="seconds until the machine must have taken a call; Amazon allows no fewer than 30",
    )
    answer_within_s: int = Field(
        120, ge=5, le=3600, description="seconds that a call may take once it was taken"
    )

    def document_name(self, name: str) -> str:
        """The document's name, of a target called so."""
        return self.document or f"Magellan-{name}"
