"""Data watch: bars that do not come. Their age is counted in hours of trading, by the exchange's calendar."""

from __future__ import annotations

from magellan.engine.commands import Severity
from magellan.engine.desk import Desk
from magellan.trading.timeframe import HOUR_NS, MINUTE_NS, SECOND_NS

_AGAIN_NS = MINUTE_NS  # between two looks at a silence
_DAILY_GRACE_NS = HOUR_NS  # a daily bar is late so long after its session's close


class DataWatch:
    """Tells when bars are late, and when they come again."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._late: set[str] = set()
        self.feed_down: str | None = None  # why

    @property
    def late(self) -> frozenset[str]:
        """Symbols whose bars are late now."""
        return frozenset(self._late)

    def bar_came(self, symbol: str) -> None:
        """Look again where it was late, or others may be by now: any other bar only puts that instant off."""
        if symbol in self._late or not self._desk.is_ahead("data"):
            self.check()

    def check(self) -> None:
        """Look at every symbol traded; alarm once per silence."""
        desk = self._desk
        earliest: int | None = None
        for symbol in desk.setup.symbols:
            late_ns = self._late_from(symbol)
            if late_ns is None or symbol in desk.halted_symbols:
                continue
            if desk.now_ns < late_ns:
                self._late.discard(symbol)
                earliest = late_ns if earliest is None else min(earliest, late_ns)
            else:
                if symbol not in self._late:
                    self._late.add(symbol)
                    self._tell(symbol)
                self._judge(symbol)
                again_ns = self._again_ns()
                if again_ns is not None:
                    earliest = again_ns if earliest is None else min(earliest, again_ns)
        desk.due("data", earliest)

    def _judge(self, symbol: str) -> None:
        """How long the silence has lasted may trip a breaker, now or later."""
        desk = self._desk
        for tripped in desk.safety.silent(desk.now, self._silent_s(symbol), desk.setup.began.bar_source):
            desk.note(tripped)
            desk.alert(Severity.CRITICAL, f"the breaker '{tripped.breaker}' tripped: {tripped.reason}")

    def _again_ns(self) -> int | None:
        """When a silence is looked at again: it grows in hours of trading only."""
        desk = self._desk
        if desk.schedule.session_at(desk.now_ns) is not None:
            return desk.now_ns + _AGAIN_NS
        after = desk.schedule.next_session(desk.now_ns)
        return None if after is None else after.opens_ns

    def _silent_s(self, symbol: str) -> float:
        """Seconds of trading since the newest bar closed; before a first one, since this session opened."""
        desk = self._desk
        newest = desk.histories[symbol].newest_ns
        if newest is not None:
            return desk.schedule.trading_s(desk.schedule.ends_ns(newest), desk.now_ns)
        session = desk.schedule.session_at(desk.now_ns)
        return 0.0 if session is None else (desk.now_ns - session.opens_ns) / SECOND_NS

    def _tell(self, symbol: str) -> None:
        desk = self._desk
        silent_s = self._silent_s(symbol)
        desk.alert(
            Severity.CRITICAL,
            f"no bar of {symbol} for {silent_s / 60:.0f} minutes of trading; nothing is entered in it until one comes",
        )

    def _late_from(self, symbol: str) -> int | None:
        """When the next bar of the symbol is late; None where the calendar ends."""
        desk = self._desk
        schedule = desk.schedule
        newest = desk.histories[symbol].newest_ns
        if newest is None:
            session = schedule.session_at(desk.now_ns) or schedule.next_session(desk.now_ns)
            if session is None:
                return None
            from_ns = session.opens_ns
        else:
            from_ns = schedule.ends_ns(newest)
        if schedule.timeframe.is_daily:
            after = schedule.next_session(from_ns) if newest is not None else schedule.session_at(desk.now_ns)
            return None if after is None else after.closes_ns + _DAILY_GRACE_NS
        left_ns = int(desk.setup.timings.late_spans * schedule.span_ns) + SECOND_NS
        session = schedule.session_at(from_ns)
        while True:
            if session is None:
                session = schedule.next_session(from_ns)
                if session is None:
                    return None
                from_ns = session.opens_ns
            if from_ns + left_ns <= session.closes_ns:
                return from_ns + left_ns
            left_ns -= session.closes_ns - from_ns
            from_ns = session.closes_ns
            session = None
