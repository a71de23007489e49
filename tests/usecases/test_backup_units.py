"""Units that make backups at their hour: they name the hour in New York's time, and every path as it is."""

import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from magellan.usecases.backup import is_due
from magellan.usecases.backup_units import backup_crontab, backup_units
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


def test_where_there_is_no_systemd_a_crontab_says_the_same() -> None:
    terms = BackupTerms(to="/mnt/usb", ledger_every_s=30, follow_to="/mnt/usb/ledger.trail")
    text = backup_crontab(Path("/srv/my 100% trading"), terms, program=PROGRAM)
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert {line.split(maxsplit=5)[5].split(" backup ")[1].split(" --workspace")[0] for line in lines} == {
        "create --if-due", "verify", "create --only-ledger", "follow",
    }  # fmt: skip
    for line in lines:
        # As cron reads it: an escaped percent sign is one, and the shell gets the rest.
        words = shlex.split(line.split(maxsplit=5)[5].replace("\\%", "%"))
        assert words[:3] == list(PROGRAM)
        assert words[words.index("--workspace") + 1] == "/srv/my 100% trading"


def test_the_trail_has_a_service_that_is_started_again() -> None:
    terms = BackupTerms(to="/mnt/usb", follow_to="sftp:backup@nas:/trail")
    unit = backup_units(Path("/srv/trading"), terms, program=PROGRAM)["magellan-backup-follow.service"]
    assert "Restart=always" in unit and 'backup follow --workspace "/srv/trading"' in unit


# 16:30 in New York is 21:30 UTC in winter.
AT = datetime(2026, 1, 20, 21, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("last_at", "now", "due"),
    [
        (None, AT, True),
        (AT - timedelta(hours=23), AT - timedelta(minutes=1), False),
        (AT - timedelta(hours=23), AT, True),
        (AT + timedelta(minutes=1), AT + timedelta(hours=23), False),
        (AT - timedelta(days=3), AT - timedelta(hours=9), True),  # the machine was off
    ],
)
def test_a_backup_is_due_once_its_hour_has_come_since_the_newest_one(
    last_at: datetime | None, now: datetime, due: bool
) -> None:
    assert is_due(BackupTerms(to="/mnt/usb", at="16:30"), last_at, now) is due
