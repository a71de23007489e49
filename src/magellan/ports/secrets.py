"""Secrets: whoever keeps keys for us. Kept by `adapters/environment_secrets.py` and `adapters/env_file.py`."""

from __future__ import annotations

from typing import Protocol

from pydantic import SecretStr


class SecretProvider(Protocol):
    """One place that may know secrets by name."""

    @property
    def place(self) -> str:
        """What a person calls the place: "the environment", or a file's path."""
        ...

    def secret(self, name: str) -> SecretStr | None:
        """The secret of that name; None when the place has none, or an empty one.

        Raises FixInput for a place that cannot be trusted or read, with what to do; never with a secret in it.
        """
        ...
