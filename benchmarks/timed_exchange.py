"""`magellan exchange` with a stop-watch at its socket: how long an order is in the exchange's own hands.

    python benchmarks/timed_exchange.py NOTES exchange --generated --symbols AAPL ...

Writes NOTES, a JSON list, when the exchange has ended: for each order, in their order, the microseconds from the last
bytes of its request read to the first bytes of its answer written. The client, the kernel and the wait for a core
before the bytes are read are outside.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from aiohttp.http_writer import StreamWriter
from aiohttp.web_protocol import RequestHandler

from magellan.surfaces.cli.app import run

ORDER = b"POST /v2/orders "


def watch(took_us: list[float]) -> None:
    """Put the stop-watch where bytes of requests are read, and where bytes of answers are written."""
    read, write, write_lines = RequestHandler.data_received, StreamWriter._write, StreamWriter._writelines
    read_at: dict[Any, int] = {}  # by connection, while it has an order unanswered

    def data_received(connection: RequestHandler, data: bytes) -> None:
        if connection in read_at or data.startswith(ORDER):
            read_at[connection] = time.perf_counter_ns()  # a body may come after its head
        read(connection, data)

    def note(writer: StreamWriter) -> None:
        began_ns = read_at.pop(writer._protocol, None)
        if began_ns is not None:
            took_us.append((time.perf_counter_ns() - began_ns) / 1e3)

    def written(writer: StreamWriter, chunk: Any) -> None:
        write(writer, chunk)
        note(writer)

    def lines_written(writer: StreamWriter, chunks: Any) -> None:
        write_lines(writer, chunks)
        note(writer)

    RequestHandler.data_received = data_received  # type: ignore[method-assign]
    StreamWriter._write = written  # type: ignore[method-assign]
    StreamWriter._writelines = lines_written  # type: ignore[method-assign]


if __name__ == "__main__":
    notes_file, *arguments = sys.argv[1:]
    took_us: list[float] = []
    watch(took_us)
    try:
        code = run(arguments)
    finally:
        Path(notes_file).write_text(json.dumps(took_us))
    sys.exit(code)
