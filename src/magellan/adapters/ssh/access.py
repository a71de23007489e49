"""Access: how a host is logged in to. Known keys and key files only; no password, no agent, no forwarding."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from magellan.adapters.missing_extra import extra_missing
from magellan.errors import AskOperator, FixInput, TryAgain
from magellan.workspace.target import SshTarget

_KEEPALIVE_S: Final = 2.0
_KEEPALIVES: Final = 3  # unanswered: the connection is lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One host, and as whom."""

    name: str  # of the target
    address: str
    port: int
    user: str
    key: Path
    known_hosts: Path
    connect_within_s: float

    @classmethod
    def to(cls, name: str, target: SshTarget, *, user: str | None = None) -> Access:
        """As the target says, or as another user of the same host."""
        return cls(
            name=name,
            address=target.address,
            port=target.port,
            user=user or target.user,
            key=Path(target.key).expanduser(),
            known_hosts=Path(target.known_hosts).expanduser(),
            connect_within_s=target.connect_within_s,
        )


async def connect(access: Access) -> Any:
    """An `asyncssh.SSHClientConnection`.

    Raises: FixInput for a key or a list of known hosts that cannot be read; AskOperator for a host that shows another
    key, or refuses ours; TryAgain for one that does not answer in time.
    """
    try:
        import asyncssh
    except ModuleNotFoundError as error:
        raise extra_missing("ssh", error) from None
    for path, what in ((access.key, "private key"), (access.known_hosts, "list of known hosts")):
        if not path.is_file():
            raise FixInput(
                f"{access.name}: there is no {what} at {path}",
                next_step=f"name another one in the section [targets.{access.name}] of magellan.toml",
            )
    unreached = f"{access.name} does not answer at {access.address}, port {access.port}"
    try:
        return await asyncssh.connect(
            access.address,
            access.port,
            config=None,
            username=access.user,
            client_keys=[str(access.key)],
            known_hosts=str(access.known_hosts),
            agent_path=None,
            password=None,
            preferred_auth=["publickey"],
            connect_timeout=access.connect_within_s,
            login_timeout=access.connect_within_s,
            keepalive_interval=_KEEPALIVE_S,
            keepalive_count_max=_KEEPALIVES,
        )
    except asyncssh.HostKeyNotVerifiable as error:
        raise AskOperator(
            f"{access.name} ({access.address}) does not show the key that {access.known_hosts} has for it: {error}",
            kept="nothing was sent to it",
            next_step="find out which machine answers there; only then change the list of known hosts",
        ) from error
    except asyncssh.PermissionDenied as error:
        raise AskOperator(
            f"{access.name} refuses the key {access.key} for the user {access.user}",
            next_step=f"put its public half into authorized_keys there: `magellan host prepare {access.name}`",
        ) from error
    except asyncssh.KeyImportError as error:
        raise FixInput(f"{access.key} is no private key: {error}", next_step="name another file") from error
    except (OSError, asyncssh.Error, TimeoutError) as error:
        raise TryAgain(
            f"{unreached}: {str(error) or 'no answer in time'}",
            next_step="look at the host and the way there, then ask again",
        ) from error
