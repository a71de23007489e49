"""Where Robinhood's official server is, what it can do for us, and how often it may be asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from magellan.trading.capabilities import Capabilities
from magellan.trading.order import OrderClass, OrderType, TimeInForce

SERVER: Final = "https://agent.robinhood.com/mcp/trading"

# By the tools' own descriptions. There is a tool for pairs of which one cancels the other, and we do not use it: how
# such orders are told, named and cancelled is published nowhere, and a protection that might be misread is none.
CAPABILITIES: Final = Capabilities(
    name="robinhood",
    order_types=frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT}),
    order_classes=frozenset({OrderClass.SIMPLE}),
    times_in_force=frozenset({TimeInForce.DAY, TimeInForce.GTC}),
    asset_classes=frozenset({"us_equity"}),
    fractions=True,
    fraction_types=frozenset({OrderType.MARKET}),
    shorts=False,
    extended_hours=True,
    order_stream=False,
    replace=False,
    requests_per_minute=240,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RobinhoodAccess:
    """One account, and how it is asked. All times in seconds."""

    account_number: str
    places_orders: bool  # whether the account's settings allow orders by name
    server: str = SERVER
    answer_s: float = 10.0  # how long an answer is waited for
    # Users of the server measured four calls a second that were never refused, and refusals at eight.
    call_every_s: float = 0.25
    poll_s: float = 1.0  # between two questions about orders, while one works
    idle_poll_s: float = 15.0  # and while none does
    attempts: int = 3  # of a question
    pause_s: float = 0.5  # before the second attempt, doubled before each further one
    limited_pause_s: float = 5.0  # after "asked too often": users saw it answer again after that
