"""A connection to Robinhood's server: MCP over Streamable HTTP, spoken by the official SDK.

One task opens the connection and holds it; whoever asks does so from a task of its own. A call is one request, and is
never repeated here. A connection that breaks is opened again by the next call. What the SDK reads of the server's own
descriptions (what every answer must look like) is checked by it; an answer that does not fit is none.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from magellan.adapters.missing_extra import extra_missing
from magellan.adapters.robinhood.access import RobinhoodAccess
from magellan.adapters.robinhood.call_budget import CallBudget, Urgency
from magellan.adapters.robinhood.tools import must_fit
from magellan.errors import MagellanError, TryAgain

if TYPE_CHECKING:
    import httpx2
    from mcp import ClientSession

# The SDK tells its own troubles in a log; what matters of them is in our answers, and its lines would hold the account.
_SDK_LOGS: Final = ("mcp", "httpx2", "httpcore2")
_CLOSING_S: Final = 2.0
_LIST_PAGES_MAX: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a tool answered."""

    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """The tool answered that it did not do it."""

    message: str

    @property
    def rate_limited(self) -> bool:
        return "RATE_LIMITED" in self.message.upper().replace(" ", "_")

    @property
    def is_certain(self) -> bool:
        """Whether it is sure that nothing was done: what is behind the server may not have answered it."""
        text = self.message.lower().replace(" ", "")
        return not any(word in text for word in _UNCERTAIN)


