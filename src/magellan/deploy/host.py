"""Host: where releases are installed and trade, seen from a roll-out. Every kind of target is one of these.

Kept by `adapters/local/host.py`, and by what reaches such a host from afar; held to by tests/contracts/test_host.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from magellan.deploy.arming import Armed
from magellan.deploy.health import SessionLook
from magellan.deploy.instance import Instance, InstanceLook
from magellan.deploy.source_folders import SourceFolders


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A release as it lies on a host."""

    is_there: bool
    drift: tuple[str, ...] = ()  # what is not as its manifest says, a line each: somebody edited it there

    @property
    def is_whole(self) -> bool:
        return self.is_there and not self.drift


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """What a release needs of its host, and what is there."""

    free_bytes: int  # where releases and the ledger lie
    clock_ahead_s: float | None  # of whoever asks; None: they are the same machine
    python: str  # version
    lacks: tuple[str, ...]  # what must be mended before anything is installed, a sentence each


class Host(Protocol):
    """One machine, or a part of one, with a workspace's accounts. All calls raise MagellanError for what fails:
    TryAgain where the host could not be reached, and nobody knows what became of the call."""

    @property
    def name(self) -> str:
        """As magellan.toml calls the target."""
        ...

    async def facts(self, requirements: bytes) -> HostFacts:
        """requirements: the release's list of dependencies, which the host must have at just these versions."""
        ...

    async def installed(self, release_id: str) -> Installed:
        """Every file of the release, held against its manifest."""
        ...

    async def install(self, release_id: str, content: bytes) -> None:
        """Put a release there, whole or not at all. Refuses one that is not whole or not signed by a trusted key."""
        ...

    async def remove(self, release_id: str) -> None:
        """Take a release away. One that is not there is no error; one that somebody edited there is kept aside."""
        ...

    async def start(self, instance: Instance) -> None:
        """Let the instance stand by, now and after a restart of the host. One that runs already is left alone."""
        ...

    async def stop(self, key: str) -> None:
        """End the instance in order, by force where it does not hear, and forget it. Positions stay as they are."""
        ...

    async def instances(self) -> tuple[Instance, ...]:
        """All that the host knows."""
        ...

    async def look(self, key: str) -> InstanceLook:
        """How an instance is."""
        ...

    async def armed(self, ledger_account: str) -> Armed:
        """Who may trade that account."""
        ...

    async def arm(
        self, ledger_account: str, instance: str | None, release_id: str | None, *, epoch: int, by: str
    ) -> Armed:
        """Let that instance trade the account, and nobody else; None: nobody.

        epoch:  of the state that the caller saw. Raises AskOperator when somebody changed it since.
        """
        ...

    async def renew_lease(self, for_s: float, *, by: str) -> None:
        """Let the host's sessions enter for so long from now; from the first one on, only while it is renewed."""
        ...

    async def end_lease(self) -> None:
        """Let them enter without one again. A host that has none is left as it is."""
        ...

    async def session(self, ledger_account: str) -> SessionLook:
        """How the account's session is, by its ledger and its heartbeat."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """What the steps of a roll-out act on."""

    hosts: Mapping[str, Host]
    content: Mapping[str, bytes]  # of the releases that may have to be installed, by id
    sources: SourceFolders | None = None  # None: no step changes them
