"""Any release store: written once, in order, whole or not at all."""

import itertools
import stat
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from amazon.server import amazon
from magellan.adapters.aws.client import aws_client
from magellan.adapters.aws.release_bucket import ReleaseBucket
from magellan.adapters.local.release_folder import ReleaseFolder
from magellan.errors import AskOperator
from magellan.ports.release_store import ReleaseStore
from rights import MAY_EVERYTHING

AT = datetime(2026, 1, 21, 21, 30, 0, 123456, tzinfo=UTC)
COUNT = itertools.count()
ONE, TWO, THREE = "1" * 64, "2" * 64, "3" * 64


class Bucket(ReleaseBucket):
    """A store in a bucket with versions, and the bucket itself for whoever spoils it."""

    def __init__(self, client: Any, bucket: str) -> None:
        super().__init__(bucket, "trading/releases")
        self.bucket = bucket
        self.client = self._client = client  # one for all tests: to make one takes longer than to use it
        client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    with amazon() as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        client = aws_client("s3", "us-east-2", address=address)
        yield client
        client.close()


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ReleaseStore:
    if request.param == "folder":
        return ReleaseFolder(tmp_path / "releases")
    return Bucket(request.getfixturevalue("s3"), f"releases-{next(COUNT)}")


def test_releases_come_back_byte_for_byte_and_in_the_order_in_which_they_came(store: ReleaseStore) -> None:
    second = store.put("moods", TWO, b"two", at=AT)
    first = store.put(
        "moods", ONE, b"one!", at=AT - timedelta(days=1)
    )  # a clock that was set back changes no order
    assert store.releases("moods") == (second, first)
    assert (second.number, first.number) == (1, 2)
    assert (store.content(second), store.content(first)) == (b"two", b"one!")
    assert (first.size, first.stored_at) == (4, datetime(2026, 1, 20, 21, 30, tzinfo=UTC))
    assert store.strategies() == ("moods",)
    assert store.releases("other") == ()


def test_a_release_that_is_there_is_left_as_it_is(store: ReleaseStore) -> None:
    first = store.put("moods", ONE, b"one", at=AT)
    assert store.put("moods", ONE, b"one", at=AT + timedelta(days=1)) == first
    assert store.releases("moods") == (first,)


def test_a_number_is_not_given_again_while_a_newer_release_is_there(store: ReleaseStore) -> None:
    first = store.put("moods", ONE, b"one", at=AT)
    store.put("moods", TWO, b"two", at=AT)
    store.remove(first)
    assert store.put("moods", THREE, b"three", at=AT).number == 3
    assert [each.number for each in store.releases("moods")] == [2, 3]


def test_builds_at_the_same_moment_get_numbers_of_their_own(store: ReleaseStore) -> None:
    builds = [
        threading.Thread(target=store.put, args=("moods", f"{n:064x}", b"%d" % n), kwargs={"at": AT})
        for n in range(8)
    ]
    for build in builds:
        build.start()
    for build in builds:
        build.join()
    found = store.releases("moods")
    assert len({each.release_id for each in found}) == 8
    assert len({each.number for each in found}) == 8
    assert all(store.content(each) == b"%d" % int(each.release_id, 16) for each in found)


def test_a_file_that_was_never_finished_is_no_release(store: ReleaseStore, tmp_path: Path) -> None:
    store.put("moods", ONE, b"one", at=AT)
    spoil(store, tmp_path, f"{TWO}.tar.unfinished", b"tw")
    spoil(store, tmp_path, "notes.txt", b"mine")
    assert [each.release_id for each in store.releases("moods")] == [ONE]


def test_a_release_that_is_gone_is_told(store: ReleaseStore, tmp_path: Path) -> None:
    first = store.put("moods", ONE, b"one", at=AT)
    if isinstance(store, Bucket):
        for each in store.client.list_objects_v2(Bucket=store.bucket)["Contents"]:
            store.client.delete_object(Bucket=store.bucket, Key=each["Key"])
    else:
        for path in (tmp_path / "releases" / "moods").glob("*.tar"):
            path.unlink()
    with pytest.raises(AskOperator, match=r"cannot be read|NoSuchKey"):
        store.content(first)


@pytest.mark.skipif(MAY_EVERYTHING, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_keeps_what_was_there(tmp_path: Path) -> None:
    store = ReleaseFolder(tmp_path / "releases")
    first = store.put("moods", ONE, b"one", at=AT)
    folder = tmp_path / "releases" / "moods"
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises(AskOperator, match="we may not write there"):
            store.put("moods", TWO, b"two", at=AT)
    finally:
        folder.chmod(stat.S_IRWXU)
    assert store.releases("moods") == (first,)


def test_a_release_that_was_removed_is_gone_with_all_its_versions(store: ReleaseStore) -> None:
    first = store.put("moods", ONE, b"one", at=AT)
    store.remove(first)
    assert store.releases("moods") == ()
    assert store.strategies() == ()
    with pytest.raises(AskOperator):
        store.content(first)
    store.remove(first)  # again: nothing to do
    assert store.content(store.put("moods", ONE, b"one", at=AT)) == b"one"


def spoil(store: ReleaseStore, tmp_path: Path, name: str, content: bytes) -> None:
    """Lay something beside the releases that is none."""
    if isinstance(store, Bucket):
        store.client.put_object(Bucket=store.bucket, Key=f"trading/releases/moods/{name}", Body=content)
    else:
        (tmp_path / "releases" / "moods" / name).write_bytes(content)
