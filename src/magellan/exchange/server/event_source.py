"""Trade events over SSE: `GET /v2/events/trades`, with `since` and `since_id` to resume without a gap."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from aiohttp import web

from magellan.exchange.server.encoding import to_json
from magellan.exchange.server.trade_events import TradeEvent, TradeEvents
from magellan.exchange.venue.wire import Reply
from magellan.trading.bar import nanoseconds

PATHS = frozenset({"/v2/events/trades", "/v2beta1/events/trades"})
_HEARTBEAT_S = 15.0
_WAITING_MAX = 20_000  # events; a client that lets more wait is cut off, and resumes with the id it saw last


class Range:
    """Which events a client asks for, by time or by id; both ends included, except the one resumed from.

    An end that has not come yet is waited for.

    Raises ValueError, in words for the client.
    """

    def __init__(self, query: Mapping[str, str]) -> None:
        by_time = {name for name in ("since", "until") if query.get(name)}
        by_id = {name for name in ("since_id", "until_id") if query.get(name)}
        if by_time and by_id:
            raise ValueError("since and until cannot be used together with since_id and until_id")
        if ("until" in by_time and "since" not in by_time) or (
            "until_id" in by_id and "since_id" not in by_id
        ):
            raise ValueError("until needs since, and until_id needs since_id")
        self._since_ns = _instant(query["since"]) if "since" in by_time else None
        self._until_ns = _instant(query["until"]) if "until" in by_time else None
        self._since_id = query["since_id"] if "since_id" in by_id else None
        self._until_id = query["until_id"] if "until_id" in by_id else None

    @property
    def has_past(self) -> bool:
        return self._since_ns is not None or self._since_id is not None

    @property
    def until_ns(self) -> int | None:
        """The exchange time at which the stream ends; None: it ends by an id, or not at all."""
        return self._until_ns

    def ends_with(self, event: TradeEvent) -> bool:
        """Whether nothing is asked for that comes after an event."""
        return self._until_id is not None and event.event_id >= self._until_id

    def holds(self, event: TradeEvent) -> bool:
        return not (
            (self._since_ns is not None and event.at_ns < self._since_ns)
            or (self._until_ns is not None and event.at_ns > self._until_ns)
            or (self._since_id is not None and event.event_id <= self._since_id)
            or (self._until_id is not None and event.event_id > self._until_id)
        )


def wrong_range(error: ValueError) -> Reply:
    """The answer to a range that makes no sense."""
    return Reply(status=400, body={"code": 40010001, "message": str(error)})


async def serve_events(
    request: web.BaseRequest,
    account_id: str,
    events: TradeEvents,
    wanted: Range,
    *,
    now_ns: int,
    later: Callable[[int, Callable[[], None]], None],
) -> web.StreamResponse:
    """Send the past that was asked for, then what happens, until the end that was asked for or the client leaves.

    later: calls a function at an instant of exchange time.
    """
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    )
    waiting = _Waiting(request)
    # Both in one breath: no event falls between the past and the present, and none is in both.
    known = tuple(events.of(account_id))
    past = [event for event in known if wanted.holds(event)] if wanted.has_past else []
    stop = events.listen(account_id, waiting.put)
    if (wanted.until_ns is not None and wanted.until_ns <= now_ns) or (known and wanted.ends_with(known[-1])):
        waiting.end()
    elif wanted.until_ns is not None:
        later(wanted.until_ns + 1, waiting.end)
    try:
        await response.prepare(request)
        await response.write(b": welcome\n\n")
        for event in past:
            await response.write(_line(event.for_sse()))
        while True:
            try:
                told = await asyncio.wait_for(waiting.get(), _HEARTBEAT_S)
            except TimeoutError:
                await response.write(b": heartbeat\n\n")
                continue
            if told is None:
                break
            if wanted.holds(told):
                await response.write(_line(told.for_sse()))
            if wanted.ends_with(told):
                break
    except ConnectionError:
        pass  # the client has left: the ordinary end of this stream
    finally:
        stop()
    return response


class _Waiting:
    """Events that one client has not been sent yet; None behind them ends the stream."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self._queue: asyncio.Queue[TradeEvent | None] = asyncio.Queue()

    def put(self, event: TradeEvent) -> None:
        if self._queue.qsize() < _WAITING_MAX:
            self._queue.put_nowait(event)
        elif self._request.transport is not None:
            self._request.transport.abort()  # what waits is written by nobody any more, and so let go

    def end(self) -> None:
        self._queue.put_nowait(None)

    async def get(self) -> TradeEvent | None:
        return await self._queue.get()


def _line(document: Mapping[str, Any]) -> bytes:
    return b"data: " + to_json(document) + b"\n\n"


def _instant(text: str) -> int:
    """An instant from RFC 3339 or a date, in nanoseconds."""
    try:
        if len(text) == len("2024-03-11"):
            return nanoseconds(datetime.combine(date.fromisoformat(text), time(), UTC))
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text} is no date and no time in RFC 3339") from None
    if at.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return nanoseconds(at)
