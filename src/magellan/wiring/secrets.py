"""Wiring: where secrets are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from magellan.errors import FixInput

if TYPE_CHECKING:
    from pydantic import SecretStr

    from magellan.ports.secret_ages import SecretAges
    from magellan.ports.secrets import SecretProvider, SecretStore
    from magellan.workspace.workspace import Workspace


def named_secret(workspace: Workspace, environment: Mapping[str, str], name: str) -> SecretStr:
    """A secret that no account names, from where magellan.toml says that such secrets are. Raises FixInput."""
    source = workspace.settings.secrets.source
    for provider in secret_providers(workspace, environment):
        if provider.source == source and (found := provider.secret(name)) is not None:
            return found
    raise FixInput(
        f"there is no secret {name} in the {source}",
        next_step="`magellan secrets list` shows where each one is looked for",
    )


def secret_providers(workspace: Workspace, environment: Mapping[str, str]) -> tuple[SecretProvider, ...]:
    """Whoever may know a secret, in the order in which they are asked. None is opened before it is asked."""
    from magellan.adapters.environment_secrets import EnvironmentSecrets
    from magellan.adapters.systemd.credentials import ServiceCredentials

    return (EnvironmentSecrets(environment), ServiceCredentials(environment), *secret_stores(workspace))


def secret_stores(workspace: Workspace) -> tuple[SecretStore, ...]:
    """The places in which secrets can be changed."""
    from magellan.adapters.aws.parameter_store import ParameterStore
    from magellan.adapters.env_file import EnvFile
    from magellan.adapters.keyring_secrets import KeyringSecrets

    region = workspace.settings.secrets.aws_region
    return (EnvFile(workspace.root / ".env"), KeyringSecrets(), ParameterStore(region))


def secret_ages(workspace: Workspace) -> SecretAges:
    """Since when secrets are what they are."""
    from magellan.adapters.local.secret_ages import SecretAgeFile

    return SecretAgeFile(workspace.state_folder / "secrets" / "ages.json")
