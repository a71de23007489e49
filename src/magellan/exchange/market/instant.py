"""Instants: when something happens in a market, in the order in which it is worked through."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class InstantKind(IntEnum):
    """What happens. The numbers are the order of work where several kinds share one nanosecond.

    What ends comes before what begins: a bar that closes at 09:31:00 is published before the next one opens.
    """

    BAR_CLOSED = 1  # the closed bar is published
    SESSION_CLOSE = 2
    DAY_CHANGE = 3  # midnight on the exchange's clock
    SESSION_OPEN = 4
    OPEN = 5  # a bar begins: the opening price
    RANGE = 6  # half of the span has passed: the whole range is offered to resting orders
    CLOSE = 7  # one millisecond before the end: the closing price


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Instant:
    """One kind of event at one instant, for every symbol that it concerns."""

    at_ns: int  # UTC
    kind: InstantKind
    symbols: tuple[
        str, ...
    ]  # in the market's order of symbols; () for the kinds that concern the whole market
