"""Where backups go in the lab: a folder, an SSH host and S3, all on this machine."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_SERVER = """
import sys
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
print(server.server_port, flush=True)
server.serve_forever()
"""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A destination: its address as magellan.toml has it, and what a shell needs to reach it."""

    to: str
    environment: dict[str, str]
    cut: Callable[[], None]  # nobody reaches it any more
    heal: Callable[[], None]


@contextmanager
def folder_place(root: Path) -> Iterator[Place]:
    """A folder, on a disk that can be taken out."""
    folder, away = root / "backups", root / "backups.away"

    def cut() -> None:
        if folder.exists():
            folder.rename(away)
        folder.write_text("nothing is mounted here")

    def heal() -> None:
        if away.exists():
            folder.unlink()
            away.rename(folder)

    yield Place(to=str(folder), environment={}, cut=cut, heal=heal)


@contextmanager
def ssh_place(root: Path) -> Iterator[Place]:
    """An SSH host over loopback, called `nas`, that lets this user in by a key. Needs root: it is a sshd of its own."""
    sshd = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    ssh = shutil.which("ssh")
    assert sshd is not None and ssh is not None, "no sshd: apt-get install openssh-server"
    home = root / "ssh"
    home.mkdir(mode=0o700)
    for key in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / key], check=True)
    keys = (home / "user.pub").read_text()
    (home / "authorized_keys").write_text(keys)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (home / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {home}/host\nAuthorizedKeysFile {home}/authorized_keys\n"
        f"PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nSubsystem sftp internal-sftp\n"
    )
    (home / "known_hosts").write_text(f"[127.0.0.1]:{port} {(home / 'host.pub').read_text()}")
    (home / "config").write_text(
        f"Host nas\n HostName 127.0.0.1\n Port {port}\n IdentityFile {home}/user\n"
        f" UserKnownHostsFile {home}/known_hosts\n BatchMode yes\n"
    )
    # OpenSSH reads the configuration of the account's own home folder, whatever HOME says.
    (home / "ssh").write_text(f'#!/bin/sh\nexec {ssh} -F {home}/config "$@"\n')
    (home / "ssh").chmod(0o755)
    Path("/run/sshd").mkdir(exist_ok=True)
    said = (
        home / "sshd.log"
    )  # a pipe that nobody reads is full after some hundred logins, and sshd then waits
    with said.open("w") as log:
        server = subprocess.Popen([sshd, "-D", "-e", "-f", home / "sshd_config"], stderr=log)
    until_s = time.monotonic() + 20
    while "Server listening" not in said.read_text():
        assert server.poll() is None and time.monotonic() < until_s, said.read_text()
        time.sleep(0.02)

    def cut() -> None:
        (home / "authorized_keys").write_text("")
        found = subprocess.run(["pgrep", "-P", str(server.pid)], capture_output=True, text=True, check=False)
        for pid in found.stdout.split():  # connections that stand
            os.kill(int(pid), signal.SIGKILL)

    try:
        yield Place(
            to=f"sftp:nas:{root}/backups",
            environment={"PATH": f"{home}:{os.environ['PATH']}"},
            cut=cut,
            heal=lambda: (home / "authorized_keys").write_text(keys) and None,
        )
    finally:
        server.terminate()
        server.wait()


@contextmanager
def s3_place() -> Iterator[Place]:
    """S3 over loopback, a process of its own. Cut off, it is silent for two seconds: restic asks for 15 minutes."""
    import boto3

    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert server.stdout is not None
    address = f"http://127.0.0.1:{int(server.stdout.readline())}"
    try:
        client = boto3.client(
            "s3", endpoint_url=address, region_name="us-east-1",
            aws_access_key_id="testing", aws_secret_access_key="testing",
        )  # fmt: skip
        client.create_bucket(Bucket="backups")

        def cut() -> None:
            server.send_signal(signal.SIGSTOP)
            time.sleep(2)
            server.send_signal(signal.SIGCONT)

        yield Place(to=f"s3:{address}/backups/trading", environment=keys, cut=cut, heal=lambda: None)
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
