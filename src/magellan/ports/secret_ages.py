"""Secret ages: since when each secret has been what it is. Kept by `adapters/local/secret_ages.py`."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from pydantic import SecretStr


class SecretAges(Protocol):
    """What is remembered of secrets: a mark of each, by which another value is noticed, and never the value."""

    def mark(self, value: SecretStr) -> str:
        """Eight digits that tell two values apart here, and say nothing about them anywhere else."""
        ...

    def since(self, name: str, value: SecretStr, *, now: datetime) -> datetime:
        """Since when the secret has had this value, as far as we saw. A value that is new is remembered from now on.

        Raises AskOperator when that cannot be kept.
        """
        ...
