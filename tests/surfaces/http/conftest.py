"""A real server on this machine, over a workspace with three symbols and one strategy."""

import json
import shutil
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from magellan.ports.api_tokens import Scope
from magellan.surfaces.http.app import create_app
from magellan.surfaces.http.desk import ApiDesk
from magellan.surfaces.http.limits import Limits
from magellan.surfaces.http.serving import BoundedHttp, Serving, listening
from magellan.usecases.api_access import issue_token
from magellan.wiring.records import api_tokens
from magellan.workspace.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Told:
    """An answer."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(kw_only=True)
class Server:
    """A server that runs, and how to ask it."""

    url: str
    desk: ApiDesk
    token: str  # with every scope

    def ask(
        self, path: str, *, method: str = "GET", token: str | None = "", body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Told:  # fmt: skip
        """token: "" for the one with every scope; None for none."""
        given = dict(headers or {})
        if token is not None:
            given["Authorization"] = f"Bearer {token or self.token}"
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        if data is not None:
            given.setdefault("Content-Type", "application/json")
        request = urllib.request.Request(self.url + path, data=data, headers=given, method=method)
        try:
            with urllib.request.urlopen(
                request, timeout=240
            ) as answer:  # the first run of a version compiles
                return Told(status=answer.status, headers=answer.headers, body=answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Told(status=error.code, headers=error.headers, body=error.read())

    def data(self, path: str, **asked: Any) -> Any:
        """What a question that is answered is answered with."""
        told = self.ask(path, **asked)
        assert 200 <= told.status < 300, told.body
        return told.json["data"]

    def scoped(self, *scopes: Scope) -> str:
        """A token with these scopes alone."""
        name = "-".join(sorted(scopes)) or "none"
        return issue_token(
            name, scopes, self.desk.tokens, now=datetime.now(UTC), overlap=timedelta(hours=1)
        ).token


def serving(workspace: Path, limits: Limits, **environment: str) -> Iterator[Server]:
    opened = Workspace.at(workspace)
    desk = ApiDesk(
        workspace=opened,
        tokens=api_tokens(opened),
        environment=environment,
        limits=limits,
        stream_every_s=0.05,
        jobs_give_way=False,  # beside other tests they would hardly end
    )
    issued = issue_token("tests", Scope, desk.tokens, now=datetime.now(UTC), overlap=timedelta())
    socket = listening("127.0.0.1", 0)
    config = uvicorn.Config(
        create_app(desk), log_config=None, access_log=False, timeout_graceful_shutdown=2, http=BoundedHttp
    )
    server = Serving(config, as_json=True)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
    thread.start()  # a connection waits in the socket's queue until the server takes it
    try:
        yield Server(url=f"http://127.0.0.1:{socket.getsockname()[1]}", desk=desk, token=issued.token)
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        socket.close()
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def server(furnished: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for the tests of a file; none of them leaves it changed."""
    copied = tmp_path_factory.mktemp("served") / "desk"
    shutil.copytree(furnished, copied, symlinks=True)
    yield from serving(copied, Limits(per_second=10_000.0, burst=10_000))


@pytest.fixture
def strict_server(workspace: Path) -> Iterator[Server]:
    """One that lets five requests pass, and bodies of 1,000 bytes."""
    yield from serving(workspace, Limits(per_second=0.001, burst=5, body_bytes_max=1000, too_large_s=0.2))


@pytest.fixture
def environment_server(workspace: Path) -> Iterator[Server]:
    """One whose environment has a token, too."""
    yield from serving(workspace, Limits(), BOT_API_AUTH_TOKEN="e" * 32)


@pytest.fixture
def serve() -> Iterator[Callable[[Path], Server]]:
    """`serve(workspace)`: a server over it, for the test alone."""
    running: list[Iterator[Server]] = []

    def start(workspace: Path) -> Server:
        running.append(serving(workspace, Limits(per_second=10_000.0, burst=10_000)))
        return next(running[-1])

    yield start
    for each in running:
        for _ in each:
            raise AssertionError("a server is served once")
