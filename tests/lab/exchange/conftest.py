"""An exchange to point clients of Alpaca at, and how they run."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CLIENTS = Path(__file__).parent / "clients"
SESSION_S = 120


@pytest.fixture
def exchange() -> Iterator[dict[str, str]]:
    """`magellan exchange` in a process of its own; its addresses."""
    with printing_exchange("--symbols", "AAPL,MSFT", "--json", until="}") as printed:
        yield json.loads(printed)["addresses"]


@contextmanager
def printing_exchange(*options: str, until: str = "Ctrl-C") -> Iterator[str]:
    """`magellan exchange` as a person starts it; what it prints, up to the line that begins so."""
    command = [sys.executable, "-m", "magellan", "exchange", "--port", "0", "--generated", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            text = ""
            for line in process.stdout:
                text += line
                if line.startswith(until):
                    break
            yield text
        finally:
            process.terminate()
            assert process.wait(20) == 0


@pytest.fixture
def session() -> Callable[..., dict]:
    """Run a client's session in a process of its own; what it says at its end."""

    def run(command: list[str | Path], cwd: Path = ROOT, **environment: str) -> dict:
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=SESSION_S,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run
