"""Measure the paper exchange through alpaca-py, the exchange in a process of its own, and print a table.

    python benchmarks/exchange.py            every row (about a minute)
    python benchmarks/exchange.py --quick    fewer repetitions
    python benchmarks/exchange.py --only orders    start, orders, parsed, received, raw or session
    python benchmarks/exchange.py --write    and keep the rows, in results/ and RESULTS.md

Needs alpaca-py. What is measured is what a client sees, its own work included. How much that is stands beside each row
as its floor: the same client, in the same run, in turns, on a server that only repeats what the exchange once sent
(canned_exchange.py). What the exchange adds is the difference.
The exchange runs from byte code, as an installed package does, wherever the shell forbids writing it.
Exit code 1 when a row misses its target.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import queue
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if __package__ in (None, ""):
    sys.path.insert(0, str(ROOT))

from benchmarks import report  # noqa: E402  (the path has to be there first)
from benchmarks.canned_exchange import STREAMS, TRADES, Recorded  # noqa: E402

KEYS = ("PKBENCH", "secret")
SYMBOLS = tuple(f"S{number:03d}" for number in range(500))
MINUTES = 390
BARS = len(SYMBOLS) * MINUTES
SESSION = "2024-03-11"
START_S, RUN_S = 60.0, 120.0
WARM_UP_ORDERS = 20
ROWS = ("start", "orders", "parsed", "received", "raw", "session")
BYTE_CODE = ROOT / "benchmarks" / ".data" / "byte-code"
CANNED = ROOT / "benchmarks" / "canned_exchange.py"
TIMED = ROOT / "benchmarks" / "timed_exchange.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One row of the table.

    target: None where the row only explains another.
    floor:  the same on a server that does nothing but send; None where there is no such thing.
    """

    what: str
    value: float
    unit: str
    target: float | None
    lower_is_better: bool
    floor: float | None = None

    @property
    def is_met(self) -> bool:
        if self.target is None:
            return True
        return self.value <= self.target if self.lower_is_better else self.value >= self.target

    @property
    def x_floor(self) -> float | None:
        """How many times the floor it is; above 1 is worse than the floor."""
        if self.floor is None:
            return None
        return self.value / self.floor if self.lower_is_better else self.floor / self.value

    @property
    def table_row(self) -> str:
        met = "" if self.target is None else "yes" if self.is_met else "no"
        floor, ratio = ("", "") if self.floor is None else (f"{self.floor:,.2f}", f"{self.x_floor:.2f}")
        return (
            f"| {self.what} | {self.value:,.2f} | {self.unit} | {self._wanted} | {met} | {floor} | {ratio} |"
        )

    @property
    def line(self) -> str:
        wanted = "" if self.target is None else f"   target {self._wanted}"
        mark = "" if self.is_met else "   missed"
        floor = "" if self.floor is None else f"   floor {self.floor:,.2f} (x {self.x_floor:.2f})"
        return f"  {self.what:<58} {self.value:>12,.2f} {self.unit:<7}{wanted}{mark}{floor}"

    @property
    def _wanted(self) -> str:
        sign = "<=" if self.lower_is_better else ">="
        return "" if self.target is None else f"{sign} {self.target:,g}"


