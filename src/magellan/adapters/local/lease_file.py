"""The lease as a file of this machine: written whole by whoever renews it, and looked at by every session here."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from magellan.adapters.durable_file import cannot_write, sync_folder, write_durably
from magellan.deploy.lease import FOR_S_MAX, FOR_S_MIN, Lease, LeaseWatch
from magellan.errors import AskOperator, FixInput

_KEPT: Final = "the lease as it was"


class LeaseFile:
    """Keeps `ports.lease.HostLease` for the sessions of one process; and renews it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._watch = LeaseWatch()

    def lapsed(self) -> str:
        """See the port."""
        try:
            lease = self.newest()
        except AskOperator as error:
            return error.message
        return self._watch.lapsed(lease, elapsed_s=time.monotonic(), now=datetime.now(UTC))

    def newest(self) -> Lease | None:
        """As it was left last; None: there is none. Raises AskOperator for one that cannot be read."""
        try:
            return Lease.parsed(self._file.read_bytes(), name=str(self._file))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise AskOperator(
                f"{self._file} cannot be read: {error.strerror}", next_step="look at the host's disk"
            ) from error

    def renew(self, for_s: float, *, by: str) -> None:
        """Raises FixInput for a time that is not allowed, AskOperator when it cannot be written."""
        if not FOR_S_MIN <= for_s <= FOR_S_MAX:
            raise FixInput(
                f"a lease of {for_s:g} s is not allowed",
                kept=_KEPT,
                next_step=f"let it hold for {FOR_S_MIN:g} to {FOR_S_MAX:g} s",
            )
        lease = Lease(number=time.time_ns(), for_s=for_s, by=by, at=datetime.now(UTC))
        write_durably(self._file, lease.written(), kept=_KEPT)

    def end(self) -> None:
        """One that is not there is no error."""
        try:
            self._file.unlink(missing_ok=True)
            if self._file.parent.is_dir():
                sync_folder(self._file.parent)
        except OSError as error:
            raise cannot_write(self._file, error, kept=_KEPT) from error
