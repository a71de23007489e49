"""Answer a call: one question of a controller, delivered perhaps late, perhaps twice.

What changes the host is done once for each call, however often it arrives; and never after its time, when whoever asked
has gone on without it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime

from magellan.deploy.host import Host
from magellan.deploy.host_calls import VERBS, Answered, Greeting, answered
from magellan.deploy.single_call import SingleCall, answer_text, is_short_enough
from magellan.errors import AskOperator, MagellanError, TryAgain
from magellan.ports.call_records import CallRecords


async def answer_call(
    host: Host,
    call: SingleCall,
    *,
    settings: str,
    records: CallRecords,
    content: Callable[[str], bytes],
    alone: Callable[[], AbstractAsyncContextManager[None]],
    now: Callable[[], datetime],
) -> str:
    """The text of the answer.

    settings: digest of the host's. content: what travelled beside the call, by its SHA-256.
    alone:    waits until no other process changes this host, and keeps it so.
    """
    if not VERBS[call.question.verb].changes:
        return _text(await _answered(host, call, content, now), call, settings, now())
    async with alone():
        told = records.answer(call.id)
        if told is None:
            told = _text(await _answered(host, call, content, now), call, settings, now())
            records.keep(call.id, told)
    return told


async def _answered(
    host: Host, call: SingleCall, content: Callable[[str], bytes], now: Callable[[], datetime]
) -> Answered:
    question = call.question
    if now() > call.before:
        late = TryAgain(
            f"the call `{question.verb}` came after {call.before:%H:%M:%S} UTC, when nobody waited for it any more",
            kept="the host as it is",
            next_step=f"ask again; where it always is late, look at the host's clock: it is {now():%H:%M:%S} UTC there",
        )
        return Answered(number=question.number, at=now(), error=late)
    try:
        beside = b"" if call.content_sha256 is None else content(call.content_sha256)
    except MagellanError as error:
        return Answered(number=question.number, at=now(), error=error)
    return await answered(host, question, beside)


def _text(found: Answered, call: SingleCall, settings: str, at: datetime) -> str:
    greeting = Greeting(settings=settings, at=at).written()
    text = answer_text(greeting + found.written(call.question.verb))
    if is_short_enough(text):
        return text
    too_long = AskOperator(
        f"the answer to `{call.question.verb}` has {len(text):,} characters, more than its way back carries",
        kept="the host as the call left it",
        next_step="look on the host itself with `magellan deployments`",
    )
    error = Answered(number=found.number, at=found.at, error=too_long)
    return answer_text(greeting + error.written(call.question.verb))
