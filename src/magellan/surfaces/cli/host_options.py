"""What the `magellan host` commands that reach another machine do alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from magellan.deploy.preparation import HostRoot
    from magellan.plan.plan import Plan
    from magellan.workspace.target import SshTarget
    from magellan.workspace.workspace import Workspace

TargetArgument = Annotated[
    str, typer.Argument(metavar="TARGET", help="Name of a target of the kind ssh in magellan.toml.")
]


def ssh_target(workspace: Workspace, name: str) -> SshTarget:
    """Raises FixInput for a name that is no such target's."""
    from magellan.errors import FixInput
    from magellan.workspace.target import SshTarget

    target = workspace.settings.targets.get(name)
    if not isinstance(target, SshTarget):
        known = [each for each, terms in workspace.settings.targets.items() if isinstance(terms, SshTarget)]
        raise FixInput(
            f"magellan.toml has no target '{name}' that is reached over SSH",
            next_step=f"there are: {', '.join(known) or 'none'}; docs/guides/hosts.md shows a section",
        )
    return target


def preparation_of(workspace: Workspace, name: str) -> Plan[HostRoot]:
    """What makes that target's machine ready."""
    from magellan.deploy.preparation import preparation
    from magellan.wiring.hosts import public_key_of
    from magellan.workspace.host_settings import host_settings

    target = ssh_target(workspace, name)
    text = (workspace.root / "magellan.toml").read_text(encoding="utf-8")
    return preparation(name, target, settings=host_settings(text), public_key=public_key_of(target))
