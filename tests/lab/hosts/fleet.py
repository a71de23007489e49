"""A workspace that deploys to the lab's hosts, releases to deploy, and what the hosts say of themselves afterwards."""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab.hosts.machines import ENVIRONMENT, Lab, LabHost
from magellan.adapters.local.release_folder import ReleaseFolder
from magellan.adapters.local.release_inputs import ThisInstallation
from magellan.release.artifact import Artifact, packed
from magellan.release.manifest import LOCK, VERDICT, GateStamp, Manifest, listed
from magellan.release.signature import SigningKey

ACCOUNT = "alpaca-local-PA1"
HOST_FOLDER = "/srv/magellan/.magellan"
INSTANCE = "magellan/surfaces/cli/instance.py"


@dataclass(frozen=True)
class Ended:
    """One command of the controller that came to its end."""

    code: int
    told: dict[str, Any]
    notes: str


@dataclass
class Fleet:
    """All hosts of a lab as the targets of one stage."""

    lab: Lab
    root: Path
    key: SigningKey
    releases: dict[str, str]  # id by behaviour

    @classmethod
    def made(
        cls, lab: Lab, root: Path, hosts: list[LabHost], *, key: SigningKey, answer_within_s: float = 60
    ) -> Fleet:
        """With the releases old, well (new), exits and mute."""
        root.mkdir(parents=True)
        targets = "".join(
            f'\n[targets.{host.name}]\nkind = "ssh"\naddress = "{host.address}"\nkey = "{lab.key}"\n'
            f'known_hosts = "{lab.known_hosts}"\nenvironment = "{ENVIRONMENT}"\n'
            f"connect_within_s = 15\nanswer_within_s = {answer_within_s:g}\n"
            for host in hosts
        )
        (root / "magellan.toml").write_text(
            f'[accounts.staging]\nkind = "local"\nnumber = "PA1"\naddress = "http://127.0.0.1:8970"\n'
            f'[stages.test]\naccount = "staging"\nwatch_s = 0\ntargets = {json.dumps([each.name for each in hosts])}\n'
            f"[deploy]\nready_within_s = 120\nhand_over_within_s = 60\nhealthy_within_s = 60\n"
            f'[releases.trusted_keys]\nada = "{key.public_key}"\n{targets}'
        )
        fleet = cls(lab, root, key, {})
        for number, behaviour in enumerate(("old", "well", "exits", "mute")):
            fleet.build(behaviour, number)
        return fleet

    def build(self, behaviour: str, number: int) -> str:
        engine = {f"engine/{path}": content for path, content in ThisInstallation().engine_files().items()}
        engine[f"engine/{INSTANCE}"] = Path(__file__).with_name("short_instance.py").read_bytes()
        code = f"{behaviour}\n".encode()
        config = json.dumps({"number": number}).encode()
        files = {
            **engine,
            "strategy/strategy.py": code,
            "strategy/config.json": config,
            LOCK: ThisInstallation().lock(),
            VERDICT: b"{}",
        }
        at = datetime(2026, 1, 21, 21, 30 + number, tzinfo=UTC)
        manifest = Manifest.model_validate(
            {
                "strategy": "moods",
                "version": f"1.{number}.0",
                "kind": "trend",
                "code_sha256": hashlib.sha256(code).hexdigest(),
                "config_sha256": hashlib.sha256(config).hexdigest(),
                "engine_version": ThisInstallation().engine_version(),
                "gate": GateStamp(answer="open", judged_at=at, not_open=()),
                "data_ids": (),
                "author": "ada",
                "commit": None,
                "files": listed(files),
            }
        )
        artifact = Artifact(manifest=manifest, files=files, signature=self.key.sign(manifest.release_id))
        store = ReleaseFolder(self.root / ".magellan" / "releases")
        store.put("moods", manifest.release_id, packed(artifact), at=at)
        self.releases[behaviour] = manifest.release_id
        return manifest.release_id

    # -- the controller ---------------------------------------------------------------------------------------

    def begin(self, *words: str) -> subprocess.Popen[str]:
        return self.lab.command(*words, "--json", at=self.root)

    def run(self, *words: str, timeout_s: float = 180) -> Ended:
        return ended(self.begin(*words), timeout_s)

    def deploy(self, behaviour: str, *, timeout_s: float = 180) -> Ended:
        return self.run(*self.deploying(behaviour), timeout_s=timeout_s)

    def deploying(self, behaviour: str) -> list[str]:
        return ["deploy", "moods", "--to", "test", "--release", self.releases[behaviour][:12], "--yes"]

    def go_on(self, how: str) -> Ended:
        return self.run("deploy", "moods", "--to", "test", how)

    def audit(self) -> list[dict[str, Any]]:
        """What the audit log says of roll-outs, oldest first."""
        files = sorted((self.root / ".magellan" / "audit").glob("changes-*.jsonl"))
        lines = [json.loads(line) for each in files for line in each.read_text().splitlines()]
        return [each for each in lines if each["subject"] == "test/moods"]

    def journal_lines(self) -> int:
        """How long the journal is that is written now."""
        (path,) = (*(self.root / ".magellan" / "journals").glob("*.journal"), None)[:1]
        try:
            return 0 if path is None else path.read_bytes().count(b"\n")
        except FileNotFoundError:
            return 0  # it came to its end, and was put away

    # -- the truth --------------------------------------------------------------------------------------------

    def armed(self, host: LabHost) -> str | None:
        """The release that may trade on that host, as its disk says."""
        path = host.root / HOST_FOLDER.lstrip("/") / "host" / "armed" / f"{ACCOUNT}.json"
        return json.loads(path.read_text())["release_id"] if path.exists() else None

    def traded(self, host: LabHost) -> list[str]:
        """The releases that began to trade there, in order."""
        path = host.root / HOST_FOLDER.lstrip("/") / "traded"
        return path.read_text().split() if path.exists() else []

    def trading(self, host: LabHost) -> list[str]:
        """The releases that trade there now, by the words of their processes."""
        found = []
        for report in (host.root / HOST_FOLDER.lstrip("/") / "host" / "instances").glob("*/report.json"):
            told = json.loads(report.read_text())
            if told["condition"] == "trading":
                found.append(told["release_id"])
        return found

    def name_of(self, release_id: str | None) -> str | None:
        return next((name for name, each in self.releases.items() if each == release_id), release_id)

    def stand(self, hosts: list[LabHost]) -> list[tuple[str | None, list[str | None]]]:
        """Of every host: what may trade, and what trades, by behaviour."""
        return [
            (self.name_of(self.armed(each)), [self.name_of(one) for one in self.trading(each)])
            for each in hosts
        ]


def ended(process: subprocess.Popen[str], timeout_s: float = 180) -> Ended:
    answer, notes = process.communicate(timeout=timeout_s)
    assert process.returncode is not None
    try:
        told = json.loads(answer)
    except ValueError:
        told = {}
    return Ended(process.returncode, told, notes)
