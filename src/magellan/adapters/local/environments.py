"""Environments: the interpreters of a host with the packages that a release lists, at just those versions.

environments/77ab01.../    one per list of dependencies, by the list's digest; `whole` is written last

This file imports nothing but the standard library and our errors, because it also runs on a host that has no
environment yet: `python3 -m magellan.adapters.local.environments FOLDER [WHEELHOUSE] < requirements.lock`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from magellan.errors import AskOperator

_WHOLE: Final = "whole"
_HAS: Final = "import importlib.util as found, sys; sys.exit(found.find_spec(sys.argv[1]) is None)"
_MAKE_WITHIN_S: Final = 900.0


class Environments(Protocol):
    """Where a host's instances have their packages from."""

    def lacks(self, requirements: bytes) -> tuple[str, ...]:
        """What keeps an instance with that list of dependencies from running here, a sentence each."""
        ...

    def make(self, requirements: bytes) -> Path:
        """The interpreter for that list; what can be installed for it is. Raises AskOperator."""
        ...


class ThisEnvironment:
    """The interpreter that runs now, as somebody keeps it."""

    def lacks(self, requirements: bytes) -> tuple[str, ...]:
        """See `Environments`."""
        return tuple(_unmet(requirements))

    def make(self, requirements: bytes) -> Path:
        """See `Environments`."""
        return Path(sys.executable)


class MadeEnvironments:
    """Environments of this host's own, made once for each list, each wheel held against its hash.

    base:       interpreter that they are made with.
    wheelhouse: folder with wheels, where there is no package index to ask.
    """

    def __init__(self, folder: Path, *, base: str, wheelhouse: Path | None) -> None:
        self._folder = folder
        self._base = base
        self._wheelhouse = wheelhouse

    def lacks(self, requirements: bytes) -> tuple[str, ...]:
        """See `Environments`. An index that does not answer is found by `make`."""
        if self._is_whole(requirements):
            return ()
        if shutil.which(self._base) is None:
            return (f"there is no {self._base} to make an environment with",)
        if self._wheelhouse is not None and not self._wheelhouse.is_dir():
            return (f"there is no folder {self._wheelhouse} with wheels",)
        if shutil.which("uv") is None and not (self._has("ensurepip") or self._has("pip")):
            return (f"{self._base} comes without pip, and there is no uv: install python3-venv, or uv",)
        return ()

    def python(self, requirements: bytes) -> Path:
        """Where the interpreter for that list lies."""
        return environment_of(self._folder, requirements) / "bin" / "python"

    def make(self, requirements: bytes) -> Path:
        """See `Environments`."""
        if not self._is_whole(requirements):
            self._folder.mkdir(parents=True, exist_ok=True)
            with _held(self._folder / "making.lock"):
                if not self._is_whole(requirements):
                    self._make(requirements)
        return self.python(requirements)

    def _is_whole(self, requirements: bytes) -> bool:
        return (environment_of(self._folder, requirements) / _WHOLE).exists()

    def _make(self, requirements: bytes) -> None:
        place = environment_of(self._folder, requirements)
        if place.exists():
            shutil.rmtree(place)  # a kill left a part of it
        listing = self._folder / f"{place.name}.txt"
        listing.write_bytes(requirements)
        offline = () if self._wheelhouse is None else ("--no-index", "--find-links", str(self._wheelhouse))
        install = self._made_empty(place)
        hashed = ("--no-deps", "--require-hashes", "--only-binary", ":all:")
        _run(*install, *hashed, *offline, "-r", str(listing))
        descriptor = os.open(place / _WHOLE, os.O_CREAT | os.O_WRONLY, 0o644)
        os.fsync(descriptor)
        os.close(descriptor)

    def _made_empty(self, place: Path) -> tuple[str, ...]:
        """Make an environment without packages. The command that installs some there. Raises AskOperator."""
        python = str(place / "bin" / "python")
        uv = shutil.which("uv")
        if uv is not None:
            _run(uv, "venv", "--quiet", "--python", self._base, str(place))
            return (uv, "pip", "install", "--quiet", "--python", python)
        if self._has("ensurepip"):
            _run(self._base, "-m", "venv", str(place))
            pip: tuple[str, ...] = (python, "-m", "pip")
        elif self._has("pip"):  # Debian's Python, which comes without ensurepip, in an environment with pip
            _run(self._base, "-m", "venv", "--without-pip", str(place))
            pip = (self._base, "-m", "pip", "--python", python)
        else:
            raise AskOperator(
                f"an environment cannot be made here: {self._base} comes without pip, and there is no uv",
                kept="what runs",
                next_step="install python3-venv, or uv, on this host",
            )
        return (*pip, "install", "--quiet", "--no-input", "--disable-pip-version-check")

    def _has(self, module: str) -> bool:
        asked = (self._base, "-c", _HAS, module)
        return (
            subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0
        )


def environment_of(folder: Path, requirements: bytes) -> Path:
    """Where the environment for that list lies, made or not."""
    return folder / hashlib.sha256(requirements).hexdigest()[:32]


def _run(*command: str) -> None:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_MAKE_WITHIN_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AskOperator(
            f"an environment cannot be made here: {error}",
            kept="what runs",
            next_step="see what the host lacks with `magellan host check`",
        ) from error
    if done.returncode:
        words = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise AskOperator(
            f"an environment cannot be made here: {' '.join(words[-3:]) or f'exit code {done.returncode}'}",
            kept="what runs",
            next_step="give the host a package index, or a folder with the wheels: `wheelhouse` of its target",
        )


@contextmanager
def _held(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _unmet(requirements: bytes) -> Iterator[str]:
    """How this interpreter's packages differ from a release's list of dependencies."""
    import importlib.metadata

    from packaging.requirements import InvalidRequirement, Requirement

    for line in requirements.decode().splitlines():
        text = line.partition("#")[0].strip().rstrip("\\").strip()
        if not text or text.startswith("--"):
            continue
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            yield f"the release's list of dependencies has a line that cannot be read: {text}"
            continue
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        try:
            found = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            yield f"{requirement.name} is not installed, and the release wants {requirement.specifier}"
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            yield f"{requirement.name} is {found}, and the release wants {requirement.specifier}"


def _main(arguments: list[str]) -> int:
    folder, *rest = arguments
    made = MadeEnvironments(Path(folder), base=sys.executable, wheelhouse=Path(rest[0]) if rest else None)
    try:
        python = made.make(sys.stdin.buffer.read())
    except AskOperator as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{python}\n")
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
