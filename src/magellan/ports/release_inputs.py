"""What goes into a release beside the strategy's folder. Kept by `adapters/local/release_inputs.py`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from magellan.release.manifest import Commit


class ReleaseInputs(Protocol):
    """This installation, and the version control of the strategy's folder."""

    def engine_version(self) -> str:
        """Magellan's own version."""
        ...

    def engine_files(self) -> Mapping[str, bytes]:
        """Every file of the installed package, by its path from the folder that would be imported from."""
        ...

    def lock(self) -> bytes:
        """The dependencies of this version, pinned with their hashes. Raises AskOperator where it is missing."""
        ...

    def commit(self, folder: Path) -> Commit | None:
        """Where version control has the folder; None where it has not."""
        ...
