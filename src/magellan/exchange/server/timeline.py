"""The timeline: moves the market and the venue through time, and publishes what happens, in one order.

At one instant: the bars that close are published, then what was put on the agenda is done, then the venue works through
whatever the market's instants mean to it (the next bar's open among them).
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Coroutine, Iterator

from magellan.exchange.market.instant import Instant, InstantKind
from magellan.exchange.market.market import Market
from magellan.exchange.server.clock import ClockMode, ExchangeClock
from magellan.exchange.venue.venue import Venue
from magellan.exchange.venue.wire import VenueEvent

PUBLISHED = frozenset({InstantKind.BAR_CLOSED, InstantKind.SESSION_OPEN, InstantKind.SESSION_CLOSE})


class Timeline:
    """Exchange time as it is worked through. Single-threaded: everything happens in the event loop's thread.

    end_ns:   where the served data ends; the clock freezes there. None: never.
    publish:  told of every instant of the kinds above.
    happened: told of every event of the venue, in order.
    """

    def __init__(
        self,
        *,
        market: Market,
        venue: Venue,
        clock: ExchangeClock,
        end_ns: int | None,
        publish: Callable[[Instant], None],
        happened: Callable[[VenueEvent], None],
        flushed: Callable[[], Coroutine[None, None, None] | None],
    ) -> None:
        self._market = market
        self._venue = venue
        self._clock = clock
        self._end_ns = end_ns
        self._publish = publish
        self._happened = happened
        self._flushed = flushed
        self.reached_ns = clock.now_ns()
        self._instants: Iterator[Instant] = market.instants(self.reached_ns, end_ns or _FAR_NS)
        self._next: Instant | None = next(self._instants, None)
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._agenda_count = 0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns = 0
        self._running: asyncio.Task[None] | None = None

    # -- time ----------------------------------------------------------------------------------------------

    @property
    def end_ns(self) -> int | None:
        """Where the served data ends; None: never."""
        return self._end_ns

    def now(self) -> int:
        """What time it is, after everything up to then has been worked through."""
        now_ns = self._clock.now_ns()
        if self._end_ns is not None and now_ns > self._end_ns:
            now_ns = self._end_ns
        if now_ns > self.reached_ns:
            self.advance(now_ns)
        return max(now_ns, self.reached_ns)

    def later(self, at_ns: int, action: Callable[[], None]) -> None:
        """Put something on the agenda; what lies in the past is done at the next advance."""
        self._agenda_count += 1
        heapq.heappush(self._agenda, (at_ns, self._agenda_count, action))
        self.arm()

    def next_due_ns(self) -> int | None:
        """The next instant at which anything happens; None when nothing more will."""
        due = [self._agenda[0][0]] if self._agenda else []
        if self._next is not None:
            due.append(self._next.at_ns)
        of_venue = self._venue.next_due_ns()
        if of_venue is not None:
            due.append(of_venue)
        return max(self.reached_ns, min(due)) if due else None

    def next_close_of_bar_ns(self) -> int | None:
        """The next instant at which a bar closes; None when none will."""
        coming = self._market.instants(self.reached_ns, self._end_ns or _FAR_NS)
        return next((each.at_ns for each in coming if each.kind is InstantKind.BAR_CLOSED), None)

    # -- work ----------------------------------------------------------------------------------------------

    def advance(self, to_ns: int) -> None:
        """Work through everything in (reached, to]."""
        while True:
            market_ns = _FAR_NS if self._next is None else self._next.at_ns
            agenda_ns = self._agenda[0][0] if self._agenda else _FAR_NS
            if min(market_ns, agenda_ns) > to_ns:
                break
            if market_ns <= agenda_ns:
                instant = self._next
                assert instant is not None, "an instant that lies in reach is there"
                self._next = next(self._instants, None)
                if instant.kind in PUBLISHED:
                    self._venue_to(instant.at_ns - 1)
                    self.reached_ns = max(self.reached_ns, instant.at_ns)
                    self._publish(instant)
            else:
                _, _, action = heapq.heappop(self._agenda)
                self._venue_to(agenda_ns)
                self.reached_ns = max(self.reached_ns, agenda_ns)
                action()
        self._venue_to(to_ns)
        self.reached_ns = max(self.reached_ns, to_ns)

    def collect(self) -> None:
        """Pass on what the venue has to tell, after a request or an intervention."""
        for event in self._venue.take_events():
            self._happened(event)

    def step_to(self, at_ns: int) -> None:
        """Move a clock that does not run by itself, through all that lies between. Raises FixInput for the past."""
        if self._end_ns is not None:
            at_ns = min(at_ns, max(self._end_ns, self.reached_ns))
        self._clock.move_to(at_ns)
        self.advance(at_ns)

    def _venue_to(self, to_ns: int) -> None:
        if to_ns > self.reached_ns or self._venue.next_due_ns() is not None:
            self._venue.advance(to_ns)
        self.collect()

    # -- running -------------------------------------------------------------------------------------------

    def arm(self) -> None:
        """Set the alarm to the next instant at which anything happens; to be called after every change."""
        due_ns = self.next_due_ns()
        if due_ns is None or (self._end_ns is not None and due_ns > self._end_ns):
            return
        if self._timer is not None:
            if self._timer_ns == due_ns and not self._timer.cancelled():
                return
            self._timer.cancel()
            self._timer = None
        wait_s = self._clock.wall_seconds_until(due_ns)
        if wait_s is not None:
            self._timer_ns = due_ns
            self._timer = asyncio.get_running_loop().call_later(min(wait_s, _LONGEST_WAIT_S), self._ring)

    def _ring(self) -> None:
        self._timer = None
        self.now()
        self.arm()

    def clock_changed(self) -> None:
        """The clock goes on in another mode: alarms are set anew, and a fast clock begins to run."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._clock.mode is ClockMode.FAST and (self._running is None or self._running.done()):
            self._running = asyncio.get_running_loop().create_task(self._run_fast())
        self.arm()

    async def _run_fast(self) -> None:
        """From one instant to the next. Only clients that have not taken what was sent hold it up."""
        while self._clock.mode is ClockMode.FAST:
            due_ns = self.next_due_ns()
            if due_ns is None or (self._end_ns is not None and due_ns > self._end_ns):
                self._clock.change(ClockMode.FROZEN)
                return
            self.step_to(due_ns)
            flushed = self._flushed()
            if flushed is not None:
                await flushed
            else:
                await asyncio.sleep(0)

    def stop(self) -> None:
        """Set no further alarm."""
        if self._timer is not None:
            self._timer.cancel()
        if self._running is not None:
            self._running.cancel()


_FAR_NS = 1 << 62
_LONGEST_WAIT_S = 3600.0  # a clock that is paced very slowly is looked at again
