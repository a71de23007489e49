"""Serve a host: answer a controller's calls over one stream, until it closes.

Calls that change something are carried out one after the other, also those of different connections: a call whose
connection was lost has come to its end before the next one begins, so whoever asks again sees what became of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Protocol

from magellan.deploy.host import Host
from magellan.deploy.host_calls import (
    VERBS,
    Greeting,
    Question,
    answered,
    parsed_question,
)
from magellan.errors import AskOperator


class AnswerSink(Protocol):
    """The way back to the controller."""

    def write(self, line: bytes) -> None:
        """Send a line. Raises BrokenPipeError where nobody listens any more."""
        ...


async def serve_host(
    host: Host,
    questions: asyncio.StreamReader,
    answers: AnswerSink,
    *,
    settings: str,
    alone: Callable[[], AbstractAsyncContextManager[None]],
) -> None:
    """Answer until the stream ends; what was begun is finished first.

    questions: with a limit of LINE_BYTES_MAX. settings: their digest, for the greeting.
    alone:     waits until no other process changes this host, and keeps it so.
    Raises AskOperator for a stream that does not speak the protocol.
    """
    answers.write(Greeting(settings=settings, at=datetime.now(UTC)).written())
    changing = asyncio.Lock()  # in the order in which they came

    async def answer(question: Question, content: bytes) -> None:
        if VERBS[question.verb].changes:
            async with changing, alone():
                found = await answered(host, question, content)
        else:
            found = await answered(host, question, content)
        answers.write(found.written(question.verb))

    try:
        async with asyncio.TaskGroup() as under_way:
            while line := await questions.readline():
                question = parsed_question(line)
                content = await questions.readexactly(question.content_bytes)
                under_way.create_task(answer(question, content))
    except* asyncio.IncompleteReadError:
        pass  # the connection was lost in the middle of a question: nothing of it was begun
    except* BrokenPipeError:
        pass  # it was lost before an answer: whoever asked will look
    except* AskOperator as errors:
        raise errors.exceptions[0] from None
