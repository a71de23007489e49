"""The time of a local paper exchange, as a session there lives it.

A shifted exchange keeps this machine's time. A paced one's passes N times as fast. A stepped one's passes when the
session has nothing left to do: so it lives through an archived day as fast as it can think, and always in the same
order, since before each step everything that the exchange has published for it has arrived.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from magellan.adapters.local.real_time import RealTime
from magellan.errors import AskOperator, FixInput
from magellan.ports.pace import Pace, Tally

_PATIENCE_S: Final = 5.0  # for what was published and has not arrived: by then it is lost
_ANSWER_S: Final = 30.0
_LONGEST_S: Final = 1.0  # of wall time, in which a paced exchange's clock is not looked at
_UNSEEN_LOOKS: Final = 3.0  # a look may be late: an exchange that is further back has been set back


async def exchange_time(base_url: str, *, key_id: str, symbols: frozenset[str]) -> Pace:
    """The pace of the exchange at an address, by the mode of its clock.

    key_id:  of the account that the session trades, whose order events are waited for.
    symbols: whose minute bars the session streams; empty: none.
    Raises: AskOperator when it cannot be reached; FixInput for a clock that no session can follow.
    """
    control = Control(base_url)
    try:
        pace = await _by_its_clock(control, base_url, key_id=key_id, symbols=symbols)
    except BaseException:  # Ctrl-C too: nobody else closes it
        await control.close()
        raise
    if isinstance(pace, RealTime):
        await control.close()
    return pace


async def _by_its_clock(control: Control, base_url: str, *, key_id: str, symbols: frozenset[str]) -> Pace:
    clock = await control.clock()
    match clock.mode:
        case "shifted":
            return RealTime()
        case "paced":
            return PacedExchange(clock, control)
        case "stepped":
            overview = await control.ask("GET", "overview")
            served = frozenset(overview["symbols"])
            if symbols and served != symbols:
                raise FixInput(
                    f"the stepped exchange at {base_url} serves {', '.join(sorted(served))}, and the session reads "
                    f"{', '.join(sorted(symbols))}",
                    next_step="start it with exactly the symbols of the strategy's config",
                )
            newest = max((line["n"] for line in overview["events"]), default=0)
            return SteppedExchange(
                control, clock.now, end=clock.end, key_id=key_id, streams_bars=bool(symbols), since=newest
            )
    raise FixInput(
        f"the exchange at {base_url} has a {clock.mode} clock, which no session can follow",
        next_step="start it with --clock shifted, paced or stepped",
    )


class PacedExchange:
    """Keeps `ports.pace.Pace`: exchange time passes `speed` times as fast as ours, and jumps where the exchange's does.

    control:      asked again and again, since anybody may have the exchange's time go on in another way.
    look_every_s: of wall time.
    """

    def __init__(self, clock: Clock, control: Control, *, look_every_s: float = _LONGEST_S) -> None:
        self._at, self._speed, self._end = clock.now, clock.speed, clock.end
        self._latest = clock.now  # that anybody was told: an exchange that was slowed down is waited for
        self._began_s = time.monotonic()
        self._control = control
        self._look_every_s = look_every_s
        self._following = asyncio.create_task(self._follow())

    def now(self) -> datetime:
        self._latest = max(self._latest, self._there())
        return self._latest

    @property
    def is_over(self) -> bool:
        return self._end is not None and self.now() >= self._end

    async def rest(
        self, arrived: asyncio.Event, until: datetime | None, *, waiting: bool, tally: Tally
    ) -> None:
        rest_s = _LONGEST_S if until is None else (until - self._there()).total_seconds() / self._speed
        if rest_s > 0:
            await _within(arrived, min(rest_s, _LONGEST_S))

    def _there(self) -> datetime:
        """What the exchange's clock says, as far as it goes on as it was seen last."""
        passed = self._at + timedelta(seconds=(time.monotonic() - self._began_s) * self._speed)
        return passed if self._end is None else min(passed, self._end)

    async def close(self) -> None:
        self._following.cancel()
        await self._control.close()

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._look_every_s)
            # While it is away, time goes on as it did; the session is told by its requests.
            with suppress(AskOperator):
                self._adopt(await self._control.clock())

    def _adopt(self, told: Clock) -> None:
        """Go on as the exchange's clock does now. One that stands still, or went back, shows as a wrong clock."""
        speed = {"paced": told.speed, "shifted": 1.0}.get(told.mode)
        if speed is None:
            return
        ahead_s = (told.now - self._there()).total_seconds()
        unseen_s = _UNSEEN_LOOKS * self._look_every_s * max(speed, self._speed)  # while nobody looked
        if ahead_s > unseen_s or (speed != self._speed and ahead_s > -unseen_s):
            self._at, self._speed, self._end = told.now, speed, told.end
            self._began_s = time.monotonic()


