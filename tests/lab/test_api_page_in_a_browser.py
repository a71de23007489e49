"""The page of `magellan serve` in a real browser: it asks with a token, shows what is so, and halts."""

import asyncio
import base64
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from journeys.desk import furnished, workspace
from magellan.ports.api_tokens import Scope
from surfaces.http.conftest import serve

__all__ = ["furnished", "serve", "workspace"]

BROWSER = (
    os.environ.get("MAGELLAN_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome") or ""
)
NASTY = "<img src=x onerror=alert(1)>"


class Tab:
    """A page that is open, and what its console and its network said."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._number = socket, 0
        self.complaints: list[str] = []
        self.requests: list[str] = []

    async def call(self, method: str, **given: Any) -> Any:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": given})
        while True:
            told = await self._socket.receive_json(timeout=60)
            if told.get("id") == self._number:
                return told["result"]
            match told["method"]:
                case "Log.entryAdded" if told["params"]["entry"]["level"] == "error":
                    self.complaints.append(told["params"]["entry"]["text"])
                case "Runtime.exceptionThrown":
                    self.complaints.append(str(told["params"]))
                case "Network.requestWillBeSent":
                    self.requests.append(told["params"]["request"]["url"])

    async def does(self, script: str) -> Any:
        found = await self.call("Runtime.evaluate", expression=script, returnByValue=True)
        return found["result"].get("value")

    async def shows(self, text: str) -> str:
        for _ in range(600):
            shown: str = await self.does("document.body?.innerText ?? ''")
            if text in shown:
                return shown
            await asyncio.sleep(0.1)
        raise AssertionError(f"'{text}' is not in:\n{shown}")

    async def picture(self, path: Path, width: int) -> None:
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        found = await self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))


@asynccontextmanager
async def tab(url: str, profile: Path) -> AsyncIterator[Tab]:
    if not BROWSER:
        pytest.fail("make lab needs chromium, or the path of a browser in MAGELLAN_BROWSER")
    port_file = profile / "DevToolsActivePort"
    process = subprocess.Popen(
        [
            *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
            *("--disable-background-networking", "--remote-debugging-port=0", f"--user-data-dir={profile}"),
            "about:blank",
        ],
        stderr=subprocess.DEVNULL,
    )
    try:
        while not port_file.exists():
            assert process.poll() is None
            await asyncio.sleep(0.1)
        port = port_file.read_text().split()[0]
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json") as answer:
                (page,) = [each for each in await answer.json() if each["type"] == "page"]
            async with session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                opened = Tab(socket)
                for domain in ("Page", "Runtime", "Log", "Network"):
                    await opened.call(f"{domain}.enable")
                await opened.call("Page.navigate", url=url)
                yield opened
    finally:
        process.terminate()
        process.wait(20)


async def enter(opened: Tab, token: str) -> None:
    await opened.shows("Token")
    await opened.does(f"document.getElementById('token').value = {token!r}")
    await opened.does("document.getElementById('token-form').requestSubmit()")


def test_the_page_shows_an_account_and_halts_it(
    workspace: Path, serve: Callable[..., Any], tmp_path: Path
) -> None:
    with open(workspace / "magellan.toml", "a") as settings:
        settings.write('\n[accounts.desk]\nbroker = "alpaca"\nkind = "paper"\nnumber = "PA1"\n')
    server = serve(workspace)
    for asks in ("halt", "resume"):  # so that the ledger knows it
        server.data(f"/api/{asks}", method="POST", body={"account": "desk", "reason": "to begin with"})

    async def look() -> Tab:
        async with tab(server.url, tmp_path / "profile") as opened:
            await enter(opened, server.scoped(Scope.READ, Scope.OPERATE))
            shown = await opened.shows("alpaca-paper-PA1")
            assert "from ledger and heartbeat" in shown and "dev/moods" in shown
            for width in (390, 1280):
                await opened.picture(tmp_path / f"{width}.png", width)
                assert await opened.does("document.documentElement.scrollWidth") <= width, (
                    "nothing sticks out"
                )
            await opened.does("document.querySelector('details').open = true")
            await opened.does(f"document.querySelector('details input').value = {NASTY!r}")
            await opened.does("document.querySelector('details form').requestSubmit()")
            shown = await opened.shows(f"Halted by operate-read: {NASTY}")
            assert "alpaca-paper-PA1 is halted" in shown
            assert await opened.does("document.querySelectorAll('img').length") == 0
            assert await opened.does("document.querySelector('details').open"), "it is not drawn anew"
            return opened

    opened = asyncio.run(look())
    assert opened.complaints == []
    assert {each.partition(":")[0] for each in opened.requests} <= {"http", "data"}
    assert all(each.startswith((server.url, "data:")) for each in opened.requests)
    assert server.data("/api/breakers")["halted_because"] == NASTY


def test_the_page_shows_a_regime_and_which_class_is_likelier_than_its_label(
    workspace: Path, serve: Callable[..., Any], tmp_path: Path
) -> None:
    (workspace / "regime.toml").write_text(
        "[decision]\nstability = 1.0\n"
    )  # labels rest, whatever is likelier
    server = serve(workspace)
    axes = server.data("/api/market-regime/status?symbol=ANCHOR")["axes"]
    against = [f"{each['likeliest']} is likelier" for each in axes if each["likeliest"] != each["label"]]
    assert against, axes

    async def look() -> str:
        async with tab(server.url, tmp_path / "profile") as opened:
            await enter(opened, server.scoped(Scope.READ))
            return await opened.shows("ANCHOR")

    shown = asyncio.run(look())
    assert all(words in shown for words in against)
    assert shown.count("is likelier") == len(against)


def test_the_page_says_that_a_token_opens_nothing_and_that_the_server_has_gone(
    workspace: Path, serve: Callable[..., Any], tmp_path: Path
) -> None:
    server = serve(workspace)

    async def look() -> None:
        async with tab(server.url, tmp_path / "profile") as opened:
            await enter(opened, "x" * 30)
            await opened.shows("This token opens nothing")
            await enter(opened, server.scoped(Scope.READ))
            shown = await opened.shows("No session has traded yet.")
            assert "dev/moods" in shown and "never asked" in shown
            await opened.call(
                "Network.emulateNetworkConditions",
                offline=True,
                latency=0,
                downloadThroughput=0,
                uploadThroughput=0,
            )
            shown = await opened.shows("The server does not answer; what is shown is of")
            assert await opened.does("document.getElementById('overview').className") == "old"

    asyncio.run(look())
