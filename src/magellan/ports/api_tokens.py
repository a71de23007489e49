"""Tokens that open the HTTP API. Kept by `adapters/local/api_tokens.py`; of a token itself only a digest is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Scope(StrEnum):
    """What a token may do."""

    READ = "read"  # look at everything
    RESEARCH = "research"  # start backtests, gates and analyses
    OPERATE = "operate"  # halt and resume
    FLATTEN = "flatten"  # sell everything
    CONFIGURE = "configure"  # change the regime model's config


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """A token as it is kept."""

    name: str  # whose it is: recorded with everything that is done with it
    sha256: str  # of the token, 64 hex digits
    scopes: frozenset[Scope]
    issued_at: datetime  # aware, UTC
    ends_at: datetime | None = None  # from then on it opens nothing; None: until it is revoked

    def is_good(self, now: datetime) -> bool:
        """Whether it opens anything now."""
        return self.ends_at is None or now < self.ends_at


class ApiTokens(Protocol):
    """The tokens of a workspace."""

    def tokens(self) -> tuple[ApiToken, ...]:
        """All of them, oldest first. Raises AskOperator for a file that cannot be read."""
        ...

    def keep(self, tokens: tuple[ApiToken, ...]) -> None:
        """Keep these and no others. Raises AskOperator when it cannot be written."""
        ...
