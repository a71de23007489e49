"""The computer that we run on."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from zoneinfo import ZoneInfo

import magellan
from magellan.ports.machine import Machine


def this_machine(*, kernel_cache: Callable[[], Path], environment_problem: str) -> Machine:
    """Facts about it, as they are now."""
    return Machine(
        now=datetime.now(UTC),
        installed_at=datetime.fromtimestamp(Path(magellan.__file__).stat().st_mtime, UTC),
        python=(sys.version_info.major, sys.version_info.minor, sys.version_info.micro),
        executable=sys.executable,
        requirements=_requirements(),
        version_of=_version,
        zone_of=ZoneInfo,
        program=shutil.which,
        bytes_free=lambda folder: shutil.disk_usage(folder).free,
        kernel_cache=kernel_cache,
        environment_problem=environment_problem,
    )


def _requirements() -> tuple[str, ...] | None:
    try:
        return tuple(requires("magellan-trading") or ())
    except PackageNotFoundError:
        return None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
