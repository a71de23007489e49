"""The generated IAM policies are enough, and minimal: each action that is taken away makes something fail.

Amazon's own model says which actions have resources; the rest is asked of a server that enforces policies.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from amazon.cloud import ACCOUNT, Cloud, Place, cloud
from amazon.enforced import actions_of, enforced, without
from magellan.adapters.aws.document import document_text
from magellan.adapters.aws.documents import SsmDocuments
from magellan.adapters.aws.parameter_store import ParameterStore
from magellan.adapters.aws.policy import (
    controller_policy,
    machine_policy,
    preparer_policy,
    release_store_policy,
)
from magellan.adapters.aws.release_bucket import ReleaseBucket
from magellan.adapters.aws.run_command import Pace, RunCommand
from magellan.adapters.aws.transfer import Transfer
from magellan.adapters.trail.s3_place import S3Place
from magellan.errors import AskOperator, TryAgain
from magellan.workspace.aws_target import AwsTarget

REGION, MACHINE, OTHER = "us-east-2", "i-0123456789abcdef0", "i-00000000000000000"
DENIED = "AccessDenied|refuses .*: 403"  # moto refuses in XML where Systems Manager speaks JSON
CONTENT = b"what a call needs"
STORE = "s3://magellan-releases/ours"
COUNT = itertools.count(1)


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A place in the cloud, and a way to be somebody with few rights there."""

    cloud: Cloud
    place: Place

    def somebody(self, policy: dict[str, Any], set_variable: Callable[[str, str], None]) -> None:
        """From now on this process is a user with that policy and no other."""
        iam = self.cloud.client("iam", REGION)
        name = f"user-{next(COUNT)}"
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="only", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        set_variable("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        set_variable("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])

    def commands(self, instance: str = MACHINE, document: str | None = None, **terms: Any) -> RunCommand:
        given: dict[str, Any] = {"deliver_within_s": 30, "answer_within_s": 30, **terms}
        return RunCommand(
            document=document or self.place.target.document_name(self.place.name),
            instance=instance,
            region=REGION,
            address=self.cloud.address,
            **given,
        )

    def transfer(self, prefix: str = "live") -> Transfer:
        return Transfer(f"magellan-calls-{REGION}", prefix, region=REGION, address=self.cloud.address)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("amazon")
    with pytest.MonkeyPatch.context() as patch, cloud(folder, "A" * 43 + "=", patch.setenv) as made:
        made.bucket(f"magellan-calls-{REGION}", REGION)
        made.bucket("magellan-releases", REGION)
        made.client("ssm", REGION).put_parameter(
            Name="/magellan/alpaca/PA1/API_KEY", Value="PK", Type="SecureString"
        )
        Transfer(f"magellan-calls-{REGION}", "live", region=REGION, address=made.address).put(CONTENT)
        yield Desk(cloud=made, place=made.place("ohio", REGION, MACHINE, python="/bin/true"))


WORDS = {"verb": "instances", "id": "0" * 32, "before": "1" * 10, "question": "e30x", "content": "none"}
QUICK = Pace(first_s=0.01, longest_s=0.05, late_s=0.0)


def controls(desk: Desk) -> None:
    """All that a controller does: content, a call that ends, and one that does not."""
    desk.transfer().put(f"content {next(COUNT)}".encode())
    assert asyncio.run(desk.commands(pace=QUICK).run(WORDS)).exit_code == 0
    desk.place.machine.is_online = False
    try:
        hangs = desk.commands(pace=replace(QUICK, late_s=-60.0))  # it gives up at once
        with pytest.raises(TryAgain, match="it was cancelled"):
            asyncio.run(hangs.run(WORDS))
    finally:
        desk.place.machine.is_online = True


def is_the_machine(desk: Desk) -> None:
    assert desk.transfer().content(hashlib.sha256(CONTENT).hexdigest()) == CONTENT
    store = ParameterStore(REGION, address=desk.cloud.address)
    found = store.secret("/magellan/alpaca/PA1/API_KEY")
    assert found is not None and found.get_secret_value() == "PK"


def prepares(desk: Desk) -> None:
    documents = SsmDocuments(REGION, address=desk.cloud.address)
    name, target = "Magellan-new", desk.place.target
    asyncio.run(documents.put(name, document_text("new", target)))
    asyncio.run(documents.put(name, document_text("new", target.model_copy(update={"user": "other"}))))
    assert "-u other" in (asyncio.run(documents.text(name)) or "")
    asyncio.run(documents.put(name, document_text("new", target)))  # back to what it was
    assert asyncio.run(documents.text(name)) == document_text("new", target)
    asyncio.run(documents.remove(name))


