"""How soon the API answers 100 clients while an analysis runs: `python -m benchmarks.http_api`.

A real `magellan serve` in a process of its own, over generated bars; 100 connections ask in turn for the regime's
status and for the whole config, while analyses of a year of bars run as jobs.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import aiohttp

CLIENTS = 100
ASKED = 3000  # of each route
STATUS = "/api/market-regime/status?symbol=ANCHOR"
CONFIG = "/api/market-regime/config"


def main() -> None:
    """Print a table."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "desk")
        magellan("init", str(root), cwd=Path(folder))
        token = magellan("token", "issue", "bench", "--scopes", "read,research", cwd=root).strip()
        with subprocess.Popen(
            [sys.executable, "-m", "magellan", "serve", "--port", "0", "--rate-limit", "100000", "--json"],
            cwd=root, stdout=subprocess.PIPE,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"]
            try:
                asyncio.run(measure(url, token))
                resident = next(
                    line
                    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
                    if "VmHWM" in line
                )
                print(f"server: {resident.split(':')[1].strip()} at most")
            finally:
                process.terminate()


def magellan(*arguments: str, cwd: Path) -> str:
    """What a command answers."""
    return subprocess.run(
        [sys.executable, "-m", "magellan", *arguments], cwd=cwd, check=True, capture_output=True, text=True
    ).stdout


async def measure(url: str, token: str) -> None:
    """Alone, and while analyses run."""
    headers = {"Authorization": f"Bearer {token}"}
    connector = aiohttp.TCPConnector(limit=CLIENTS)
    async with aiohttp.ClientSession(url, headers=headers, connector=connector) as session:
        (await session.get(STATUS)).raise_for_status()  # the first question about a market computes
        print(f"{'':44}{'p50 ms':>9}{'p99 ms':>9}{'a second':>10}")
        for what in ("alone", "while analyses run"):
            for route in (STATUS, CONFIG):
                if what != "alone":
                    for symbol in ("COCKLE", "ANCHOR"):
                        await session.post(
                            "/api/market-regime/analyze",
                            json={"symbol": symbol, "timeframe": "1Min" if symbol == "COCKLE" else "1Day"},
                        )
                one = await answered(session, route, clients=1, number=300)
                show(f"{route.rpartition('/')[2][:20]}, {what}, 1 client", *one)
                many = await answered(session, route, clients=CLIENTS, number=ASKED)
                show(f"{route.rpartition('/')[2][:20]}, {what}, {CLIENTS} clients", *many)


async def answered(
    session: aiohttp.ClientSession, route: str, *, clients: int, number: int
) -> tuple[list[float], float]:
    """Seconds of each answer, and of all."""
    took: list[float] = []

    async def client() -> None:
        for _ in range(number // clients):
            began_s = time.perf_counter()
            async with session.get(route) as answer:
                await answer.read()
                assert answer.status == 200, answer.status
            took.append(time.perf_counter() - began_s)

    began_s = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return took, time.perf_counter() - began_s


def show(what: str, took: Sequence[float], all_s: float) -> None:
    """One row."""
    p99 = sorted(took)[int(0.99 * len(took))]
    print(f"{what:44}{1000 * statistics.median(took):9.2f}{1000 * p99:9.2f}{len(took) / all_s:10.0f}")


if __name__ == "__main__":
    main()
