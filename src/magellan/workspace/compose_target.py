"""A target whose instances are containers, as magellan.toml names it."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from magellan.workspace.section import Section

# By what it holds, never by a tag alone: a tag may come to mean another image.
_PINNED: Final = r"^([a-z0-9][a-z0-9./:_-]*@)?sha256:[0-9a-f]{64}$"


class ComposeTarget(Section):
    """This machine, with one container for each instance."""

    kind: Literal["compose"]
    base_image: str = Field(
        pattern=_PINNED,
        description="image with Python that releases are built on, by digest: NAME@sha256:...",
    )
    engine: Literal["docker", "podman"] = Field("docker", description="what runs the containers")
    wheels: str | None = Field(
        None, description="folder with wheels, below the workspace; null: the package index is asked"
    )
    dependencies: Literal["install", "in-base-image"] = Field(
        "install",
        description="install: the release's locked dependencies, checked by hash; in-base-image: they are there, "
        "in exactly those versions",
    )
    memory_mb: int = Field(1024, ge=64, description="that an instance may use before it is killed")
    cpus: float = Field(1.0, gt=0, description="processors that an instance may keep busy")
    processes: int = Field(256, ge=16, description="processes and threads that an instance may have")
    log_mb: int = Field(10, ge=1, description="size at which a container's log is begun anew")
    logs_kept: int = Field(5, ge=1)
    network: str = Field(
        "bridge",
        pattern=r"^[a-z0-9][a-z0-9_.-]*$",
        description="bridge: out, and nothing in; host: this machine's own",
    )
