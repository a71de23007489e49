"""Check a host: everything that a deployment will rely on, looked at before one does."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from magellan.deploy.host import Host
from magellan.deploy.preparation import HostRoot
from magellan.deploy.systemd_units import STAGES, SYSTEMCTL
from magellan.errors import MagellanError
from magellan.plan.plan import Plan
from magellan.plan.preview import preview
from magellan.workspace.target import SshTarget

_FREE_BYTES_MIN: Final = 2_000_000_000
_CLOCK_AHEAD_S_MAX: Final = 1.0
_SUDO_MIN: Final = (1, 9, 10)  # which reads regular expressions
EXPOSURE_MAX: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFinding:
    """One thing that was looked at."""

    what: str
    is_well: bool
    found: str


async def check_host(
    host: Host, root: HostRoot, target: SshTarget, preparation: Plan[HostRoot], requirements: bytes
) -> tuple[HostFinding, ...]:
    """Look at everything, change nothing.

    preparation:  what `host prepare` would do now.
    requirements: list of dependencies of this installation.
    Raises: what `root` raises; a host that cannot serve is a finding.
    """
    return (
        *[each async for each in _prepared(root, preparation)],
        *[each async for each in _serves(host, requirements)],
        *[each async for each in _machine(root)],
        *([each async for each in _units(root, target)] if target.keeper == "systemd" else ()),
    )


async def _prepared(root: HostRoot, plan: Plan[HostRoot]) -> AsyncIterator[HostFinding]:
    status = (await preview(plan, root)).status
    missing = [step.title for phase in status.phases for step in phase.steps if not step.is_settled]
    shown = "; ".join(missing[:3]) + (f"; and {len(missing) - 3} more" if len(missing) > 3 else "")
    yield HostFinding(
        what="prepared",
        is_well=not missing,
        found=f"`host prepare` would {shown}" if missing else "as this version prepares a host",
    )


async def _serves(host: Host, requirements: bytes) -> AsyncIterator[HostFinding]:
    try:
        facts = await host.facts(requirements)
    except MagellanError as error:
        yield HostFinding(what="serves", is_well=False, found=error.message)
        return
    yield HostFinding(
        what="serves",
        is_well=not facts.lacks,
        found="; ".join(facts.lacks) or f"Python {facts.python}, and all packages",
    )
    yield HostFinding(
        what="disk",
        is_well=facts.free_bytes >= _FREE_BYTES_MIN,
        found=f"{facts.free_bytes / 1e9:.1f} GB free; {_FREE_BYTES_MIN / 1e9:.0f} GB are wanted",
    )
    ahead_s = facts.clock_ahead_s
    yield HostFinding(
        what="clock",
        is_well=ahead_s is None or abs(ahead_s) <= _CLOCK_AHEAD_S_MAX,
        found="this machine's" if ahead_s is None else f"{ahead_s:+.2f} s from this machine's",
    )


async def _machine(root: HostRoot) -> AsyncIterator[HostFinding]:
    told = await root.run("timedatectl", "show", "--property=NTPSynchronized", "--value")
    is_kept = told.printed.strip() == b"yes"
    yield HostFinding(
        what="clock is kept",
        is_well=is_kept,
        found="by a time service"
        if is_kept
        else "no time service keeps it; install chrony or systemd-timesyncd",
    )
    told = await root.run("sshd", "-T")
    settings = dict(line.split(" ", 1) for line in told.printed.decode().splitlines() if " " in line)
    password = settings.get("passwordauthentication", "unknown")
    as_root = settings.get("permitrootlogin", "unknown")
    yield HostFinding(
        what="SSH",
        is_well=password == "no" and as_root != "yes",
        found=f"PasswordAuthentication {password}, PermitRootLogin {as_root}; keys only is wanted",
    )
    told = await root.run("nft", "list", "ruleset")
    guarded = re.search(rb"hook input priority [^;]*; policy drop", told.printed) is not None
    yield HostFinding(
        what="firewall",
        is_well=guarded,
        found="what comes in is refused unless a rule lets it"
        if guarded
        else f"nothing refuses what comes in{'' if not told.exit_code else ': ' + told.complaint}",
    )


async def _units(root: HostRoot, target: SshTarget) -> AsyncIterator[HostFinding]:
    told = await root.run("sudo", "--version")
    version = re.search(rb"version (\d+)\.(\d+)\.(\d+)", told.printed)
    is_new = version is not None and tuple(map(int, version.groups())) >= _SUDO_MIN
    yield HostFinding(
        what="sudo",
        is_well=is_new,
        found=told.printed.decode(errors="replace").partition("\n")[0] or told.complaint,
    )
    for stage in STAGES:
        unit = f"magellan-{stage}@{stage}-probe.service"
        may = await root.run("sudo", "-n", "-l", "-U", target.user, SYSTEMCTL, "--no-block", "start", unit)
        verified = await root.run("systemd-analyze", "verify", unit)
        # It ends with 0 for a key that it does not know; whatever it says is a defect.
        wrong = [
            each for each in (verified.complaint, "" if may.printed.strip() else "sudo refuses it") if each
        ]
        told = await root.run("systemd-analyze", "security", "--no-pager", unit)
        level = re.search(rb"exposure level for [^:]*: ([0-9.]+)", told.printed)
        exposure = None if level is None else float(level.group(1))
        if exposure is None or exposure > EXPOSURE_MAX:
            wrong.append(f"exposed {exposure}; {EXPOSURE_MAX} is allowed")
        yield HostFinding(
            what=f"units of {stage}",
            is_well=not wrong,
            found="; ".join(wrong) or f"sound, exposure {exposure}",
        )