TABLE_HEAD = (
    "| what | value | unit | target | met | floor | x floor |",
    "|---|---:|---|---:|---|---:|---:|",
)


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--write", action="store_true", help="keep the rows, in results/ and RESULTS.md")
    parser.add_argument(
        "--only", action="append", metavar="NAME", choices=ROWS, help="some rows; not to be written"
    )
    asked = parser.parse_args()
    if asked.write and asked.only:
        parser.error("--write keeps every row or none")
    quick = asked.quick
    machine = report.machine()
    print(f"{report.machine_line(machine)}; load before: {machine['load_1min']}", flush=True)
    rows: list[Measured] = []
    with tempfile.TemporaryDirectory() as folder:
        recorded = Path(folder) / "recorded"
        asyncio.run(_record()).write(recorded)
        rounds = 1 if quick else 3
        measures = {
            "start": start_up,
            "orders": partial(orders, recorded, 200 if quick else 1000),
            "parsed": partial(bars, "parsed bars through alpaca-py", 60_000, recorded, rounds, _parsed),
            "received": partial(
                bars, "raw bars, a reader that only receives", 200_000, recorded, rounds, _received
            ),
            "raw": partial(bars, "raw bars through alpaca-py", None, recorded, rounds, _raw),
            "session": whole_session,
        }
        for name in asked.only or measures:
            for row in measures[name]():
                rows.append(row)
                print(row.line, flush=True)
    load_after = report.machine()["load_1min"]
    print(f"load after: {load_after}", flush=True)
    if asked.write:
        report.write_measured("exchange", {**machine, "load_1min_after": load_after}, rows)
        report.write_section(
            report.EXCHANGE,
            (
                f"Load before {machine['load_1min']}, after {load_after}: beyond one a core the machine had other",
                "work, and every row is slower than on a quiet one. The floor is the same client on a server that only",
                "repeats what the exchange once sent, in turns with it: what is above 1 in the last column is the",
                "exchange, and on a busy machine its waiting for a core.",
                "",
                *TABLE_HEAD,
                *(row.table_row for row in rows),
            ),
        )
    return 0 if all(row.is_met for row in rows) else 1


@contextmanager
def exchange(*options: str, notes: Path | None = None) -> Iterator[dict[str, str]]:
    """Run an exchange in a process of its own; gives its addresses. notes: gets its own times (timed_exchange.py)."""
    program = ("-m", "magellan") if notes is None else (str(TIMED), str(notes))
    command = [sys.executable, *program, "exchange", "--port", "0", "--json", *options]
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


