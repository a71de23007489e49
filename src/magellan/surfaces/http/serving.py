"""A server that says where it listens, and ends with Ctrl-C as every command does."""

from __future__ import annotations

import json
import socket
import sys

import uvicorn

from magellan.errors import FixInput


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there. port: 0 for a free one. Raises FixInput where nobody can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise FixInput(
            f"nothing can listen on {host}, port {port}: {error.strerror or error}",
            next_step="choose another --port, or 0 for a free one",
        ) from None


class Serving(uvicorn.Server):
    """uvicorn's, with a line on standard output once it answers."""

    def __init__(self, config: uvicorn.Config, *, as_json: bool) -> None:
        super().__init__(config)
        self._as_json = as_json

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn."""
        await super().startup(sockets)
        assert sockets, "it was given where to listen"
        host, port = sockets[0].getsockname()[:2]
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        line = json.dumps({"url": url}) if self._as_json else f"{url} answers; see {url}/api/openapi.json"
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
