"""The compose file in front of the specification's own schema, by check-jsonschema, which needs no network for it."""

import subprocess
from pathlib import Path

import pytest

from lab.own_environments import python_with
from magellan.adapters.compose.service import Confines, Service

SERVICE = Service(
    key="prod-bear_trap-0123456789ab",
    image_id=f"sha256:{'0' * 64}",
    workspace=Path("/srv/magellan"),
    state=Path("/srv/magellan/.magellan"),
    environment={"TZ": "UTC", "PRICE": "$5"},
    user="1000:1000",
    stop_within_s=90.0,
    starts_within_s=60.0,
    confines=Confines(memory_mb=512, cpus=0.5, processes=64, log_mb=10, logs_kept=5, network="host"),
)


def fits(file: Path, text: str) -> bool:
    program = python_with("check-jsonschema==0.39.0").with_name("check-jsonschema")
    file.write_text(text)
    done = subprocess.run(
        [program, "--builtin-schema", "vendor.compose-spec", file], capture_output=True, text=True, timeout=60
    )
    assert done.returncode in (0, 1) and "validation" in done.stdout, done.stdout + done.stderr
    return done.returncode == 0


@pytest.mark.parametrize(
    ("ours", "spoilt"),
    [('"read_only": true,', '"read_onyl": true,'), ('"pids_limit": 64', '"pids_limit": [64]')],
)
def test_the_compose_file_is_one_by_the_specification(tmp_path: Path, ours: str, spoilt: str) -> None:
    text = SERVICE.written()
    assert ours in text
    assert fits(tmp_path / "compose.yaml", text)
    assert not fits(tmp_path / "compose.yaml", text.replace(ours, spoilt, 1))
