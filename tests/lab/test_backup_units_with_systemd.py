"""The units that make backups, read by systemd itself."""

import shutil
import subprocess
from pathlib import Path

import pytest

from magellan.usecases.backup_units import backup_units
from magellan.workspace.backup_terms import BackupTerms


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="no systemd-analyze: apt-get install systemd"
)
def test_systemd_has_nothing_to_say_about_the_units(tmp_path: Path) -> None:
    program = tmp_path / "magellan"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    terms = BackupTerms(to="/mnt/usb", ledger_every_s=30)
    units = backup_units(tmp_path, terms, program=(str(program),))
    for name, text in units.items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", *(str(tmp_path / name) for name in units)],
        capture_output=True,
        text=True,
    )
    # It ends with 0 also where it does not know a key: every line is a complaint.
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
