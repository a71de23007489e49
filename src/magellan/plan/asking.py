"""Calling a step: within its time, as often as it may be called, and with every way to fail in one form."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from magellan.errors import MagellanError, TryAgain
from magellan.plan.step import Answer, Before, NotOurs, Step, Unknown, World_contra

Returned = TypeVar("Returned")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a call did not end well."""

    why: str
    may_try_again: bool = False
    is_not_ours: bool = False  # what stands in the way is somebody else's work
    defect: Exception | None = None  # no error of ours and none of the system: the step's code is wrong


async def called(step: Step[World_contra], call: Coroutine[Any, Any, None]) -> Failure | None:
    """Await do or undo within the step's time. None: it returned."""
    try:
        await _within(step, call)
    except Exception as error:  # noqa: BLE001 - a defect is raised again, once the plan stands orderly
        return failure_of(step, error)
    return None


async def asked(
    step: Step[World_contra],
    question: Callable[[World_contra, Any], Awaitable[Answer]],
    world: World_contra,
    before: Before | None,
) -> tuple[Answer, Failure | None]:
    """Await check or verify. A question that fails is answered by Unknown, with the failure beside it.

    Nothing is changed by asking, so it is asked again whenever that may help.
    """
    pause_s = step.limits.pause_s
    for attempts_left in range(step.limits.attempts - 1, -1, -1):
        try:
            return await _within(step, question(world, before)), None
        except Exception as error:  # noqa: BLE001 - as above
            failure = failure_of(step, error)
        if not (failure.may_try_again and attempts_left):
            break
        await asyncio.sleep(pause_s)
        pause_s *= 2
    return Unknown(why=f"looking failed: {failure.why}"), failure


async def side_by_side(
    questions: Sequence[Callable[[], Coroutine[Any, Any, Returned]]], *, at_once: int
) -> list[Returned]:
    """The answers, in the order of the questions, so many of which are asked at the same time.

    Steps of a batch do not depend on each other: neither need their checks wait for each other, which on hosts that are
    far away is most of the time.
    """
    answers: list[Returned] = []
    for first in range(0, len(questions), at_once):
        some = questions[first : first + at_once]
        if len(some) == 1:
            answers.append(await some[0]())
            continue
        asking = [asyncio.ensure_future(question()) for question in some]
        try:
            answers += await asyncio.gather(*asking)
        finally:
            for each in asking:
                each.cancel()  # where one was stopped, the others end with it
            await asyncio.gather(*asking, return_exceptions=True)
    return answers


async def _within(step: Step[World_contra], call: Awaitable[Returned]) -> Returned:
    """The call's answer. Raises TimeoutError when the step's time is over."""
    timeout_s = step.limits.timeout_s
    if timeout_s is None:
        return await call
    async with asyncio.timeout(timeout_s):
        return await call


def failure_of(step: Step[World_contra], error: Exception) -> Failure:
    """The error in the form that a journal keeps."""
    if isinstance(error, MagellanError):
        return Failure(why=error.message, may_try_again=isinstance(error, TryAgain))
    if isinstance(error, NotOurs):
        return Failure(why=str(error), is_not_ours=True)
    if isinstance(error, TimeoutError):
        # The step's own limit has no words; a socket's has.
        return Failure(why=str(error) or f"no answer within {step.limits.timeout_s} s", may_try_again=True)
    if isinstance(error, OSError):
        return Failure(why=_in_words(error))
    return Failure(why=f"{type(error).__name__}: {error}", defect=error)


def _in_words(error: OSError) -> str:
    """What the system refused and what mends it, where a person can; otherwise what the system says."""
    words = _MENDED_BY.get(error.errno or 0)
    if words is None:
        return str(error)
    paths = " to ".join(str(each) for each in (error.filename, error.filename2) if each is not None)
    return f"{paths}: {words}" if paths else words


_MENDED_BY: Final[Mapping[int, str]] = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the disk quota is used up; free some space",
    errno.EROFS: "the file system is read-only; mount it for writing",
    errno.EACCES: "this user may not do that; give it the right to write to the file and to its folder "
    "(`ls -ld` shows whose they are)",
    errno.EPERM: "the system lets this user not do that; the file is somebody else's (`ls -l` tells), or was made "
    "unchangeable (`lsattr` tells, `chattr -i` ends it)",
}
