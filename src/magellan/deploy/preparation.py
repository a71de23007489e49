"""Preparation: the plan by which root makes a machine ready to be a host, and the steps that it is made of.

Everything that needs root is done here, once, and can be looked at before and taken back after. What a roll-out does
later needs none, apart from starting and stopping the units that this leaves.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, Protocol

from magellan.deploy.systemd_units import CREDENTIALS, STAGES, HostFile, host_files
from magellan.errors import AskOperator
from magellan.plan.plan import OnFailure, Phase, Plan
from magellan.plan.step import Answer, Before, Begun, Blocked, Done, Limits, NotDone, Step
from magellan.workspace.target import SshTarget

_LIMITS: Final = Limits(timeout_s=120.0, attempts=2)
_GROUP: Final = "systemd-journal"  # may read what its instances print


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What became of a command."""

    exit_code: int
    printed: bytes
    complaint: str  # what it said on standard error, on one line


class HostRoot(Protocol):
    """Root on a machine that is not a host yet. Kept by `adapters/ssh/host_root.py`."""

    async def run(self, *command: str, given: bytes = b"") -> Ran:
        """Raises TryAgain, AskOperator where the machine cannot be reached, or does not let us be root."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeUser(Step[HostRoot]):
    """Make the user who owns what trades there."""

    user: str
    home: str

    @property
    def title(self) -> str:
        return f"make the user {self.user}"

    @property
    def limits(self) -> Limits:
        return _LIMITS

    @property
    def changes(self) -> frozenset[str]:
        return frozenset({f"user/{self.user}"})

    async def check(self, world: HostRoot, before: Before | None) -> Answer:
        found = await world.run("id", "-nG", self.user)
        if found.exit_code:
            return NotDone(before={"was_there": False})
        if _GROUP in found.printed.decode().split():
            return Done()
        return (
            Begun(why=f"it is not in the group {_GROUP}") if before else NotDone(before={"was_there": True})
        )

    async def do(self, world: HostRoot, before: Before) -> None:
        if (await world.run("id", "-u", self.user)).exit_code:
            await _must(
                world,
                "useradd",
                "--system",
                "--user-group",
                "--password",
                "*",  # none: keys only, and not locked either
                "--home-dir",
                self.home,
                "--shell",
                "/bin/sh",
                self.user,
            )
        await _must(world, "usermod", "--append", "--groups", _GROUP, self.user)

    async def undo(self, world: HostRoot, before: Before) -> None:
        if not before["was_there"] and not (await world.run("id", "-u", self.user)).exit_code:
            await _must(world, "userdel", self.user)


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeHostFolder(Step[HostRoot]):
    """Make a folder of a user's, with just these rights."""

    path: str
    owner: str
    mode: int

    @property
    def title(self) -> str:
        return f"make {self.path}, of {self.owner}, {self.mode:o}"

    @property
    def limits(self) -> Limits:
        return _LIMITS

    @property
    def changes(self) -> frozenset[str]:
        return frozenset({f"file{self.path}"})

    async def check(self, world: HostRoot, before: Before | None) -> Answer:
        found = await _status(world, self.path)
        if found == f"directory {self.owner} {self.mode:o}":
            return Done()
        if found and not found.startswith("directory "):
            return Blocked(why=f"{self.path} is a {found}")
        return (
            NotDone(before={"was": found}) if before is None else Begun(why=f"it is {found or 'not there'}")
        )

    async def do(self, world: HostRoot, before: Before) -> None:
        await _must(world, "mkdir", "-p", self.path)
        await _must(world, "chown", f"{self.owner}:", self.path)
        await _must(world, "chmod", f"{self.mode:o}", self.path)

    async def undo(self, world: HostRoot, before: Before) -> None:
        if not before["was"]:
            await world.run("rmdir", self.path)  # what somebody put into it meanwhile stays
            return
        _, owner, mode = before["was"].split()
        await _must(world, "chown", f"{owner}:", self.path)
        await _must(world, "chmod", mode, self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class PutHostFile(Step[HostRoot]):
    """Put a file of root's in place, beside the old one first."""

    path: str
    text: str
    mode: int
    tested_with: tuple[str, ...] = ()  # a command that is given the new file before it counts

    @property
    def title(self) -> str:
        return f"write {self.path}"

    @property
    def limits(self) -> Limits:
        return _LIMITS

    @property
    def changes(self) -> frozenset[str]:
        return frozenset({f"file{self.path}"})

    async def check(self, world: HostRoot, before: Before | None) -> Answer:
        status = await _status(world, self.path)
        found = await world.run("cat", self.path) if status else None
        content = None if found is None or found.exit_code else found.printed
        if content == self.text.encode() and status == f"regular file root {self.mode:o}":
            return Done(note=f"SHA-256 {hashlib.sha256(content).hexdigest()[:12]}")
        if before is not None:
            return Begun(why="it is another file yet")
        was = None if content is None else content.decode(errors="surrogateescape")
        return NotDone(before={"was": was, "mode": status.split()[-1] if status else None})

    async def do(self, world: HostRoot, before: Before) -> None:
        await self._write(world, self.text.encode(), f"{self.mode:o}", self.tested_with)

    async def undo(self, world: HostRoot, before: Before) -> None:
        if before["was"] is None:
            await _must(world, "rm", "-f", self.path)
        else:
            await self._write(world, before["was"].encode(errors="surrogateescape"), before["mode"], ())

    async def _write(self, world: HostRoot, content: bytes, mode: str, tested_with: tuple[str, ...]) -> None:
        # A name with a dot is read by neither sudo nor systemd nor logrotate.
        place = PurePosixPath(self.path)
        beside = str(place.with_name(f"{place.name}.unfinished"))
        await _must(world, "mkdir", "-p", str(place.parent))
        await _must(world, "install", "-m", mode, "/dev/stdin", beside, given=content)
        if tested_with:
            await _must(world, *tested_with, beside)
        await _must(world, "mv", "-T", beside, self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadUnits(Step[HostRoot]):
    """Let systemd read the units that were written."""

    units: tuple[str, ...]  # an instance of each template

    @property
    def title(self) -> str:
        return "let systemd read the units"

    @property
    def limits(self) -> Limits:
        return _LIMITS

    async def check(self, world: HostRoot, before: Before | None) -> Answer:
        for unit in self.units:
            told = await world.run(
                "systemctl", "show", unit, "--property=LoadState,NeedDaemonReload", "--value"
            )
            if told.printed.split() != [b"loaded", b"no"]:
                return NotDone()
        return Done()

    async def do(self, world: HostRoot, before: Before) -> None:
        await _must(world, "systemctl", "daemon-reload")

    async def undo(self, world: HostRoot, before: Before) -> None:
        await _must(world, "systemctl", "daemon-reload")


def preparation(name: str, target: SshTarget, *, settings: str, public_key: str) -> Plan[HostRoot]:
    """The plan for a target.

    settings:   the host's magellan.toml (`workspace/host_settings.py`). It belongs to root there, so that nobody
                who can only deploy decides whose releases are trusted.
    public_key: line for authorized_keys, of the key that deploys.
    """
    user, folder = target.user, target.folder
    home = f"{folder}/.ssh"
    folders = [
        MakeHostFolder(path=folder, owner=user, mode=0o750),
        MakeHostFolder(path=f"{folder}/.magellan", owner=user, mode=0o700),
        MakeHostFolder(path=home, owner="root", mode=0o755),
        *(MakeHostFolder(path=f"{CREDENTIALS}/{stage}", owner="root", mode=0o700) for stage in STAGES),
    ]
    restricted = f"restrict {public_key.strip()}\n"  # no forwarding of any kind, no terminal
    files = [
        PutHostFile(path=f"{folder}/magellan.toml", text=settings, mode=0o644),
        PutHostFile(path=f"{home}/authorized_keys", text=restricted, mode=0o644),
    ]
    phases: list[Phase[HostRoot]] = [
        Phase(name="user and folders", steps=(MakeUser(user=user, home=folder), *folders)),
        Phase(name="settings and access", steps=tuple(files)),
    ]
    if target.keeper == "systemd":
        units = tuple(_put(each) for each in host_files(user, folder))
        instances = tuple(f"magellan-{stage}@{stage}-probe.service" for stage in STAGES)
        phases.append(Phase(name="units", steps=(*units, ReadUnits(units=instances))))
    return Plan(
        name=f"prepare the host {name}",
        subject=f"host/{name}",
        phases=tuple(phases),
        on_failure=OnFailure.UNDO,
        resume_with=f"magellan host prepare {name} --resume",
        undo_with=f"magellan host prepare {name} --undo",
    )


def _put(file: HostFile) -> PutHostFile:
    tested = ("visudo", "-cqf") if file.path.startswith("/etc/sudoers.d/") else ()
    return PutHostFile(path=file.path, text=file.text, mode=file.mode, tested_with=tested)


async def _status(world: HostRoot, path: str) -> str:
    """Kind, owner and rights of what lies there; "" for nothing."""
    found = await world.run("stat", "--format=%F %U %a", path)
    return (
        ""
        if found.exit_code
        else found.printed.decode().strip().replace("regular empty file", "regular file")
    )


async def _must(world: HostRoot, *command: str, given: bytes = b"") -> None:
    done = await world.run(*command, given=given)
    if done.exit_code:
        raise AskOperator(
            f"`{' '.join(command)}` failed there: {done.complaint or f'exit code {done.exit_code}'}"
        )
