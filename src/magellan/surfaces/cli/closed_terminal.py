"""A terminal that is closed, or a connection to it that is lost, while something goes on that must come to its end."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def outlives_its_terminal() -> Iterator[None]:
    """Inside, SIGHUP ends nothing: what is done goes on, and what it prints to that terminal goes nowhere.

    Where somebody has said already what SIGHUP does, as nohup has, that holds. Call it in the main thread.
    """
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGHUP, lambda number, frame: _let_go_of_the_terminal())
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _let_go_of_the_terminal() -> None:
    """Printing to a terminal that is gone would fail, in the middle of a step."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        if _is_a_terminal(stream):
            os.dup2(nowhere, stream)
    os.close(nowhere)


def _is_a_terminal(stream: int) -> bool:
    """Also one whose other end was closed, which `isatty` denies. A file or a pipe goes on being written to."""
    return stat.S_ISCHR(os.fstat(stream).st_mode)
