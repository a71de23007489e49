"""Root on a machine that is reached over SSH, for making it ready and for looking at it."""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from magellan.adapters.ssh.access import Access, connect
from magellan.deploy.preparation import Ran
from magellan.errors import AskOperator, TryAgain
from magellan.workspace.target import SshTarget

_MEANS_NO_SUDO: Final = "a password is required"


@dataclass(frozen=True, slots=True)
class SshRoot:
    """Keeps `deploy.preparation.HostRoot`, on one connection."""

    name: str
    connection: Any
    with_sudo: bool

    async def run(self, *command: str, given: bytes = b"") -> Ran:
        """See the port."""
        import asyncssh

        words = ("sudo", "-n", "--", *command) if self.with_sudo else command
        # /usr/sbin is not on everybody's path, and a message is looked at by us.
        text = f"PATH=$PATH:/usr/sbin:/sbin LC_ALL=C {shlex.join(words)}"
        try:
            done = await self.connection.run(text, input=given, encoding=None)
        except (OSError, asyncssh.Error) as error:
            raise TryAgain(f"the connection to {self.name} was lost: {error}") from error
        complaint = " ".join(bytes(done.stderr or b"").decode(errors="replace").split())
        if self.with_sudo and done.exit_status and _MEANS_NO_SUDO in complaint:
            raise AskOperator(
                f"{self.name}: sudo wants a password",
                kept="nothing was changed",
                next_step=f"name root, or somebody who needs none, as `admin` in [targets.{self.name}]",
            )
        return Ran(
            exit_code=-1 if done.exit_status is None else int(done.exit_status),
            printed=bytes(done.stdout or b""),
            complaint=complaint,
        )


@asynccontextmanager
async def root_of(name: str, target: SshTarget) -> AsyncIterator[SshRoot]:
    """Root of the target's machine, as its `admin`. Raises as `connect` does."""
    connection = await connect(Access.to(name, target, user=target.admin))
    try:
        yield SshRoot(name, connection, target.admin != "root")
    finally:
        connection.abort()
        await connection.wait_closed()


def public_key(target: SshTarget) -> str:
    """The public half of the target's key, as authorized_keys has it. Raises FixInput."""
    import asyncssh

    from magellan.errors import FixInput

    path = Access.to("", target).key
    try:
        key = asyncssh.read_private_key(str(path))
    except (OSError, asyncssh.KeyImportError) as error:
        raise FixInput(
            f"{path} cannot be read as a private key: {error}", next_step="name another file"
        ) from error
    line: bytes = key.export_public_key("openssh")
    return line.decode()
