"""An SSH server on the loopback interface, which runs what it is told as this user: for hosts that need no root."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import asyncssh

from magellan.workspace.target import SshTarget


@dataclass(frozen=True, kw_only=True)
class Door:
    """Where it listens, and what a client needs to be let in."""

    port: int
    key: Path
    known_hosts: Path
    server: Served


class Served:
    """The server's connections, to be cut by a test, and its answers, to be kept back."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.keeps_back = threading.Event()

    def answer(self, whether: bool) -> None:
        """Let answers through, or keep them back: `keeps_back` is set once there is one to keep."""
        self.keeps_back.clear()
        self.loop.call_soon_threadsafe(self.may_answer.set if whether else self.may_answer.clear)

    def cut(self) -> None:
        """Every connection is lost, from one instant to the next."""

        async def abort() -> None:
            for each in list(self.connections):
                each.abort()

        asyncio.run_coroutine_threadsafe(abort(), self.loop).result(10)


async def _answer(served: Served, process: asyncssh.SSHServerProcess[bytes]) -> None:
    assert process.command is not None
    running = await asyncio.create_subprocess_shell(
        process.command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert running.stdin is not None and running.stdout is not None and running.stderr is not None
    asked = asyncio.create_task(_carry(process.stdin, running.stdin))
    try:
        await asyncio.gather(
            _carry(running.stdout, process.stdout, answers_of=served),
            _carry(running.stderr, process.stderr, answers_of=served),
        )
        process.exit(await running.wait())
    finally:
        asked.cancel()
        running.stdin.close()  # whoever serves ends when nobody asks any more
        await running.wait()


async def _carry(source: Any, sink: Any, *, answers_of: Served | None = None) -> None:
    """Until it ends, or the connection does. answers_of: who may keep them back; their sink stays open."""
    try:
        while content := await source.read(65_536):
            if answers_of is not None and not answers_of.may_answer.is_set():
                answers_of.keeps_back.set()
                await answers_of.may_answer.wait()
            sink.write(content)
            await sink.drain()
    except (OSError, asyncssh.Error):
        return
    if answers_of is None:
        sink.close()


@contextmanager
def ssh_server(folder: Path) -> Iterator[Door]:
    """Up until the block ends."""
    host_key, key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    key_file, known_hosts, allowed = folder / "key", folder / "known_hosts", folder / "authorized_keys"
    key.write_private_key(str(key_file))
    key.write_public_key(str(allowed))
    served = Served()

    class Server(asyncssh.SSHServer):
        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            self.conn = conn
            served.connections.add(conn)

        def connection_lost(self, exc: Exception | None) -> None:
            served.connections.discard(self.conn)

    thread = threading.Thread(target=served.loop.run_forever)
    thread.start()

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.create_server(
            Server,
            "127.0.0.1",
            0,
            server_host_keys=[host_key],
            authorized_client_keys=str(allowed),
            process_factory=partial(_answer, served),
            sftp_factory=True,
            encoding=None,
        )

    async def close(acceptor: asyncssh.SSHAcceptor) -> None:
        acceptor.close()
        for each in list(served.connections):
            each.abort()
        await acceptor.wait_closed()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for each in others:
            each.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    acceptor = asyncio.run_coroutine_threadsafe(listen(), served.loop).result(30)
    try:
        public = host_key.export_public_key("openssh").decode().strip()
        known_hosts.write_text(f"[127.0.0.1]:{acceptor.get_port()} {public}\n")
        yield Door(port=acceptor.get_port(), key=key_file, known_hosts=known_hosts, server=served)
    finally:
        asyncio.run_coroutine_threadsafe(close(acceptor), served.loop).result(30)
        served.loop.call_soon_threadsafe(served.loop.stop)
        thread.join(10)
        served.loop.close()


def ssh_target(door: Door, root: Path, **of: object) -> SshTarget:
    """The workspace at `root` as a target behind that door, whose instances supervisord keeps. of: what differs."""
    terms: dict[str, object] = {
        "kind": "ssh",
        "address": "127.0.0.1",
        "port": door.port,
        "key": str(door.key),
        "known_hosts": str(door.known_hosts),
        "folder": str(root),
        "environment": sys.prefix,
        "keeper": "supervisord",
        **of,
    }
    return SshTarget.model_validate(terms)
