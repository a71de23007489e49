"""Secrets: whoever keeps keys for us.

Kept by `adapters/environment_secrets.py`, `adapters/env_file.py`, `adapters/keyring_secrets.py` and
`adapters/aws/parameter_store.py`.
"""

from __future__ import annotations

from typing import Protocol

from pydantic import SecretStr

from magellan.workspace.secret_terms import SecretSource


class SecretProvider(Protocol):
    """One place that may know secrets by name."""

    @property
    def source(self) -> SecretSource:
        """What magellan.toml calls this kind of place."""
        ...

    @property
    def place(self) -> str:
        """What a person calls the place: "the environment", or a file's path."""
        ...

    def secret(self, name: str) -> SecretStr | None:
        """The secret of that name; None when the place has none, or an empty one.

        Raises FixInput for a place that cannot be trusted or read, TryAgain for one that does not answer, with what to
        do; never with a secret in it.
        """
        ...


class SecretStore(SecretProvider, Protocol):
    """A place that can also be changed. The environment of a process cannot."""

    def put(self, values: dict[str, SecretStr | None]) -> None:
        """Keep these, and forget those that are None; at once where the place can do that, else one by one.

        Raises as `secret` does; AskOperator when the place cannot be written.
        """
        ...
