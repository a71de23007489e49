"""The disk on which a workspace lies. Kept by `adapters/local/disk.py`."""

from __future__ import annotations

from typing import Protocol


class DiskGauge(Protocol):
    """What is left of it, and what our logs take."""

    def free_bytes(self) -> int:
        """Bytes that this user may still write."""
        ...

    def log_bytes(self) -> int:
        """Bytes of all logs together, the rotated ones among them."""
        ...
