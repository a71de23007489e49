"""The disk on which a workspace lies."""

from __future__ import annotations

import shutil
from pathlib import Path


class Disk:
    """Keeps `ports.disk.DiskGauge`."""

    def __init__(self, root: Path, *, logs: Path) -> None:
        self._root = root
        self._logs = logs

    def free_bytes(self) -> int:
        """See the port."""
        return shutil.disk_usage(self._root).free

    def log_bytes(self) -> int:
        """See the port."""
        return sum(_size(each) for each in self._logs.glob("*"))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # rotated away meanwhile
        return 0
