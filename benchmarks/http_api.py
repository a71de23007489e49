"""How soon the API answers 100 clients while an analysis runs: `python -m benchmarks.http_api`.

A real `magellan serve` in a process of its own, over generated bars; 100 connections ask for the regime's status and
for the whole config, while an analysis runs as a job. Clients ask by the clock, spread evenly, and
an answer's time counts from when its question was due: a server that stalls makes every later question late, too. The
last rows are the ceiling: every client asks again at once, so that each waits for the 99 others.

How much memory 50 markets take is measured at the end: the status of each is asked once.

The last column is the processor that the client itself takes for an answer: it must stay far below the server's.

Times last known, of 2026-11-22, two quiet cores, 1.5 s a row (milliseconds: median, 99th percentile, processor of an
answer):

    100 clients, once a second each      alone 1.3, 3.5, 0.9 (status) and 0.9, 3.0, 0.9 (config)
                             an analysis runs  1.2, 3.7, 0.9          and 1.1, 4.0, 0.9
    five times a second each             alone 0.9, 3.0, 0.5          and 0.8, 3.8, 0.5
                             an analysis runs  0.9, 2.5, 0.4          and 1.6, 35.5, 0.5
    at once                              alone 3,295 answers a second and 3,494
                             an analysis runs  3,753                  and 3,085

The client took 0.09 to 0.44 of an answer. The server had 144 MiB, after 50 markets 153. Measured again with a load of
12 on the two cores, no row by the clock had a 99th percentile above 17 (config while an analysis runs: 11 and 8), the
35.5 was not seen again, and the collector of garbage never took 3 ms once the server answered.

With a load of 3 to 8, before all else on the cores, 8 s a row: 99th percentiles were 8.7 and 3.8 while an analysis ran
(status, once and five times a second each), 5.3 and 4.3 (config), and 4.5, 3.1, 4.8 and 2.3 without one; at once 8,700
to 9,250 answers a second. The server had 146 MiB, after 50 markets 164. Targets: 5 and 10 ms, 250 MiB.

With a load of 20 to 26 nothing can be said of waiting (99th percentiles by the clock were 48 to 354). An answer took
0.4 to 0.5 ms of the server's processor once a second, 0.2 five times a second and 0.13 at once; the server had 145 MiB,
after 50 markets 157.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import deque
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import uvloop

CLIENTS = 100
SECONDS = float(os.environ.get("MAGELLAN_BENCHMARK_SECONDS", "5"))  # of each row
EACH_ASKS = (1.0, 5.0)  # times a second
SYMBOLS = tuple(f"SYM{number:02d}" for number in range(50))
STATUS = "/api/market-regime/status?symbol=ANCHOR"
CONFIG = "/api/market-regime/config"


@dataclass(frozen=True)
class Server:
    """One that runs."""

    process: subprocess.Popen[bytes]
    port: int
    token: str

    def ask(self, path: str, body: object = None, method: str | None = None) -> bytes:
        """What it answers."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            return bytes(answer.read())

    def cpu_s(self) -> float:
        """Seconds of a processor so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mib(self) -> float:
        """Memory at most so far."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def main() -> None:
    """Print a table."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "desk")
        magellan("init", str(root), cwd=Path(folder))
        keep_bars(root)
        with server(root) as serving:
            serving.ask(STATUS)  # the first question about a market computes
            print(f"{'':58}{'p50 ms':>9}{'p99 ms':>9}{'a second':>10}{'CPU ms each':>12}{'the client':>12}")
            measure(serving, "alone")
            with analysing(serving):
                measure(serving, "an analysis runs")
            print(f"server: {serving.resident_mib():.0f} MiB at most")
        with server(root) as serving:
            began_s = time.perf_counter()
            for symbol in SYMBOLS:
                serving.ask(f"/api/market-regime/status?symbol={symbol}")
            print(
                f"{len(SYMBOLS)} markets of daily bars read in {time.perf_counter() - began_s:.1f} s; "
                f"server: {serving.resident_mib():.0f} MiB at most"
            )


def measure(serving: Server, what: str) -> None:
    """The rows of both routes."""
    for route in (STATUS, CONFIG):
        name = route.rpartition("/")[2].partition("?")[0]
        for each in EACH_ASKS:
            asked = by_the_clock(serving, route, CLIENTS * each)
            show(f"{name}, {what}, {CLIENTS} clients, {each:g} a second each", serving, asked)
        show(f"{name}, {what}, {CLIENTS} clients at once", serving, at_once(serving, route))


def magellan(*arguments: str, cwd: Path) -> str:
    """What a command answers."""
    return subprocess.run(
        [sys.executable, "-m", "magellan", *arguments], cwd=cwd, check=True, capture_output=True, text=True
    ).stdout


def keep_bars(root: Path) -> None:
    """Ten years of daily bars of 50 markets, into the workspace's archive."""
    from magellan.archive.checksum import content_sha256
    from magellan.archive.dataset import Adjustment, Provenance, SetId, Source
    from magellan.regime.quality.scenario import scenario
    from magellan.trading.session import Hours
    from magellan.wiring.market import bar_archive
    from magellan.workspace.workspace import Workspace

    archive = bar_archive(Workspace.at(root))
    for seed, symbol in enumerate(SYMBOLS):
        bars = replace(scenario("eq3", seed, bars=2520).bars, symbol=symbol)
        source = Source(
            name=f"eq3 {seed}",
            sha256=content_sha256(bars),
            rows=len(bars),
            requested=None,
            fetched_at=datetime.now(UTC),
        )
        archive.merge(
            SetId(
                symbol=symbol, timeframe=bars.timeframe, vendor="generated", feed="eq3",
                adjustment=Adjustment.RAW, hours=Hours.REGULAR,
            ),
            bars,
            Provenance(source=source, generated=True),
        )  # fmt: skip


