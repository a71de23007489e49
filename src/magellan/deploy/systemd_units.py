"""What root sets up on a host once: a unit template per stage, who may start them, where keys lie, which logs turn.

    magellan-test@.service, magellan-prod@.service    one instance each, by its key after the @
    /etc/sudoers.d/magellan                           the host's user starts and stops these, and nothing else
    /etc/magellan/credentials/STAGE/NAME              keys, encrypted by `systemd-creds`, of that stage's instances
    /etc/logrotate.d/magellan                         logs that are not in the journal

The text of a unit depends on the host's user and folder only, never on a release: what a release can reach is decided
here, by root, and a deployment cannot widen it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

STAGES: Final = ("test", "prod")
CREDENTIALS: Final = "/etc/magellan/credentials"
SYSTEMCTL: Final = "/usr/bin/systemctl"
WATCHDOG_S: Final = 30
_READY_WITHIN_S: Final = 300  # the first instance of an engine compiles
_STOP_WITHIN_S: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFile:
    """A file that belongs to root."""

    path: str
    text: str
    mode: int


def host_files(user: str, folder: str) -> tuple[HostFile, ...]:
    """All that `magellan host prepare` puts on a host for this user and workspace folder."""
    units = tuple(
        HostFile(
            path=f"/etc/systemd/system/magellan-{stage}@.service", text=unit(stage, user, folder), mode=0o644
        )
        for stage in STAGES
    )
    return (
        *units,
        HostFile(path="/etc/sudoers.d/magellan", text=sudoers(user), mode=0o440),
        HostFile(path="/etc/logrotate.d/magellan", text=logrotate(user, folder), mode=0o644),
    )


def unit(stage: str, user: str, folder: str) -> str:
    """The template of a stage's instances."""
    instance = f"{folder}/.magellan/host/instances/%i"
    return f"""\
# Written by `magellan host prepare`; changes are lost.
[Unit]
Description=Magellan: %i
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
User={user}
Group={user}
WorkingDirectory={folder}
Environment=XDG_CACHE_HOME={folder}/.magellan/cache
EnvironmentFile={instance}/environment
# env finds the interpreter of the release's own environment, which the line above names.
ExecStart=/usr/bin/env ${{MAGELLAN_PYTHON}} -P -m magellan instance %i --workspace {folder}
LoadCredentialEncrypted=key:{CREDENTIALS}/{stage}
TimeoutStartSec={_READY_WITHIN_S}
TimeoutStopSec={_STOP_WITHIN_S}
WatchdogSec={WATCHDOG_S}
WatchdogSignal=SIGTERM
Restart=on-failure
RestartSec=2
KillMode=mixed
StandardOutput=journal
StandardError=journal
SyslogIdentifier=%i

# What it may reach: its workspace to write, the system to read, the network. Nothing else.
UMask=0077
ProtectSystem=strict
ReadWritePaths={folder}/.magellan
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
PrivateUsers=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
ProcSubset=pid
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
LimitNOFILE=16384

[Install]
WantedBy=multi-user.target
"""


def sudoers(user: str) -> str:
    """Regular expressions, because a wildcard in sudoers also stands for a blank and a second unit's name.

    They need sudo 1.9.10 or later.
    """
    instances = f"magellan-({'|'.join(STAGES)})@[a-z0-9_-]+\\.service"
    verbs = "(--no-block start|stop|enable|disable|reset-failed)"
    return f"""\
# Written by `magellan host prepare`; changes are lost.
{user} ALL=(root) NOPASSWD: {SYSTEMCTL} ^{verbs} {instances}$
"""


def logrotate(user: str, folder: str) -> str:
    """For what processes write beside the journal; they turn their own logs at 10 MB, and this ends what is old."""
    return f"""\
# Written by `magellan host prepare`; changes are lost.
{folder}/.magellan/host/instances/*/log {{
    su {user} {user}
    weekly
    rotate 8
    maxsize 50M
    compress
    delaycompress
    copytruncate
    missingok
    notifempty
}}
"""
