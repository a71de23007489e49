"""The lease of this host, as a session asks for it. Kept by `adapters/local/lease_file.py`."""

from __future__ import annotations

from typing import Protocol


class HostLease(Protocol):
    """Whether the control side lets this host's sessions enter."""

    def lapsed(self) -> str:
        """Why nothing may be entered; "": the lease holds, or the host has none."""
        ...