_UNCERTAIN: Final = (
    *("deadlineexceeded", "unavailable", "code=unknown", "code=internal", "aborted", "timeout", "timedout"),
    *("badgateway", "internalservererror", "connectionreset"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAnswer:
    """No answer that can be read. The call may have been carried out."""

    why: str


class Connection:
    """Calls tools. Raises FixInput for a login that has run out, AskOperator for tools that are not those we know."""

    def __init__(self, access: RobinhoodAccess, auth: Callable[[], httpx2.Auth]) -> None:
        """auth: asked at every opening, so that a login that a person made meanwhile is found."""
        self._access = access
        self._auth = auth
        self._budget = CallBudget(access.call_every_s)
        self._opening = asyncio.Lock()
        self._session: ClientSession | None = None
        self._holder: asyncio.Task[MagellanError | None] | None = None
        self._leave = asyncio.Event()
        self._date: tuple[datetime, float] | None = None  # the server's, and when the loop's clock had it

    async def call(
        self, tool: str, arguments: Mapping[str, Any], urgency: Urgency = Urgency.QUESTION
    ) -> Told | Declined | NoAnswer:
        """Call a tool once."""
        try:
            async with asyncio.timeout(self._access.answer_s):
                session = await self._opened()
        except TimeoutError:
            return NoAnswer(why="no connection in time")
        except TryAgain as error:
            return NoAnswer(why=error.message)
        await self._budget.turn(urgency)
        return await self._called(session, tool, arguments)

    def now(self) -> datetime | None:
        """The server's clock, to half a second; None: it has not told."""
        if self._date is None:
            return None
        at, since_s = self._date
        passed_s = asyncio.get_running_loop().time() - since_s
        return datetime.fromtimestamp(at.timestamp() + 0.5 + passed_s, UTC)

    async def close(self) -> None:
        holder, self._holder, self._session = self._holder, None, None
        self._leave.set()
        if holder is not None:
            done, _ = await asyncio.wait({holder}, timeout=_CLOSING_S)
            if not done:
                holder.cancel()
                await asyncio.wait({holder})

    async def _called(
        self, session: ClientSession, tool: str, arguments: Mapping[str, Any]
    ) -> Told | Declined | NoAnswer:
        import httpx2
        from anyio import BrokenResourceError, ClosedResourceError
        from mcp import MCPError
        from mcp.types import CallToolResult
        from pydantic import ValidationError

        try:
            # `ClientSession`, not `Client`: that one may send a call a second time.
            answer = await session.call_tool(
                tool, dict(arguments), read_timeout_seconds=self._access.answer_s, allow_input_required=True
            )
        except MCPError as error:
            holder = self._holder
            if holder is not None and self._session is session and error.message.startswith("Connection"):
                await self._end_of(holder)  # says why, where it is for a person
            if "Session terminated" in error.message:
                self._leave.set()
            return NoAnswer(why=error.message)
        except (
            RuntimeError,
            ValidationError,
            ClosedResourceError,
            BrokenResourceError,
            httpx2.HTTPError,
        ) as error:
            return NoAnswer(why=f"{type(error).__name__}: {str(error).splitlines()[0]}")
        if not isinstance(answer, CallToolResult):
            return NoAnswer(why="the server asks something back, and nobody is there to answer")
        if answer.is_error:
            return Declined(message=_text(answer) or "it does not say why")
        data = (answer.structured_content or {}).get("data")
        return Told(data=data) if isinstance(data, dict) else NoAnswer(why="the answer has no data")

    async def _opened(self) -> ClientSession:
        async with self._opening:
            holder = self._holder
            if (
                self._session is not None
                and holder is not None
                and not holder.done()
                and not self._leave.is_set()
            ):
                return self._session
            await self.close()
            self._leave = asyncio.Event()
            ready: asyncio.Future[ClientSession] = asyncio.get_running_loop().create_future()
            self._holder = asyncio.create_task(self._hold(ready, self._leave), name="robinhood connection")
            try:
                self._session = await ready
            except asyncio.CancelledError:
                self._leave.set()
                self._holder.cancel()
                raise
            return self._session

    async def _hold(self, ready: asyncio.Future[ClientSession], leave: asyncio.Event) -> MagellanError | None:
        """Open the connection, say so, and keep it until it breaks or is no longer wanted. Returns what broke it."""
        _quiet_the_sdk()
        try:
            import httpx2
            from mcp import Client, MCPError
            from mcp.client.auth import OAuthFlowError
            from mcp.client.streamable_http import streamable_http_client
            from mcp.types import Implementation, PaginatedRequestParams
        except ImportError as error:
            ready.set_exception(extra_missing("robinhood", error))
            return None
        import magellan

        why: MagellanError | None = None
        try:
            async with AsyncExitStack() as stack:
                http = await stack.enter_async_context(
                    httpx2.AsyncClient(
                        auth=self._auth(),
                        verify=_certificates(),
                        timeout=self._access.answer_s,
                        event_hooks={"response": [self._note_date]},
                    )
                )
                client = Client(
                    streamable_http_client(self._access.server, http_client=http),
                    client_info=Implementation(name="magellan", version=magellan.__version__),
                    read_timeout_seconds=self._access.answer_s,
                    cache=None,
                )
                session = (await stack.enter_async_context(client)).session
                offered: dict[str, Mapping[str, Any]] = {}
                cursor: str | None = None
                for _ in range(_LIST_PAGES_MAX):
                    page = await session.list_tools(params=PaginatedRequestParams(cursor=cursor))
                    offered |= {tool.name: tool.input_schema for tool in page.tools}
                    cursor = page.next_cursor
                    if cursor is None:
                        break
                must_fit(offered, orders=self._access.places_orders)
                if not ready.done():
                    ready.set_result(session)
                await leave.wait()
        except MagellanError as error:
            why = error
        except (MCPError, OAuthFlowError, httpx2.HTTPError, OSError, ExceptionGroup) as error:
            why = _in_words(error)
        if not ready.done():
            ready.set_exception(why or TryAgain("the connection to Robinhood was given up"))
        return why

    async def _end_of(self, holder: asyncio.Task[MagellanError | None]) -> None:
        """Wait for a connection that has broken to be over. Raises what is for a person."""
        done, _ = await asyncio.wait({holder}, timeout=_CLOSING_S)
        for each in done:
            why = None if each.cancelled() else each.result()
            if why is not None and not isinstance(why, TryAgain):
                raise why

    async def _note_date(self, response: httpx2.Response) -> None:
        told = response.headers.get("date")
        if told is None or response.url.host != self._host:
            return
        try:
            at = parsedate_to_datetime(told)
        except ValueError:
            return
        self._date = (at, asyncio.get_running_loop().time())

    @property
    def _host(self) -> str:
        from urllib.parse import urlsplit

        return urlsplit(self._access.server).hostname or ""


@cache
def _certificates() -> ssl.SSLContext:
    """Whom we believe; read once per process, since that takes longer than all the rest of a connection."""
    import httpx2

    return httpx2.create_ssl_context()


def _in_words(error: BaseException) -> MagellanError:
    """What a person must know of it first; otherwise that it may be tried again."""
    if isinstance(error, BaseExceptionGroup):
        found = [_in_words(each) for each in error.exceptions]
        return next((each for each in found if not isinstance(each, TryAgain)), found[0])
    if isinstance(error, MagellanError):
        return error
    return TryAgain(
        f"Robinhood's server cannot be reached: {type(error).__name__} {str(error)[:200]}".rstrip(),
        kept="nothing was asked",
        next_step="check the network, then try again",
    )


def _text(answer: Any) -> str:
    return " ".join(each.text for each in answer.content if each.type == "text")


def _quiet_the_sdk() -> None:
    for name in _SDK_LOGS:
        logger = logging.getLogger(name)
        logger.propagate = False
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
