"""What an order is for. Limits and breakers ask this, and never guess it from the side of the order."""

from __future__ import annotations

from enum import StrEnum


class OrderPurpose(StrEnum):
    """Why an order is sent."""

    ENTRY = "entry"  # opens a position or adds to it
    STOP = "stop"  # rests, to limit the loss
    TARGET = "target"  # rests, to take the profit
    EXIT = "exit"  # leaves because the strategy's rules say so
    FLATTEN = "flatten"  # leaves because a person or a breaker's policy says so

    @property
    def reduces(self) -> bool:
        """The order can only make a position smaller. Such orders pass every breaker."""
        return self is not OrderPurpose.ENTRY
