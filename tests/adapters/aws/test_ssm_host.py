"""A host behind Systems Manager: each call runs there, once, and what became of it is told apart.

Moto's own Systems Manager answers Success to everything; the one here runs what it is sent (`amazon/executing_ssm.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from amazon.cloud import Cloud, Place, cloud
from magellan.adapters.aws.run_command import STATES, Meaning, RunCommand
from magellan.errors import AskOperator, TryAgain
from magellan.release.artifact import packed
from release.conftest import Bench

OHIO, OREGON = "us-east-2", "us-west-2"
OTHER = "i-0000000000000fff0"
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
    content, release = packed(artifact), artifact.release_id
    ask(place.host.install(release, content))
    found = ask(place.host.installed(release))
    assert found.is_whole
    assert (place.machine.folder / ".magellan/host/installed" / release / "manifest.json").is_file()
    (place.machine.folder / ".magellan/host/installed" / release / "strategy/strategy.py").chmod(0o644)
    (place.machine.folder / ".magellan/host/installed" / release / "strategy/strategy.py").write_text("odd")
    assert ask(place.host.installed(release)).drift == ("strategy/strategy.py was edited",)
    ask(place.host.remove(release))
    assert not ask(place.host.installed(release)).is_there


def test_a_release_that_nobody_trusted_has_signed_is_refused_in_the_hosts_own_words(place: Place) -> None:
    artifact = Bench().release()  # by a key of its own
    with pytest.raises(AskOperator, match="signed by"):
        ask(place.host.install(artifact.release_id, packed(artifact)))


def test_a_call_that_is_delivered_twice_is_carried_out_once(place: Place, machine_as_it_was: None) -> None:
    place.machine.deliveries = 3
    before = ask(place.host.armed("alpaca-paper-PA1"))
    armed = ask(place.host.arm("alpaca-paper-PA1", "test-moods-1", "1" * 64, epoch=before.epoch, by="ada"))
    place.machine.deliveries = 1
    assert armed.epoch == before.epoch + 1
    assert ask(place.host.armed("alpaca-paper-PA1")) == armed
    # One that was decided on an older state is refused by the host, and not by whoever carries it.
    with pytest.raises(AskOperator, match="ada has armed test-moods-1"):
        ask(place.host.arm("alpaca-paper-PA1", None, None, epoch=before.epoch, by="eve"))


def test_a_machine_that_does_not_take_the_call_has_done_nothing(
    place: Place, machine_as_it_was: None
) -> None:
    place.machine.is_online, place.machine.deliver_within_s = False, 0.1
    ran = len(place.machine.ran)
    with pytest.raises(TryAgain, match="did not take the call: DeliveryTimedOut") as told:
        ask(place.host.instances())
    assert told.value.kept == "the host as it is"
    assert len(place.machine.ran) == ran


def test_of_a_call_that_ran_out_of_time_or_was_cancelled_nobody_knows(
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
    assert not any("magellan.toml" in each for each in ask(place.host.facts(b"")).lacks)
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
    ask(oregon.host.arm("both", "test-moods-2", "2" * 64, epoch=0, by="ada"))
    assert ask(oregon.host.armed("both")).epoch == 1
    assert ask(place.host.armed("both")).instance is None


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
