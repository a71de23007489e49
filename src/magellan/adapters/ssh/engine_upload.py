"""The controller's own engine on a host: both ends of the wire run the very same code, so they always understand each
other. It is uploaded once for each version, beside the releases and not among them, so that no roll-out removes it.

serving/1f3a90.../magellan/     the engine, by the digest of its files
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import shlex
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from magellan.adapters.local.environments import environment_of
from magellan.adapters.local.release_inputs import ThisInstallation
from magellan.errors import AskOperator, TryAgain
from magellan.workspace.target import SshTarget

LACKING: Final = 66  # exit code of the launch when the host has no such engine or environment
_UPLOAD_WITHIN_S: Final = 120.0
_ENVIRONMENT_WITHIN_S: Final = 900.0


@dataclass(frozen=True)
class UploadedEngine:
    """This installation, as it lies on the hosts of a target."""

    name: str
    target: SshTarget

    @property
    def _host_folder(self) -> str:
        return f"{self.target.folder}/.magellan/host"

    @property
    def _engine(self) -> str:
        return f"{self._host_folder}/serving/{_digest()}"

    @property
    def _environment(self) -> str:
        if self.target.environment is not None:
            return self.target.environment
        from pathlib import Path

        return str(environment_of(Path(self._host_folder, "environments"), ThisInstallation().lock()))

    def launch(self, *arguments: str) -> str:
        """The shell command that runs `magellan` there with these arguments; ends with LACKING where it cannot."""
        python = f"{self._environment}/bin/python"
        variables = {
            "PYTHONPATH": self._engine,
            "NUMBA_CACHE_DIR": self._host_folder,
            "XDG_CACHE_HOME": f"{self.target.folder}/.magellan/cache",
        }
        given = " ".join(shlex.quote(f"{name}={value}") for name, value in variables.items())
        command = shlex.join([python, "-P", "-m", "magellan", *arguments])
        return (
            f"test -d {shlex.quote(self._engine)} -a -x {shlex.quote(python)} || exit {LACKING}; "
            f'exec env -i HOME="$HOME" PATH="$PATH" LANG=C.UTF-8 {given} {command}'
        )

    def serve(self) -> str:
        """The shell command that answers there."""
        options = ["--keeper", self.target.keeper]
        if self.target.environment is None:
            options += ["--python", self.target.python]
            options += [] if self.target.wheelhouse is None else ["--wheelhouse", self.target.wheelhouse]
        return self.launch("host", "serve", self.name, "--workspace", self.target.folder, *options)

    async def bring(self, connection: Any) -> None:
        """Upload the engine, and let the host make an environment for it. Raises AskOperator, TryAgain."""
        engine, unfinished = shlex.quote(self._engine), shlex.quote(f"{self._engine}.unfinished")
        unpack = (
            f"test -w {shlex.quote(self.target.folder)} || {{ echo cannot write there >&2; exit 1; }}; "
            f"test -d {engine} && {{ cat > /dev/null; exit 0; }}; "
            f"rm -rf {unfinished} && mkdir -p {unfinished} && tar -xzf - -C {unfinished} && sync {unfinished} && "
            f"{{ mv -T {unfinished} {engine} || test -d {engine}; }}"
        )
        await self._run(connection, unpack, _archive(), _UPLOAD_WITHIN_S, "the engine cannot be put there")
        if self.target.environment is not None:
            return
        make = [self.target.python, "-P", "-m", "magellan.adapters.local.environments"]
        make.append(f"{self._host_folder}/environments")
        if self.target.wheelhouse is not None:
            make.append(self.target.wheelhouse)
        await self._run(
            connection,
            f"PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={engine} {shlex.join(make)}",
            ThisInstallation().lock(),
            _ENVIRONMENT_WITHIN_S,
            "no environment can be made there",
        )

    async def _run(
        self, connection: Any, command: str, given: bytes, within_s: float, what_failed: str
    ) -> None:
        import asyncssh

        try:
            async with asyncio.timeout(within_s):
                done = await connection.run(command, input=given, encoding=None)
        except (OSError, asyncssh.Error, TimeoutError) as error:
            raise TryAgain(
                f"{self.name}: the connection was lost: {str(error) or 'no answer in time'}"
            ) from error
        if done.exit_status:
            words = bytes(done.stderr or b"").decode(errors="replace").strip().splitlines()
            raise AskOperator(
                f"{self.name}: {what_failed}: {' '.join(words[:3]) or f'exit code {done.exit_status}'}",
                kept="what trades there",
                next_step=f"make the host ready with `magellan host prepare {self.name}`",
            )


@cache
def _files() -> Mapping[str, bytes]:
    """Read once for all hosts of a command."""
    return ThisInstallation().engine_files()


@cache
def _digest() -> str:
    """Of the files, and not of the archive: packing them takes longer than a whole roll-back, and is seldom needed."""
    digest = hashlib.sha256()
    for path, file in sorted(_files().items()):
        digest.update(f"{path} {hashlib.sha256(file).hexdigest()}\n".encode())
    return digest.hexdigest()[:32]


@cache
def _archive() -> bytes:
    """The files, packed; the same files are always the same bytes."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for path, file in sorted(_files().items()):
            member = tarfile.TarInfo(path)
            member.size = len(file)
            tar.addfile(member, io.BytesIO(file))
    return gzip.compress(content.getvalue(), compresslevel=6, mtime=0)
