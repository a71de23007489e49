"""A server that says where it listens, takes heads of a bounded length, and ends with Ctrl-C as every command does."""

from __future__ import annotations

import json
import socket
import sys
from http import HTTPStatus
from typing import Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from magellan.errors import FixInput
from magellan.surfaces.http.problem import PROBLEM_JSON, Refused, problem_of

HEAD_BYTES_MAX: Final = 65_536  # of a request before its body, and behind it


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


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's over httptools, which takes 0.6 of what its own parser takes, and by itself heads without an end."""

    _head_bytes = 0  # since the last of a body, about

    def send_400_response(self, msg: str) -> None:
        """See uvicorn. What is no request is told as every other failure is."""
        problem = problem_of(
            Refused(
                HTTPStatus.BAD_REQUEST, "no-http", msg,
                fix="send a request of HTTP/1.1, with a length or in chunks, as curl and every library do",
            )
        )  # fmt: skip
        body = problem.model_dump_json().encode()
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: %s\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s"
            % (PROBLEM_JSON.encode(), len(body), body)
        )
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            self.send_400_response(f"The head of a request has {HEAD_BYTES_MAX:,} bytes at most.")

    def on_headers_complete(self) -> None:
        """See uvicorn."""
        self._head_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """See uvicorn."""
        self._head_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """See uvicorn."""
        self._head_bytes = 0
        super().on_message_complete()


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
