"""Machine: what there is to know about the computer that we run on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Facts, and questions that cost something. Made by `adapters/local/this_machine.py`."""

    now: datetime  # aware, UTC: what its clock shows
    installed_at: datetime  # aware, UTC: when our own files were written
    python: tuple[int, int, int]
    executable: str
    requirements: tuple[str, ...] | None  # of our installed package, e.g. "numpy>=2.1"; None: not installed
    version_of: Callable[[str], str | None]  # of a package; None: not installed
    zone_of: Callable[[str], tzinfo]  # raises ZoneInfoNotFoundError (a KeyError) where there are no data
    program: Callable[[str], str | None]  # the path of one that can be called; None: not installed
    bytes_free: Callable[[Path], int]  # on the disk that holds a folder
    kernel_cache: Callable[[], Path]  # the folder of compiled code
    environment_problem: str  # "" where the environment variables that we read do not contradict each other
