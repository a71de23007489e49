"""A small Amazon with a target in it: what a test of AWS targets stands on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amazon.executing_ssm import ExecutingSsm, Machine, executing_ssm
from amazon.server import amazon
from magellan.adapters.aws.client import aws_client
from magellan.adapters.aws.document import document_text
from magellan.adapters.aws.host import SsmHost
from magellan.adapters.aws.run_command import Pace, RunCommand
from magellan.adapters.aws.transfer import Transfer
from magellan.workspace.aws_names import bucket_path
from magellan.workspace.aws_target import AwsTarget
from magellan.workspace.settings_digest import settings_digest
from magellan.workspace.workspace import Workspace

KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
ACCOUNT = "123456789012"  # that the server has
_QUICK = Pace(first_s=0.02, longest_s=0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A target, the machine behind it, and the host that reaches it."""

    name: str
    target: AwsTarget
    machine: Machine
    commands: RunCommand
    host: SsmHost


@dataclass(slots=True, kw_only=True)
class Cloud:
    """Amazon, with its Systems Manager executing."""

    address: str
    ssm: ExecutingSsm
    folder: Path
    trusted_key: str
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    def client(self, service: str, region: str) -> Any:
        if (service, region) not in self._clients:
            self._clients[service, region] = aws_client(service, region, address=self.address)
        return self._clients[service, region]

    def bucket(self, name: str, region: str) -> None:
        self.client("s3", region).create_bucket(
            Bucket=name, CreateBucketConfiguration={"LocationConstraint": region}
        )

    def place(
        self, name: str, region: str, instance: str, *, python: str = sys.executable, accounts: str = ""
    ) -> Place:
        """A target of that name, prepared, with a workspace on its machine. accounts: of its magellan.toml."""
        root = self.folder / name
        root.mkdir()
        (root / "magellan.toml").write_text(
            f'{accounts}\n[releases.trusted_keys]\nada = "{self.trusted_key}"\n'
            + target_settings(name, region, instance, root, python)
        )
        settings = Workspace.at(root).settings
        target = settings.targets[name]
        assert isinstance(target, AwsTarget)
        self.client("ssm", region).create_document(
            Name=target.document_name(name),
            Content=document_text(name, target),
            DocumentType="Command",
            DocumentFormat="JSON",
        )
        environment = {**KEYS, "AWS_ENDPOINT_URL": self.address, "HOME": str(self.folder)}
        machine = self.ssm.machine(region, instance, root, environment)
        commands = RunCommand(
            document=target.document_name(name),
            instance=instance,
            region=region,
            deliver_within_s=target.deliver_within_s,
            answer_within_s=target.answer_within_s,
            pace=_QUICK,
            address=self.address,
        )
        host = SsmHost(
            name,
            commands=commands,
            transfer=Transfer(*bucket_path(target.bucket), region=region, address=self.address),
            settings=settings_digest(settings, name),
            deliver_within_s=target.deliver_within_s,
        )
        return Place(name=name, target=target, machine=machine, commands=commands, host=host)


def target_settings(name: str, region: str, instance: str, root: Path, python: str) -> str:
    """A target's section of magellan.toml."""
    return f"""
[targets.{name}]
kind = "aws"
region = "{region}"
account = "{ACCOUNT}"
instance = "{instance}"
bucket = "s3://magellan-calls-{region}/live"
folder = "{root}"
python = "{python}"
keeper = "supervisord"
"""


@contextmanager
def cloud(folder: Path, trusted_key: str, set_variable: Callable[[str, str], None]) -> Iterator[Cloud]:
    """Amazon for the time of a test. set_variable: of this process's environment."""
    for name, value in KEYS.items():
        set_variable(name, value)
    with executing_ssm() as ssm, amazon() as address:
        made = Cloud(address=address, ssm=ssm, folder=folder, trusted_key=trusted_key)
        yield made
        ssm.join()
        for client in made._clients.values():
            client.close()
