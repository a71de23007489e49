"""Copies, as of one instant, of what is written while a backup is made: the ledger and the audit log.

`.magellan/backup/stage/` goes into the backup in place of what it copies; a restore puts it back where it belongs.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from magellan.adapters.durable_file import cannot_write
from magellan.adapters.local.change_log_files import ChangeLogFiles
from magellan.adapters.local.only_one import only_one
from magellan.errors import AskOperator, TryAgain

STAGE: Final = Path(".magellan/backup/stage")
_LEDGER: Final = Path(".magellan/ledger.sqlite")
_AUDIT: Final = Path(".magellan/audit")
# What the stage stands for, and what is nobody's after a restore.
LEFT_OUT: Final = (
    ".magellan/ledger.sqlite*",
    ".magellan/audit",
    ".magellan/backup/cache",
    ".magellan/backup/*.lock",
    ".magellan/heartbeats",
    ".magellan/metrics",
    ".magellan/host/environments",  # made anew from a release's list of dependencies
    ".magellan/host/supervisor",
    ".magellan/logins",
    ".env",
    "__pycache__",
    "*.unfinished",
)
_WAITS_S: Final = 600.0  # for another backup
_LOOKS_EVERY_S: Final = 0.1
_KEPT: Final = "the ledger and the audit log, as they are"


class StageFolder:
    """Keeps `ports.backup.BackupStage`, of one workspace."""

    def __init__(self, root: Path, *, copy_ledger: Callable[[Path], None] | None = None) -> None:
        """copy_ledger: writes a copy of a ledger that is kept elsewhere to a file; None: it is the workspace's own."""
        self._root = root
        self._copy_ledger = copy_ledger

    @contextmanager
    def alone(self) -> Generator[None]:
        """See the port. There is one stage: the ledger's next backup would empty it under a whole one's hands."""
        until_s = time.monotonic() + _WAITS_S
        while True:
            with only_one(self._root / STAGE.with_name("create.lock")) as alone:
                if alone:
                    yield
                    return
            if time.monotonic() > until_s:
                raise TryAgain(
                    f"another backup of {self._root} has been at work for {_WAITS_S / 60:.0f} minutes",
                    kept=_KEPT,
                )
            time.sleep(_LOOKS_EVERY_S)

    def fill(self) -> Path:
        """Copy both, each as of one instant; sessions go on meanwhile. The folder. Raises AskOperator."""
        stage = self._root / STAGE
        try:
            shutil.rmtree(stage, ignore_errors=True)
            (stage / "audit").mkdir(parents=True)
            if self._copy_ledger is not None:
                self._copy_ledger(stage / "ledger.sqlite")
            elif (self._root / _LEDGER).exists():
                _copy_database(self._root / _LEDGER, stage / "ledger.sqlite")
        except OSError as error:
            raise cannot_write(stage, error, kept=_KEPT) from error
        except sqlite3.Error as error:
            raise AskOperator(
                f"the ledger cannot be copied: {error}",
                kept=_KEPT,
                next_step="`magellan audit verify` says whether it is whole",
            ) from error
        ChangeLogFiles(self._root / _AUDIT).copy(stage / "audit")
        return stage

    def put_back(self) -> None:
        """In a restored workspace, move the copies where they belong. Doing it twice is doing it once."""
        stage = self._root / STAGE
        if (stage / "ledger.sqlite").exists():
            os.replace(stage / "ledger.sqlite", self._root / _LEDGER)
        if (stage / "audit").is_dir():
            if not (self._root / _AUDIT).exists():
                os.replace(stage / "audit", self._root / _AUDIT)
            shutil.rmtree(stage / "audit", ignore_errors=True)
        shutil.rmtree(stage, ignore_errors=True)

    def clear(self) -> None:
        """The copies are in the backup: they are needed here no more."""
        shutil.rmtree(self._root / STAGE, ignore_errors=True)


def _copy_database(source: Path, target: Path) -> None:
    """SQLite's own online backup: it sees one instant, whoever writes meanwhile."""
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as reading,
        closing(sqlite3.connect(target)) as writing,
    ):
        reading.backup(writing)
        writing.execute("PRAGMA journal_mode=DELETE")