@contextmanager
def server(root: Path) -> Iterator[Server]:
    """`magellan serve`, for as long as the block lasts."""
    token = magellan("token", "issue", "bench", "--scopes", "read,research", cwd=root).strip()
    with subprocess.Popen(
        [sys.executable, "-m", "magellan", "serve", "--port", "0", "--rate-limit", "100000", "--json"],
        cwd=root, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        try:
            yield Server(process, int(url.rpartition(":")[2]), token)
        finally:
            process.terminate()


_ANALYSED = ["eq3", "intra4", "eq3drift", "vol2"]  # minutes of work, on a machine of today


@contextmanager
def analysing(serving: Server) -> Iterator[None]:
    """An analysis runs for as long as the block lasts."""
    job = json.loads(serving.ask("/api/market-regime/evaluate", {"scenarios": _ANALYSED, "seeds": 50}))[
        "data"
    ]
    path = f"/api/jobs/{job['job_id']}"
    while json.loads(serving.ask(path))["data"]["phase"] not in _ANALYSED:
        time.sleep(0.05)
    yield
    assert json.loads(serving.ask(path))["data"]["state"] == "running", "the analysis was too short"
    serving.ask(path, method="DELETE")


class Client(asyncio.Protocol):
    """One connection: sends a question when it is due, after the answer to the one before, and takes the time."""

    def __init__(self, question: bytes, took: list[float]) -> None:
        self._question, self._took = question, took
        self._due: deque[float] = deque()  # of questions; the first is under way
        self._left = 0  # bytes of the answer that comes
        self.answered = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self.transport = cast(asyncio.WriteTransport, transport)

    def ask(self, due_s: float) -> None:
        """Ask, now or when the answer before has come."""
        self._due.append(due_s)
        self.answered.clear()
        if len(self._due) == 1:
            self.transport.write(self._question)

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        if not self._left:
            head, _, body = data.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            self._left = int(length) - len(body)
        else:
            self._left -= len(data)
        if not self._left:
            self._took.append(time.perf_counter() - self._due.popleft())
            if self._due:
                self.transport.write(self._question)
            else:
                self.answered.set()


async def connected(serving: Server, route: str, took: list[float]) -> list[Client]:
    """All clients."""
    question = (
        f"GET {route} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {serving.token}\r\n\r\n"
    ).encode()
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: Client(question, took), "127.0.0.1", serving.port)
        for _ in range(CLIENTS)
    ]
    return [client for _, client in made]


async def by_the_clock(serving: Server, route: str, per_second: float) -> list[float]:
    """Seconds of each answer, where all clients together ask so often, spread evenly."""
    took: list[float] = []
    clients = await connected(serving, route, took)
    began_s = time.perf_counter()
    for number in range(int(SECONDS * per_second)):
        due_s = began_s + number / per_second
        await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
        clients[number % CLIENTS].ask(due_s)
    for client in clients:
        await client.answered.wait()
        client.transport.close()
    return took


async def at_once(serving: Server, route: str) -> list[float]:
    """Seconds of each answer, where every client asks again at once."""
    took: list[float] = []
    clients = await connected(serving, route, took)
    ends_s = time.perf_counter() + SECONDS

    async def keeps_asking(client: Client) -> None:
        while (now_s := time.perf_counter()) < ends_s:
            client.ask(now_s)
            await client.answered.wait()
        client.transport.close()

    await asyncio.gather(*map(keeps_asking, clients))
    return took


def show(what: str, serving: Server, asked: Coroutine[None, None, list[float]]) -> None:
    """One row. The processor's times depend less than the others on what else the machine does."""
    before_s, own_before_s = serving.cpu_s(), time.process_time()
    took = uvloop.run(asked)
    own_s, cpu_s = time.process_time() - own_before_s, serving.cpu_s() - before_s
    p99 = sorted(took)[int(0.99 * len(took))]
    print(
        f"{what:58}{1000 * statistics.median(took):9.2f}{1000 * p99:9.2f}{len(took) / SECONDS:10.0f}"
        f"{1000 * cpu_s / len(took):12.2f}{1000 * own_s / len(took):12.2f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