class SteppedExchange:
    """Keeps `ports.pace.Pace` over the exchange's control API."""

    def __init__(
        self,
        control: Control,
        at: datetime,
        *,
        end: datetime | None,
        key_id: str,
        streams_bars: bool,
        since: int,
    ) -> None:
        self._control = control
        self._at = at
        self._end = end
        self._key_id = key_id
        self._streams_bars = streams_bars
        self._account = ""  # by which the exchange's log names it; not opened before the first request
        self._line = since  # the newest line of the log that was read
        self._published = Tally()
        self._lost = Tally()  # published, and given up

    def now(self) -> datetime:
        return self._at

    @property
    def is_over(self) -> bool:
        return self._end is not None and self._at >= self._end

    async def rest(
        self, arrived: asyncio.Event, until: datetime | None, *, waiting: bool, tally: Tally
    ) -> None:
        if waiting:
            await _within(arrived, _ANSWER_S)
            return
        if until is not None and until <= self._at:
            return
        if self._is_owed(tally):
            if not await _within(arrived, _PATIENCE_S):
                self._lost = Tally(
                    bars=self._published.bars - tally.bars,
                    order_events=self._published.order_events - tally.order_events,
                )
            return
        await self._step(until)

    async def close(self) -> None:
        await self._control.close()

    def _is_owed(self, tally: Tally) -> bool:
        """Whether something that was published for us has not arrived."""
        return (
            self._published.bars > tally.bars + self._lost.bars
            or self._published.order_events > tally.order_events + self._lost.order_events
        )

    async def _step(self, until: datetime | None) -> None:
        """To the next instant at which anything happens there, or to `until` if that is earlier.

        The exchange takes the step only when its log holds nothing that we have not read; and tells what it holds.
        """
        if not self._account:
            accounts = (await self._control.ask("GET", "accounts"))["accounts"]
            self._account = next((each["id"] for each in accounts if each["key_id"] == self._key_id), "")
        step: dict[str, Any] = {"next": "instant", "seen": self._line}
        if until is not None:
            step["at_most"] = until.isoformat()
        told = await self._control.ask("POST", "clock/step", step)
        self._at = max(self._at, datetime.fromisoformat(told["now"]).astimezone(UTC))
        self._line = told["last"]
        for line in told["lines"]:
            if line["what"] == "bars" and self._streams_bars:
                self._published.bars += line["symbols"]
            elif line["what"] == "trade_update" and line["account_id"] == self._account:
                self._published.order_events += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """An exchange's clock: instants are UTC; end None: without end."""

    mode: str
    now: datetime
    end: datetime | None
    speed: float


class Control:
    """The exchange's control API."""

    def __init__(self, base_url: str) -> None:
        import aiohttp

        self._url = f"{base_url.rstrip('/')}/_magellan/"
        self._unreachable = (aiohttp.ClientError, TimeoutError)
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ANSWER_S))

    async def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        try:
            async with self._http.request(method, self._url + path, json=body) as told:
                answer = orjson.loads(await told.read())
        except self._unreachable as error:
            raise AskOperator(
                f"the exchange's control API at {self._url} cannot be reached: {type(error).__name__}: {error}",
                kept="the session's ledger; protective orders rest at the exchange",
                next_step="start the exchange, then start the session again",
            ) from error
        except ValueError as error:
            raise self._no_exchange(str(error)) from error
        if "message" in answer:
            raise AskOperator(f"the exchange refuses {method} {self._url}{path}: {answer['message']}")
        return answer

    async def clock(self) -> Clock:
        told = await self.ask("GET", "clock")
        try:
            return Clock(
                mode=told["mode"],
                now=datetime.fromisoformat(told["now"]).astimezone(UTC),
                end=None if told["end"] is None else datetime.fromisoformat(told["end"]).astimezone(UTC),
                speed=float(told["speed"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise self._no_exchange("it tells no clock") from error

    def _no_exchange(self, why: str) -> AskOperator:
        return AskOperator(
            f"{self._url} answers, but not like a paper exchange: {why}",
            kept="nothing was sent",
            next_step="correct the account's address in magellan.toml, or start `magellan exchange` there",
        )

    async def close(self) -> None:
        await self._http.close()


async def _within(arrived: asyncio.Event, wait_s: float) -> bool:
    try:
        await asyncio.wait_for(arrived.wait(), wait_s)
    except TimeoutError:
        return False
    return True
