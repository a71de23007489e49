"""The browser's way back: one request to this machine, with the answer of a person who was asked for consent."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final, Self

from aiohttp import web

from magellan.errors import FixInput, TryAgain

_THANKS: Final = (
    "<!doctype html><title>Magellan</title><p>Thank you. Go back to the terminal; this page can be closed."
)
_PATH: Final = "/callback"


class ConsentCallback:
    """Listens on loopback until the browser has come back. port: 0 takes any that is free."""

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self._runner: web.AppRunner | None = None
        self._answer: asyncio.Future[tuple[str, str | None, str | None]] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}{_PATH}"

    async def __aenter__(self) -> Self:
        self._answer = asyncio.get_running_loop().create_future()
        app = web.Application()
        app.router.add_get(_PATH, self._came_back)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", self._port).start()
        except OSError as error:
            await runner.cleanup()
            raise FixInput(
                f"port {self._port} of this machine is taken: {error.strerror}",
                next_step="choose another --port",
            ) from error
        self._runner = runner
        self._port = runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None, "it was entered"
        await self._runner.cleanup()

    async def answer(self, within_s: float) -> tuple[str, str | None, str | None]:
        """The code, the state and the issuer that the browser brought.

        Raises: TryAgain where nobody came back in time, FixInput where consent was refused.
        """
        assert self._answer is not None, "it was entered"
        try:
            return await asyncio.wait_for(asyncio.shield(self._answer), within_s)
        except TimeoutError:
            raise TryAgain(
                f"nobody consented within {within_s:g} s",
                kept="the login that there was before",
                next_step="run the same command again, and open the address in a browser of this machine",
            ) from None

    async def _came_back(self, request: web.Request) -> web.Response:
        assert self._answer is not None, "it was entered"
        told = request.query
        if "code" not in told and "error" not in told:
            raise web.HTTPBadRequest(text="this is where a login comes back to, and this was none")
        if not self._answer.done():
            if "code" in told:
                self._answer.set_result((told["code"], told.get("state"), told.get("iss")))
            else:
                self._answer.set_exception(
                    FixInput(
                        f"Robinhood did not let us in: {told.get('error_description') or told['error']}"[
                            :300
                        ],
                        kept="the login that there was before",
                        next_step="run the same command again, and consent",
                    )
                )
        return web.Response(text=_THANKS, content_type="text/html")
