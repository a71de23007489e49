"""Only one process at a time: a lock that the system takes back when the process dies, however it dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from magellan.adapters.durable_file import cannot_write, make_folder_durably


@contextmanager
def only_one(file: Path) -> Generator[bool]:
    """Whether this process is the only one inside a block of that file. Raises AskOperator when it cannot be made."""
    make_folder_durably(file.parent, kept="")
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise cannot_write(file, error, kept="") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
