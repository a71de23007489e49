"""systemd units that make backups at their hour. Pure: text from settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from magellan.workspace.backup_terms import BackupTerms

_SERVICE = """\
[Unit]
Description=Magellan: {what}
After=network-online.target
Wants=network-online.target

[Service]
Type=oneshot
ExecStart={command}
Nice=10
IOSchedulingClass=idle
TimeoutStartSec={timeout}
NoNewPrivileges=yes
PrivateTmp=yes
ProtectSystem=full
"""

_TIMER = """\
[Unit]
Description=Magellan: {what}

[Timer]
{when}
Persistent={persistent}

[Install]
WantedBy=timers.target
"""


def backup_units(root: Path, terms: BackupTerms, *, program: Sequence[str]) -> Mapping[str, str]:
    """Units by their file's name. program: how Magellan is called."""
    daily = f"OnCalendar=*-*-* {terms.at}:00 America/New_York"
    jobs = [
        ("magellan-backup", "back the workspace up", "backup create", "2h", daily, "true"),
        (
            "magellan-backup-verify",
            "restore the newest backup and check it",
            "backup verify",
            "6h",
            "OnCalendar=Sat *-*-* 06:00:00 America/New_York",
            "true",
        ),
    ]
    if terms.ledger_every_s is not None:
        every = f"OnActiveSec={terms.ledger_every_s}\nOnUnitInactiveSec={terms.ledger_every_s}\nAccuracySec=1"
        jobs.append(
            (
                "magellan-backup-ledger",
                "back the ledger up",
                "backup create --only-ledger",
                "5min",
                every,
                "false",
            )
        )
    units: dict[str, str] = {}
    for name, what, words, timeout, when, persistent in jobs:
        command = " ".join([*(_quoted(each) for each in program), words, "--workspace", _quoted(str(root))])
        units[f"{name}.service"] = _SERVICE.format(what=what, command=command, timeout=timeout)
        units[f"{name}.timer"] = _TIMER.format(what=what, when=when, persistent=persistent)
    return units


def _quoted(word: str) -> str:
    """A word of ExecStart as systemd reads it back."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'
