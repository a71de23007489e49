"""Docker or Podman, by their command line: the one surface that both have kept for years."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from magellan.errors import AskOperator, FixInput, TryAgain

_ANSWER_S: Final = 60.0
_BUILD_S: Final = 1800.0
_INSTANCE_LABEL: Final = "io.magellan.instance"
_KEPT: Final = "everything that runs"
_NOT_THERE: Final = ("no such", "image not known")  # Docker and Podman, of an image
# What a client needs to find its engine and its own settings; a key in a shell is nobody's business there.
_PASSED_ON: Final = (
    "PATH",
    "HOME",
    "XDG_RUNTIME_DIR",
    "DOCKER_HOST",
    "CONTAINER_HOST",
    "CONTAINERS_CONF",
    "CONTAINERS_STORAGE_CONF",
    "TMPDIR",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundImage:
    """An image that the engine has."""

    id: str  # sha256:...
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundContainer:
    """An instance's container."""

    id: str
    image_id: str  # sha256:...
    status: str  # created, running, paused, restarting, removing, exited or dead; Podman has a few more
    pid: int | None  # as this machine counts
    began_at: datetime | None  # aware, UTC


class ContainerEngine:
    """What runs containers on this machine.

    program: docker or podman. All calls raise FixInput where it is not installed, TryAgain where it does not answer,
    AskOperator with its own words where it refuses.
    """

    def __init__(self, program: str, environment: Mapping[str, str]) -> None:
        self._program = program
        self._environment = {name: environment[name] for name in _PASSED_ON if name in environment}

    def image(self, named: str) -> FoundImage | None:
        """named: a tag or an id."""
        found = self._inspected("image", named)
        if found is None:
            return None
        labels = found.get("Config", {}).get("Labels") or found.get("Labels") or {}
        return FoundImage(id=_digest(found["Id"]), labels=labels)

    def build(self, context: Path, tag: str) -> None:
        """Build the image of a folder with a Dockerfile."""
        self._run(
            "build", "--tag", tag, "--file", str(context / "Dockerfile"), str(context), within_s=_BUILD_S
        )

    def container(self, key: str) -> FoundContainer | None:
        """The container of that instance, whatever its state."""
        told = self._run("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={_INSTANCE_LABEL}={key}")
        ids = told.split()
        found = self._inspected("container", ids[0]) if ids else None
        if found is None:
            return None
        state = found["State"]
        return FoundContainer(
            id=found["Id"],
            image_id=_digest(found["Image"]),
            status=state["Status"],
            pid=state.get("Pid") or None,
            began_at=_instant(state.get("StartedAt", "")),
        )

    def up(self, project: str, file: Path) -> None:
        """Make the project's container from its file, anew, whatever stood there before."""
        self._compose(project, file, "up", "--detach", "--force-recreate", "--no-build")

    def begin(self, container: FoundContainer) -> None:
        """Start one that has ended: the same image, the same environment."""
        self._run("start", container.id)

    def end(self, container: FoundContainer) -> None:
        """End it in order, by force after the time that its file grants."""
        self._run("stop", container.id, within_s=_ANSWER_S + 60)

    def remove(self, container: FoundContainer) -> None:
        """End it, and take it away."""
        self.end(container)
        self._run("rm", "--force", "--volumes", container.id)

    def last_lines(self, container: FoundContainer, count: int) -> tuple[str, ...]:
        """What it printed last, oldest first."""
        # Podman up to 4.6 tells a line that was written in two pieces wrongly where it is asked for the tail
        # (containers/podman, issue 19545). Its log is bounded, as the file of the container says.
        tail = [] if self._program == "podman" else ["--tail", str(count)]
        done = self._done([self._program, "logs", *tail, container.id], _ANSWER_S)
        return tuple(line for line in (done.stdout + done.stderr).splitlines() if line.strip())[-count:]

    @cached_property
    def _compose_command(self) -> list[str]:
        """Compose is a part of newer engines, and a program of its own beside older ones."""
        if self._done([self._program, "compose", "version"], _ANSWER_S).returncode == 0:
            return [self._program, "compose"]
        program = f"{self._program}-compose"
        if shutil.which(program, path=self._environment.get("PATH")) is None:
            raise FixInput(
                f"{self._program} has no compose, and {program} is not installed",
                kept=_KEPT,
                next_step=f"install the compose plugin of {self._program}, or {program}",
            )
        return [program]

    def _compose(self, project: str, file: Path, *words: str) -> None:
        command = [*self._compose_command, "--project-name", project, "--file", str(file), *words]
        self._checked(self._done(command, _BUILD_S), command)

    def _inspected(self, kind: str, named: str) -> dict[str, Any] | None:
        done = self._done([self._program, "inspect", "--type", kind, named], _ANSWER_S)
        if done.returncode and any(words in done.stderr.lower() for words in _NOT_THERE):
            return None
        self._checked(done, [self._program, "inspect", named])
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found[0] if found else None

    def _run(self, *words: str, within_s: float = _ANSWER_S) -> str:
        command = [self._program, *words]
        done = self._done(command, within_s)
        self._checked(done, command)
        return done.stdout

    def _done(self, command: Sequence[str], within_s: float) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=within_s,
                check=False,
            )
        except FileNotFoundError:
            raise FixInput(
                f"{command[0]} is not installed",
                kept=_KEPT,
                next_step=f"install {command[0]}, or use another target",
            ) from None
        except subprocess.TimeoutExpired:
            raise TryAgain(
                f"`{' '.join(command[:3])}` did not answer within {within_s:g} s", kept=_KEPT
            ) from None

    def _checked(self, done: subprocess.CompletedProcess[str], command: Sequence[str]) -> None:
        if done.returncode == 0:
            return
        words = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        said = "\n  ".join(words[-5:]) or f"exit code {done.returncode}"
        if "cannot connect to" in said.lower() or "is the docker daemon running" in said.lower():
            raise TryAgain(
                f"{self._program} does not answer: {said}", kept=_KEPT, next_step=f"start {self._program}"
            )
        raise AskOperator(
            f"`{' '.join(command[:3])}` failed: {said}", kept=_KEPT, next_step="mend it, then deploy again"
        )


def _digest(id: str) -> str:
    return id if id.startswith("sha256:") else f"sha256:{id}"


def _instant(text: str) -> datetime | None:
    """An engine's instant; it writes nanoseconds, and the year 1 for never."""
    if not text or text.startswith("0001-"):
        return None
    head, _, tail = text.partition(".")
    if not tail:
        return datetime.fromisoformat(head).astimezone(UTC)
    digits = tail.rstrip("Z").partition("+")[0].partition("-")[0]
    zone = tail[len(digits) :]
    return datetime.fromisoformat(f"{head}.{digits[:6]:0<6}{zone}").astimezone(UTC)
