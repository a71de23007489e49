"""A small release."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from magellan.release.artifact import Artifact
from magellan.release.manifest import LOCK, VERDICT, GateStamp, Manifest, listed
from magellan.release.signature import SigningKey

CONFIG = {"strategy": {"name": "moods", "version": "1.0.0"}, "parameters": {"slow": 50, "fast": 10}}
FILES = {
    "strategy/config.json": json.dumps(CONFIG).encode(),
    "strategy/strategy.py": b"FAST = 10\n",
    "engine/magellan/__init__.py": b"",
    LOCK: b"numpy==2.4.0 \\\n    --hash=sha256:aa\n",
    VERDICT: b"{}",
}


@dataclass
class Bench:
    """Makes releases, all signed by one key."""

    key: SigningKey = field(default_factory=SigningKey.new)

    def release(
        self, *, strategy: str = "moods", files: dict[str, bytes] | None = None, **of: object
    ) -> Artifact:
        """A release of these files, in place of or beside the usual ones."""
        held = {**FILES, **(files or {})}
        told: dict[str, object] = {
            "strategy": strategy,
            "version": "1.0.0",
            "kind": "trend",
            "code_sha256": hashlib.sha256(held["strategy/strategy.py"]).hexdigest(),
            "config_sha256": "0" * 64,
            "engine_version": "0.1.0",
            "gate": GateStamp(
                answer="open", judged_at=datetime(2026, 1, 21, 21, 30, tzinfo=UTC), not_open=()
            ),
            "data_ids": ("alpaca/sip/raw/regular/ANCHOR/1Day: sha256 ff",),
            "author": "ada",
            "commit": None,
            "files": listed(held),
        }
        manifest = Manifest.model_validate({**told, **of})
        return Artifact(manifest=manifest, files=held, signature=self.key.sign(manifest.release_id))


@pytest.fixture
def bench() -> Bench:
    return Bench()
