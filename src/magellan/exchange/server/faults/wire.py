"""How an HTTP connection is really broken: resets, silence, slow and short bodies."""

from __future__ import annotations

import asyncio
import socket
import struct

from aiohttp import web

_LINGER_NOT = struct.pack("ii", 1, 0)  # SO_LINGER on, for 0 s: closing sends RST instead of FIN
_LOOK_AGAIN_S = 0.1
_DRIP_BYTES = 16


def reset(transport: asyncio.Transport | None) -> None:
    """End a connection with a TCP reset: the other side sees it break, whatever was under way."""
    if transport is None or transport.is_closing():
        return
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    transport.abort()


async def silence(transport: asyncio.Transport | None) -> None:
    """Keep a connection open and say nothing, until the other side gives up."""
    while transport is not None and not transport.is_closing():
        await asyncio.sleep(_LOOK_AGAIN_S)


async def drip(request: web.BaseRequest, response: web.Response, bytes_per_s: float) -> web.StreamResponse:
    """Send an answer a few bytes at a time."""
    body = response.body
    assert isinstance(body, bytes), "answers are bytes"
    slow = web.StreamResponse(status=response.status, headers=response.headers)
    slow.content_length = len(body)
    await slow.prepare(request)
    for start in range(0, len(body), _DRIP_BYTES):
        await slow.write(body[start : start + _DRIP_BYTES])
        await asyncio.sleep(_DRIP_BYTES / bytes_per_s)
    await slow.write_eof()
    return slow


async def cut_short(request: web.BaseRequest, response: web.Response) -> web.StreamResponse:
    """Promise the whole answer, send half of it, and close the connection."""
    body = response.body
    assert isinstance(body, bytes), "answers are bytes"
    short = web.StreamResponse(status=response.status, headers=response.headers)
    short.content_length = len(body)
    await short.prepare(request)
    await short.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return short


def html_page(status: int) -> web.Response:
    """What a proxy in front of Alpaca says when it has nothing behind it."""
    page = (
        f"<html>\r\n<head><title>{status} Bad Gateway</title></head>\r\n<body>\r\n"
        f"<center><h1>{status} Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"
    )
    return web.Response(status=status, text=page, content_type="text/html")
