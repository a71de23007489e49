"""A plan under way: from the decision to enter until everything that came of it is over."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from magellan.engine.our_order import OurOrder
from magellan.engine.planning import number
from magellan.ledger.entries import TradePlanned
from magellan.strategy.plan_arithmetic import tighter
from magellan.trading.trade_terms import TradeMarks, TradeTerms


@dataclass(slots=True, kw_only=True)
class PlanState:
    """One plan, its fills and its marks. Folded from the ledger."""

    planned: TradePlanned
    signal_ns: int
    marks: TradeMarks | None = None  # None: nothing has been entered yet
    entered: Decimal = Decimal(0)  # units, on the present share basis
    fills: list[tuple[Decimal, Decimal]] = field(default_factory=list)  # (units, price) of its entries
    first_fill_at: datetime | None = None
    sold: dict[int, Decimal] = field(default_factory=dict)  # units that each target has sold
    completed: dict[int, int] = field(
        default_factory=dict
    )  # bar (ns) in which each target sold its last unit
    orders: list[str] = field(default_factory=list)  # names, in the order of their intents
    entries: list[OurOrder] = field(default_factory=list)  # of those, the ones that enter
    closed_at: datetime | None = None  # the execution that made the position flat
    dropped: bool = False  # given up before anything was sent
    refusals: int = 0  # of protective orders, since one was accepted

    @property
    def plan_id(self) -> str:
        return self.planned.plan_id

    @property
    def symbol(self) -> str:
        return self.planned.symbol

    @property
    def side(self) -> int:
        return self.planned.side

    @property
    def terms(self) -> TradeTerms:
        return self.planned.terms

    @property
    def is_open(self) -> bool:
        """Units of it are held, as far as executions tell."""
        return bool(self.entered) and self.closed_at is None

    @property
    def average_price(self) -> float:
        """Of its entries; NaN before the first."""
        if not self.fills:
            return math.nan
        prices = {price for _, price in self.fills}
        if len(prices) == 1:
            # To the last bit: a stop or target at the entry price must tie with it.
            return float(prices.pop())
        return float(sum(units * price for units, price in self.fills)) / float(
            sum(units for units, _ in self.fills)
        )

    @property
    def stop_in_force(self) -> float:
        """The tighter of stop and trailing stop; NaN when there is neither."""
        if self.marks is None:
            return math.nan
        return float(tighter(float(self.side), number(self.marks.stop), number(self.marks.trail)))

    @property
    def stop_reason(self) -> str:
        """Which of the two it is."""
        assert self.marks is not None, "a trade that was entered has marks"
        stop, trail = number(self.marks.stop), number(self.marks.trail)
        return "trailing stop" if math.isnan(stop) or self.side * (trail - stop) > 0 else "stop"
