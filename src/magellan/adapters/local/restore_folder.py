"""A folder that a workspace is restored into. `.NAME.restoring` beside it is where it is put together."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from magellan.adapters.durable_file import cannot_write, make_folder_durably, sync_folder, write_durably
from magellan.adapters.local.backup_stage import StageFolder
from magellan.ports.backup import Beside

_KEPT = "the backup"


class RestoreInto:
    """Keeps `ports.backup.RestoreFolder`."""

    def __init__(self, into: Path) -> None:
        self._into = into
        self._beside = into.with_name(f".{into.name}.restoring")
        self._mark = into.with_name(f".{into.name}.restored")  # everything has come into the folder beside

    @property
    def is_free(self) -> bool:
        """See the port."""
        return not self._into.exists() or (self._into.is_dir() and not any(self._into.iterdir()))

    @property
    def beside_folder(self) -> Path:
        """See the port."""
        return self._beside

    def beside(self) -> Beside:
        """See the port."""
        if not self._beside.exists():
            return Beside.NOTHING
        return Beside.WHOLE if self._mark.exists() else Beside.A_PART

    def fetch(self, restore: Callable[[Path], None]) -> None:
        """See the port."""
        self.drop()
        make_folder_durably(self._beside, kept=_KEPT)
        restore(self._beside)
        StageFolder(self._beside).put_back()
        write_durably(self._mark, b"", kept=_KEPT)

    def drop(self) -> None:
        """See the port."""
        self._mark.unlink(missing_ok=True)
        if self._beside.exists():
            shutil.rmtree(self._beside)

    def put_in_place(self) -> None:
        """See the port."""
        try:
            if self._into.exists():
                self._into.rmdir()
            os.rename(self._beside, self._into)
            self._mark.unlink(missing_ok=True)
            sync_folder(self._into.parent)
        except OSError as error:
            raise cannot_write(self._into, error, kept=f"what was fetched, in {self._beside}") from error

    def take_out(self) -> None:
        """See the port."""
        os.rename(self._into, self._beside)
        sync_folder(self._into.parent)
