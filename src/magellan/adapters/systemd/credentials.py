"""Secrets that systemd hands to a service: files that nobody else can read, decrypted for this process alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from pydantic import SecretStr

from magellan.errors import FixInput

_PREFIX: Final = "key_"  # of LoadCredentialEncrypted=key:FOLDER in `units.py`


class ServiceCredentials:
    """Keeps `ports.secrets.SecretProvider`; knows nothing where the process is no service with credentials."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        folder = environment.get("CREDENTIALS_DIRECTORY", "")
        self._folder = Path(folder) if folder else None

    @property
    def source(self) -> Literal["environment"]:
        """A part of what the process was started with."""
        return "environment"

    @property
    def place(self) -> str:
        return "systemd's credentials"

    def secret(self, name: str) -> SecretStr | None:
        """See the port."""
        if self._folder is None or "/" in name:
            return None
        path = self._folder / f"{_PREFIX}{name}"
        try:
            value = path.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise FixInput(
                f"systemd's credential {path.name} cannot be read",
                next_step="write it again with `systemd-creds encrypt`, as docs/guides/hosts.md says",
            ) from error
        return SecretStr(value) if value else None
