"""Locks as files, one per subject. The system takes a lock back when its process dies; the name in it stays.

They hold among the processes of one machine, on a local disk; the locks of network file systems cannot be relied on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

from magellan.adapters.durable_file import cannot_write
from magellan.adapters.local.only_one import only_one
from magellan.plan.actor import Actor
from magellan.ports.plan_lock import Holder, PlanHeld

_TRIES: Final = 10
_PAUSE_S: Final = 0.02  # long enough for somebody who only looked who holds it
_KEPT: Final = "everything; nothing was begun"


class PlanLockFiles:
    """Keeps `ports.plan_lock.PlanLocks` in a folder of the workspace."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def hold(self, subject: str, holder: Holder) -> Generator[Holder | None]:
        """See the port."""
        file = self._file(subject)
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(_PAUSE_S)
            with only_one(file) as alone:
                if alone:
                    dead = _read(file)
                    _write(file, _text(holder))
                    try:
                        yield dead
                    finally:
                        _write(file, "")
                    return
        told = _read(file) or "another process, which has not written its name yet"
        raise PlanHeld(
            f"{subject} is being changed by {told}",
            kept=_KEPT,
            next_step=f"wait until that is done, or stop it (its lock is {file})",
        )

    def holder(self, subject: str) -> Holder | None:
        """See the port."""
        file = self._file(subject)
        if not file.exists():
            return None
        with only_one(file) as alone:
            return None if alone else _read(file)

    def _file(self, subject: str) -> Path:
        return self._folder / f"{quote(subject, safe='')}.lock"


def _text(holder: Holder) -> str:
    return json.dumps({"by": asdict(holder.by), "since": holder.since.isoformat(), "what": holder.what})


def _write(file: Path, text: str) -> None:
    # In place, since the lock is on this very file. It is for people: a torn name is no name.
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise cannot_write(file, error, kept=_KEPT) from error


def _read(file: Path) -> Holder | None:
    """The name in the file; None: there is none, or not all of it."""
    try:
        told = json.loads(file.read_bytes())
        return Holder(by=Actor(**told["by"]), since=datetime.fromisoformat(told["since"]), what=told["what"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
