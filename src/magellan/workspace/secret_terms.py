"""Secrets in magellan.toml: where they are kept and how old they may become. No secret stands there, ever."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from magellan.workspace.section import Section

SecretSource = Literal["environment", "keyring", "ssm"]

# What no secret looks like: capitals with at least one underscore, or a path with at least two parts.
_NAME: Final = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+|(/[A-Za-z0-9_.-]+){2,}")


def checked_name(name: str) -> str:
    """The name of a secret. Raises ValueError for what may be the secret itself, without showing it."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            "it must be the name of an environment variable such as ALPACA_API_KEY, or a path such as "
            "/magellan/alpaca/API_KEY; a key itself never stands in this file"
        )
    return name


SecretName = Annotated[str, AfterValidator(checked_name)]
_PASSWORD: Final = re.compile(r"PASSWORD|PASSPHRASE", re.IGNORECASE)


class SecretTerms(Section):
    """Where secrets are that name no source of their own, and when they are due."""

    source: SecretSource = Field(
        "environment",
        description="of secrets that no account names: environment variables, then the workspace's .env; the "
        "system's keyring; AWS SSM parameters, as /magellan/NAME",
    )
    also: tuple[SecretName, ...] = Field(
        (),
        strict=False,  # TOML has lists alone
        description="names of further secrets that are watched over, for example of a vendor of data",
    )
    rotate_keys_days: int = Field(90, ge=1, description="a key is due for another one after so many days")
    rotate_passwords_days: int = Field(
        180, ge=1, description="the same for a secret whose name says PASSWORD or PASSPHRASE"
    )
    aws_region: str | None = Field(
        None, pattern=r"^[a-z]{2}(-[a-z]+)+-\d$", description="of SSM; null: as AWS's own settings say"
    )

    def due_after(self, name: str) -> timedelta:
        """How old that secret may become."""
        days = self.rotate_passwords_days if _PASSWORD.search(name) else self.rotate_keys_days
        return timedelta(days=days)
