"""Measure the paper exchange through alpaca-py, the exchange in a process of its own, and print a table.

    python benchmarks/exchange.py            every row (about half a minute)
    python benchmarks/exchange.py --quick    fewer repetitions
    python benchmarks/exchange.py --write    and put the rows into RESULTS.md

Needs alpaca-py. What is measured is what a client sees, its own work included: alpaca-py reads answers, checks them
and makes objects of them, and it alone can take 68,000 bars a second.
The exchange runs from byte code, as an installed package does, wherever the shell forbids writing it.
Exit code 1 when a row misses its target.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import queue
import statistics
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if __package__ in (None, ""):
    sys.path.insert(0, str(ROOT))

from benchmarks import report  # noqa: E402  (the path has to be there first)

KEYS = ("PKBENCH", "secret")
SYMBOLS = tuple(f"S{number:03d}" for number in range(500))
MINUTES = 390
SESSION = "2024-03-11"
START_S, RUN_S = 60.0, 120.0
BYTE_CODE = ROOT / "benchmarks" / ".data" / "byte-code"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One row of the table."""

    what: str
    value: float
    unit: str
    target: float
    lower_is_better: bool

    @property
    def is_met(self) -> bool:
        return self.value <= self.target if self.lower_is_better else self.value >= self.target

    @property
    def table_row(self) -> str:
        sign = "<=" if self.lower_is_better else ">="
        return (
            f"| {self.what} | {self.value:,.2f} | {self.unit} | {sign} {self.target:,g} "
            f"| {'yes' if self.is_met else 'no'} |"
        )

    @property
    def line(self) -> str:
        sign = "<=" if self.lower_is_better else ">="
        mark = "" if self.is_met else "   missed"
        return f"  {self.what:<58} {self.value:>12,.2f} {self.unit:<7} target {sign} {self.target:,g}{mark}"


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--write", action="store_true", help="put the rows into RESULTS.md")
    asked = parser.parse_args()
    quick = asked.quick
    machine = report.machine()
    print(f"{report.machine_line(machine)}; load before: {machine['load_1min']}", flush=True)
    rows: list[Measured] = []
    for measure in (
        start_up,
        lambda: orders(200 if quick else 1000),
        lambda: bars("parsed bars through alpaca-py", 60_000, raw=False),
        lambda: bars("raw bars through alpaca-py", 200_000, raw=True),
        whole_session,
    ):
        for row in measure():
            rows.append(row)
            print(row.line, flush=True)
    load_after = report.machine()["load_1min"]
    print(f"load after: {load_after}", flush=True)
    if asked.write:
        report.write_section(
            report.EXCHANGE,
            (
                f"Load before {machine['load_1min']}, after {load_after}: beyond one a core the machine had other",
                "work, and every row is slower than on a quiet one.",
                "",
                "| what | value | unit | target | met |",
                "|---|---:|---|---:|---|",
                *(row.table_row for row in rows),
            ),
        )
    return 0 if all(row.is_met for row in rows) else 1


@contextmanager
def exchange(*options: str) -> Iterator[dict[str, str]]:
    """Run an exchange in a process of its own; gives its addresses."""
    command = [sys.executable, "-m", "magellan", "exchange", "--port", "0", "--json", *options]
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(BYTE_CODE)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None, "a pipe was asked for"
        text = ""
        while not text.endswith("}\n}\n") and (line := process.stdout.readline()):
            text += line
            if line == "}\n":
                break
        yield json.loads(text)["addresses"]
    finally:
        process.terminate()
        process.wait(START_S)


def start_up() -> Iterator[Measured]:
    """From the start of the process to the first answer."""
    import requests

    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        with exchange("--generated", "--symbols", "AAPL,MSFT") as at:
            headers = {"APCA-API-KEY-ID": KEYS[0], "APCA-API-SECRET-KEY": KEYS[1]}
            assert requests.get(at["trading"] + "/v2/account", headers=headers, timeout=START_S).ok
            seconds.append(time.perf_counter() - began)
    yield Measured(
        what="start of the process to the first answer",
        value=min(seconds),
        unit="s",
        target=2.0,
        lower_is_better=True,
    )


