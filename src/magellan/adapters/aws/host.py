"""A host behind AWS Systems Manager: each call is one command there, `magellan host call`, and its output the answer.

Releases and lists of dependencies travel through S3, named by their SHA-256. Nothing listens on the host, and nobody
logs in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from magellan.adapters.aws.run_command import Ran, RunCommand
from magellan.adapters.aws.transfer import Transfer
from magellan.adapters.distant_host import DistantHost
from magellan.deploy.host import HostFacts
from magellan.deploy.host_calls import Answered, Greeting, Question, parsed_answer, parsed_greeting
from magellan.deploy.single_call import SingleCall, answer_lines
from magellan.errors import AskOperator

_NUMBER: Final = 1  # of the only question of its kind
_LINES_SHOWN: Final = 5


class SsmHost(DistantHost):
    """Keeps `deploy.host.Host`.

    settings: digest of the settings that its instances should trade by. deliver_within_s: after it no call is begun.
    """

    def __init__(
        self,
        name: str,
        *,
        commands: RunCommand,
        transfer: Transfer,
        settings: str,
        deliver_within_s: int,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._name = name
        self._commands = commands
        self._transfer = transfer
        self._settings = settings
        self._deliver_within_s = deliver_within_s
        self._now = now

    @property
    def name(self) -> str:
        return self._name

    async def facts(self, requirements: bytes) -> HostFacts:
        """See the port. The host's clock is held against the span between question and answer."""
        asked_at = self._now()
        greeting, answer = await self._called("facts", {}, requirements)
        heard_at = self._now()
        facts: HostFacts = answer.value
        lacks = list(facts.lacks)
        if greeting.settings != self._settings:
            lacks.append(
                "its magellan.toml says other things about accounts, keys or limits than the one here; "
                "bring this one there"
            )
        ahead_s = max(0.0, (answer.at - heard_at).total_seconds()) + min(
            0.0, (answer.at - asked_at).total_seconds()
        )
        return replace(facts, lacks=tuple(lacks), clock_ahead_s=ahead_s)

    async def _ask(
        self, verb: str, arguments: Mapping[str, Any] | None = None, content: bytes | None = None
    ) -> Any:
        return (await self._called(verb, arguments or {}, content))[1].value

    async def _called(
        self, verb: str, arguments: Mapping[str, Any], content: bytes | None
    ) -> tuple[Greeting, Answered]:
        """Greeting and answer. Raises what the host raised, and what became of a call that came to no answer."""
        sha256 = None if content is None else await asyncio.to_thread(self._transfer.put, content)
        question = Question(number=_NUMBER, verb=verb, arguments=arguments, content_bytes=len(content or b""))
        before = self._now() + timedelta(seconds=self._deliver_within_s)
        call = SingleCall.of(question, sha256, before=before)
        ran = await self._commands.run({**call.words(), "verb": verb})
        greeting, answer = self._read(ran, verb)
        if answer.error is not None:
            raise answer.error
        return greeting, answer

    def _read(self, ran: Ran, verb: str) -> tuple[Greeting, Answered]:
        if ran.exit_code != 0:
            words = [line for line in ran.errors.splitlines() if line.strip()]
            said = "\n  ".join(words[-_LINES_SHOWN:])
            raise AskOperator(
                f"`{verb}` on {self._name} ended with exit code {ran.exit_code}{f': {said}' if said else ''}",
                kept="what the call had done by then",
                next_step="see that Magellan is installed there, as `magellan host files` says",
            )
        lines = answer_lines(ran.output, name=self._name)
        if len(lines) != 2:
            raise AskOperator(f"{self._name} answered {len(lines)} lines, where two belong")
        answer = parsed_answer(lines[1], {_NUMBER: verb})
        return parsed_greeting(lines[0]), answer
