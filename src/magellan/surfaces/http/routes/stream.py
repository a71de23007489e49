"""The live stream of regimes, over server-sent events and over a WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse
from pydantic import TypeAdapter
from starlette.concurrency import run_in_threadpool

from magellan.errors import MagellanError
from magellan.ports.api_tokens import Scope
from magellan.regime.reading import RegimeReading
from magellan.surfaces.http.access import Desk, Reader, address_of, caller
from magellan.surfaces.http.answer import Answer, answer
from magellan.surfaces.http.desk import ApiDesk, timeframe_of
from magellan.surfaces.http.problem import Refused
from magellan.surfaces.http.routes.regime import PREFIX, Symbol, TimeframeName
from magellan.trading.timeframe import Timeframe

router = APIRouter(prefix=PREFIX, tags=["market regime"])

_EVENT: TypeAdapter[Answer[RegimeReading]] = TypeAdapter(Answer[RegimeReading])
_ALIVE_EVERY_S = 15.0


@router.get(
    "/stream",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "An event `reading` now and whenever the reading changes; comments in between.",
            "content": {
                "text/event-stream": {
                    "schema": {"type": "string"},
                    "example": 'event: reading\ndata: {"source": "archive"}\n\n',
                }
            },
        }
    },
)
async def events(
    desk: Desk,
    caller: Reader,
    request: Request,
    symbol: Symbol,
    timeframe: TimeframeName = "1Day",
    count: Annotated[int | None, Query(ge=1, le=1_000_000, description="End after so many readings.")] = None,
) -> StreamingResponse:
    """Follow a market's regime as server-sent events. `WebSocket /api/market-regime/ws` tells the same."""
    wanted = timeframe_of(timeframe)
    await run_in_threadpool(
        desk.readings.reading, symbol, wanted
    )  # what cannot be read is told before the stream begins

    async def lines() -> AsyncIterator[str]:
        told = 0
        async for event in _changes(desk, symbol, wanted):
            if await request.is_disconnected():
                return
            yield ": alive\n\n" if event is None else f"event: reading\ndata: {event}\n\n"
            told += event is not None
            if count is not None and told >= count:
                return

    return StreamingResponse(lines(), media_type="text/event-stream")


@router.websocket("/ws")
async def socket(websocket: WebSocket) -> None:
    """Follow markets: send {"token": ..., "symbol": ..., "timeframe": ...} first; every message after it is a reading.

    Browsers cannot set a header here, so the token is in the first message and never in the address, which is logged.
    """
    desk: ApiDesk = websocket.app.state.desk
    await websocket.accept()
    try:
        asked = await asyncio.wait_for(websocket.receive_json(), timeout=10.0)
        caller(desk, str(asked["token"]), Scope.READ, address_of(websocket))
        wanted = timeframe_of(str(asked.get("timeframe", "1Day")))
        gone = asyncio.create_task(_gone(websocket))
        try:
            async for event in _changes(desk, str(asked["symbol"]), wanted, gone):
                await websocket.send_text('{"alive": true}' if event is None else event)
        finally:
            gone.cancel()
    except WebSocketDisconnect:
        return
    except (KeyError, TypeError, ValueError, AttributeError, TimeoutError):
        await websocket.close(code=1008, reason="the first message names token, symbol and timeframe")
    except Refused as error:
        await websocket.close(code=1008, reason=error.detail[:120])
    except MagellanError as error:
        await websocket.close(code=1011, reason=error.message[:120])


async def _gone(websocket: WebSocket) -> None:
    """Ends when the client has gone, or the server ends. What a client says after its first message is not heard."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


async def _changes(
    desk: ApiDesk, symbol: str, timeframe: Timeframe, gone: asyncio.Task[None] | None = None
) -> AsyncIterator[str | None]:
    """The reading as JSON, now and whenever it changes; None now and then, to show that the stream lives.

    gone: done when nobody listens any more, which ends it; None where whoever reads it finds that out.
    """
    last: RegimeReading | None = None
    quiet_s = 0.0
    while True:
        reading = desk.readings.kept_reading(symbol, timeframe)
        if reading is None:
            reading = await run_in_threadpool(desk.readings.reading, symbol, timeframe)
        if reading != last:
            last, quiet_s = reading, 0.0
            event = answer(reading, source="archive", as_of=reading.known_at, now=desk.now())
            yield _EVENT.dump_json(event).decode()
        elif quiet_s >= _ALIVE_EVERY_S:
            quiet_s = 0.0
            yield None
        if gone is None:
            await asyncio.sleep(desk.stream_every_s)
        elif (await asyncio.wait({gone}, timeout=desk.stream_every_s))[0]:
            return
        quiet_s += desk.stream_every_s
