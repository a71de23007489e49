"""Target: a place where strategies are deployed, by a name of the trader's, in magellan.toml.

`local` is this machine and needs no section. Every other kind is a host that keeps its own copy of what trades there.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from magellan.workspace.aws_target import AwsTarget
from magellan.workspace.compose_target import ComposeTarget
from magellan.workspace.section import Section

_PATH = r"^/[A-Za-z0-9_./-]+$"  # absolute; it stands in unit files and sudoers, whose quoting differs


class LocalTarget(Section):
    """This machine, without root."""

    kind: Literal["local"]


class SshTarget(Section):
    """A machine reached over SSH, whose processes systemd keeps."""

    kind: Literal["ssh"]
    address: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.:_-]*$", description="host name or IP address")
    port: int = Field(22, ge=1, le=65535)
    user: str = Field(
        "magellan", pattern=r"^[a-z_][a-z0-9_-]*$", description="who owns what trades there; not root"
    )
    key: str = Field("~/.ssh/id_ed25519", description="file of the private key; passwords are never tried")
    known_hosts: str = Field(
        "~/.ssh/known_hosts", description="file with the host's public key; another key is refused"
    )
    folder: str = Field("/srv/magellan", pattern=_PATH, description="its workspace, made by `host prepare`")
    admin: str = Field(
        "root",
        pattern=r"^[a-z_][a-z0-9_-]*$",
        description="whom `magellan host prepare` logs in as: root, or one who needs no password for sudo",
    )
    python: str = Field(
        "python3",
        pattern=r"^[A-Za-z0-9_./-]+$",
        description="interpreter, 3.11 or later, with which environments are made",
    )
    environment: str | None = Field(
        None,
        pattern=_PATH,
        description="folder of an environment with all dependencies that somebody keeps there; without it, one is "
        "made for each list of dependencies",
    )
    wheelhouse: str | None = Field(
        None, pattern=_PATH, description="folder with wheels, on a host that reaches no package index"
    )
    keeper: Literal["systemd", "supervisord"] = Field(
        "systemd",
        description="what keeps the processes; supervisord needs no root, and starts nothing at boot",
    )
    connect_within_s: float = Field(10.0, gt=0, description="seconds until it must have answered")
    answer_within_s: float = Field(30.0, gt=0, description="seconds that any question may take")


Target = Annotated[LocalTarget | SshTarget | ComposeTarget | AwsTarget, Field(discriminator="kind")]
