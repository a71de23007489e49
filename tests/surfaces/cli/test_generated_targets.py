"""`magellan host files`, `magellan host document`, and releases in S3, through the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from amazon.cloud import KEYS
from amazon.server import amazon
from magellan.adapters.aws.client import aws_client
from magellan.adapters.aws.release_bucket import ReleaseBucket
from magellan.release.artifact import packed
from magellan.surfaces.cli.app import run
from release.conftest import Bench

BENCH = Bench()
REGION = "us-east-2"
SETTINGS = f"""
[accounts.paper]
kind = "local"
number = "PA1"
address = "http://127.0.0.1:8100"

[stages.test]
account = "paper"
targets = ["boxes", "ohio"]

[releases]
store = "s3://our-releases/magellan"
store_region = "{REGION}"

[releases.trusted_keys]
ada = "{BENCH.key.public_key}"

[targets.boxes]
kind = "compose"
base_image = "python@sha256:{"a" * 64}"

[targets.ohio]
kind = "aws"
region = "{REGION}"
account = "123456789012"
instance = "i-0123456789abcdef0"
bucket = "s3://our-calls/live"
"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with amazon() as found, pytest.MonkeyPatch.context() as patch:
        for name, value in KEYS.items():
            patch.setenv(name, value)
        s3 = aws_client("s3", REGION, address=found)
        s3.create_bucket(Bucket="our-releases", CreateBucketConfiguration={"LocationConstraint": REGION})
        store = ReleaseBucket("our-releases", "magellan", region=REGION, address=found)
        artifact = BENCH.release()
        store.put("moods", artifact.release_id, packed(artifact), at=datetime(2026, 1, 21, tzinfo=UTC))
        yield found


@pytest.fixture
def call(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": address}.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "magellan.toml").write_text(SETTINGS)
    monkeypatch.chdir(tmp_path)

    def called(*words: str) -> tuple[int, str]:
        code = run(words)
        return code, capsys.readouterr().out

    return called


def test_releases_in_s3_are_listed_and_verified_as_those_in_a_folder(
    call: Callable[..., tuple[int, str]],
) -> None:
    code, told = call("release", "list", "moods", "--json")
    release = BENCH.release()
    assert code == 0
    assert [each["release_id"] for each in json.loads(told)] == [release.release_id]
    assert call("release", "verify")[0] == 0


def test_what_a_container_is_made_of_is_shown_before_anything_is_done(
    call: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    code, told = call("host", "files", "boxes", "--strategy", "moods", "--json")
    files = json.loads(told)
    assert code == 0 and files.keys() == {"Dockerfile", "compose.yaml"}
    service = json.loads(files["compose.yaml"])["services"]["instance"]
    assert service["image"] == f"magellan/moods:{BENCH.release().release_id}"
    assert service["environment"]["ENVIRONMENT"] == "test"
    assert not (tmp_path / ".magellan/host").exists()


def test_the_files_of_an_aws_target_are_its_document_and_its_policies(
    call: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    code, told = call("host", "files", "ohio", "--out", str(tmp_path / "out"), "--json")
    files = json.loads(told)
    assert code == 0
    assert set(files) == {
        "Magellan-ohio.json",
        *(f"policy-{role}.json" for role in ("controller", "machine", "preparer", "releases")),
    }
    assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} == files
    assert '"*"' not in files["policy-machine.json"]


def test_a_document_is_shown_stored_and_then_there(
    call: Callable[..., tuple[int, str]], address: str
) -> None:
    ssm = aws_client("ssm", REGION, address=address)

    def stored() -> bool:
        return any(each["Name"] == "Magellan-ohio" for each in ssm.list_documents()["DocumentIdentifiers"])

    assert call("host", "document", "ohio")[0] == 0
    assert not stored()
    code, told = call("host", "document", "ohio", "--yes", "--by", "ada", "--json")
    assert code == 0 and json.loads(told)["outcome"] == "done"
    assert stored()
    code, told = call("host", "document", "ohio", "--yes", "--by", "ada", "--json")
    assert code == 0
    assert len(ssm.list_documents()["DocumentIdentifiers"]) >= 1
    assert ssm.get_document(Name="Magellan-ohio")["DocumentVersion"] == "1"


def test_another_kind_of_target_has_no_such_files(call: Callable[..., tuple[int, str]]) -> None:
    assert call("host", "files", "local")[0] == 1
    assert call("host", "files", "boxes")[0] == 1  # a compose target's are of a release
    assert call("host", "document", "boxes")[0] == 1
