"""A trail in S3: batches are objects that are written once and joined by and by, whatever is killed or lost between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from amazon.cloud import KEYS
from amazon.server import amazon
from magellan.adapters.aws.client import aws_client
from magellan.adapters.trail.s3_place import S3Place
from magellan.adapters.trail.sealed_trail import SealedTrail
from magellan.errors import AskOperator, TryAgain
from magellan.wiring.upkeep import ledger_trail
from magellan.workspace.aws_names import bucket_on_server
from magellan.workspace.backup_terms import BackupTerms

BUCKET, REGION = "backups", "us-east-2"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in KEYS.items():
            patch.setenv(name, value)
        with amazon() as address:
            aws_client("s3", REGION, address=address).create_bucket(
                Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
            )
            yield address


@pytest.fixture(scope="module")
def client(server: str) -> Iterator[Any]:
    """One for all of them: to make one takes longer than what it is asked."""
    made = aws_client("s3", REGION, address=server)
    yield made
    made.close()


@pytest.fixture
def new_place(server: str, client: Any, request: pytest.FixtureRequest) -> Callable[[], S3Place]:
    """Somebody who knows nothing of the others, at the one place of a test."""

    def made() -> S3Place:
        place = S3Place(BUCKET, request.node.name, region=REGION, address=server, joined_at=4)
        place._client = client
        return place

    return made


def keys(place: S3Place) -> list[str]:
    found = place._client.list_objects_v2(Bucket=BUCKET, Prefix=place._prefix + "/").get("Contents", ())
    return [each["Key"].rpartition("/")[2] for each in found]


def test_batches_are_joined_by_and_by_and_read_as_one_file(new_place: Callable[[], S3Place]) -> None:
    place, whole = new_place(), b""
    for number in range(11):
        whole += (batch := f"batch {number}\n".encode())
        place.append(batch)
    assert new_place().read() == whole
    assert keys(place) == [
        *("0000000001-0000000004", "0000000005-0000000008"),
        *("0000000009", "0000000010", "0000000011"),
    ]
    going_on = new_place()
    going_on.append(b"one more\n")  # it looks by itself how far the trail is
    assert new_place().read() == whole + b"one more\n"
    assert keys(place)[-1] == "0000000009-0000000012"


def test_who_was_killed_while_joining_leaves_nothing_twice(
    new_place: Callable[[], S3Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = new_place()

    class Killed(BaseException):
        pass

    def killed(**given: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(place._client, "delete_objects", killed)
        for number in range(3):
            place.append(f"{number}".encode())
        with pytest.raises(Killed):
            place.append(b"3")
    assert len(keys(place)) == 5
    follower = new_place()
    assert follower.read() == b"0123"
    for number in range(4, 8):
        follower.append(f"{number}".encode())
    assert new_place().read() == b"01234567"
    assert keys(place) == ["0000000001-0000000004", "0000000005-0000000008"]


def test_who_reads_while_another_joins_reads_all_of_it(
    new_place: Callable[[], S3Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, reader = new_place(), new_place()
    for number in range(3):
        writer.append(f"{number}".encode())
    listed = reader._pieces

    def then_joined() -> Iterator[Any]:
        found = list(listed())
        if not any(each.last > each.first for each in found):
            writer.append(b"3")
        return iter(found)

    monkeypatch.setattr(reader, "_pieces", then_joined)
    assert reader.read() == b"0123"


def test_what_came_although_nobody_heard_so_is_not_sent_twice(
    new_place: Callable[[], S3Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = new_place()
    place.read()
    put = place._client.put_object

    def put_twice(**given: Any) -> Any:
        put(**given)
        return put(**given)  # as the client does where the first answer was lost

    monkeypatch.setattr(place._client, "put_object", put_twice)
    place.append(b"once")
    assert new_place().read() == b"once"


def test_a_second_writer_is_refused_and_changes_nothing(new_place: Callable[[], S3Place]) -> None:
    one, other = new_place(), new_place()
    assert one.read() == other.read() == b""
    one.append(b"mine")
    with pytest.raises(AskOperator, match="somebody else adds to s3://backups/"):
        other.append(b"theirs")
    assert new_place().read() == b"mine"


def test_a_batch_that_somebody_removed_is_missed(new_place: Callable[[], S3Place]) -> None:
    place = new_place()
    for number in range(3):
        place.append(f"{number}".encode())
    place._client.delete_object(Bucket=BUCKET, Key=f"{place._prefix}/0000000002")
    with pytest.raises(AskOperator, match="lacks what was sent as 2 to 2"):
        new_place().read()


def test_a_bucket_that_is_away_is_tried_again_and_one_that_there_is_not_is_told(server: str) -> None:
    with pytest.raises(AskOperator, match="NoSuchBucket"):
        S3Place("no-such-bucket", "trail", region=REGION, address=server).read()
    with pytest.raises(TryAgain, match="cannot be reached"):
        S3Place(BUCKET, "trail", region=REGION, address="http://127.0.0.1:1").read()


@pytest.mark.parametrize(
    ("address", "told"),
    [
        (
            "s3:https://s3.us-east-2.amazonaws.com/bucket/a/ledger.trail",
            ("https://s3.us-east-2.amazonaws.com", "bucket", "a/ledger.trail", "us-east-2"),
        ),
        ("s3:http://nas:9000/bucket/trail", ("http://nas:9000", "bucket", "trail", None)),
    ],
)
def test_a_place_in_s3_is_written_as_restic_writes_it(address: str, told: tuple[str, ...]) -> None:
    assert BackupTerms.model_validate({"follow_to": address}).follow_to == address
    assert bucket_on_server(address) == told


def test_what_magellan_toml_names_is_written_with_the_backups_passphrase(server: str) -> None:
    with ledger_trail(f"s3:{server}/{BUCKET}/named", SecretStr("four words of the test")) as trail:
        assert isinstance(trail, SealedTrail)
        assert trail.place == "s3://backups/named" and trail.heads() == {}
