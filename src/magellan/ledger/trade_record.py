"""The record of one trade: from the first unit bought (or sold short) until the position is flat again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum


class Outcome(StrEnum):
    """How a trade ended, by its profit after commission."""

    WIN = "win"
    LOSS = "loss"
    BREAKEVEN = "breakeven"
    OPEN = "open"  # it has not ended


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeRecord:
    """One trade, in the 27 fields of a trader's log and what Magellan adds. Money is exact, in USD.

    The 27 names are those of the logs that traders bring along, so that one spreadsheet reads both. None: not known,
    or not so yet. A trade that is open has the outcome `open` and no exit; its closing record has the same `trade_id`.
    """

    # What was traded
    timestamp: datetime  # aware, UTC: the first execution
    symbol: str
    action: str  # BUY, or SELL for a short
    quantity: Decimal  # units entered, > 0; after a split, in the units of its close
    price: Decimal  # average entry price per unit
    total_value: (
        Decimal  # what the units cost at entry: the exact sum of quantity x price over its executions
    )

    # How it was carried out
    order_id: str  # client_order_id of the order that opened it
    execution_mode: str  # PAPER, LIVE, or another mode in capitals
    account_id: str | None

    # What the strategy meant
    strategy_name: str
    entry_type: str  # how it entered: market, limit, stop, stop_limit, adopted
    stop_loss: Decimal | None  # as decided
    target: Decimal | None  # the first one, as decided

    # Why
    decision_reasoning: str
    indicators_used: tuple[str, ...]
    risk_reward_ratio: Decimal | None  # distance to the target over distance to the stop, as decided

    # What came of it
    outcome: Outcome
    profit_loss: Decimal | None  # before commission
    hold_duration_seconds: int | None
    exit_timestamp: datetime | None  # the execution that made the position flat
    exit_reasoning: str | None

    # How well
    slippage: (
        Decimal | None
    )  # USD lost (> 0) or won (< 0) between the decision's price and the entry's executions
    commission: Decimal  # of all its executions, >= 0 unless a venue paid
    net_profit_loss: Decimal | None  # after commission

    # Who says so
    session_id: str  # the session that opened it
    bot_version: str  # Magellan's
    config_hash: str

    # What Magellan adds
    trade_id: str  # the execution that opened it
    run_id: str
    release_id: str | None
    data_id: str | None
    exit_price: Decimal | None  # average
    exit_quantity: Decimal  # units that have left, in the units of `quantity`
    decision_price: Decimal | None  # what the strategy saw when it decided
    r_multiple: Decimal | None  # net profit over the initial risk; None without a stop
    executions: int  # how many made it up

    def __post_init__(self) -> None:
        if not self.quantity > 0:
            raise ValueError(f"trade {self.trade_id} has a quantity of {self.quantity}")
        for name in ("timestamp", "exit_timestamp"):
            at = getattr(self, name)
            if at is not None and at.utcoffset() != timedelta(0):
                raise ValueError(f"trade {self.trade_id}: {name} is {at!r}, not in UTC")
        if (self.outcome is Outcome.OPEN) != (self.exit_timestamp is None):
            raise ValueError(f"trade {self.trade_id} is {self.outcome} and left at {self.exit_timestamp}")
