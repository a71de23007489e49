"""Host calls: the calls of `deploy.host.Host` as lines of JSON, for a host that is reached over a wire.

A question is one line, followed by as many raw bytes as it announces; an answer is one line. Each names the question by
its number, so several may be under way. What is asked is one of the verbs below and nothing else: whoever holds the
wire can do to the host what a roll-out can, and no more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from magellan.deploy.arming import Armed
from magellan.deploy.health import SessionLook
from magellan.deploy.host import Host, HostFacts, Installed
from magellan.deploy.instance import Instance, InstanceLook
from magellan.errors import AskOperator, FixInput, MagellanError, TryAgain

CONTENT_BYTES_MAX: Final = 256_000_000
LINE_BYTES_MAX: Final = 4_000_000
_KINDS: Final[dict[str, type[MagellanError]]] = {
    "fix-input": FixInput,
    "try-again": TryAgain,
    "ask-operator": AskOperator,
}
_MANY: Final = TypeAdapter(tuple[Instance, ...])


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One call of the protocol."""

    answer: TypeAdapter[Any]
    arguments: Mapping[str, TypeAdapter[Any]]
    content: str | None = None  # the argument that travels as raw bytes
    changes: bool = False  # the host; only one such call is under way there at a time


def _verb(answer: Any, content: str | None = None, *, changes: bool = False, **arguments: Any) -> Verb:
    return Verb(
        answer=TypeAdapter(answer),
        arguments={name: TypeAdapter(kind) for name, kind in arguments.items()},
        content=content,
        changes=changes,
    )


VERBS: Final[dict[str, Verb]] = {
    "facts": _verb(HostFacts, content="requirements"),
    "installed": _verb(Installed, release_id=str),
    "install": _verb(None, content="content", changes=True, release_id=str),
    "remove": _verb(None, changes=True, release_id=str),
    "start": _verb(None, changes=True, instance=Instance),
    "stop": _verb(None, changes=True, key=str),
    "instances": _verb(tuple[Instance, ...]),
    "look": _verb(InstanceLook, key=str),
    "armed": _verb(Armed, ledger_account=str),
    "arm": _verb(
        Armed,
        changes=True,
        ledger_account=str,
        instance=str | None,
        release_id=str | None,
        epoch=int,
        by=str,
    ),
    "renew_lease": _verb(None, changes=True, for_s=float, by=str),
    "end_lease": _verb(None, changes=True),
    "session": _verb(SessionLook, ledger_account=str),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """What a host says first."""

    settings: str  # digest of the settings that its instances trade by: `settings_digest`
    at: datetime  # aware, UTC, by the host's clock

    def written(self) -> bytes:
        return _line({"settings": self.settings, "at": self.at.isoformat()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A call on its way to a host."""

    number: int  # of this wire; from 1
    verb: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    content_bytes: int = 0  # that follow the line

    def written(self) -> bytes:
        kinds = VERBS[self.verb].arguments
        told = {name: kinds[name].dump_python(value, mode="json") for name, value in self.arguments.items()}
        return _line(
            {
                "number": self.number,
                "verb": self.verb,
                "arguments": told,
                "content_bytes": self.content_bytes,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What became of a call: what it returned, or the error that it raised."""

    number: int
    at: datetime  # by the host's clock, when it had done it
    value: Any = None
    error: MagellanError | None = None

    def written(self, verb: str) -> bytes:
        told: dict[str, Any] = {"number": self.number, "at": self.at.isoformat()}
        if self.error is None:
            told["value"] = VERBS[verb].answer.dump_python(self.value, mode="json")
        else:
            told["error"] = {
                "code": _code(self.error),
                "message": self.error.message,
                "kept": self.error.kept,
                "next_step": self.error.next_step,
            }
        return _line(told)


def parsed_greeting(line: bytes) -> Greeting:
    """Raises AskOperator for anything else."""
    try:
        told = json.loads(line)
        return Greeting(settings=str(told["settings"]), at=datetime.fromisoformat(told["at"]))
    except (ValueError, TypeError, KeyError):
        raise _unreadable(line) from None


def parsed_question(line: bytes) -> Question:
    """Raises AskOperator for a line that is no question of this protocol."""
    try:
        told = json.loads(line)
        verb = VERBS[told["verb"]]
        given = told["arguments"]
        if given.keys() != verb.arguments.keys():
            raise KeyError
        arguments = {name: kind.validate_python(given[name]) for name, kind in verb.arguments.items()}
        number, size = int(told["number"]), int(told["content_bytes"])
        if not 0 <= size <= (CONTENT_BYTES_MAX if verb.content else 0):
            raise ValueError
    except (ValueError, TypeError, KeyError, AttributeError, ValidationError):
        raise _unreadable(line) from None
    return Question(number=number, verb=told["verb"], arguments=arguments, content_bytes=size)


def parsed_answer(line: bytes, verbs: Mapping[int, str]) -> Answered:
    """verbs: of the questions that were asked, by number. Raises AskOperator for a line that answers none of them."""
    try:
        told = json.loads(line)
        number, at = int(told["number"]), datetime.fromisoformat(told["at"])
        wrong = told.get("error")
        if wrong is not None:
            kind = _KINDS[wrong["code"]]
            error = kind(wrong["message"], kept=wrong["kept"], next_step=wrong["next_step"])
            return Answered(number=number, at=at, error=error)
        verb = verbs.get(number)
        value = None if verb is None else VERBS[verb].answer.validate_python(told["value"])
    except (ValueError, TypeError, KeyError, AttributeError, ValidationError):
        raise _unreadable(line) from None
    return Answered(number=number, at=at, value=value)


async def answered(host: Host, question: Question, content: bytes) -> Answered:
    """Ask a host, and have what it said or raised as a value."""
    verb = VERBS[question.verb]
    arguments = dict(question.arguments)
    if verb.content is not None:
        arguments[verb.content] = content
    try:
        value = await getattr(host, question.verb)(**arguments)
    except MagellanError as error:
        return Answered(number=question.number, at=datetime.now(UTC), error=error)
    return Answered(number=question.number, at=datetime.now(UTC), value=value)


def _code(error: MagellanError) -> str:
    """Of the kind of error that the caller tells apart: a class of its own below one of the three is that one."""
    return next((code for code, kind in _KINDS.items() if isinstance(error, kind)), "ask-operator")


def _line(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told, separators=(",", ":")).encode() + b"\n"


def _unreadable(line: bytes) -> AskOperator:
    shown = line[:200].decode(errors="replace").strip() or "nothing"
    return AskOperator(
        f"what came over the wire is no line of this protocol: {shown}",
        next_step="let the host answer with the engine that the controller brings: `magellan host prepare`",
    )
