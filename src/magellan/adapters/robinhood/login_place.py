"""Where a login is kept: a file that its owner alone may read, or a store of secrets that can be changed."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from magellan.adapters.durable_file import write_durably
from magellan.errors import FixInput
from magellan.ports.secrets import SecretStore

_KEPT = "the login that was there"


@dataclass(frozen=True, slots=True)
class LoginFile:
    """Keeps `login.LoginPlace` in a file."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path)

    def read(self) -> SecretStr | None:
        """None where there is no file. Raises FixInput for one that others may read, or that cannot be read."""
        try:
            status = self.path.stat()
            if os.name == "posix" and status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise FixInput(
                    f"{self.path} can be read or changed by others (mode {stat.S_IMODE(status.st_mode):03o})",
                    next_step="remove it, take the login back at Robinhood, and log in again",
                )
            return SecretStr(self.path.read_text())
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise FixInput(
                f"{self.path} cannot be read: {error}", next_step="remove it, and log in again"
            ) from error

    def write(self, login: SecretStr | None) -> None:
        """Raises AskOperator where it cannot be written."""
        if login is None:
            self.path.unlink(missing_ok=True)
        else:
            write_durably(self.path, login.get_secret_value().encode(), kept=_KEPT, mode=0o600)


@dataclass(frozen=True, slots=True)
class LoginInStore:
    """Keeps `login.LoginPlace` under a name in the system's keyring or in AWS."""

    store: SecretStore
    secret_name: str

    @property
    def name(self) -> str:
        return f"{self.store.place} {self.secret_name}"

    def read(self) -> SecretStr | None:
        return self.store.secret(self.secret_name)

    def write(self, login: SecretStr | None) -> None:
        self.store.put({self.secret_name: login})
