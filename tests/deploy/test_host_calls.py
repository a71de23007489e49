"""The wire to a host: what goes in comes out, and what is no call is refused."""

import asyncio
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magellan.deploy.arming import Armed
from magellan.deploy.host import Installed
from magellan.deploy.host_calls import (
    VERBS,
    Answered,
    Greeting,
    Question,
    answered,
    parsed_answer,
    parsed_greeting,
    parsed_question,
)
from magellan.deploy.instance import Instance, InstanceLook, Process
from magellan.errors import AskOperator, FixInput, MagellanError, TryAgain
from magellan.ports.ledger import AccountHeld

AT = datetime(2026, 1, 20, 14, 30, tzinfo=UTC)
INSTANCE = Instance(
    strategy="moods", stage="test", account="staging", ledger_account="alpaca-local-PA1", release_id="1" * 64
)
ARGUMENTS = {
    "facts": {},
    "installed": {"release_id": "1" * 64},
    "install": {"release_id": "1" * 64},
    "remove": {"release_id": "1" * 64},
    "start": {"instance": INSTANCE},
    "stop": {"key": "test-moods-1"},
    "instances": {},
    "look": {"key": "test-moods-1"},
    "armed": {"ledger_account": "a"},
    "arm": {"ledger_account": "a", "instance": None, "release_id": None, "epoch": 3, "by": "ada"},
    "renew_lease": {"for_s": 10.0, "by": "desk"},
    "end_lease": {},
    "session": {"ledger_account": "a"},
}
ANSWERS = {
    "armed": Armed(instance="k", release_id="1" * 64, epoch=4, by="ada", at=AT),
    "installed": Installed(is_there=True, drift=("a was edited",)),
    "instances": (INSTANCE,),
    "look": InstanceLook(process=Process.RUNNING, last_words=("a", "b")),
    "stop": None,
}


def test_every_call_of_a_host_can_be_asked_over_the_wire() -> None:
    from magellan.deploy.host import Host

    calls = {name for name in vars(Host) if not name.startswith("_") and name != "name"}
    assert calls == set(VERBS) == set(ARGUMENTS)


@pytest.mark.parametrize("verb", VERBS)
def test_a_question_arrives_as_it_was_asked(verb: str) -> None:
    asked = Question(
        number=7, verb=verb, arguments=ARGUMENTS[verb], content_bytes=12 if VERBS[verb].content else 0
    )
    assert parsed_question(asked.written()) == asked
    assert asked.written().count(b"\n") == 1


@pytest.mark.parametrize("verb", ANSWERS)
def test_an_answer_arrives_as_it_was_given(verb: str) -> None:
    given_answer = Answered(number=7, at=AT, value=ANSWERS[verb])
    assert parsed_answer(given_answer.written(verb), {7: verb}) == given_answer


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (FixInput("a"), FixInput),
        (TryAgain("a", kept="b"), TryAgain),
        (AskOperator("a", kept="b", next_step="c"), AskOperator),
        (AccountHeld("a"), AskOperator),
    ],
)
def test_an_error_stays_of_its_kind(error: MagellanError, kind: type[MagellanError]) -> None:
    told = parsed_answer(Answered(number=1, at=AT, error=error).written("stop"), {1: "stop"}).error
    assert type(told) is kind
    assert (told.message, told.kept, told.next_step) == (error.message, error.kept, error.next_step)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}\n",
        b"[1]\n",
        b'{"number": 1, "verb": "run", "arguments": {"command": "id"}, "content_bytes": 0}\n',
        b'{"number": 1, "verb": "stop", "arguments": {}, "content_bytes": 0}\n',
        b'{"number": 1, "verb": "stop", "arguments": {"key": 3}, "content_bytes": 0}\n',
        b'{"number": 1, "verb": "stop", "arguments": {"key": "a", "by": "b"}, "content_bytes": 0}\n',
        b'{"number": 1, "verb": "stop", "arguments": {"key": "a"}, "content_bytes": 5}\n',
        b'{"number": 1, "verb": "install", "arguments": {"release_id": "a"}, "content_bytes": -1}\n',
        b'{"number": 1, "verb": "install", "arguments": {"release_id": "a"}, "content_bytes": 999999999999}\n',
    ],
)
def test_what_is_no_call_is_refused(line: bytes) -> None:
    with pytest.raises(AskOperator, match="no line of this protocol"):
        parsed_question(line)


@given(st.binary(max_size=200))
def test_no_line_makes_a_reader_fail_in_another_way(line: bytes) -> None:
    for read in (parsed_question, parsed_greeting, lambda each: parsed_answer(each, {1: "armed"})):
        try:
            read(line)
        except AskOperator:
            continue
        json.loads(line)


def test_a_greeting_arrives() -> None:
    greeting = Greeting(settings="ab", at=AT)
    assert parsed_greeting(greeting.written()) == greeting


def test_what_a_host_raises_is_an_answer() -> None:
    class Refusing:
        async def stop(self, key: str) -> None:
            raise AskOperator(f"{key} stays")

    found = asyncio.run(answered(Refusing(), Question(number=3, verb="stop", arguments={"key": "k"}), b""))  # type: ignore[arg-type]
    assert found.error is not None and found.error.message == "k stays"
