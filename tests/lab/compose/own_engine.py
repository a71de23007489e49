"""A Docker engine of our own, in a network namespace of its own: it reaches nothing, and nothing of it is left."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

LACKS = [each for each in ("dockerd", "docker", "ip", "nsenter") if shutil.which(each) is None]
_UP_WITHIN_S = 120.0


@dataclass
class OwnEngine:
    """One engine. What it holds stays when it ends and begins again."""

    folder: Path
    _daemon: subprocess.Popen[bytes] | None = None
    # Whoever ends it may have given up waiting when somebody begins it again: that one waits until it has ended.
    _turn: threading.Lock = field(default_factory=threading.Lock)

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs to find it."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "DOCKER_HOST": f"unix://{self.folder}/socket",
        }

    def begin(self) -> bool:
        """Start it unless it runs; whether it answers."""
        with self._turn:
            return self._begin()

    def end(self) -> None:
        """End it in order, and what it runs with it."""
        with self._turn:
            if self._daemon is not None:
                self._daemon.terminate()
                self._daemon.wait(timeout=60)
                self._daemon = None

    def _begin(self) -> bool:
        if self._daemon is not None and self._daemon.poll() is None:
            return True
        command = [
            *("nsenter", f"--net=/run/netns/{self.folder.name}", "dockerd"),
            *("--host", self.environment["DOCKER_HOST"]),
            *("--data-root", f"{self.folder}/data", "--exec-root", f"{self.folder}/exec"),
            *("--pidfile", f"{self.folder}/pid"),
            *("--bip", "198.51.100.129/26", "--default-address-pool", "base=203.0.113.0/24,size=27"),
        ]
        with open(self.folder / "log", "ab") as log:
            self._daemon = subprocess.Popen(command, stdout=log, stderr=log)
        until_s = time.monotonic() + _UP_WITHIN_S
        while time.monotonic() < until_s and self._daemon.poll() is None:
            if (
                subprocess.run(["docker", "version"], env=self.environment, capture_output=True).returncode
                == 0
            ):
                return True
            time.sleep(0.05)
        return False

    def last_words(self) -> str:
        """What it printed last."""
        return (self.folder / "log").read_text()[-300:]


@contextmanager
def own_engine() -> Iterator[OwnEngine]:
    """It has not begun yet; it is gone after the block."""
    folder = Path(mkdtemp(prefix="magellan-docker-", dir="/tmp"))  # short: a socket's path has 107 characters
    subprocess.run(["ip", "netns", "add", folder.name], check=True)
    engine = OwnEngine(folder)
    try:
        try:
            yield engine
        finally:
            engine.end()
    finally:
        subprocess.run(["ip", "netns", "delete", folder.name], check=True)
        for mounted in (folder / "data", folder / "exec"):
            subprocess.run(["umount", "--recursive", "--lazy", str(mounted)], capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)
