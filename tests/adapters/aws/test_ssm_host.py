"""A host behind Systems Manager: each call runs there, once, and what became of it is told apart.

Moto's own Systems Manager answers Success to everything; the one here runs what it is sent (`amazon/executing_ssm.py`).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from amazon.cloud import Cloud, Place, cloud
from amazon.executing_ssm import reply
from magellan.adapters.aws.run_command import STATES, Meaning, RunCommand
from magellan.adapters.local.call_records import CallRecordFiles
from magellan.adapters.local.journal_files import JournalFiles
from magellan.deploy.arming import Armed
from magellan.deploy.host import Fleet
from magellan.deploy.host_calls import Question, parsed_answer
from magellan.deploy.single_call import SingleCall, answer_lines, answer_text, is_short_enough
from magellan.deploy.steps.install import InstallRelease
from magellan.errors import AskOperator, TryAgain
from magellan.plan.actor import Actor
from magellan.plan.carry_out import TakenBack, carry_out
from magellan.plan.plan import OnFailure, Phase, Plan
from magellan.release.artifact import packed
from magellan.usecases.answer_call import answer_call
from release.conftest import Bench

OHIO, OREGON = "us-east-2", "us-west-2"
OTHER = "i-0000000000000fff0"
AT = datetime(2026, 1, 21, 21, 30, tzinfo=UTC)
BENCH = Bench()


@pytest.fixture(scope="module")
def amazon_here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("amazon")
        with cloud(folder, BENCH.key.public_key, patch.setenv) as made:
            for region in (OHIO, OREGON):
                made.bucket(f"magellan-calls-{region}", region)
            yield made


@pytest.fixture(scope="module")
def place(amazon_here: Cloud) -> Place:
    return amazon_here.place("ohio", OHIO, "i-0123456789abcdef0")


@pytest.fixture
def machine_as_it_was(place: Place) -> Iterator[None]:
    yield
    machine = place.machine
    machine.is_online, machine.deliveries, machine.deliver_within_s = True, 1, None
    machine.execute_within_s, machine.cancels = None, lambda verb: False


def ask(call: Any) -> Any:
    return asyncio.run(call)


def test_a_release_travels_through_s3_and_is_installed_whole(place: Place) -> None:
    artifact = BENCH.release()
    release = artifact.release_id
    ask(place.host.install(release, packed(artifact)))
    there = place.machine.folder / ".magellan/host/installed" / release
    assert (there / "manifest.json").read_bytes() == artifact.manifest.written()
    (there / "strategy/strategy.py").chmod(0o644)
    (there / "strategy/strategy.py").write_text("odd")
    assert ask(place.host.installed(release)).drift == ("strategy/strategy.py was edited",)
    ask(place.host.remove(release))
    assert not there.exists()


def test_a_call_that_is_delivered_twice_is_carried_out_once(place: Place, machine_as_it_was: None) -> None:
    place.machine.deliveries = 2
    armed = ask(place.host.arm("alpaca-paper-PA1", "test-moods-1", "1" * 64, epoch=0, by="ada"))
    assert armed.epoch == 1
    place.machine.deliveries = 1
    # One that was decided on an older state is refused by the host, and not by whoever carries it.
    with pytest.raises(AskOperator, match="ada has armed test-moods-1"):
        ask(place.host.arm("alpaca-paper-PA1", None, None, epoch=0, by="eve"))
    assert Armed.parsed(armed_file(place).read_bytes(), name="it") == armed
    assert len([line for line in place.machine.ran if "'arm'" in line]) == 3


def armed_file(place: Place) -> Path:
    return place.machine.folder / ".magellan/host/armed/alpaca-paper-PA1.json"


def test_a_machine_that_does_not_take_the_call_has_done_nothing(
    place: Place, machine_as_it_was: None
) -> None:
    place.machine.is_online, place.machine.deliver_within_s = False, 0.1
    ran = len(place.machine.ran)
    with pytest.raises(TryAgain, match="did not take the call: DeliveryTimedOut") as told:
        ask(place.host.instances())
    assert told.value.kept == "the host as it is"
    assert len(place.machine.ran) == ran


def test_of_a_call_that_ran_out_of_time_or_was_cancelled_nobody_knows_incident_17(
    place: Place, machine_as_it_was: None
) -> None:
    place.machine.execute_within_s = 0.01
    with pytest.raises(TryAgain, match="ended as ExecutionTimedOut") as told:
        ask(place.host.instances())
    assert told.value.kept == "what the call had done by then"
    place.machine.execute_within_s = None
    place.machine.cancels = lambda verb: verb == "instances"
    with pytest.raises(TryAgain, match="ended as Cancelled"):
        ask(place.host.instances())


def test_a_machine_without_magellan_is_told_with_its_exit_code_and_last_words(
    place: Place, amazon_here: Cloud
) -> None:
    file = place.machine.folder / "magellan.toml"
    kept = file.read_text()
    file.write_text(kept + "nonsense = 1\n")
    try:
        with pytest.raises(AskOperator, match=r"exit code 1: .*nonsense") as told:
            ask(place.host.instances())
        assert "magellan host files" in told.value.next_step
    finally:
        file.write_text(kept)


def test_a_host_whose_settings_are_not_those_here_lacks_them(place: Place) -> None:
    file = place.machine.folder / "magellan.toml"
    kept = file.read_text()
    file.write_text(kept + "[secrets]\nrotate_keys_days = 30\n")
    try:
        found = ask(place.host.facts(b""))
    finally:
        file.write_text(kept)
    assert any("its magellan.toml says other things" in each for each in found.lacks)
    assert found.clock_ahead_s == 0.0  # it answered between the question and its arrival here


def test_two_regions_are_two_hosts_that_know_nothing_of_each_other(place: Place, amazon_here: Cloud) -> None:
    oregon = amazon_here.place("oregon", OREGON, "i-0fedcba9876543210")
    ask(oregon.host.arm("alpaca-paper-PA2", "test-moods-2", "2" * 64, epoch=0, by="ada"))
    assert (oregon.machine.folder / ".magellan/host/armed/alpaca-paper-PA2.json").is_file()
    assert not (place.machine.folder / ".magellan/host/armed/alpaca-paper-PA2.json").exists()


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("verb", "shell"),
        ("question", "x; touch /tmp/owned"),
        ("content", "$(id)"),
        ("id", "'; id; '"),
        ("before", "1 || id"),
        ("command", "id"),
    ],
)
def test_the_document_takes_no_word_out_of_its_form(place: Place, word: str, value: str) -> None:
    words = {"verb": "instances", "id": "0" * 32, "before": "1" * 10, "question": "e30x", "content": "none"}
    ran = len(place.machine.ran)
    with pytest.raises(AskOperator, match="InvalidParameters"):
        ask(place.commands.run({**words, word: value}))
    assert len(place.machine.ran) == ran


def test_a_machine_that_systems_manager_does_not_know_is_refused(amazon_here: Cloud, place: Place) -> None:
    commands = RunCommand(
        document=place.target.document_name(place.name),
        instance=OTHER,
        region=OHIO,
        deliver_within_s=30,
        answer_within_s=30,
        address=amazon_here.address,
    )
    with pytest.raises(AskOperator, match="InvalidInstanceId"):
        ask(commands.run({}))


def test_every_state_that_amazon_documents_has_a_meaning() -> None:
    from botocore.loaders import Loader

    model = Loader().load_service_model("ssm", "service-2")
    documented = set(model["shapes"]["CommandInvocationStatus"]["enum"])
    assert documented <= STATES.keys()
    assert {state for state, meaning in STATES.items() if meaning is Meaning.UNDER_WAY} == {
        "Pending",
        "InProgress",
        "Delayed",
        "Cancelling",
    }


def test_a_server_that_runs_nothing_is_not_believed(place: Place, amazon_here: Cloud) -> None:
    """As plain moto: it says Success and exit code 0, and has run nothing."""
    with amazon_here.ssm.only_says_success(), pytest.raises(AskOperator, match="are no answer"):
        ask(place.host.armed("alpaca-paper-PA1"))


@pytest.mark.parametrize("spoilt", [{"Status": "Fine"}, {"Nonsense": 1}, {"ResponseCode": "0"}])
def test_the_stand_in_tells_nothing_that_amazon_could_not(spoilt: dict[str, Any]) -> None:
    told = {"CommandId": "0" * 36, "InstanceId": OTHER, "Status": "Success", "ResponseCode": 0}
    reply("GetCommandInvocation", told)
    with pytest.raises(AssertionError):
        reply("GetCommandInvocation", {**told, **spoilt})


def test_an_answer_that_was_cut_is_never_taken_for_one() -> None:
    text = answer_text(b"greeting\n" + b"x" * 19_000 + b"\n")
    assert answer_lines(text, name="ohio")[1] == b"x" * 19_000
    for cut in (0, 1, 100, len(text) // 2, len(text) - 5):
        with pytest.raises(AskOperator, match="were cut"):
            answer_lines(text[:cut], name="ohio")


def test_a_long_answer_is_packed_and_one_that_is_too_long_is_said_to_be() -> None:
    long = b"greeting\n" + b"the same again " * 10_000 + b"\n"
    assert is_short_enough(answer_text(long))
    assert answer_lines(answer_text(long), name="ohio") == long.splitlines()
    assert not is_short_enough(answer_text(random.Random(7).randbytes(60_000).hex().encode() + b"\n"))


def test_a_call_that_comes_late_changes_nothing(tmp_path: Path) -> None:
    call = SingleCall.of(Question(number=1, verb="stop", arguments={"key": "test-moods-1"}), None, before=AT)
    calls: list[str] = []

    class Noting:
        async def stop(self, key: str) -> None:
            calls.append(key)

    def answered_at(now: datetime, read: SingleCall) -> list[bytes]:
        text = asyncio.run(
            answer_call(
                Noting(),  # type: ignore[arg-type]
                read,
                settings="",
                records=CallRecordFiles(tmp_path),
                content=lambda sha256: b"",
                alone=nullcontext_async,
                now=lambda: now,
            )
        )
        return answer_lines(text, name="ohio")

    late = SingleCall.read(SingleCall.of(call.question, None, before=AT).words())
    refused = parsed_answer(answered_at(AT + timedelta(seconds=1), late)[1], {1: "stop"})
    assert isinstance(refused.error, TryAgain) and calls == []
    first = answered_at(AT - timedelta(seconds=1), SingleCall.read(call.words()))
    assert calls == ["test-moods-1"]
    # Again, and after its time: what was done is told once more, and not done.
    assert answered_at(AT + timedelta(seconds=9), SingleCall.read(call.words())) == first
    assert calls == ["test-moods-1"]


@asynccontextmanager
async def nullcontext_async() -> AsyncIterator[None]:
    yield


def test_a_region_that_is_out_of_reach_leaves_every_region_as_it_was(
    place: Place, amazon_here: Cloud, machine_as_it_was: None
) -> None:
    oregon = amazon_here.place("second", OREGON, "i-0aaaaaaaaaaaaaaa0")
    oregon.machine.is_online, oregon.machine.deliver_within_s = False, 0.1
    artifact = BENCH.release(version="2.0.0")
    fleet = Fleet(
        hosts={place.name: place.host, oregon.name: oregon.host},
        content={artifact.release_id: packed(artifact)},
    )
    installs = [
        InstallRelease(host=name, release_id=artifact.release_id, label="moods-1") for name in fleet.hosts
    ]
    plan: Plan[Fleet] = Plan(
        name="deploy moods-1 to test",
        subject="test/moods",
        phases=(Phase(name="release", steps=tuple(installs)),),
        on_failure=OnFailure.UNDO,
        resume_with="",
        undo_with="",
    )
    journals = JournalFiles(place.machine.folder / "journals")
    by = Actor(person="ada", host="here", pid=1)
    with journals.begin(plan.description, by=by, at=AT) as journal:
        outcome = asyncio.run(carry_out(plan, fleet, journal, now=lambda: AT))
    assert isinstance(outcome, TakenBack), outcome
    assert "did not take the call" in outcome.why
    assert not (place.machine.folder / ".magellan/host/installed" / artifact.release_id).exists()
    assert oregon.machine.ran == []
