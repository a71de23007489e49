"""A terminal that is closed, or a connection to it that is lost, while something goes on that must come to its end."""

from __future__ import annotations

import errno
import os
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast


@contextmanager
def outlives_its_terminal() -> Iterator[None]:
    """Inside, SIGHUP ends nothing: what is done goes on, and what it prints to that terminal goes nowhere.

    Where somebody has said already what SIGHUP does, as nohup has, that holds. Call it in the main thread.
    """
    out, err = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = cast(TextIO, _Outliving(out)), cast(TextIO, _Outliving(err))
    is_ours = signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    if is_ours:
        signal.signal(signal.SIGHUP, lambda number, frame: _let_go_of_the_terminal())
    try:
        yield
    finally:
        if is_ours:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
        sys.stdout, sys.stderr = out, err


class _Outliving:
    """A text stream that survives its terminal: what is printed may find it gone before SIGHUP was heard."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._past_the_terminal(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        self._past_the_terminal(self._stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _past_the_terminal(self, say: Callable[[], object]) -> None:
        try:
            say()
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            _let_go_of_the_terminal()  # what is left in the stream's buffer goes nowhere with the rest


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
