"""One command on one machine, through AWS Systems Manager: sent, waited for, and its end told apart.

The states are Amazon's; what each means to a caller is the table below. A command whose end nobody knows is cancelled
and raised as TryAgain: it may have been carried out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from typing import Any, Final

from magellan.adapters.aws.client import aws_client, refusal_code, refusals
from magellan.errors import AskOperator, TryAgain

_KEPT: Final = "what the call had done by then"
_ALLOW: Final = "look at the machine in Systems Manager, and at the policies that `magellan host files` shows"


class Meaning(Enum):
    """What a state says of the command."""

    UNDER_WAY = auto()
    ENDED = auto()  # by itself, with an exit code
    NEVER_BEGAN = auto()
    UNKNOWN = auto()  # it began, or may have; nobody knows how far it came


# StatusDetails of GetCommandInvocation, without spaces: Amazon writes "Delivery Timed Out" and DeliveryTimedOut.
STATES: Final[Mapping[str, Meaning]] = {
    "Pending": Meaning.UNDER_WAY,
    "InProgress": Meaning.UNDER_WAY,
    "Delayed": Meaning.UNDER_WAY,
    "Cancelling": Meaning.UNDER_WAY,
    "Success": Meaning.ENDED,
    "Failed": Meaning.ENDED,
    "DeliveryTimedOut": Meaning.NEVER_BEGAN,
    "Undeliverable": Meaning.NEVER_BEGAN,
    "InvalidPlatform": Meaning.NEVER_BEGAN,
    "AccessDenied": Meaning.NEVER_BEGAN,
    "ExecutionTimedOut": Meaning.UNKNOWN,
    "TimedOut": Meaning.UNKNOWN,
    "Cancelled": Meaning.UNKNOWN,
    "Canceled": Meaning.UNKNOWN,
    "Terminated": Meaning.UNKNOWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often the state is asked for: at first so soon, then ever later; and for how long."""

    first_s: float = 0.3
    factor: float = 1.5
    longest_s: float = 3.0
    late_s: float = 15.0  # that Amazon may take beyond its own time limits, until we stop waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A command that came to its end."""

    exit_code: int
    output: str  # 24,000 characters at most; Amazon cuts what is more
    errors: str  # 8,000 at most


class RunCommand:
    """Commands by one document on one machine.

    deliver_within_s: until the machine must have taken it, at least 30. answer_within_s: from then to its end; the
    document holds the machine to it. region, address: as `aws_client` takes them.
    """

    def __init__(
        self,
        *,
        document: str,
        instance: str,
        region: str,
        deliver_within_s: int,
        answer_within_s: int,
        pace: Pace = Pace(),
        address: str | None = None,
    ) -> None:
        self._document = document
        self._instance = instance
        self._region = region
        self._deliver_within_s = deliver_within_s
        self._answer_within_s = answer_within_s
        self._pace = pace
        self._address = address

    async def run(self, words: Mapping[str, str]) -> Ran:
        """Run the document with these parameters.

        Raises TryAgain where the machine did not take it, and where nobody knows how far it came; AskOperator where
        Amazon refuses it, or says what is not in the table.
        """
        with self._refusals():
            sent = await asyncio.to_thread(
                self._client.send_command,
                DocumentName=self._document,
                InstanceIds=[self._instance],
                Parameters={name: [word] for name, word in words.items()},
                TimeoutSeconds=self._deliver_within_s,
            )
        command = sent["Command"]["CommandId"]
        told, state = await self._ended(command)
        match STATES.get(state):
            case Meaning.ENDED:
                return Ran(
                    exit_code=told["ResponseCode"],
                    output=told["StandardOutputContent"],
                    errors=told["StandardErrorContent"],
                )
            case Meaning.NEVER_BEGAN:
                raise TryAgain(
                    f"{self._instance} did not take the call: {state}",
                    kept="the host as it is",
                    next_step="see whether the machine runs, and its agent with it",
                )
            case Meaning.UNKNOWN:
                raise TryAgain(f"the call to {self._instance} ended as {state}", kept=_KEPT)
            case _:
                raise AskOperator(
                    f"Systems Manager says {state!r} of a call to {self._instance}, which is no state that we know",
                    kept=_KEPT,
                    next_step="see what it means, then ask again",
                )

    async def _ended(self, command: str) -> tuple[dict[str, Any], str]:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self._deliver_within_s + self._answer_within_s + self._pace.late_s
        pause_s = self._pace.first_s
        while True:
            told = await asyncio.to_thread(self._state, command)
            state = told["StatusDetails"].replace(" ", "")
            if STATES.get(state) is not Meaning.UNDER_WAY:
                return told, state
            if loop.time() >= until_s:
                await self._cancelled(command)
                raise TryAgain(
                    f"the call to {self._instance} is still {state} after its time; it was cancelled",
                    kept=_KEPT,
                )
            await asyncio.sleep(pause_s)
            pause_s = min(self._pace.longest_s, pause_s * self._pace.factor)

    def _state(self, command: str) -> dict[str, Any]:
        from botocore.exceptions import ClientError

        with self._refusals():
            try:
                told: dict[str, Any] = self._client.get_command_invocation(
                    CommandId=command, InstanceId=self._instance
                )
            except ClientError as error:
                if refusal_code(error) == "InvocationDoesNotExist":  # yet: it was sent a moment ago
                    return {"StatusDetails": "Pending"}
                raise
        return told

    async def _cancelled(self, command: str) -> None:
        with self._refusals():
            await asyncio.to_thread(
                self._client.cancel_command, CommandId=command, InstanceIds=[self._instance]
            )

    @cached_property
    def _client(self) -> Any:
        return aws_client("ssm", self._region, address=self._address)

    def _refusals(self) -> AbstractContextManager[None]:
        return refusals(f"Systems Manager in {self._region}", kept=_KEPT, next_step=_ALLOW)
