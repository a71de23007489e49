"""Work in a process of its own: it takes no turn from those whom this process answers, and can be stopped."""

from __future__ import annotations

import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Final, Protocol, TypeVar

from magellan.adapters.local.ctrl_c import unreachable_by_ctrl_c
from magellan.errors import MagellanError, TryAgain

Answer = TypeVar("Answer", covariant=True)
Report = Callable[[str, float, float | None], None]
"""Told how far the work is: phase, done, total."""

LOOKS_EVERY_S: Final = 0.1
_NICER: Final = 10  # than whoever waits for an answer, where a system knows no work that is idle
_ENDS_WITHIN_S: Final = 0.2


class PortableWork(Protocol[Answer]):
    """Work that can be pickled: everything that it needs is a value in it."""

    def __call__(self, report: Report) -> Answer:
        """Do it. Raises whatever goes wrong."""
        ...


@dataclass(frozen=True, slots=True)
class _Ended:
    answer: Any
    error: MagellanError | None = None
    traceback: str = ""  # of an error that nobody foresaw


def in_own_process(work: PortableWork[Answer], report: Report, *, gives_way: bool = True) -> Answer:
    """The answer of the work, which is carried out in a process of its own.

    gives_way: it has a processor when nobody else wants one, and gives it back at once. Not so for work that others
               have to wait for.
    report: told what the work reports, in this thread, and the last of it again several times a second: what it
            raises stops the work at once, and passes through.
    Raises: what the work raised; TryAgain where its process was killed.
    """
    # A fork would copy locks that another thread of ours holds.
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_carry_out, args=(work, theirs, gives_way))
    with ours:
        with theirs, unreachable_by_ctrl_c():
            process.start()
        try:
            ended = _watched(ours, report)
        finally:
            # It has told everything, or nothing of it is wanted any more. Where it gives way on a busy machine, seconds
            # may pass until it is gone; it does nothing meanwhile, and whoever starts the next one puts it away.
            process.kill()
            process.join(_ENDS_WITHIN_S)
    if ended.error is not None:
        raise ended.error
    if ended.traceback:
        unforeseen = RuntimeError("the work ended with an error in its own process")
        unforeseen.add_note(ended.traceback)
        raise unforeseen
    answer: Answer = ended.answer
    return answer


def _watched(told: Connection, report: Report) -> _Ended:
    last: tuple[str, float, float | None] = ("", 0.0, None)
    while True:
        if told.poll(LOOKS_EVERY_S):
            try:
                message = told.recv()
            except EOFError:
                raise TryAgain(
                    "the process that worked for us has ended before its work was done: killed, or out of memory",
                    next_step="ask for less at once, or give this machine more memory",
                ) from None
            if isinstance(message, _Ended):
                return message
            last = message
        report(*last)


def _carry_out(work: PortableWork[Any], told: Connection, gives_way: bool) -> None:
    if gives_way:
        _give_way()

    def report(phase: str, done: float, total: float | None = None) -> None:
        _tell(told, (phase, done, total))

    try:
        ended = _Ended(work(report))
    except MagellanError as error:
        ended = _Ended(None, error)
    # The outermost frame of the process: what is not told here, nobody learns.
    except Exception:  # noqa: BLE001
        ended = _Ended(None, None, traceback.format_exc())
    _tell(told, ended)


def _give_way() -> None:
    if sys.platform == "linux":
        # Work that is only nicer keeps its processor until its turn of some milliseconds is over, and an answer waits.
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    os.nice(_NICER)


def _tell(told: Connection, message: object) -> None:
    try:
        told.send(message)
    except BrokenPipeError:
        sys.exit(1)  # whoever wanted to know has ended
