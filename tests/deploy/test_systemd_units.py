"""What root sets up on a host: sound, confining, and no more than is said."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from magellan.deploy.systemd_units import STAGES, host_files, sudoers, unit

EXPOSURE_MAX = 3.0
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    found = []
    for stage in STAGES:
        path = tmp_path / f"magellan-{stage}@.service"
        path.write_text(unit(stage, "daemon", "/srv/magellan"))
        found.append(path)
    return found


@needs_systemd
def test_systemd_finds_nothing_to_say_about_the_units_incident_43(units: list[Path]) -> None:
    """It ends with 0 for a key that it does not know: whatever it says is a defect."""
    for path in units:
        instance = path.with_name(path.name.replace("@", "@test-moods-1"))
        instance.write_text(path.read_text())
        done = subprocess.run(
            ["systemd-analyze", "verify", instance], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
def test_a_key_that_systemd_does_not_know_is_found(tmp_path: Path) -> None:
    wrong = tmp_path / "magellan-test@x.service"
    wrong.write_text(unit("test", "daemon", "/srv/magellan").replace("ProtectClock=", "ProtectClocks="))
    done = subprocess.run(["systemd-analyze", "verify", wrong], capture_output=True, text=True, check=False)
    assert "ProtectClocks" in done.stderr


@needs_systemd
def test_an_instance_is_exposed_to_little(units: list[Path]) -> None:
    for path in units:
        done = subprocess.run(
            ["systemd-analyze", "security", "--offline=yes", "--no-pager", path],
            capture_output=True,
            text=True,
            check=False,
        )
        level = re.search(r"exposure level for [^:]*: ([0-9.]+)", done.stdout)
        assert level is not None and float(level.group(1)) <= EXPOSURE_MAX


def test_one_stage_cannot_read_the_keys_of_the_other() -> None:
    for stage in STAGES:
        text = unit(stage, "magellan", "/srv/magellan")
        (other,) = set(STAGES) - {stage}
        assert f"/etc/magellan/credentials/{stage}\n" in text
        assert f"credentials/{other}" not in text


@pytest.mark.parametrize(
    ("arguments", "may"),
    [
        ("--no-block start magellan-test@test-moods-1f3a90c2d4e5.service", True),
        ("stop magellan-prod@prod-bear_trap-1f3a90c2d4e5.service", True),
        ("reset-failed magellan-prod@prod-bear_trap-1f3a90c2d4e5.service", True),
        ("enable magellan-prod@prod-bear_trap-1f3a90c2d4e5.service", True),
        ("stop magellan-test@test-moods-1.service ssh.service", False),
        ("start ssh.service", False),
        ("edit magellan-test@test-moods-1.service", False),
        ("link /tmp/magellan-test@test-moods-1.service", False),
        ("stop magellan-dev@dev-moods-1.service", False),
        ("stop magellan-test@../x.service", False),
        ("start magellan-test@x.service --property=User=root", False),
    ],
)
def test_the_user_of_a_host_may_start_and_stop_instances_and_nothing_else(arguments: str, may: bool) -> None:
    rule = sudoers("magellan").splitlines()[1]
    command, _, expression = rule.partition("NOPASSWD: ")[2].partition(" ")
    assert command == "/usr/bin/systemctl"
    assert (re.search(expression, arguments) is not None) is may


def test_every_file_says_who_wrote_it_and_nobody_but_root_may() -> None:
    for file in host_files("magellan", "/srv/magellan"):
        assert file.text.startswith("# Written by `magellan host prepare`")
        assert file.mode & 0o022 == 0
