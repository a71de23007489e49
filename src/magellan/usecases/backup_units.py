"""systemd units and crontab lines that make backups at their hour. Pure: text from settings."""

from __future__ import annotations

import shlex
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


_FOLLOWER = """\
[Unit]
Description=Magellan: follow the ledger
After=network-online.target
Wants=network-online.target

[Service]
Type=exec
ExecStart={command}
Restart=always
RestartSec=5
NoNewPrivileges=yes
PrivateTmp=yes
ProtectSystem=full

[Install]
WantedBy=default.target
"""

# Every five minutes, and the command knows whether it is due: cron knows only the machine's own time zone, and forgets
# what came due while the machine was off.
_CRONTAB = """\
# written by Magellan: `crontab FILE` installs it, or add its lines with `crontab -e`
*/5 * * * * {program} backup create --if-due --workspace {root}
20 6 * * 6 {program} backup verify --workspace {root}
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
    if terms.follow_to is not None:
        command = " ".join(
            [*(_quoted(each) for each in program), "backup follow --workspace", _quoted(str(root))]
        )
        units["magellan-backup-follow.service"] = _FOLLOWER.format(command=command)
    return units


def backup_crontab(root: Path, terms: BackupTerms, *, program: Sequence[str]) -> str:
    """Lines for a machine without systemd. program: how Magellan is called."""
    words = {"program": " ".join(map(_in_crontab, program)), "root": _in_crontab(str(root))}
    lines = [_CRONTAB.format(**words)]
    if terms.ledger_every_s is not None:  # cron knows no seconds
        minutes = max(1, round(terms.ledger_every_s / 60))
        lines.append(
            "*/{minutes} * * * * {program} backup create --only-ledger --workspace {root}\n".format(
                minutes=minutes, **words
            )
        )
    if terms.follow_to is not None:  # only one follows, so this starts it again where it has ended
        lines.append("* * * * * {program} backup follow --workspace {root} 2>/dev/null\n".format(**words))
    return "".join(lines)


def _in_crontab(word: str) -> str:
    """A word for the shell that cron starts; to cron itself a percent sign is the end of the line."""
    return shlex.quote(word).replace("%", "\\%")


def _quoted(word: str) -> str:
    """A word of ExecStart as systemd reads it back."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'
