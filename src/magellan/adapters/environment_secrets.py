"""Secrets in environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import SecretStr


class EnvironmentSecrets:
    """The variables of a process, handed in."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    @property
    def source(self) -> Literal["environment"]:
        """See `ports.secrets.SecretProvider`."""
        return "environment"

    @property
    def place(self) -> str:
        return "the environment"

    def secret(self, name: str) -> SecretStr | None:
        value = self._variables.get(name, "").strip()
        return SecretStr(value) if value else None
