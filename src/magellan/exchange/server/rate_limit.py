"""The rate limit: requests per minute and key, as Alpaca counts them and tells about them."""

from __future__ import annotations

from dataclasses import dataclass

from magellan.trading.timeframe import SECOND_NS

ALPACA_PER_MINUTE = 200  # of the basic plan
_MINUTE_S = 60


@dataclass(slots=True)
class _Window:
    minute: int
    used: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What is left to a key in the running minute."""

    limit: int
    remaining: int
    reset_s: int  # seconds since 1970 at which the next minute begins
    exceeded: bool

    @property
    def headers(self) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset_s),
        }


class RateLimit:
    """At most `per_minute` requests per key in each minute of wall time."""

    def __init__(self, per_minute: int) -> None:
        assert per_minute > 0, "a limit lets something through"
        self._per_minute = per_minute
        self._windows: dict[str, _Window] = {}

    def spend(self, key_id: str, wall_ns: int) -> Allowance:
        """Count one request. Wall time, since what it limits is a client's pace, whatever the exchange's clock does."""
        minute = wall_ns // SECOND_NS // _MINUTE_S
        window = self._windows.get(key_id)
        if window is None or window.minute != minute:
            window = self._windows[key_id] = _Window(minute)
        exceeded = window.used >= self._per_minute
        window.used += not exceeded
        return Allowance(
            limit=self._per_minute,
            remaining=self._per_minute - window.used,
            reset_s=(minute + 1) * _MINUTE_S,
            exceeded=exceeded,
        )
