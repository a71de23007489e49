"""What the `secrets` commands share: the inventory of a workspace, and where its secrets are kept."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from magellan.surfaces.cli.options import workspace_folder

if TYPE_CHECKING:
    from magellan.plan.actor import Actor
    from magellan.ports.secrets import SecretProvider
    from magellan.usecases.recorded_plan import Records
    from magellan.usecases.secret_inventory import NeededSecret, SecretLine
    from magellan.workspace.secret_terms import SecretSource
    from magellan.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Safe:
    """A workspace's secrets."""

    workspace: Workspace
    providers: Sequence[SecretProvider]

    @classmethod
    def of(cls, given: Path | None) -> Safe:
        """Those of the workspace that a command means."""
        from magellan.wiring.secrets import secret_providers
        from magellan.workspace.workspace import Workspace

        workspace = Workspace.at(workspace_folder(given))
        return cls(workspace=workspace, providers=secret_providers(workspace, os.environ))

    def needed(self) -> tuple[NeededSecret, ...]:
        """Every secret that magellan.toml names."""
        from magellan.settings.keys import KEY_SCHEMES
        from magellan.usecases.secret_inventory import needed_secrets

        return needed_secrets(self.workspace.settings, schemes=KEY_SCHEMES, is_known=self._is_known)

    def inventory(self) -> tuple[SecretLine, ...]:
        """How each of them stands now."""
        from magellan.usecases.secret_inventory import inventory
        from magellan.wiring.secrets import secret_ages

        return inventory(
            self.needed(),
            self.workspace.settings,
            self.providers,
            secret_ages(self.workspace),
            now=datetime.now(UTC),
        )

    def _is_known(self, source: SecretSource, name: str) -> bool:
        return any(each.secret(name) is not None for each in self.providers if each.source == source)


def this_actor(person: str | None = None) -> Actor:
    """Who is at work: a person, by this process. person: None: this machine's user."""
    from magellan.plan.actor import Actor

    return Actor(person=(person or getpass.getuser()).strip(), host=socket.gethostname(), pid=os.getpid())


def records_of(workspace: Workspace, person: str | None = None) -> Records:
    """Where this command writes its plan and its change down."""
    from magellan.usecases.recorded_plan import Records
    from magellan.wiring.records import change_log, plan_journals

    return Records(
        journals=plan_journals(workspace),
        changes=change_log(workspace),
        actor=this_actor(person),
        clock=lambda: datetime.now(UTC),
    )


def show_inventory(lines: Sequence[SecretLine]) -> None:
    """A table of secrets."""
    from magellan.surfaces.cli.output import print_table, say

    if not lines:
        say("magellan.toml names no secret")
        return
    print_table(
        ("secret", "used by", "source", "found in", "state", "age", "due"),
        [
            (
                each.name,
                each.used_by,
                each.source,
                each.place,
                each.state.value,
                None if each.age_days is None else f"{each.age_days} days",
                None if each.due_at is None else f"{each.due_at:%Y-%m-%d}",
            )
            for each in lines
        ],
        numbers=("age",),
        footnote="ages are counted from when Magellan first saw a value",
    )
