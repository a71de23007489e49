"""A host over SSH: the same code as on this machine, run there, and spoken to over one connection.

`magellan host serve` answers there over standard input and output (`deploy/host_calls.py`). The connection is made at
the first call, kept, and made again by the first call after it was lost. A call that was under way then raises
TryAgain: nobody knows what became of it, and whoever asks again sees.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from magellan.adapters.distant_host import DistantHost
from magellan.adapters.ssh.access import Access, connect
from magellan.adapters.ssh.connection_loop import on_connection_loop
from magellan.adapters.ssh.engine_upload import LACKING, UploadedEngine
from magellan.deploy.host import HostFacts
from magellan.deploy.host_calls import (
    VERBS,
    Answered,
    Greeting,
    Question,
    parsed_answer,
    parsed_greeting,
)
from magellan.errors import AskOperator, MagellanError, TryAgain
from magellan.workspace.target import SshTarget

_SLOWEST_BYTES_PER_S: Final = 100_000  # an upload that is slower is given up
_CLOCK_LOOKS: Final = 3
_LAST_WORDS_WITHIN_S: Final = 1.0
_WORDS_SHOWN: Final = 300  # characters
_NOBODY_KNOWS: Final = "what the call had done by then"


class SshHost(DistantHost):
    """Keeps `deploy.host.Host` for a machine that is reached over SSH.

    settings: digest of the magellan.toml that it should have (`workspace/host_settings.py`).
    """

    def __init__(self, name: str, target: SshTarget, *, settings: str) -> None:
        self._name = name
        self._target = target
        self._settings = settings
        self._wire: _Wire | None = None
        self._connecting: asyncio.Lock | None = None  # of the connections' loop

    @property
    def name(self) -> str:
        return self._name

    async def facts(self, requirements: bytes) -> HostFacts:
        """See the port."""
        facts: HostFacts
        ahead_s: float
        facts, ahead_s = await asyncio.gather(self._ask("facts", content=requirements), self._clock_ahead_s())
        wire = self._wire
        if wire is None:
            return facts
        lacks = list(facts.lacks)
        if wire.greeting.settings != self._settings:
            lacks.append(
                "its magellan.toml says other things about accounts, keys or limits than the one here; "
                f"`magellan host prepare {self._name}` brings this one there"
            )
        return replace(facts, lacks=tuple(lacks), clock_ahead_s=ahead_s)

    async def close(self) -> None:
        """Give the connection back; the next call makes another one."""
        await on_connection_loop(self._hang_up())

    async def _ask(
        self, verb: str, arguments: Mapping[str, Any] | None = None, content: bytes | None = None
    ) -> Any:
        return await on_connection_loop(self._asked(verb, arguments or {}, content or b""))

    async def _asked(self, verb: str, arguments: Mapping[str, Any], content: bytes) -> Any:
        answer = await self._answered(verb, arguments, content)
        if answer.error is not None:
            raise answer.error
        return answer.value

    async def _answered(self, verb: str, arguments: Mapping[str, Any], content: bytes) -> Answered:
        wire = await self._connected()
        within_s = self._target.answer_within_s + len(content) / _SLOWEST_BYTES_PER_S
        try:
            async with asyncio.timeout(within_s):
                return await wire.ask(verb, arguments, content)
        except TimeoutError:
            await self._hang_up()
            raise TryAgain(
                f"{self._name} has not answered `{verb}` within {within_s:.0f} s", kept=_NOBODY_KNOWS
            ) from None

    async def _clock_ahead_s(self) -> float:
        """How far the host's clock is ahead of ours at the least; 0 where it may be right."""
        lowest, highest = -math.inf, math.inf
        for _ in range(_CLOCK_LOOKS):
            asked_at = datetime.now(UTC)
            answer = await on_connection_loop(self._answered("instances", {}, b""))
            lowest = max(lowest, (answer.at - datetime.now(UTC)).total_seconds())
            highest = min(highest, (answer.at - asked_at).total_seconds())
        return lowest if lowest > 0 else min(highest, 0.0)

    async def _connected(self) -> _Wire:
        if self._connecting is None:
            self._connecting = asyncio.Lock()
        async with self._connecting:
            if self._wire is None or self._wire.is_lost:
                await self._hang_up()
                self._wire = await self._dial()
            return self._wire

    async def _dial(self) -> _Wire:
        connection = await connect(Access.to(self._name, self._target))
        engine = UploadedEngine(self._name, self._target)
        try:
            wire = await _Wire.opened(self._name, connection, engine, self._target)
            if wire is None:
                await engine.bring(connection)
                wire = await _Wire.opened(self._name, connection, engine, self._target)
            if wire is None:
                raise AskOperator(
                    f"{self._name} has no interpreter where its environment should be",
                    next_step=f"look at `environment` in the section [targets.{self._name}] of magellan.toml",
                )
        except BaseException:
            connection.abort()
            raise
        return wire

    async def _hang_up(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.close()


@dataclass(slots=True, kw_only=True)
class _Wire:
    """One process of `host serve`, as long as its connection holds."""

    name: str
    connection: Any
    process: Any
    greeting: Greeting
    _reader: asyncio.Task[None] | None = None
    _verbs: dict[int, str] = field(default_factory=dict)
    _waiting: dict[int, asyncio.Future[Answered]] = field(default_factory=dict)
    _sending: asyncio.Lock = field(default_factory=asyncio.Lock)
    _asked: int = 0
    is_lost: bool = False

    @classmethod
    async def opened(
        cls, name: str, connection: Any, engine: UploadedEngine, target: SshTarget
    ) -> _Wire | None:
        """None: the host lacks the engine, or its environment. Raises AskOperator, TryAgain."""
        import asyncssh

        try:
            async with asyncio.timeout(target.answer_within_s):
                process = await connection.create_process(engine.serve(), encoding=None)
                line = await process.stdout.readline()
                if not line:
                    done = await process.wait(check=False)
        except (OSError, asyncssh.Error, TimeoutError) as error:
            raise _lost(name, str(error)) from error
        if not line:
            if done.exit_status == LACKING:
                return None
            words = bytes(done.stderr or b"").decode(errors="replace").strip().splitlines()
            raise AskOperator(
                f"{name} cannot serve: {' '.join(words[:4]) or f'exit code {done.exit_status}'}",
                kept="what trades there",
                next_step=f"make the host ready with `magellan host prepare {name}`",
            )
        wire = cls(name=name, connection=connection, process=process, greeting=parsed_greeting(line))
        wire._reader = asyncio.get_running_loop().create_task(wire._read())
        return wire

    async def ask(self, verb: str, arguments: Mapping[str, Any], content: bytes) -> Answered:
        """Raises TryAgain when the connection is lost before the answer."""
        import asyncssh

        self._asked += 1
        number = self._asked
        question = Question(number=number, verb=verb, arguments=arguments, content_bytes=len(content))
        assert verb in VERBS and (not content or VERBS[verb].content is not None), verb
        answer: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        self._verbs[number] = verb
        self._waiting[number] = answer
        try:
            async with self._sending:  # a question and its content are not torn apart
                if self.is_lost:
                    raise _lost(self.name)
                self.process.stdin.write(question.written() + content)
                await self.process.stdin.drain()
            return await answer
        except (OSError, asyncssh.Error) as error:
            raise _lost(self.name, str(error)) from error
        finally:
            self._waiting.pop(number, None)

    async def close(self) -> None:
        """End it; what it had begun there comes to its end."""
        self.is_lost = True
        if self._reader is not None:
            self._reader.cancel()
        self.connection.abort()
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self.connection.wait_closed()
        self._fail(_lost(self.name))

    async def _read(self) -> None:
        import asyncssh

        why: MagellanError = _lost(self.name)
        try:
            while line := await self.process.stdout.readline():
                answer = parsed_answer(line, self._verbs)
                self._verbs.pop(answer.number, None)
                waiting = self._waiting.get(answer.number)
                if waiting is not None and not waiting.done():
                    waiting.set_result(answer)
            async with asyncio.timeout(_LAST_WORDS_WITHIN_S):  # it has ended there, and says why
                why = _lost(self.name, bytes(await self.process.stderr.read()).decode(errors="replace"))
        except (OSError, asyncssh.Error) as error:
            why = _lost(self.name, str(error))
        except MagellanError as error:
            why = error
        finally:
            self.is_lost = True
            self._fail(why)

    def _fail(self, why: MagellanError) -> None:
        for each in self._waiting.values():
            if not each.done():
                each.set_exception(why)


def _lost(name: str, why: str = "") -> TryAgain:
    words = " ".join(why.split())[:_WORDS_SHOWN]
    return TryAgain(
        f"the connection to {name} was lost{f': {words}' if words else ''}",
        kept=_NOBODY_KNOWS,
        next_step="ask again once the host can be reached",
    )
