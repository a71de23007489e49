"""The key that signs releases, in a file that is its owner's alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from magellan.adapters.durable_file import cannot_write, make_folder_durably, sync_folder
from magellan.errors import FixInput
from magellan.release.signature import SigningKey

_KEPT = "every key that was there"


class ReleaseKeyFile:
    """Keeps `ports.release_key.ReleaseKey`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def place(self) -> str:
        """See the port."""
        return str(self._path)

    def key(self) -> SigningKey | None:
        """See the port."""
        try:
            with self._path.open("rb") as file:
                # Of the file that is open, which nobody can swap between looking and reading.
                if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                    raise FixInput(
                        f"{self._path} holds a private key, and others may read it",
                        next_step=f"`chmod 600 {self._path}`; if others had access, make a new key",
                    )
                return SigningKey.parsed(file.read(), name=str(self._path))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise FixInput(
                f"{self._path} cannot be read: {error.strerror}",
                next_step="give this user the right to read it",
            ) from error

    def make(self) -> SigningKey:
        """See the port."""
        make_folder_durably(self._path.parent, kept=_KEPT)
        key = SigningKey.new()
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "wb") as file:
                file.write(key.written())
                file.flush()
                os.fsync(file.fileno())
            sync_folder(self._path.parent)
        except FileExistsError:
            raise FixInput(
                f"{self._path} is there already", next_step="move it away first, if you want another key"
            ) from None
        except OSError as error:
            raise cannot_write(self._path, error, kept=_KEPT) from error
        return key
