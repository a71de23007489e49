"""Ctrl-C, which a terminal sends to every process that was started there."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def unreachable_by_ctrl_c() -> Iterator[None]:
    """Processes begun inside never hear of Ctrl-C, from their first instruction on; we decide what is kept."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
