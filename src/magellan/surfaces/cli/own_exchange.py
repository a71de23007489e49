"""A local paper exchange in a process of its own, for as long as a command needs one."""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from magellan.errors import AskOperator

_UP_WITHIN_S: Final = 60.0
_WORDS_SHOWN: Final = 5  # lines of what a process said last


@contextmanager
def own_exchange(workspace: Path, port: int, *words: str, log: Path) -> Iterator[None]:
    """`magellan exchange` over a workspace with these options, from when it answers until the block ends.

    log: what it prints. Raises AskOperator where it does not come up.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "magellan", "exchange", "--workspace", str(workspace)]
    with (
        open(log, "wb") as out,
        subprocess.Popen(
            [*command, "--port", str(port), *words], stdin=subprocess.DEVNULL, stdout=out, stderr=out
        ) as process,
    ):
        try:
            _await_answer(port, process, log)
            yield
        finally:
            process.terminate()


def account_number(port: int, pair: tuple[str, str]) -> str:
    """The number of the account that a pair of keys opens there."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v2/account",
        headers={"APCA-API-KEY-ID": pair[0], "APCA-API-SECRET-KEY": pair[1]},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        told: dict[str, Any] = json.loads(answer.read())
    return str(told["account_number"])


def invented_pair() -> tuple[str, str]:
    """Key and secret that open an account at a local exchange, and nowhere else."""
    return f"PK{secrets.token_hex(9).upper()}", secrets.token_urlsafe(30)


def free_port() -> int:
    """One on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def last_words(log: Path) -> str:
    """What a process that prints into a file said last, to be put behind a sentence."""
    said = log.read_text(errors="replace").splitlines()[-_WORDS_SHOWN:]
    return "".join(f"\n    {line}" for line in said)


def _await_answer(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until_s = time.monotonic() + _UP_WITHIN_S
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_magellan/clock", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            if process.poll() is not None or time.monotonic() > until_s:
                raise AskOperator(f"the exchange did not start on port {port}{last_words(log)}") from None
            time.sleep(0.1)
