"""One writer at a time: a lock that the operating system takes back when its process dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from magellan.adapters.durable_file import cannot_write
from magellan.errors import TryAgain

_POLL_S = 0.05


@contextmanager
def sole_writer(path: Path, *, wait_s: float = 10.0) -> Iterator[None]:
    """Hold the lock file at `path` for the time of the `with`.

    Merges take milliseconds, so another writer is waited for. Raises TryAgain when it is still there after
    wait_s; AskOperator when the file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise cannot_write(path, error, kept="the archive, as it was") from error
    try:
        _acquire(descriptor, path, wait_s)
        yield
    finally:
        os.close(descriptor)  # which also gives the lock back


def _acquire(descriptor: int, path: Path, wait_s: float) -> None:
    give_up_at = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() >= give_up_at:
                raise TryAgain(
                    f"another process has been writing to the archive for {wait_s:g} s ({path} is locked)",
                    kept="the archive, as it was",
                    next_step="wait until the other import or fetch is done, then run this again",
                ) from error
        time.sleep(_POLL_S)
