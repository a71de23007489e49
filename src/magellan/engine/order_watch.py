"""Order watch: an order stream that listens and says nothing.

Executions come to be known from the stream, and from the broker's lists when it is asked. One of those lists that the
stream does not tell within a while was lost on it, and more may be: it is begun anew.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from magellan.engine.desk import Desk
from magellan.trading.order import Execution
from magellan.trading.timeframe import SECOND_NS

_DUE = "untold"


class OrderWatch:
    """Finds out that the order stream is mute, by what it does not tell."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._up_at: datetime | None = None
        self._untold: dict[str, Execution] = {}  # known by asking, by number

    def up(self) -> None:
        """The stream listens from now on."""
        self._up_at = self._desk.now
        self._forget()

    def down(self) -> None:
        """Nothing is expected of it."""
        self._up_at = None
        self._forget()

    def told(self, execution: Execution) -> None:
        """By the stream."""
        if self._untold.pop(execution.execution_id, None) is not None and not self._untold:
            self._forget()

    def found(self, execution: Execution) -> None:
        """In the broker's lists, and new to us."""
        # By the broker's clock and ours: within what they may differ by, nobody knows whether the stream was up.
        if self._up_at is None or execution.at < self._up_at + self._patience:
            return
        if not self._untold:
            self._desk.due(_DUE, self._desk.now_ns + int(self._patience.total_seconds() * SECOND_NS))
        self._untold[execution.execution_id] = execution

    def check(self) -> None:
        """Have the stream begun anew where what it should have told is overdue."""
        if not self._desk.is_due(_DUE):
            return
        symbols = ", ".join(sorted({each.symbol for each in self._untold.values()}))
        many = len(self._untold)
        what = f"{many} executions" if many > 1 else "an execution"
        self._desk.listen_anew(f"it listened, and did not tell {what} in {symbols}; it is begun anew")
        self.down()

    @property
    def _patience(self) -> timedelta:
        return timedelta(seconds=self._desk.setup.timings.differs_for_s)

    def _forget(self) -> None:
        self._untold.clear()
        self._desk.due(_DUE, None)