def keeps_releases(desk: Desk) -> None:
    store = ReleaseBucket("magellan-releases", "ours", region=REGION, address=desk.cloud.address)
    number = next(COUNT)
    kept = store.put("moods", f"{number:064x}", b"one", at=datetime(2026, 1, 21, tzinfo=UTC))
    assert store.content(store.releases("moods")[-1]) == b"one"
    store.remove(kept)


def follows_the_ledger(desk: Desk) -> None:
    place = S3Place(
        "magellan-releases",
        f"trails/{next(COUNT)}",
        region=REGION,
        address=desk.cloud.address,
        joined_at=2,
    )
    place.append(b"one")
    place.append(b"two")
    place.append(b"three")
    assert place.read() == b"onetwothree"


# What docs/guides/backup.md asks for; a backup has no command that writes policies.
TRAIL_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["s3:ListBucket"],
            "Resource": ["arn:aws:s3:::magellan-releases"],
        },
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
            "Resource": ["arn:aws:s3:::magellan-releases/trails/*"],
        },
    ],
}
TARGET = AwsTarget(
    kind="aws",
    region=REGION,
    account=ACCOUNT,
    instance=MACHINE,
    bucket=f"s3://magellan-calls-{REGION}/live",
    document="Magellan-ohio",
)
ROLES: dict[str, tuple[dict[str, Any], Callable[[Desk], None]]] = {
    "controller": (controller_policy(TARGET, "Magellan-ohio"), controls),
    "machine": (machine_policy(TARGET), is_the_machine),
    "preparer": (preparer_policy(TARGET, "Magellan-new"), prepares),
    "releases": (release_store_policy(STORE), keeps_releases),
    "trail": (TRAIL_POLICY, follows_the_ledger),
}
EVERY_ACTION = [(role, action) for role, (policy, _) in ROLES.items() for action in actions_of(policy)]


@pytest.mark.parametrize("role", ROLES)
def test_a_policy_is_enough_for_what_it_is_for(
    desk: Desk, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy, work = ROLES[role]
    desk.somebody(policy, monkeypatch.setenv)
    with enforced(REGION, ACCOUNT):
        work(desk)


@pytest.mark.parametrize(("role", "action"), EVERY_ACTION)
def test_without_any_one_of_its_actions_it_is_not(
    desk: Desk, role: str, action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy, work = ROLES[role]
    desk.somebody(without(policy, action), monkeypatch.setenv)
    with enforced(REGION, ACCOUNT), pytest.raises(AskOperator, match=DENIED):
        work(desk)


def test_a_controller_reaches_no_other_machine_document_or_folder(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.cloud.ssm.machines[REGION, OTHER] = desk.place.machine
    desk.cloud.client("ssm", REGION).create_document(
        Name="AnyShell",
        Content=document_text("any", desk.place.target),
        DocumentType="Command",
        DocumentFormat="JSON",
    )
    ran = len(desk.place.machine.ran)
    desk.somebody(ROLES["controller"][0], monkeypatch.setenv)
    refused: tuple[Callable[[], object], ...] = (
        lambda: asyncio.run(desk.commands(OTHER).run(WORDS)),
        lambda: asyncio.run(desk.commands(document="AnyShell").run(WORDS)),
        lambda: desk.transfer("elsewhere").put(b"mine"),
        lambda: desk.transfer().content("0" * 64),
        lambda: ParameterStore(REGION, address=desk.cloud.address).secret("/magellan/alpaca/PA1/API_KEY"),
    )
    with enforced(REGION, ACCOUNT):
        for call in refused:
            with pytest.raises(AskOperator, match=DENIED):
                call()
    assert len(desk.place.machine.ran) == ran


def test_a_machine_reads_no_other_parameter_and_writes_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.cloud.client("ssm", REGION).put_parameter(Name="/payroll/key", Value="x", Type="SecureString")
    desk.somebody(ROLES["machine"][0], monkeypatch.setenv)
    with enforced(REGION, ACCOUNT):
        with pytest.raises(AskOperator, match=DENIED):
            ParameterStore(REGION, address=desk.cloud.address).secret("/payroll/key")
        with pytest.raises(AskOperator, match=DENIED):
            desk.transfer().put(b"changed")
