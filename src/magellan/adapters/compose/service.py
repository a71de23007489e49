"""The compose file of an instance: one service, one container.

It names the image by the digest of its content, so that a new release is a new image and a roll-back the old one; the
environment stands in it too, so that both change together or not at all. Magellan always makes the container anew:
`restart` would keep the old image and the old environment, and never is used.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SERVICE: Final = "instance"
_HEALTH_EVERY_S: Final = 10
_HEALTH_WITHIN_S: Final = 10
_HEALTH_TRIES: Final = 3
_RESTARTS: Final = 3  # at once after each other; then it stays down, and is seen to be


@dataclass(frozen=True, slots=True, kw_only=True)
class Confines:
    """What a container may use."""

    memory_mb: int
    cpus: float
    processes: int
    log_mb: int
    logs_kept: int
    network: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """An instance as a container."""

    key: str
    image_id: str  # sha256:...
    workspace: Path  # lies in the container where it lies outside
    state: Path  # the only part of it that is written
    environment: Mapping[str, str]  # all of it; never a secret
    user: str  # "1000:1000": whose files the workspace's are
    stop_within_s: float
    starts_within_s: float  # health is not judged before it
    confines: Confines

    @property
    def project(self) -> str:
        """The name under which the engine knows the instance's containers."""
        return project_of(self.key)

    def document(self) -> dict[str, Any]:
        """The compose file."""
        workspace = str(self.workspace)
        here = ["python", "-P", "-m", "magellan"]
        network = self.confines.network
        service = {
            "image": self.image_id,
            "pull_policy": "never",
            "command": [*here, "instance", self.key, "--workspace", workspace],
            "environment": dict(sorted(self.environment.items())),
            "user": self.user,
            "working_dir": workspace,
            "network_mode": network,
            "volumes": [
                _bind(self.workspace, read_only=True),
                _bind(self.state, read_only=False),
            ],
            "tmpfs": ["/tmp"],
            "read_only": True,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges:true"],
            "mem_limit": f"{self.confines.memory_mb}m",
            "memswap_limit": f"{self.confines.memory_mb}m",
            "cpus": self.confines.cpus,
            "pids_limit": self.confines.processes,
            "ulimits": {"nofile": 4096, "core": 0},
            "restart": f"on-failure:{_RESTARTS}",
            "stop_signal": "SIGTERM",
            "stop_grace_period": f"{round(self.stop_within_s)}s",
            "healthcheck": {
                "test": ["CMD", *here, "host", "health", self.key, "--workspace", workspace],
                "interval": f"{_HEALTH_EVERY_S}s",
                "timeout": f"{_HEALTH_WITHIN_S}s",
                "retries": _HEALTH_TRIES,
                "start_period": f"{round(self.starts_within_s)}s",
            },
            "logging": {
                "driver": "json-file",
                "options": {
                    "max-size": f"{self.confines.log_mb}m",
                    "max-file": str(self.confines.logs_kept),
                },
            },
            "labels": {"io.magellan.instance": self.key},
        }
        return {"services": {SERVICE: service}}

    def written(self) -> str:
        """The file. JSON is YAML, and needs no quoting of ours."""
        return json.dumps(_without_variables(self.document()), indent=2) + "\n"


def project_of(key: str) -> str:
    """The engine's name for an instance's project; it knows only small letters, digits, "-" and "_"."""
    return f"magellan-{key.lower()}"


def _bind(path: Path, *, read_only: bool) -> dict[str, Any]:
    place = str(path)
    return {"type": "bind", "source": place, "target": place, "read_only": read_only}


def _without_variables(value: Any) -> Any:
    """Every dollar sign doubled: compose would put a variable of the caller's shell in its place."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, dict):
        return {key: _without_variables(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_variables(item) for item in value]
    return value
