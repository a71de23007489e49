"""A host that is spoken to from afar: every call of the port is one question, however it travels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from magellan.deploy.arming import Armed
from magellan.deploy.health import SessionLook
from magellan.deploy.host import Installed
from magellan.deploy.instance import Instance, InstanceLook


class DistantHost(ABC):
    """Of `deploy.host.Host` all but `name` and `facts`, over one way to ask."""

    @abstractmethod
    async def _ask(
        self, verb: str, arguments: Mapping[str, Any] | None = None, content: bytes | None = None
    ) -> Any:
        """The host's answer to one of `deploy.host_calls.VERBS`. Raises what it raised there."""

    async def installed(self, release_id: str) -> Installed:
        """See the port."""
        found: Installed = await self._ask("installed", {"release_id": release_id})
        return found

    async def install(self, release_id: str, content: bytes) -> None:
        """See the port."""
        await self._ask("install", {"release_id": release_id}, content)

    async def remove(self, release_id: str) -> None:
        """See the port."""
        await self._ask("remove", {"release_id": release_id})

    async def start(self, instance: Instance) -> None:
        """See the port."""
        await self._ask("start", {"instance": instance})

    async def stop(self, key: str) -> None:
        """See the port."""
        await self._ask("stop", {"key": key})

    async def instances(self) -> tuple[Instance, ...]:
        """See the port."""
        found: tuple[Instance, ...] = await self._ask("instances")
        return found

    async def look(self, key: str) -> InstanceLook:
        """See the port."""
        found: InstanceLook = await self._ask("look", {"key": key})
        return found

    async def armed(self, ledger_account: str) -> Armed:
        """See the port."""
        found: Armed = await self._ask("armed", {"ledger_account": ledger_account})
        return found

    async def arm(
        self, ledger_account: str, instance: str | None, release_id: str | None, *, epoch: int, by: str
    ) -> Armed:
        """See the port."""
        given = {
            "ledger_account": ledger_account,
            "instance": instance,
            "release_id": release_id,
            "epoch": epoch,
            "by": by,
        }
        found: Armed = await self._ask("arm", given)
        return found

    async def renew_lease(self, for_s: float, *, by: str) -> None:
        """See the port."""
        await self._ask("renew_lease", {"for_s": for_s, "by": by})

    async def end_lease(self) -> None:
        """See the port."""
        await self._ask("end_lease")

    async def session(self, ledger_account: str) -> SessionLook:
        """See the port."""
        found: SessionLook = await self._ask("session", {"ledger_account": ledger_account})
        return found
