"""Units that make backups at their hour: they name the hour in New York's time, and every path as it is."""

import shlex
from pathlib import Path

from magellan.usecases.backup_units import backup_units
from magellan.workspace.backup_terms import BackupTerms

PROGRAM = ("/opt/magellan/bin/python", "-m", "magellan")


def test_a_backup_is_made_each_day_at_its_hour_in_new_york_and_made_up_for_after_a_pause() -> None:
    units = backup_units(Path("/srv/trading"), BackupTerms(to="/mnt/usb", at="16:30"), program=PROGRAM)
    assert set(units) == {
        f"magellan-backup{part}.{kind}" for part in ("", "-verify") for kind in ("service", "timer")
    }
    assert "OnCalendar=*-*-* 16:30:00 America/New_York\nPersistent=true\n" in units["magellan-backup.timer"]
    (command,) = [
        line for line in units["magellan-backup.service"].splitlines() if line.startswith("ExecStart=")
    ]
    assert shlex.split(command.removeprefix("ExecStart=")) == [
        *PROGRAM, "backup", "create", "--workspace", "/srv/trading",
    ]  # fmt: skip


def test_the_ledger_goes_out_as_often_as_the_settings_say() -> None:
    terms = BackupTerms(to="/mnt/usb", ledger_every_s=30)
    units = backup_units(Path("/srv/trading"), terms, program=PROGRAM)
    assert "OnUnitInactiveSec=30\n" in units["magellan-backup-ledger.timer"]
    assert "backup create --only-ledger" in units["magellan-backup-ledger.service"]


def test_a_path_with_odd_signs_reaches_the_command_as_it_is() -> None:
    units = backup_units(Path('/srv/my "100%" $trading'), BackupTerms(to="/mnt/usb"), program=PROGRAM)
    assert '--workspace "/srv/my \\"100%%\\" $$trading"' in units["magellan-backup.service"]
