"""A trail on another machine, over SFTP: with the keys, names and known hosts of this user's own SSH settings."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from magellan.adapters.missing_extra import extra_missing
from magellan.errors import AskOperator, TryAgain

_WITHIN_S: Final = 20.0
_KEPT: Final = "the ledger; the copy lacks what was being sent"

Answer = TypeVar("Answer")


class SftpPlace:
    """Keeps `place.TrailPlace`. One connection, made again where it was lost.

    user: "": as the SSH settings say. path: of the file there. settings: files of SSH settings; none: this user's.
    """

    def __init__(self, user: str, host: str, path: str, *, settings: Sequence[Path] = ()) -> None:
        try:
            import asyncssh
        except ImportError as error:
            raise extra_missing("ssh", error) from error
        self._ssh: Any = asyncssh
        self._user, self._host, self._path = user, host, path
        self._settings = tuple(settings)
        self._loop = asyncio.new_event_loop()
        self._connection: Any = None
        self._files: Any = None

    @property
    def name(self) -> str:
        return f"{self._host}:{self._path}"

    def read(self) -> bytes:
        """See `TrailPlace`."""

        async def read() -> bytes:
            files = await self._connected()
            try:
                async with files.open(self._path, "rb") as file:
                    content: bytes = await file.read()
            except self._ssh.SFTPNoSuchFile:
                return b""
            return content

        return self._done(read())

    def append(self, content: bytes) -> None:
        """See `TrailPlace`."""

        async def append() -> None:
            files = await self._connected()
            attributes = self._ssh.SFTPAttrs(permissions=0o600)
            async with files.open(self._path, "ab", attributes) as file:
                await file.write(content)
                await file.fsync()

        self._done(append())

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.abort()
            self._connection = None
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _connected(self) -> Any:
        if self._connection is None:
            named: dict[str, Any] = {"username": self._user} if self._user else {}
            if self._settings:
                named["config"] = [str(each) for each in self._settings]
            self._connection = await self._ssh.connect(self._host, keepalive_interval=5, **named)
            self._files = await self._connection.start_sftp_client()
        return self._files

    def _done(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        try:
            return self._loop.run_until_complete(asyncio.wait_for(work, _WITHIN_S))
        except self._ssh.SFTPPermissionDenied as error:
            raise AskOperator(
                f"{self.name} may not be written: {error}", kept=_KEPT, next_step="correct backup.follow_to"
            ) from error
        except (OSError, TimeoutError, self._ssh.Error) as error:
            if self._connection is not None:
                self._connection.abort()
                self._connection = None
            raise TryAgain(
                f"{self.name} cannot be reached: {error or type(error).__name__}", kept=_KEPT
            ) from error