def orders(count: int) -> Iterator[Measured]:
    """Market orders: to their acknowledgement, and to their fill on the stream, one at a time."""
    alpaca = _alpaca()
    with exchange("--generated", "--symbols", "AAPL") as at:
        client = alpaca.TradingClient(*KEYS, paper=True, url_override=at["trading"])
        stream = alpaca.TradingStream(*KEYS, paper=True, url_override=at["trade_stream"])
        filled: queue.SimpleQueue[float] = queue.SimpleQueue()

        async def hear(update: Any) -> None:
            if update.event == "fill":
                filled.put(time.perf_counter())

        stream.subscribe_trade_updates(hear)
        acknowledged, to_fill = [], []
        with _running(stream):
            _until(at, lambda each: each.get("listens", False))
            for turn in range(count + 20):
                side = alpaca.OrderSide.BUY if turn % 2 == 0 else alpaca.OrderSide.SELL
                request = alpaca.MarketOrderRequest(
                    symbol="AAPL", qty=1, side=side, time_in_force=alpaca.TimeInForce.DAY
                )
                began = time.perf_counter()
                client.submit_order(request)
                answered = time.perf_counter()
                at_fill = filled.get(timeout=RUN_S)
                if turn >= 20:  # the first ones warm both sides up
                    acknowledged.append((answered - began) * 1e3)
                    to_fill.append((at_fill - began) * 1e3)
    for what, values, share, target in (
        ("order acknowledged, p50", acknowledged, 0.5, 1.5),
        ("order acknowledged, p99", acknowledged, 0.99, 6.0),
        ("order sent to its fill on the stream, p50", to_fill, 0.5, 3.0),
    ):
        value = statistics.quantiles(values, n=1000, method="inclusive")[int(share * 1000) - 1]
        yield Measured(what=what, value=value, unit="ms", target=target, lower_is_better=True)


def bars(what: str, target: float, *, raw: bool) -> Iterator[Measured]:
    """One session of 500 symbols as fast as it goes: bars a second at alpaca-py's handler."""
    alpaca = _alpaca()
    with _session_exchange() as at:
        stream = alpaca.StockDataStream(*KEYS, url_override=at["data_stream"], raw_data=raw)
        seen = 0
        first = last = 0.0
        is_done = threading.Event()

        async def hear(bar: Any) -> None:
            nonlocal seen, first, last
            seen += 1
            if seen == 1:
                first = time.perf_counter()
            elif seen == len(SYMBOLS) * MINUTES:
                last = time.perf_counter()
                is_done.set()

        stream.subscribe_bars(hear, "*")
        with _running(stream):
            assert is_done.wait(RUN_S), f"only {seen} bars came"
    yield Measured(
        what=what, value=(seen - 1) / (last - first), unit="bars/s", target=target, lower_is_better=False
    )


def whole_session() -> Iterator[Measured]:
    """The same session through a bare WebSocket: from the subscription to the last byte."""
    import aiohttp

    async def read(address: str) -> float:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(
                address, headers={"Content-Type": "application/msgpack"}, max_msg_size=0
            ) as socket,
        ):
            import msgpack

            await socket.receive()
            await socket.send_bytes(msgpack.packb({"action": "auth", "key": KEYS[0], "secret": KEYS[1]}))
            await socket.receive()
            began = time.perf_counter()
            await socket.send_bytes(msgpack.packb({"action": "subscribe", "bars": ["*"]}))
            await socket.receive()
            seen = 0
            while seen < len(SYMBOLS) * MINUTES:
                message = await socket.receive(timeout=RUN_S)
                seen += len(msgpack.unpackb(message.data))
            return time.perf_counter() - began

    with _session_exchange() as at:
        seconds = asyncio.run(read(at["data_stream"]))
    yield Measured(
        what="one session of 500 symbols through the socket",
        value=seconds,
        unit="s",
        target=4.0,
        lower_is_better=True,
    )


@contextmanager
def _session_exchange() -> Iterator[dict[str, str]]:
    with exchange(
        "--generated", "--symbols", ",".join(SYMBOLS), "--session", SESSION, "--clock", "fast"
    ) as at:
        yield at


@contextmanager
def _running(stream: Any) -> Iterator[None]:
    thread = threading.Thread(target=stream.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stream.stop()
        thread.join(START_S)


def _until(at: dict[str, str], holds: Callable[[dict[str, Any]], bool]) -> None:
    """Until the exchange says that a stream listens."""
    import requests

    ends_at = time.monotonic() + START_S
    while time.monotonic() < ends_at:
        streams = requests.get(at["control"] + "streams", timeout=START_S).json()["streams"]
        if any(holds(each) for each in streams):
            return
        time.sleep(0.01)
    raise TimeoutError("the stream never listened")


class _alpaca:
    """What is used of alpaca-py, imported without the warnings of what it is built on."""

    def __init__(self) -> None:
        os.environ.setdefault("PYTHONWARNINGS", "ignore")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            from alpaca.data.live import StockDataStream
            from alpaca.trading.client import TradingClient
            from alpaca.trading.enums import OrderSide, TimeInForce
            from alpaca.trading.requests import MarketOrderRequest
            from alpaca.trading.stream import TradingStream
        self.StockDataStream, self.TradingClient, self.TradingStream = (
            StockDataStream,
            TradingClient,
            TradingStream,
        )
        self.OrderSide, self.TimeInForce, self.MarketOrderRequest = OrderSide, TimeInForce, MarketOrderRequest


if __name__ == "__main__":
    sys.exit(main())
