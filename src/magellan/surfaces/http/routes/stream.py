"""The live stream of regimes, over server-sent events and over a WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, WebSocket, WebSocketDisconnect, status
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from magellan.errors import MagellanError
from magellan.ports.api_tokens import Scope
from magellan.regime.reading import RegimeReading
from magellan.surfaces.http.access import Desk, Reader, address_of, caller
from magellan.surfaces.http.answer import Answer, answer
from magellan.surfaces.http.desk import ApiDesk, timeframe_of
from magellan.surfaces.http.problem import Refused, problem_of
from magellan.surfaces.http.routes.regime import PREFIX, SYMBOL, TIMEFRAME, Symbol, TimeframeName
from magellan.trading.timeframe import Timeframe

router = APIRouter(prefix=PREFIX, tags=["market regime"])

_EVENT: TypeAdapter[Answer[RegimeReading]] = TypeAdapter(Answer[RegimeReading])
_ALIVE_EVERY_S: Final = 15.0
_FIRST_WITHIN_S: Final = 10.0  # a socket's first message


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
    token = request.headers["authorization"].partition(" ")[2]

    async def lines() -> AsyncIterator[str]:
        told = 0
        try:
            async for event in _changes(desk, symbol, wanted, partial(_must_read, desk, token, request)):
                if await request.is_disconnected():
                    return
                yield ": alive\n\n" if event is None else f"event: reading\ndata: {event}\n\n"
                told += event is not None
                if count is not None and told >= count:
                    return
        except (Refused, MagellanError) as error:
            yield f"event: problem\ndata: {problem_of(error).model_dump_json()}\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream")


class _Asked(BaseModel):
    """The first message of a socket."""

    token: str = Field(max_length=1000)
    symbol: Annotated[str, SYMBOL]
    timeframe: Annotated[str, TIMEFRAME] = "1Day"


@router.websocket("/ws")
async def socket(websocket: WebSocket) -> None:
    """Follow markets: send {"token": ..., "symbol": ..., "timeframe": ...} first; every message after it is a reading.

    Browsers cannot set a header here, so the token is in the first message and never in the address, which is logged.
    Before it is closed, the last message is a problem as every failure is answered with.
    """
    desk: ApiDesk = websocket.app.state.desk
    await websocket.accept()
    try:
        said = await asyncio.wait_for(websocket.receive_text(), timeout=_FIRST_WITHIN_S)
        asked = _Asked.model_validate_json(said)
        _must_read(desk, asked.token, websocket)
        wanted = timeframe_of(asked.timeframe)
        gone = asyncio.create_task(_gone(websocket))
        try:
            still = partial(_must_read, desk, asked.token, websocket)
            async for event in _changes(desk, asked.symbol, wanted, still, gone):
                await websocket.send_text('{"alive": true}' if event is None else event)
        finally:
            gone.cancel()
    except WebSocketDisconnect:
        return
    except (ValidationError, KeyError, TimeoutError):  # KeyError: a message of bytes
        await _close(
            websocket,
            Refused(
                HTTPStatus.UNPROCESSABLE_ENTITY, "malformed-request",
                "the first message names token, symbol and timeframe",
                fix='send {"token": "...", "symbol": "SPY", "timeframe": "1Day"} at once',
            ),
        )  # fmt: skip
    except (Refused, MagellanError) as error:
        await _close(websocket, error)


def _must_read(desk: ApiDesk, token: str, connection: HTTPConnection) -> None:
    """Raises Refused where the token may not read, also once it is revoked or over."""
    caller(desk, token, Scope.READ, address_of(connection))


async def _close(websocket: WebSocket, error: Refused | MagellanError) -> None:
    problem = problem_of(error)
    code = status.WS_1008_POLICY_VIOLATION if problem.status < 500 else status.WS_1013_TRY_AGAIN_LATER
    await websocket.send_text(problem.model_dump_json())
    # A reason has 123 bytes at most, and half a letter is none.
    await websocket.close(code=code, reason=problem.detail.encode()[:120].decode(errors="ignore"))


async def _gone(websocket: WebSocket) -> None:
    """Ends when the client has gone, or the server ends. What a client says after its first message is not heard."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


async def _changes(
    desk: ApiDesk,
    symbol: str,
    timeframe: Timeframe,
    still: Callable[[], None],
    gone: asyncio.Task[None] | None = None,
) -> AsyncIterator[str | None]:
    """The reading as JSON, now and whenever it changes; None now and then, to show that the stream lives.

    still: raises Refused once nothing more may be told; asked before every look.
    gone: done when nobody listens any more, which ends it; None where whoever reads it finds that out.
    """
    last: RegimeReading | None = None
    quiet_s = 0.0
    while True:
        still()
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