@contextmanager
def canned(recorded: Path, *, waits_s: float = 0.0) -> Iterator[dict[str, str]]:
    """Run a server that repeats what was recorded; gives its addresses, as `exchange` does.

    waits_s: from the answer to an order to its updates.
    """
    command = [sys.executable, str(CANNED), str(recorded), str(waits_s)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None, "a pipe was asked for"
        where = f"127.0.0.1:{int(process.stdout.readline())}"
        yield {
            "trading": f"http://{where}",
            "control": f"http://{where}{STREAMS.removesuffix('streams')}",
            "trade_stream": f"ws://{where}{TRADES}",
            "data_stream": f"ws://{where}/v2/sip",
        }
    finally:
        process.terminate()
        process.wait(START_S)


def orders(recorded: Path, count: int) -> Iterator[Measured]:
    """Market orders: to their acknowledgement, and to their fill on the stream, one at a time.

    The floor of a fill gets its updates at once with the answer. There the client's two threads wait for each other,
    and the answer is read late; so the floor of an acknowledgement gets them a millisecond after it.
    """
    rounds = 4
    notes = recorded.with_name("exchange-times")
    with (
        _listening() as listen,
        exchange("--generated", "--symbols", "AAPL", notes=notes) as at,
        canned(recorded) as floor_at,
        canned(recorded, waits_s=0.001) as later_at,
    ):
        ours, at_once, later = (_Trader(where, listen) for where in (at, floor_at, later_at))
        for trader in (ours, at_once, later):
            trader.trade(WARM_UP_ORDERS, keeps=False)  # the first ones warm both sides up
        for _ in range(rounds):
            for trader in (ours, at_once, later):
                trader.trade(count // rounds, keeps=True)
    for what, share, target, values, least in (
        ("order acknowledged, p50", 0.5, 1.5, ours.acknowledged_ms, later.acknowledged_ms),
        ("order acknowledged, p99", 0.99, 6.0, ours.acknowledged_ms, later.acknowledged_ms),
        ("order sent to its fill on the stream, p50", 0.5, 3.0, ours.filled_ms, at_once.filled_ms),
    ):
        yield Measured(
            what=what,
            value=_quantile(values, share),
            unit="ms",
            target=target,
            lower_is_better=True,
            floor=_quantile(least, share),
        )
    own_us = json.loads(notes.read_text())[WARM_UP_ORDERS:]
    for share in (0.5, 0.99):
        yield Measured(
            what=f"of it, from the request read to the answer written, p{share * 100:.0f}",
            value=_quantile(own_us, share) / 1e3,
            unit="ms",
            target=None,
            lower_is_better=True,
        )


class _Trader:
    """alpaca-py's two trading clients on one exchange, and how long their orders took."""

    def __init__(self, at: dict[str, str], listen: Callable[[Any], None]) -> None:
        self._alpaca = _alpaca()
        self._client = self._alpaca.TradingClient(*KEYS, paper=True, url_override=at["trading"])
        stream = self._alpaca.TradingStream(*KEYS, paper=True, url_override=at["trade_stream"])
        self._filled: queue.SimpleQueue[float] = queue.SimpleQueue()
        self.acknowledged_ms: list[float] = []
        self.filled_ms: list[float] = []
        stream.subscribe_trade_updates(self._hear)
        listen(stream)
        _until(at, lambda each: each.get("listens", False))

    async def _hear(self, update: Any) -> None:
        if update.event == "fill":
            self._filled.put(time.perf_counter())

    def trade(self, count: int, *, keeps: bool) -> None:
        """Buy and sell in turns, each order after the fill of the one before."""
        alpaca = self._alpaca
        for turn in range(count):
            side = alpaca.OrderSide.BUY if turn % 2 == 0 else alpaca.OrderSide.SELL
            request = alpaca.MarketOrderRequest(
                symbol="AAPL", qty=1, side=side, time_in_force=alpaca.TimeInForce.DAY
            )
            began = time.perf_counter()
            self._client.submit_order(request)
            answered = time.perf_counter()
            at_fill = self._filled.get(timeout=RUN_S)
            if keeps:
                self.acknowledged_ms.append((answered - began) * 1e3)
                self.filled_ms.append((at_fill - began) * 1e3)


def _quantile(values: Sequence[float], share: float) -> float:
    return statistics.quantiles(values, n=1000, method="inclusive")[int(share * 1000) - 1]


Reader = Callable[[dict[str, str], Callable[[Any], None]], float]  # -> seconds from the first bar to the last


def bars(what: str, target: float | None, recorded: Path, rounds: int, read: Reader) -> Iterator[Measured]:
    """One session of 500 symbols as fast as it goes: bars a second, the median of the rounds."""
    ours, floor = [], []
    for _ in range(rounds):
        with _listening() as listen, _session_exchange() as at:
            ours.append((BARS - 1) / read(at, listen))
        with _listening() as listen, canned(recorded) as at:
            floor.append((BARS - 1) / read(at, listen))
    yield Measured(
        what=what,
        value=statistics.median(ours),
        unit="bars/s",
        target=target,
        lower_is_better=False,
        floor=statistics.median(floor),
    )


def _parsed(at: dict[str, str], listen: Callable[[Any], None]) -> float:
    return _through_alpaca(at, listen, raw=False)


def _raw(at: dict[str, str], listen: Callable[[Any], None]) -> float:
    return _through_alpaca(at, listen, raw=True)


def _through_alpaca(at: dict[str, str], listen: Callable[[Any], None], *, raw: bool) -> float:
    stream = _alpaca().StockDataStream(*KEYS, url_override=at["data_stream"], raw_data=raw)
    seen = 0
    first = last = 0.0
    is_done = threading.Event()

    async def hear(bar: Any) -> None:
        nonlocal seen, first, last
        seen += 1
        if seen == 1:
            first = time.perf_counter()
        elif seen == BARS:
            last = time.perf_counter()
            is_done.set()

    stream.subscribe_bars(hear, "*")
    listen(stream)
    assert is_done.wait(RUN_S), f"only {seen} bars came"
    return last - first


def _received(at: dict[str, str], listen: Callable[[Any], None]) -> float:
    """A bare WebSocket that counts bars by the head of each message."""

    async def receive() -> float:
        seen = 0
        first = 0.0
        async for frame in _frames(at["data_stream"]):
            first = first or time.perf_counter()
            seen += _length(frame)
            if seen == BARS:
                break
        return time.perf_counter() - first

    return asyncio.run(receive())


def _length(frame: bytes) -> int:
    """How many messages a frame of the data stream holds: the length of its MessagePack array."""
    if frame[0] == 0xDC:
        return int.from_bytes(frame[1:3], "big")
    assert frame[0] & 0xF0 == 0x90, "a frame is an array"
    return frame[0] & 0x0F


async def _frames(address: str, protocol: list[bytes] | None = None) -> AsyncIterator[bytes]:
    """The frames of the data stream after its answer to a subscription. protocol: gets those before."""
    import aiohttp
    import msgpack

    sent = ({"action": "auth", "key": KEYS[0], "secret": KEYS[1]}, {"action": "subscribe", "bars": ["*"]})
    headers = {"Content-Type": "application/msgpack"}
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(address, headers=headers, max_msg_size=0) as socket,
    ):
        heard = [await socket.receive_bytes()]
        for message in sent:
            await socket.send_bytes(msgpack.packb(message))
            heard.append(await socket.receive_bytes())
        if protocol is not None:
            protocol.extend(heard)
        while True:
            yield await socket.receive_bytes(timeout=RUN_S)


def whole_session() -> Iterator[Measured]:
    """The same session through a bare WebSocket, each message read: from the start of the client to the last bar."""
    import msgpack

    async def read(address: str) -> float:
        began = time.perf_counter()
        seen = 0
        async for frame in _frames(address):
            seen += len(msgpack.unpackb(frame))
            if seen == BARS:
                break
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


async def _record() -> Recorded:
    """What the real exchange sends for one order, and for one session."""
    import aiohttp

    headers = {"APCA-API-KEY-ID": KEYS[0], "APCA-API-SECRET-KEY": KEYS[1]}
    order = {"symbol": "AAPL", "qty": 1, "side": "buy", "type": "market", "time_in_force": "day"}
    shown = {"key_id": KEYS[0], "secret_key": KEYS[1]}
    sent = (
        {"action": "authenticate", "data": shown},
        {"action": "listen", "data": {"streams": ["trade_updates"]}},
    )
    trades: list[bytes] = []
    updates: list[bytes] = []
    with exchange("--generated", "--symbols", "AAPL") as at:
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.ws_connect(at["trade_stream"]) as socket,
        ):
            for message in sent:
                await socket.send_json(message)
                trades.append(await socket.receive_bytes())
            async with session.post(at["trading"] + "/v2/orders", json=order) as answer:
                assert answer.status == 200, "the exchange takes the order"
                body = await answer.read()
            while not updates or json.loads(updates[-1])["data"]["event"] != "fill":
                updates.append(await socket.receive_bytes(timeout=RUN_S))
    protocol: list[bytes] = []
    frames: list[bytes] = []
    with _session_exchange() as at:
        async for frame in _frames(at["data_stream"], protocol):
            frames.append(frame)
            if sum(map(_length, frames)) == BARS:
                break
    return Recorded(order=body, updates=updates, trades=trades, data=protocol, bars=frames)


@contextmanager
def _session_exchange() -> Iterator[dict[str, str]]:
    with exchange(
        "--generated", "--symbols", ",".join(SYMBOLS), "--session", SESSION, "--clock", "fast"
    ) as at:
        yield at


@contextmanager
def _listening() -> Iterator[Callable[[Any], None]]:
    """Gives what runs a stream of alpaca-py in a thread; ends them, to be entered before their servers.

    A stream whose server has gone looks at once whether it shall stop; one that hears nothing, every five seconds.
    """
    running: list[tuple[Any, threading.Thread]] = []

    def listen(stream: Any) -> None:
        thread = threading.Thread(target=stream.run, daemon=True)
        thread.start()
        running.append((stream, thread))

    try:
        yield listen
    finally:
        for stream, thread in running:
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
        logging.getLogger("alpaca").setLevel(logging.CRITICAL)  # its streams tell of servers that end
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
