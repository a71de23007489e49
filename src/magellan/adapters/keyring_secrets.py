"""Secrets in the system's keyring, under the service `magellan`. Needs the extra `keyring`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pydantic import SecretStr

from magellan.adapters.missing_extra import extra_missing
from magellan.errors import AskOperator, FixInput

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

_SERVICE: Final = "magellan"


class KeyringSecrets:
    """Keeps `ports.secrets.SecretStore`. backend: None: the one that the system has."""

    def __init__(self, backend: KeyringBackend | None = None) -> None:
        self._backend = backend

    @property
    def source(self) -> Literal["keyring"]:
        """See the port."""
        return "keyring"

    @property
    def place(self) -> str:
        """See the port."""
        return f"the system's keyring, service {_SERVICE},"

    def secret(self, name: str) -> SecretStr | None:
        """See the port."""
        from keyring.errors import KeyringError

        keyring = self._opened()
        try:
            value = keyring.get_password(_SERVICE, name)
        except KeyringError as error:
            raise FixInput(
                f"the system's keyring does not give {name}: {type(error).__name__}",
                next_step="unlock it, or keep the secret in the environment or the workspace's .env",
            ) from None
        return SecretStr(value) if value else None

    def put(self, values: dict[str, SecretStr | None]) -> None:
        """See the port."""
        from keyring.errors import KeyringError

        keyring = self._opened()
        for name, value in values.items():
            try:
                if value is not None:
                    keyring.set_password(_SERVICE, name, value.get_secret_value())
                elif keyring.get_password(_SERVICE, name) is not None:
                    keyring.delete_password(_SERVICE, name)
            except KeyringError as error:
                raise AskOperator(
                    f"the system's keyring does not keep {name}: {type(error).__name__}",
                    kept="what it held before",
                    next_step="unlock it, then run the same command again",
                ) from None

    def _opened(self) -> KeyringBackend:
        if self._backend is not None:
            return self._backend
        try:
            import keyring
        except ImportError as error:
            raise extra_missing("keyring", error) from error
        return keyring.get_keyring()
