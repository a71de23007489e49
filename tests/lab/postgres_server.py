"""A PostgreSQL server of its own, for the time of a test: an ordinary user's, on a socket in a folder."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from urllib.parse import quote


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that answers on a Unix socket; nothing of it listens on a network."""

    programs: Path
    folder: Path
    user: str

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://{self.user}@/{database}?host={quote(str(self.folder), safe='')}"

    def make_database(self, name: str) -> str:
        """An empty database; gives its address."""
        run_as(self.user, [self.programs / "createdb", "-h", self.folder, name])
        return self.url(name)

    def stop(self, how: str = "fast") -> None:
        run_as(self.user, [self.programs / "pg_ctl", "-D", self.folder / "data", "-m", how, "-w", "stop"])

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.folder}' -c fsync=on"
        run_as(
            self.user,
            [
                *(self.programs / "pg_ctl", "-D", self.folder / "data", "-l", self.folder / "log"),
                *("-o", options, "-w", "start"),
            ],
        )


def programs() -> Path | None:
    """Where the newest installed server's programs are; None without one."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda each: int(each.parent.name))
    if found:
        return found[-1]
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


@contextmanager
def running_server() -> Iterator[Server]:
    """Start a server; it and its files are gone at the end."""
    where = programs()
    assert where is not None, "no PostgreSQL server is installed"
    user = ordinary_user()
    folder = Path(
        mkdtemp(prefix="magellan-pg-", dir="/tmp")
    )  # short: a socket's path has 107 characters at most
    server = Server(programs=where, folder=folder, user=user)
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, user)
        run_as(
            user, [where / "initdb", "-D", folder / "data", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]
        )
        server.start()
        try:
            yield server
        finally:
            if (folder / "data/postmaster.pid").exists():
                server.stop("immediate")
    finally:
        shutil.rmtree(folder)


def ordinary_user() -> str:
    """Who the server runs as: it refuses root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise AssertionError("there is no ordinary user to run the server as")


def run_as(user: str, command: list[Path | str]) -> None:
    words = [str(each) for each in command]
    if os.geteuid() == 0:
        words = [
            "setpriv",
            f"--reuid={user}",
            f"--regid={pwd.getpwnam(user).pw_gid}",
            "--clear-groups",
            *words,
        ]
    done = subprocess.run(
        words, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
